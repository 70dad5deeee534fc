// Tells when what is stored has changed: by the server's stream of events, or by asking where there is none. Nothing is
// asked while nobody looks.
const PERIOD = 2000; // of asking, where there is no stream
const AGAIN = 30000; // after so long a stream is tried again
let source = null, timer = 0, brokeAt = 0;
const heard = [];

function tell(revision) {
  document.body.classList.add("is-live");
  document.body.classList.remove("is-cut");
  for (const take of heard) take(revision);
}

function cut() {
  document.body.classList.remove("is-live");
  document.body.classList.add("is-cut");
}

async function ask() {
  clearTimeout(timer);
  if (document.hidden) return;
  if (Date.now() - brokeAt > AGAIN) { listen(); return; }
  try {
    const answer = await fetch("/api/v1/revision");
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    tell((await answer.json()).revision);
  } catch { cut(); }
  timer = setTimeout(ask, PERIOD);
}

function listen() {
  clearTimeout(timer);
  if (document.hidden || source) return;
  const mine = source = new EventSource("/api/v1/events");
  mine.addEventListener("revision", (event) => tell(Number(event.data)));
  mine.addEventListener("error", () => {
    if (source !== mine) return;
    if (mine.readyState !== EventSource.CLOSED) { cut(); return; } // it comes back by itself
    source = null;
    brokeAt = Date.now();
    ask();
  });
}

function hush() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

// Calls `take` with the revision, now and whenever there is another.
export function follow(take) {
  heard.push(take);
  if (heard.length > 1) return;
  document.addEventListener("visibilitychange", () => { if (document.hidden) hush(); else listen(); });
  addEventListener("pagehide", hush);
  addEventListener("pageshow", listen);
  listen();
}
