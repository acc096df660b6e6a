"use strict";
// The bar on every page, its chord, and a flatten's progress. Without this file the same forms work, page by page.
(() => {
  const LOOK_MS = 5000;
  const PROGRESS_MS = 250;
  //: a double click on the button that led here ends before this
  const ARMED_AFTER_MS = 700;
  //: a program that hangs says nothing either
  const ANSWERS_WITHIN_MS = 4000;
  const id = (name) => document.getElementById(name);
  const bar = id("safety-bar");
  if (!bar) return;
  const clock = () => new Date().toLocaleTimeString("en-GB", { timeZone: "Asia/Kolkata" });
  const json = async (address, options = {}) => {
    const reply = await fetch(address, { credentials: "same-origin", ...options, headers: { Accept: "application/json", ...options.headers } });
    if (!(reply.headers.get("Content-Type") || "").includes("json")) throw new Error(`the program answered ${reply.status}`);
    const body = await reply.json();
    if (!reply.ok) throw new Error(body.detail || `refused (${reply.status})`);
    return body;
  };

  // What the bar says is true, or it says since when it is not.
  let knownAt = clock();
  const showBar = (now) => {
    bar.className = `safety-bar ${now.mode.toLowerCase()}`;
    id("bar-mode").textContent = now.mode;
    if (now.has_account) {
      id("bar-account").textContent = now.account;
      const [on, why] = [document.createElement("b"), document.createElement("small")];
      on.textContent = now.entries_on ? "ON" : "OFF";
      why.textContent = now.off_because;
      id("bar-entries").replaceChildren("Entries ", on, " ", why);
      id("bar-entries").title = now.off_because;
      if (id("bar-pause")) id("bar-pause").hidden = !now.entries_on;
      if (id("bar-resume")) id("bar-resume").hidden = now.entries_on;
    }
  };
  const look = async () => {
    if (document.hidden) return;
    try {
      showBar(await json(bar.dataset.state, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) }));
      knownAt = clock();
      id("bar-stale").hidden = true;
    } catch {
      id("bar-stale").textContent = `Stale since ${knownAt}`;
      id("bar-stale").hidden = false;
    }
  };
  setInterval(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);

  // Alt+Shift+F from anywhere: no browser has it, and the key's place counts, whatever the layout.
  const isChord = (event, code) => event.altKey && event.shiftKey && !event.ctrlKey && !event.metaKey && event.code === code && !event.repeat;
  const open = bar.dataset.flatten;
  const confirm = id("flatten-confirm");
  const openedAt = performance.now();
  document.addEventListener("keydown", (event) => {
    if (open && !confirm && isChord(event, "KeyF")) {
      event.preventDefault();
      location.assign(open);
    }
    if (confirm && isChord(event, "KeyY") && !id("flatten-yes").disabled) {
      event.preventDefault();
      confirm.requestSubmit();
    }
  });

  const cell = (text, kind = "") => {
    const td = document.createElement("td");
    td.textContent = text;
    td.className = kind;
    return td;
  };
  const showRun = (run) => {
    id("progress").hidden = false;
    id("verdict-words").textContent = run.words;
    id("verdict-words").classList.toggle("over", run.is_over);
    id("progress-lines").replaceChildren(...run.lines.map((one) => {
      const tr = document.createElement("tr");
      tr.append(cell(one.tradingsymbol, "text"), cell(one.quantity), cell(one.left), cell(one.words, "text"));
      return tr;
    }));
    id("progress-entries").replaceChildren(...run.entries.map((words) => {
      const li = document.createElement("li");
      li.textContent = words;
      return li;
    }));
  };
  const lost = (error) => {
    id("progress").hidden = false;
    id("verdict-words").textContent = `Not known since ${clock()}: ${error.message}. It is looked for again; \`make flatten\` works on the machine itself.`;
  };
  //: until the books of the groups are finished too, a moment after the verdict
  const follow = async (address) => {
    let wasOver = 0;
    while (wasOver < 8) {
      try {
        const run = await json(address, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
        if (run.id) showRun(run);
        wasOver = run.is_over ? wasOver + 1 : 0;
        if (wasOver === 1) look();
      } catch (error) { lost(error); }
      await new Promise((done) => setTimeout(done, wasOver ? 4 * PROGRESS_MS : PROGRESS_MS));
    }
  };

  if (confirm) {
    const yes = id("flatten-yes");
    yes.disabled = true;
    setTimeout(() => { yes.disabled = false; }, ARMED_AFTER_MS);
    confirm.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (performance.now() - openedAt < ARMED_AFTER_MS || confirm.dataset.sent) return;
      confirm.dataset.sent = "1";
      yes.disabled = true;
      id("progress").hidden = false;
      id("verdict-words").textContent = "Asked …";
      id("consequences").hidden = true;
      follow(confirm.dataset.since);
      try {
        const run = await json(confirm.action, { method: "POST", body: new FormData(confirm) });
        history.replaceState(null, "", `${open}${run.id}/`);
      } catch (error) { lost(error); }
    });
  }
  if (id("progress")?.dataset.run && id("progress").dataset.over === "0") follow(id("progress").dataset.run);
})();
