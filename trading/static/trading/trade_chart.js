"use strict";
// A trade's candles with its entry, stop, target and fills; asked for again while it is open.
(() => {
  const EVERY_MS = 2000, LAST_LATE_MS = 10_000;
  const box = document.getElementById("trade-chart");
  const said = box.querySelector(".chart-said");
  const kinds = { entry: "--calm", stop: "--bad", target: "--good" };
  let chart, candles, marks, last, lines = [], newest = null, heardAt = null;

  const numbers = (point, ...names) => ({ ...point, ...Object.fromEntries(names.filter((name) => name in point).map((name) => [name, Number(point[name])])) });
  const clock = (text) => Charts.second.format(new Date(text));

  function begin() {
    chart = Charts.make(box.querySelector(".chart-picture"), Charts.timeAxis, paint);
    candles = chart.addSeries(LightweightCharts.CandlestickSeries, { priceLineVisible: false, lastValueVisible: false });
    marks = LightweightCharts.createSeriesMarkers(candles, []);
  }

  function paint() {
    if (!newest) return;
    const up = Charts.colour(box, "--good"), down = Charts.colour(box, "--bad");
    candles.applyOptions({ upColor: up, wickUpColor: up, borderUpColor: up, downColor: down, wickDownColor: down, borderDownColor: down });
    newest.lines.forEach((line, place) => {
      lines[place] ??= chart.addSeries(LightweightCharts.LineSeries, {
        lineWidth: 2, lineType: LightweightCharts.LineType.WithSteps, lineStyle: line.kind === "entry" ? 2 : 0,
        priceLineVisible: false, lastValueVisible: true, crosshairMarkerVisible: false, title: line.kind,
      });
      lines[place].applyOptions({ color: Charts.colour(box, kinds[line.kind]) });
      lines[place].setData(line.points.map((point) => numbers(point, "value")));
    });
    marks.setMarkers(newest.marks.map((mark) => ({
      time: mark.time, price: Number(mark.price), text: mark.text,
      position: mark.side === "BUY" ? "atPriceBottom" : "atPriceTop", shape: mark.side === "BUY" ? "arrowUp" : "arrowDown",
      color: Charts.colour(box, "--calm"),
    })));
    if (last) { candles.removePriceLine(last); last = null; }
    if (newest.last) last = candles.createPriceLine({ price: Number(newest.last.price), lineStyle: 1, lineWidth: 1, color: "gray", title: "last" });
  }

  function show(data) {
    const isFirst = newest === null;
    newest = data;
    candles.setData(data.candles.map((one) => numbers(one, "open", "high", "low", "close")));
    paint();
    if (isFirst) {
      const around = 45 * 60, end = data.closed_s ?? Date.parse(data.market_time) / 1000;
      if (data.candles.length || data.lines.length) {
        chart.timeScale().fitContent();
        const from = Math.max(data.opened_s - around, data.candles[0]?.time ?? 0);
        if (data.candles.length) chart.timeScale().setVisibleRange({ from, to: end + around });
      }
    }
    tell(data);
    const rows = data.happened.map((row) => {
      const line = document.createElement("tr");
      for (const text of [clock(row.at), row.what, row.price === null ? "–" : Charts.inr(Number(row.price))]) line.insertCell().textContent = text;
      return line;
    });
    box.querySelector("tbody").replaceChildren(...rows);
  }

  function tell(data) {
    const words = data.minutes_until
      ? `One-minute candles of this day from ${clock(data.minutes_from)} to ${clock(data.minutes_until)} IST, as the strategy loop had them.`
      : "No minutes of this day were kept for this instrument: candles are missing, entry, stop, target and fills are not.";
    const price = data.last ? ` Last price ${Charts.inr(Number(data.last.price))}, ${(data.last.age_ms / 1000).toFixed(1)} s old.` : data.is_open ? " No live price." : "";
    said.textContent = words + price + (data.is_open ? ` Market time ${clock(data.market_time)}.` : "");
    said.classList.toggle("stale", data.is_open && (!data.last || data.last.age_ms > LAST_LATE_MS));
  }

  async function ask() {
    // Nobody looks: the server is left alone until somebody does.
    if (document.hidden) { document.addEventListener("visibilitychange", ask, { once: true }); return; }
    try {
      const answer = await fetch(box.dataset.address, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      show(await answer.json());
      heardAt = new Date();
    } catch (error) {
      said.textContent = `${heardAt ? `Stale since ${Charts.second.format(heardAt)} IST` : "The chart could not be read"}: ${error.message}. It is tried again.`;
      said.classList.add("stale");
    }
    if (!newest || newest.is_open) setTimeout(ask, EVERY_MS);
  }

  begin();
  ask();
})();
