// The day's result as a curve: what was realised, step by step, and the live result since this page was opened.

import { clock, paiseOf, rupees } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;
const SVG = "http://www.w3.org/2000/svg";
// a step on the page is two thirds of a minute
const LIVE_STEP_MS = 37_500;
const OPENS = "09:15:00";
const CLOSES = "15:30:00";

const line = (kind, points) => {
  const path = document.createElementNS(SVG, "polyline");
  path.setAttribute("class", kind);
  path.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
  return path;
};

// What this page has seen of the live result: the server remembers none of it.
const lived = { day: "", points: [] };
const live = (day, at, pnl) => {
  if (lived.day !== day) Object.assign(lived, { day, points: [] });
  const last = lived.points.at(-1);
  if (last && at - last[0] < LIVE_STEP_MS) last[1] = pnl;
  else lived.points.push([at, pnl]);
  return [...lived.points, [at, pnl]];
};

// `points` are [closed at, realised rupees], `now` the market time, `pnl` the live result in paise
export const draw = (svg, { day, points, now, pnl, loss }) => {
  const opens = Date.parse(`${day}T${OPENS}+05:30`);
  const closes = Date.parse(`${day}T${CLOSES}+05:30`);
  const known = points.map(([at, text]) => [Date.parse(at), paiseOf(text)]);
  const until = Math.max(Date.parse(now) || opens, known.length ? known.at(-1)[0] : opens);
  const seen = live(day, until, pnl);
  const values = [0, ...seen.map(([, value]) => value), ...known.map(([, value]) => value)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(high - low, 100) * 0.08;
  const x = (at) => (Math.min(Math.max(at - opens, 0), closes - opens) / (closes - opens)) * WIDTH;
  const y = (value) => HEIGHT - ((value - low + room) / (high - low + 2 * room)) * HEIGHT;

  const steps = [[x(opens), y(0)]];
  let before = 0;
  for (const [at, value] of known) {
    steps.push([x(at), y(before)], [x(at), y(value)]);
    before = value;
  }
  steps.push([x(until), y(before)]);
  const last = [x(until), y(pnl)];
  const lines = [line("zero", [[0, y(0)], [WIDTH, y(0)]])];
  if (loss && -loss >= low - room) lines.push(line("limit", [[0, y(-loss)], [WIDTH, y(-loss)]]));
  svg.replaceChildren(...lines, line("realised", steps), line("live", seen.map(([at, value]) => [x(at), y(value)])),
    line(pnl < 0 ? "dot bad" : "dot good", [last, last]));
  svg.setAttribute(
    "aria-label",
    `Result of the day from ${OPENS.slice(0, 5)} to ${clock(now)}: ${rupees(pnl)} now, ${points.length} steps, ` +
      `between ${rupees(low)} and ${rupees(high)}`,
  );
  return { low, high };
};
