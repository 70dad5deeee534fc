// Searches as one types: what is found changes under the field, and the address with it. Without this the form does it.
import { sayTimes } from "./times.js";

const PAUSE = 150;
let timer = 0;
let asking = null;

function addressOf(form) {
  const asked = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...asked]) if (!value.trim()) asked.delete(name);
  const query = asked.toString();
  return query ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

async function search(form) {
  const address = addressOf(form);
  asking?.abort();
  const own = asking = new AbortController();
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: own.signal });
    if (!answer.ok || answer.redirected) { location.assign(address); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (own !== asking) return;
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!next) { location.assign(address); return; }
      sayTimes(next);
      part.replaceChildren(...next.childNodes);
    }
    for (const field of form.elements) if (field.type === "search") field.defaultValue = field.value;
    history.replaceState(null, "", address);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-search]");
  if (!form || event.target.type !== "search") return;
  clearTimeout(timer);
  timer = setTimeout(search, PAUSE, form);
});
