"use strict";
// Ages go on while the page stays open: what was read a minute ago says so.
(() => {
  const old_s = 15;
  function show() {
    for (const one of document.querySelectorAll(".truth .age")) {
      const age_s = Math.max(0, Math.round((Date.now() - Date.parse(one.dataset.at)) / 1000));
      one.textContent = age_s < 120 ? `${age_s} s ago` : `${Math.floor(age_s / 60)} min ago`;
      one.classList.toggle("bad", age_s > old_s);
    }
  }
  show();
  setInterval(show, 1000);
})();
