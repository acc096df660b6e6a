// How each part of the server's picture is put on the page. Money is added up in whole paise.

import { draw } from "./curve.js";
import {
  NOTHING, clock, clockAt, count, duration, multiple, paiseOf, price, priceOf, rupees, rupeesOf, seconds, tone,
} from "./format.js";
import { table } from "./table.js";

const id = (name) => document.getElementById(name);
export const put = (name, text, kind) => {
  const element = id(name);
  if (element.textContent !== text) element.textContent = text;
  if (kind !== undefined && element.className !== kind) element.className = kind;
};
const page = (label, key) => `/admin/${label}/${key}/change/`;

// One number against its limit, as a bar and in words.
export const gauge = (name, { value, limit, text }) => {
  const meter = id(name);
  const isKnown = limit !== null && limit > 0;
  Object.assign(meter, { min: 0, max: isKnown ? limit : 1 });
  Object.assign(meter, { low: meter.max * 0.5, high: meter.max * 0.8, optimum: 0, value: isKnown ? value : 0 });
  meter.setAttribute("aria-valuetext", text);
  put(`${name}-text`, text, isKnown && value >= limit ? "bad" : "");
};
const ofMoney = (paise, limit) => {
  if (limit === null) return `${rupees(paise)}; its limit is known after the first decision`;
  return `${rupees(paise)} of ${rupees(limit)}`;
};

// What a position is worth at a price in paise; without one at its entry.
export const worth = (position, paise) =>
  paise ? paiseOf(position.booked_inr) + position.quantity * paise : paiseOf(position.pnl_at_entry_inr);

export const showMode = (mode, market, account) => {
  // The header and the menu were written for the mode before.
  if (id("console").dataset.mode !== mode) location.reload();
  put("mode", mode, mode === "LIVE" ? "live" : "calm");
  put("market", mode === "LIVE" ? `real money, ${account}` : `${account}${market ? `, ${market}` : ""}`);
};

export const showEntries = ({ are_on, off_because, locks: every, is_time, from_at, until_at }) => {
  // A lock that has a newer one of its kind says nothing more.
  const locks = [...new Map(every.map((lock) => [`${lock.protection} ${lock.tradingsymbol}`, lock])).values()];
  const whole = locks.filter((lock) => !lock.tradingsymbol);
  const isLocked = are_on && whole.length > 0;
  put("entries", isLocked ? "LOCKED" : are_on ? "ON" : "OFF", are_on && !isLocked ? "good" : "bad");
  const until = (lock) => (lock.until ? `until ${clock(lock.until)}` : "for the day");
  const reasons = [
    ...off_because.map((one) => `${one.reason}: ${one.why} (${one.set_by})${one.set_at ? ` since ${clock(one.set_at)}` : ""}`),
    ...locks.map((lock) => `${[lock.protection, lock.tradingsymbol].join(" ").trim()} ${until(lock)}: ${lock.why}`),
  ];
  const time = `${clock(from_at).slice(0, 5)} to ${clock(until_at).slice(0, 5)}`;
  if (!is_time || !reasons.length) reasons.push(`${is_time ? "" : "not at this time: "}entries are made from ${time}`);
  put("entries-why", reasons.join(" · "));
};

// The day's figures with the live result in paise.
export const showDay = ({ day, limits, trading_date }, pnl, isPriced, marketTime) => {
  const realised = paiseOf(day.realised_inr);
  put("pnl", rupees(pnl), tone(pnl));
  const when = isPriced ? `at ${clock(marketTime)}` : "not all at a live price";
  put("pnl-parts", `realised ${rupees(realised)}, open ${rupees(pnl - realised)}, ${when}`);
  const paise = (text) => (text === null ? null : paiseOf(text));
  const loss = paise(limits.daily_loss_inr);
  const heat = paise(limits.heat_inr);
  gauge("heat", { value: paiseOf(day.heat_inr), limit: heat, text: ofMoney(paiseOf(day.heat_inr), heat) });
  gauge("loss", { value: Math.max(-pnl, 0), limit: loss, text: ofMoney(Math.max(-pnl, 0), loss) });
  const held = day.positions_open;
  const traded = held + day.trades_closed;
  gauge("held", { value: held, limit: limits.open_positions, text: `${held} of ${limits.open_positions}` });
  gauge("traded", { value: traded, limit: limits.trades_per_day, text: `${traded} of ${limits.trades_per_day}` });
  const span = draw(id("curve"), { day: trading_date, points: day.curve, now: marketTime, pnl, loss });
  put("curve-text", `low ${rupees(span.low)}, high ${rupees(span.high)}`);
};
export const showClosed = (closed) => {
  const said = closed.map((one) =>
    `${one.tradingsymbol} ${rupeesOf(one.net_inr)} at ${clock(one.closed_at)}${one.exit_reasons ? ` (${one.exit_reasons})` : ""}`);
  put("closed", said.length ? `Closed last: ${said.join(" · ")}` : "");
};

export const showRate = (rate) => {
  for (const [name, sent, limit] of [
    ["rate-s", rate.last_s, rate.per_s], ["rate-min", rate.last_min, rate.per_min], ["rate-day", rate.today, rate.per_day],
  ]) gauge(name, { value: sent, limit, text: `${count(sent)} of ${count(limit)}` });
};

export const showBurnin = ({ passed, needed, days }) => {
  id("burnin").max = needed;
  id("burnin").value = passed;
  const newest = days.map((day) => `${day.trading_date} ${day.passed ? "passed" : "failed"}`);
  put("burnin-text", `${passed} of ${needed}`);
  put("burnin-days", newest.length ? newest.join(", ") : "no day on live prices yet; three in a row count");
};

export const showLogin = (login, now) => {
  put("login", login.is_alive ? "logged in" : login.needs ? "NO LOGIN" : "token given", login.needs ? "bad" : "good");
  const since = login.logged_in_at ? Date.parse(login.logged_in_at) : null;
  const age = since ? `${login.place} since ${clockAt(since)}, ${duration(now - since)} ago` : login.place;
  put("login-why", login.needs || age);
};

export const showLoops = (loops) => {
  const isWell = loops.every((one) => one.state === "ok");
  put("loops", isWell ? "both lead" : "NOT WELL", isWell ? "good" : "bad");
  put("loops-who", loops.map((one) => one.state === "ok" ? one.holder : `${one.loop.toLowerCase()} ${one.state}`).join(" · "));
};

export const showFlatten = (run) => {
  if (!run) return put("verdict", "");
  const scope = run.tradingsymbols.length ? run.tradingsymbols.join(", ") : "everything of ours";
  const end = run.finished_at ? `${run.state} after ${run.took_ms} ms` : `${run.state} …`;
  return put("verdict", `Last flatten (${run.reason}, ${run.asked_by}, ${clock(run.asked_at)}): ${scope}: ${end}`);
};

const protection = (group, now) => {
  if (group.problem) return `${group.number} ${group.state} ${group.quantity}: ${group.problem}`;
  if (group.state === "CLOSED") return `${group.number} CLOSED ${group.close_reason}`.trim();
  const bare = group.unprotected_since ? `, no stop for ${seconds(now - Date.parse(group.unprotected_since))}` : "";
  const why = group.close_reason ? ` for ${group.close_reason}` : "";
  return `${group.number} ${group.state} ${count(group.quantity)}${why}${bare}`;
};

// `priceOfPaise(position)` is the live price, `now` the server's time in ms.
export const positionsTable = (priceOfPaise, now, mayOperate) => table(id("positions"), {
  key: (one) => one.trade,
  nothing: "none",
  cells: (one) => {
    const last = priceOfPaise(one);
    // Where the order book shows it filled and no fill has told yet, nothing is known of its result.
    const pnl = last && one.quantity ? worth(one, last) : null;
    const risk = paiseOf(one.risk_inr);
    const levels = (name) => ({ lines: one.groups.map((group) => (group.quantity ? priceOf(group[name]) : NOTHING)) });
    const isBare = one.groups.some((group) => group.quantity && (group.unprotected_since || group.problem));
    return [
      { text: one.tradingsymbol, href: page("trading/trade", one.trade), small: `${one.strategy} ${clock(one.opened_at)}` },
      one.quantity ? count(one.quantity) : "not told yet", priceOf(one.average_price), { text: price(last), kind: "last" },
      { text: rupees(pnl), kind: tone(pnl) },
      { text: multiple(pnl === null || !risk ? null : pnl / risk), kind: tone(pnl) },
      levels("stop_price"), levels("target_price"),
      { lines: one.groups.map((group) => protection(group, now())), kind: isBare ? "text bad" : "text" },
      ...(mayOperate ? [{ text: "close…", title: "Close it, or move a stop", href: `/admin/position/${one.trade}/`, kind: "text" }] : []),
    ];
  },
});

export const ordersTable = () => table(id("orders"), {
  key: (one) => one.id,
  nothing: "none",
  cells: (one) => [
    { text: `${one.role} ${one.side}`, href: page("trading/order", one.id), small: `${one.tradingsymbol} ${clock(one.asked_at)}` },
    `${count(one.filled_quantity)} / ${count(one.quantity)}`,
    { text: priceOf(one.price), small: paiseOf(one.trigger_price) ? `from ${priceOf(one.trigger_price)}` : "" },
    { text: one.status.replaceAll("_", " "), kind: one.status === "UNKNOWN" ? "words bad" : "words" },
  ],
});

export const signalsTable = () => table(id("signals"), {
  key: (one) => one.id,
  nothing: "none yet",
  cells: (one) => [
    { text: `${one.side} ${one.tradingsymbol}`, href: page("trading/signal", one.id), small: `${clock(one.seen_at)} ${one.strategy} ${one.score.toFixed(2)}` },
    { text: priceOf(one.entry_price), small: `${priceOf(one.stop_price)} → ${priceOf(one.target_price)}`, kind: "levels" },
    {
      text: one.answer === "approved" ? `approved ${count(one.quantity)}` : one.answer,
      small: one.why_not.length ? one.why_not.join(" ") : one.reason,
      kind: one.answer === "approved" ? "why good" : "why",
    },
  ],
});

export const ticksTable = (before) => table(id("ticks"), {
  key: ([name]) => name,
  nothing: "none yet",
  cells: ([name, [last, bid, ask, ageMs]]) => [
    name.split(":")[1],
    { text: price(last || null), kind: before(name) ? (last > before(name) ? "good" : last < before(name) ? "bad" : "") : "" },
    price(bid || null), price(ask || null), ageMs < 0 ? NOTHING : seconds(ageMs),
  ],
});
