// The console's home page: the server's picture as it comes, the prices ten times a second, and what is not true any
// more with the time since when.

import { clock, clockAt, paiseOf, seconds } from "./format.js";
import {
  ordersTable, positionsTable, put, showBurnin, showClosed, showDay, showEntries, showFlatten, showLogin, showLoops,
  showMode, showRate, signalsTable, ticksTable, worth,
} from "./parts.js";
import { listen } from "./socket.js";
import { serverClock, successions, watch } from "./watch.js";

const LIVE_EVERY_MS = 500;
const OTHER_DAY_MS = 60_000;
const root = document.getElementById("console");
const picture = JSON.parse(document.getElementById("first-picture").textContent);
const ticks = new Map();
const before = new Map();
const server = serverClock();
const seen = {
  lost: null, rowsAt: 0, problem: "", pricesAt: 0, isExpected: false, loops: picture.loops, succession: "", succeededAt: 0,
};

const nameOf = (position) => `${position.exchange}:${position.tradingsymbol}`;
const livePaise = (position) => (ticks.get(nameOf(position)) || [0])[0] || null;
const positions = positionsTable(livePaise, server.now, root.dataset.mayOperate === "1");
const orders = ordersTable();
const signals = signalsTable();
const prices = ticksTable((name) => before.get(name));

const showResult = () => {
  const priced = picture.positions.map(livePaise);
  const open = picture.positions.map((position, place) => worth(position, priced[place]));
  const pnl = open.reduce((sum, one) => sum + one, paiseOf(picture.day.realised_inr));
  showDay(picture, pnl, priced.every(Boolean), marketTime());
};
// Prices are ahead of the rows' clock, by half a minute where a day runs at sixty times its speed.
const marketTime = () => {
  const [rows, prices] = [picture.market_time, picture.ticks_at];
  return prices && Date.parse(prices) > Date.parse(rows) ? prices : rows;
};
const showTime = () => {
  put("market-time", clock(marketTime()));
  const age = seen.pricesAt ? `prices ${seconds(server.now() - seen.pricesAt)} old` : "no prices";
  // Where a day is made up, "since when" is told by the other clock.
  const isOther = Math.abs(Date.parse(marketTime()) - server.now()) > OTHER_DAY_MS;
  put("prices-at", isOther ? `${age}; machine clock ${clockAt(server.now())}` : age);
};

// Said aloud by a screen reader, politely: what changed, never a price.
const said = { entries: null, positions: null, flatten: null };
const announce = (name, text) => {
  if (said[name] !== null && said[name] !== text) document.getElementById("said").textContent = text;
  said[name] = text;
};

const SHOW = {
  mode: () => showMode(picture.mode, picture.market, picture.account),
  entries: (part) => {
    showEntries(part);
    announce("entries", `Entries are ${part.are_on ? "on" : "off"}.`);
  },
  rate: showRate,
  burnin: showBurnin,
  orders: (part) => {
    orders.show(part);
    put("orders-count", String(part.length));
  },
  signals: signals.show,
  flatten: (run) => {
    showFlatten(run);
    announce("flatten", run ? `Flatten: ${run.state}.` : "");
  },
  positions: (part) => {
    positions.show(part);
    put("positions-count", String(part.length));
    announce("positions", part.length ? `Open positions: ${part.map((one) => one.tradingsymbol).join(", ")}.` : "No open position.");
  },
  day: (part) => showClosed(part.newest_closed),
  loops: (part) => {
    const news = successions(part);
    if (news.length) Object.assign(seen, { succession: news.join(" "), succeededAt: server.now() });
    seen.loops = part;
    showLoops(part);
  },
  login: (part) => showLogin(part, server.now()),
  feed: (part) => { seen.isExpected = part.is_expected; },
  problem: (text) => { seen.problem = text; },
  machine_time: (at) => {
    server.hear(at);
    seen.rowsAt = Date.parse(at);
  },
  sent_at: (at) => { seen.pricesAt = at ? Date.parse(at) : server.now(); },
};
const ORDER = ["machine_time", "sent_at", ...Object.keys(SHOW)];
const RESULT = ["positions", "day", "limits"];

const show = (parts) => {
  Object.assign(picture, parts);
  for (const name of new Set(ORDER)) if (name in parts) SHOW[name](parts[name]);
  if (RESULT.some((name) => name in parts)) showResult();
};
let shownTicks = -1;
const showTicks = (changed) => {
  for (const [name, row] of Object.entries(changed)) {
    before.set(name, (ticks.get(name) || [0])[0]);
    ticks.set(name, row);
  }
  const isNew = shownTicks !== ticks.size;
  shownTicks = ticks.size;
  if (isNew) prices.show([...ticks]);
  else for (const name of Object.keys(changed)) prices.update([name, ticks.get(name)]);
  const moved = picture.positions.filter((position) => nameOf(position) in changed);
  moved.forEach(positions.update);
  if (moved.length) showResult();
};
const take = ({ ticks: changed, parts }) => {
  show(parts);
  showTicks(changed);
  showTime();
};

const { ticks: first, feed } = picture;
take({ ticks: first, parts: { ...picture, ticks_at: feed.ticks_at, ...(feed.ticks_at ? { sent_at: feed.sent_at } : {}) } });
listen(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/console`, {
  hear: take,
  lose: (lost) => { seen.lost = lost; },
  silentAfterMs: () => Number(root.dataset.silentAfterMs),
});
watch(root, seen, server);
// Time, ages and seconds without a stop go on between two messages.
setInterval(() => {
  showTime();
  showResult();
  SHOW.login(picture.login);
  picture.positions.filter((one) => one.groups.some((group) => group.unprotected_since)).forEach(positions.update);
}, LIVE_EVERY_MS);
