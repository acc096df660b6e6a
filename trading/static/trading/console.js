"use strict";
// The console's home page. The server's picture is shown as it comes; nothing here computes money.
(() => {
  const SILENT_AFTER_MS = 3000;
  const REOPEN_AFTER_MS = 1000;
  const root = document.getElementById("console");
  const picture = JSON.parse(document.getElementById("first-picture").textContent);
  const ticks = new Map();
  const tickRows = new Map();
  let heardAt = Date.now();

  const id = (name) => document.getElementById(name);
  const clock = (text) => (text ? text.slice(11, 19) : "–");
  const price = (paise) => (paise ? (paise / 100).toFixed(2) : "–");
  const rupees = (text) => {
    if (text === null || text === undefined) return "–";
    const [whole, fraction = "00"] = text.replace("-", "").split(".");
    const grouped = whole.replace(/\B(?=(\d{2})*(\d{3})$)/g, ",");
    return `${text.startsWith("-") ? "-" : ""}₹${grouped}.${fraction}`;
  };
  const tone = (text) => (!text || Number(text) === 0 ? "" : text.startsWith("-") ? "bad" : "good");
  const put = (name, text, kind = "") => {
    const element = id(name);
    if (element.textContent !== text) element.textContent = text;
    element.className = kind;
  };

  const cell = (value) => {
    const td = document.createElement("td");
    const { text, kind } = typeof value === "object" ? value : { text: value, kind: "" };
    td.textContent = text;
    if (kind) td.className = kind;
    return td;
  };
  const fill = (table, lines, nothing) => {
    const body = id(table).tBodies[0];
    const rows = lines.map((line) => {
      const tr = document.createElement("tr");
      tr.append(...line.map(cell));
      return tr;
    });
    if (!rows.length) {
      const tr = document.createElement("tr");
      tr.append(cell({ text: nothing, kind: "text" }));
      rows.push(tr);
    }
    body.replaceChildren(...rows);
  };

  const showEntries = ({ are_on, off_because }) => {
    put("entries", are_on ? "ON" : "OFF", are_on ? "good" : "bad");
    put("entries-why", off_because.map((one) => `${one.reason}: ${one.why} (${one.set_by})`).join(" · "));
  };
  const showDay = (day) => {
    put("pnl", rupees(day.pnl_inr), tone(day.pnl_inr));
    put("pnl-parts", `realised ${rupees(day.realised_inr)}, open ${rupees(day.open_inr)}${day.is_priced ? "" : " (no live price)"}`);
    put("heat", rupees(day.heat_inr));
    put("trades", `${day.positions_open} open, ${day.trades_closed} closed`);
  };
  const each = (groups, name) => [...new Set(groups.map((group) => group[name]))].join(" / ");
  const showPositions = (positions) => fill("positions", positions.map((one) => {
    const open = one.groups.filter((group) => group.quantity > 0);
    return [
      one.tradingsymbol, one.strategy, one.quantity, rupees(one.average_price),
      { text: rupees(one.last_price), kind: "last" }, { text: rupees(one.pnl_inr), kind: tone(one.pnl_inr) },
      each(open, "stop_price"), each(open, "target_price"),
      { text: one.groups.map((group) => `${group.number} ${group.state} ${group.quantity}${group.problem ? " " + group.problem : ""}`).join(", "),
        kind: one.groups.some((group) => group.unprotected_since && group.quantity) ? "bad" : "" },
      clock(one.opened_at),
    ];
  }), "none");
  const showSignals = (signals) => fill("signals", signals.map((one) => [
    clock(one.seen_at), one.strategy, one.side, one.tradingsymbol, one.score.toFixed(2), one.entry_price,
    one.stop_price, one.target_price,
    { text: one.answer === "approved" ? `approved ${one.quantity}` : one.answer, kind: one.answer === "approved" ? "good" : "" },
    { text: one.why_not.length ? one.why_not.join(" ") : one.reason, kind: "why" },
  ]), "none yet");
  const showFlatten = (run) => {
    if (!run) return put("verdict", "");
    const scope = run.tradingsymbols.length ? run.tradingsymbols.join(", ") : "everything of ours";
    const end = run.finished_at ? `${run.state} after ${run.took_ms} ms` : `${run.state} …`;
    put("verdict", `Last flatten (${run.reason}, ${run.asked_by}, ${clock(run.asked_at)}): ${scope}: ${end}`);
  };
  const SHOW = {
    mode: (mode) => put("mode", mode, mode === "LIVE" ? "bad" : "good"),
    market: (market) => put("market", market ? `${picture.account}, ${market}` : picture.account),
    entries: showEntries,
    day: showDay,
    positions: showPositions,
    signals: showSignals,
    flatten: showFlatten,
    loops: (loops) => {
      const bad = loops.filter((loop) => loop.state !== "ok");
      put("loops", loops.map((loop) => `${loop.loop.toLowerCase()} ${loop.state}`).join(", ") || "not started", bad.length || !loops.length ? "bad" : "good");
    },
    market_time: (at) => put("market-time", clock(at)),
    ticks_at: (at) => put("prices-at", `prices of ${clock(at)}`),
    problem: (text) => { put("problem", text, "banner"); id("problem").hidden = !text; },
  };
  const show = (parts) => {
    Object.assign(picture, parts);
    for (const name of Object.keys(parts)) SHOW[name]?.(parts[name]);
  };

  const showTicks = (changed) => {
    for (const [name, row] of Object.entries(changed)) {
      const [last, bid, ask, ageMs] = row;
      let cells = tickRows.get(name);
      if (!cells) {
        const tr = document.createElement("tr");
        cells = [name.split(":")[1], "", "", "", ""].map(cell);
        tr.append(...cells);
        id("ticks").tBodies[0].append(tr);
        tickRows.set(name, cells);
      }
      const before = ticks.get(name);
      ticks.set(name, row);
      cells[1].textContent = price(last);
      if (before && before[0] !== last) cells[1].className = last > before[0] ? "good" : "bad";
      cells[2].textContent = price(bid);
      cells[3].textContent = price(ask);
      cells[4].textContent = ageMs < 0 ? "–" : `${(ageMs / 1000).toFixed(1)} s`;
    }
  };

  const connect = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/console`);
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      heardAt = Date.now();
      showTicks(message.ticks);
      show(message.parts);
      socket.send(JSON.stringify({ seen: message.n }));
    };
    socket.onclose = () => setTimeout(connect, REOPEN_AFTER_MS);
  };
  setInterval(() => {
    const isSilent = Date.now() - heardAt > SILENT_AFTER_MS;
    root.classList.toggle("stale", isSilent);
    id("stale").hidden = !isSilent;
    if (isSilent) id("stale").textContent = `Stale since ${new Date(heardAt).toTimeString().slice(0, 8)}: the connection to the program is silent.`;
  }, 500);

  const post = async (path, body) => {
    const token = document.querySelector("#buttons [name=csrfmiddlewaretoken]").value;
    put("answer", `${path.slice(1)} …`);
    try {
      const reply = await fetch(path, {
        method: "POST", credentials: "same-origin", body: body ? JSON.stringify(body) : undefined,
        headers: { "X-CSRFToken": token, "Content-Type": "application/json" },
      });
      const answer = await reply.json();
      if (!reply.ok) return put("answer", answer.detail || `refused (${reply.status})`, "bad");
      return answer;
    } catch (error) {
      return put("answer", `No answer: ${error.message}. Use \`make flatten\` on the machine itself.`, "bad");
    }
  };
  const operate = () => {
    id("pause").onclick = async () => { if (await post("/pause", { why: "console" })) put("answer", "Entries paused."); };
    id("resume").onclick = async () => {
      const now = await post("/resume");
      if (now) put("answer", now.entries_on ? "Entries are on." : `Still off: ${now.off_because.map((one) => one.reason).join(", ")}.`);
    };
    id("flatten").onclick = () => id("confirm").showModal();
    id("confirm").onclose = async () => {
      if (id("confirm").returnValue !== "yes") return;
      id("confirm").returnValue = "";
      const run = await post("/flatten");
      if (run) { put("answer", run.finished_at ? `${run.state} in ${run.took_ms} ms` : "Flatten goes on; the verdict appears below."); showFlatten(run); }
    };
  };

  show(picture);
  if (root.dataset.mayOperate === "1") operate();
  connect();
})();
