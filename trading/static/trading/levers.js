// Pause, resume and flatten from the home page. Each says what happened, or why not.

const id = (name) => document.getElementById(name);

const say = (text, kind = "") => {
  id("answer").textContent = text;
  id("answer").className = kind;
};

const post = async (path, body) => {
  const token = document.querySelector("#buttons [name=csrfmiddlewaretoken]").value;
  say(`${path.slice(1)} …`);
  try {
    const reply = await fetch(path, {
      method: "POST", credentials: "same-origin", body: body ? JSON.stringify(body) : undefined,
      headers: { "X-CSRFToken": token, "Content-Type": "application/json" },
    });
    const answer = await reply.json();
    if (reply.ok) return answer;
    say(answer.detail || `refused (${reply.status})`, "bad");
  } catch (error) {
    say(`No answer: ${error.message}. Use \`make flatten\` on the machine itself.`, "bad");
  }
  return null;
};

// `flattened(run)` is given a flatten's row as soon as there is one
export const operate = (flattened) => {
  id("pause").onclick = async () => {
    if (await post("/pause", { why: "console" })) say("Entries paused.");
  };
  id("resume").onclick = async () => {
    const now = await post("/resume");
    if (!now) return;
    const left = now.off_because.map((one) => one.reason).join(", ");
    say(now.entries_on ? "Entries are on." : `Still off: ${left}.`);
  };
  id("flatten").onclick = () => id("confirm").showModal();
  id("confirm").onclose = async () => {
    if (id("confirm").returnValue !== "yes") return;
    id("confirm").returnValue = "";
    const run = await post("/flatten");
    if (!run) return;
    say(run.finished_at ? `${run.state} in ${run.took_ms} ms` : "Flatten goes on; the verdict appears below.");
    flattened(run);
  };
};
