"use strict";
// What all charts share: colours by theme, rupees and IST on the axes.
const Charts = (() => {
  const rupees = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const part = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Kolkata", hour12: false, ...options });
  const minute = part({ hour: "2-digit", minute: "2-digit" });
  const second = part({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = part({ day: "numeric", month: "short" });
  const whole = part({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const date = (at_s) => new Date(1000 * at_s);
  const inr = (amount) => (amount < 0 ? "-" : "") + "₹" + rupees.format(Math.abs(amount));

  const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();
  const theme = () => {
    const isDark = document.documentElement.classList.contains("dark");
    const line = isDark ? "rgba(255,255,255,.08)" : "rgba(0,0,0,.07)";
    return {
      layout: { background: { color: "transparent" }, textColor: isDark ? "#d1d5db" : "#374151", attributionLogo: true },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
    };
  };

  // A chart follows its element's width and the page's theme. `repaint` is called after the theme changed.
  const follow = (chart, repaint) => {
    new MutationObserver(() => { chart.applyOptions(theme()); repaint(); })
      .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  };
  const make = (element, options, repaint) => {
    const chart = LightweightCharts.createChart(element, { autoSize: true, ...theme(), ...options });
    follow(chart, repaint);
    return chart;
  };
  const timeAxis = {
    localization: { timeFormatter: (at_s) => `${whole.format(date(at_s))} IST`, priceFormatter: inr },
    timeScale: {
      timeVisible: true, secondsVisible: false, borderVisible: false,
      tickMarkFormatter: (at_s, kind) => (kind < 3 ? day : minute).format(date(at_s)),
    },
  };
  return { make, follow, theme, timeAxis, colour, inr, second, day };
})();
