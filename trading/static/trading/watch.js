// What is not true any more, and since when. Each of these shows by itself and goes by itself: the connection, the
// rows, the prices, the loops.

import { clockAt } from "./format.js";

const ROWS_WITHIN_MS = 3000;
const LOOK_EVERY_MS = 250;
const NEWS_FOR_MS = 60_000;

// Milliseconds of the server's clock. The computer that the browser runs on may be minutes off.
export const serverClock = () => {
  let aheadMs = 0;
  return {
    hear: (text) => { aheadMs = Date.parse(text) - Date.now(); },
    now: () => Date.now() + aheadMs,
    of: (browserMs) => browserMs + aheadMs,
  };
};

const LOOPS = { ENTRIES: "entries loop", EXITS: "exits loop" };
const CONSEQUENCE = {
  ENTRIES: "no entry is made",
  EXITS: "stops rest at the exchange, nobody watches them; the other watcher takes over by itself",
};
const ago = (text) => (text ? ` since ${clockAt(Date.parse(text))}` : "");
const ofLoop = ({ loop, state, since }) => {
  const said = {
    "nobody leads": `Nobody leads the ${LOOPS[loop]}${ago(since)}`,
    silent: `The ${LOOPS[loop]} is not heard of${ago(since)}`,
    late: `The ${LOOPS[loop]} has finished no pass${ago(since)}`,
  }[state];
  return `${said}: ${CONSEQUENCE[loop]}.`;
};

// A leader that died may be followed so soon that nothing was missing: what happened is still said, for a minute.
const holders = new Map();
export const successions = (loops) => loops.flatMap(({ loop, holder, fence }) => {
  const before = holders.get(loop);
  if (holder) holders.set(loop, { holder, fence });
  return before && holder && before.fence !== fence ? [`${holder} took over the ${LOOPS[loop]} from ${before.holder}.`] : [];
});

// `seen` is what the page knows: lost, rowsAt, problem, pricesAt, isExpected, loops, succession and its time succeededAt
export const watch = (root, seen, clock) => {
  const banner = (name, text) => {
    const element = root.querySelector(`#${name}`);
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
    return Boolean(text);
  };
  const rowsProblem = () => {
    const since = clockAt(seen.rowsAt);
    if (seen.problem) return `${seen.problem} Read last at ${since}.`;
    if (clock.now() - seen.rowsAt <= ROWS_WITHIN_MS) return "";
    return `Orders, positions and decisions are old since ${since}: the database does not answer in time.`;
  };
  const pricesProblem = () => {
    if (!seen.isExpected || clock.now() - seen.pricesAt <= Number(root.dataset.pricesWithinMs)) return "";
    if (!seen.pricesAt) return "There are no prices yet: the strategy process has sent none.";
    return `Prices are old since ${clockAt(seen.pricesAt)}: the market is open and none has come.`;
  };
  const look = () => {
    const lost = seen.lost;
    const isLost = banner("stale", lost ? `Stale since ${clockAt(clock.of(lost.sinceMs))}: ${lost.why}.` : "");
    // While nothing is heard at all, the rest would only say so again.
    const isOld = banner("problem", isLost ? "" : rowsProblem());
    const isQuiet = banner("silent", isLost ? "" : pricesProblem());
    banner("unled", isLost || isOld ? "" : seen.loops.filter((one) => one.state !== "ok").map(ofLoop).join(" "));
    const isNews = clock.now() - seen.succeededAt < NEWS_FOR_MS;
    banner("succession", isNews ? `At ${clockAt(seen.succeededAt)} ${seen.succession}` : "");
    root.classList.toggle("stale", isLost);
    root.classList.toggle("rows-old", isOld);
    root.classList.toggle("prices-old", isQuiet);
  };
  setInterval(look, LOOK_EVERY_MS);
  look();
};
