// Brings the page up to date when what is stored has changed: the place on the page, what is open and what has the
// focus stay.
import { follow } from "./events.js";
import { sayTimes } from "./times.js";

const OLDEST = 60000; // what is counted back from now changes without anything new being stored
const SPREAD = 500; // pages that hear the same do not all ask in the same moment
const main = document.querySelector("main[data-revision]");
let isBusy = false, broughtAt = Date.now(), wanted = Number(main.dataset.revision), shown = wanted, partly = wanted;

function isTyping() {
  const fields = [...document.querySelectorAll("main form :is(input, textarea)")];
  const isChanged = (e) => e.value !== e.defaultValue || e.checked !== e.defaultChecked;
  const firstOf = (e) => Math.max(0, [...e.options].findIndex((one) => one.defaultSelected));
  const isChosen = [...document.querySelectorAll("main form select")].some((e) => e.selectedIndex !== firstOf(e));
  return Boolean(document.activeElement?.closest("main form")) || isChosen || fields.some(isChanged);
}

function find(root, id) {
  return id ? root.querySelector(`#${CSS.escape(id)}`) : null;
}

// Beside a form that somebody fills in only the parts are brought that say so.
function bringParts(next) {
  for (const part of main.querySelectorAll("[data-live][id]")) {
    const same = find(next, part.id);
    if (!same || part.contains(document.activeElement)) continue;
    const top = part.scrollTop;
    sayTimes(same);
    part.replaceWith(same);
    same.scrollTop = top;
  }
  broughtAt = Date.now();
}

async function bring() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) { location.reload(); return false; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = fresh.querySelector("main");
  if (!next) return false;
  if (isTyping()) { bringParts(next); return false; }
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
  return true;
}

async function settle() {
  const isOld = Date.now() - broughtAt > OLDEST, isHeld = isTyping();
  if (isBusy || document.hidden || (wanted === (isHeld ? partly : shown) && !isOld)) return;
  if (isHeld && !main.querySelector("[data-live]")) return;
  const asked = wanted;
  isBusy = true;
  try { if (await bring()) shown = asked; partly = asked; } catch { /* the next turn tries again */ } finally { isBusy = false; }
}

follow((revision) => {
  wanted = revision;
  setTimeout(settle, Math.random() * SPREAD);
});
setInterval(settle, 2000); // somebody was typing, or it is old
document.addEventListener("visibilitychange", settle);
