// One WebSocket to the server: a snapshot, then numbered changes. A number that is missing or a silence means that
// what is shown may be wrong: say since when, connect again, and begin with a new snapshot.

const REOPEN_AFTER_MS = 1000;
const LOOK_EVERY_MS = 250;
const SIGN_IN = 4401;
const WRONG_ORIGIN = 4403;
const FINAL = {
  [SIGN_IN]: "you are no longer signed in. Sign in again",
  [WRONG_ORIGIN]: "the server refuses this page's address. Open the console at the address it is served from",
};

// hear({ticks, parts}) takes each message in order; lose({sinceMs, why}) is told when the picture is stale, and
// lose(null) when it is not any more. silentAfterMs() may change.
export const listen = (url, { hear, lose, silentAfterMs }) => {
  let socket = null;
  let expected = 1;
  let heardAt = Date.now();
  let openedAt = 0;
  let lost = null;
  let isOver = false;

  const tell = (why) => {
    lost = lost || { sinceMs: heardAt, why };
    lost.why = why;
    lose(lost);
  };
  const drop = () => {
    if (!socket) return;
    const old = socket;
    socket = null;
    old.onmessage = old.onclose = null;
    old.close();
  };
  const reopen = () => {
    drop();
    openedAt = Date.now();
    setTimeout(open, REOPEN_AFTER_MS);
  };
  const take = (event) => {
    const message = JSON.parse(event.data);
    if (message.n !== expected) {
      tell(`message ${expected} is missing`);
      reopen();
      return;
    }
    expected += 1;
    heardAt = Date.now();
    hear(message);
    if (lost) {
      lost = null;
      lose(null);
    }
    socket.send(JSON.stringify({ seen: message.n }));
  };
  const open = () => {
    drop();
    openedAt = Date.now();
    expected = 1;
    socket = new WebSocket(url);
    socket.onmessage = take;
    socket.onclose = (event) => {
      isOver = event.code in FINAL;
      tell(FINAL[event.code] || "the connection to the program is lost");
      if (isOver) socket = null;
      else reopen();
    };
  };
  setInterval(() => {
    const now = Date.now();
    if (isOver || now - heardAt <= silentAfterMs()) return;
    tell("the connection to the program is silent");
    if (now - openedAt > silentAfterMs() + REOPEN_AFTER_MS) reopen();
  }, LOOK_EVERY_MS);
  open();
};
