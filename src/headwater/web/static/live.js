// Asks every two seconds, while somebody looks, whether what is stored has changed, and then brings the page up to date:
// the place on the page, what is open and what has the focus stay.
import { sayTimes } from "./times.js";

const PERIOD = 2000;
const OLDEST = 60000; // what is counted back from now changes without anything new being stored
let isBusy = false;
let broughtAt = Date.now();

function isTyping() {
  const fields = [...document.querySelectorAll("main form input")];
  return Boolean(document.activeElement?.closest("main form")) || fields.some((e) => e.value !== e.defaultValue);
}

function find(root, id) {
  return id ? root.querySelector(`#${CSS.escape(id)}`) : null;
}

async function bring(main) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) { location.reload(); return; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.querySelector("main");
  if (!next || isTyping()) return;
  for (const details of main.querySelectorAll("details[id]")) {
    const same = find(next, details.id);
    if (same) same.open = details.open;
  }
  const focused = document.activeElement;
  const scrolled = [...main.querySelectorAll("[id]")].filter((e) => e.scrollTop || e.scrollLeft);
  const places = scrolled.map((e) => [e.id, e.scrollTop, e.scrollLeft]);
  const key = focused && main.contains(focused) ? { id: focused.id, href: focused.getAttribute("href") } : null;
  sayTimes(next);
  main.replaceChildren(...next.childNodes);
  main.dataset.revision = next.dataset.revision;
  broughtAt = Date.now();
  for (const [id, top, left] of places) find(main, id)?.scrollTo({ top, left, behavior: "instant" });
  if (key) (find(main, key.id) ?? (key.href && main.querySelector(`a[href="${CSS.escape(key.href)}"]`)))?.focus({ preventScroll: true });
  const asOf = fresh.querySelector(".as-of time");
  if (asOf) document.querySelector(".as-of time")?.replaceWith(document.importNode(asOf, true));
}

async function look() {
  const main = document.querySelector("main[data-revision]");
  if (!main || document.hidden || isBusy) return;
  isBusy = true;
  try {
    const answer = await fetch("/api/v1/revision");
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const { revision } = await answer.json();
    document.body.classList.add("is-live");
    document.body.classList.remove("is-cut");
    const isOld = Date.now() - broughtAt > OLDEST;
    if (revision !== Number(main.dataset.revision) || isOld) await bring(main);
  } catch {
    document.body.classList.remove("is-live");
    document.body.classList.add("is-cut");
  } finally {
    isBusy = false;
  }
}

setInterval(look, PERIOD);
document.addEventListener("visibilitychange", look);
look();
