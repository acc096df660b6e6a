"use strict";
// The results of a range: net and gross with the drawdown below, and how often each R multiple came.
(() => {
  const box = document.getElementById("results");
  const drawn = JSON.parse(document.getElementById("results-drawn").textContent);
  const gray = "rgba(128,128,128,.9)";
  const column = (name) => drawn.points.map((point) => ({ time: point.time, value: Number(point[name]) }));
  const plain = { priceLineVisible: false, lineWidth: 2 };

  const equity = Charts.make(document.getElementById("equity"), Charts.timeAxis, paint);
  const gross = equity.addSeries(LightweightCharts.LineSeries, { ...plain, color: gray, title: "gross" });
  const net = equity.addSeries(LightweightCharts.LineSeries, { ...plain, title: "net" });
  const drawdown = equity.addSeries(LightweightCharts.AreaSeries, { ...plain, title: "drawdown", invertFilledArea: true }, 1);
  gross.setData(column("gross"));
  net.setData(column("net"));
  drawdown.setData(column("drawdown"));
  equity.panes()[1]?.setHeight(110);
  fit(equity);

  const element = document.getElementById("multiples");
  let counted = [];
  if (drawn.steps.length) {
    // An empty step at either end: the chart cuts its outer bars in half.
    const beyond = [Number(drawn.steps[0].r) - Number(drawn.step_r), Number(drawn.steps.at(-1).r) + Number(drawn.step_r)];
    const count = { type: "custom", minMove: 1, formatter: (value) => String(Math.round(value)) };
    const multiples = LightweightCharts.createOptionsChart(element, {
      ...Charts.theme(), autoSize: true, localization: { precision: 1 }, timeScale: { borderVisible: false },
      rightPriceScale: { scaleMargins: { top: .1, bottom: 0 } },
    });
    counted = [["net", 0], ["gross", 1]].map(([name, pane]) => {
      const series = multiples.addSeries(LightweightCharts.HistogramSeries, { priceFormat: count, priceLineVisible: false, title: name }, pane);
      series.setData([{ time: beyond[0] }, ...drawn.steps.map((step) => ({ time: Number(step.r), value: step[name] })), { time: beyond[1] }]);
      return series;
    });
    fit(multiples);
    Charts.follow(multiples, paint);
  }

  // The element's size is known a moment later.
  function fit(chart) {
    chart.timeScale().fitContent();
    chart.timeScale().subscribeSizeChange(() => chart.timeScale().fitContent());
  }

  function paint() {
    const calm = Charts.colour(box, "--calm"), bad = Charts.colour(box, "--bad");
    net.applyOptions({ color: calm });
    drawdown.applyOptions({ lineColor: bad, topColor: "rgba(239,68,68,.05)", bottomColor: "rgba(239,68,68,.3)" });
    counted[0]?.applyOptions({ color: calm });
    counted[1]?.applyOptions({ color: gray });
  }
  paint();
})();
