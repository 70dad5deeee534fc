// ⌘K or Ctrl-K: type a part of a name, and go to that page, node, job, run or incident.
const WAIT = 100;
const opener = document.getElementById("to-search");
const dialog = document.createElement("dialog");
const input = Object.assign(document.createElement("input"), {
  id: "palette-text", type: "text", autocomplete: "off", spellcheck: false, maxLength: 200, placeholder: "Page, node, job, run or incident",
});
const list = Object.assign(document.createElement("ul"), { id: "palette-found" });
const said = Object.assign(document.createElement("p"), { className: "meta" });
let found = [], at = -1, timer = 0, asking = null, shownFor = null, isWanted = false;

for (const [name, value] of [["role", "combobox"], ["aria-label", "Go to"], ["aria-controls", list.id], ["aria-expanded", "true"], ["aria-autocomplete", "list"]]) input.setAttribute(name, value);
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "What it could be");
said.setAttribute("role", "status");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Go to");
dialog.append(input, list, said);
document.body.append(dialog);

function mark(next) {
  at = found.length ? (next + found.length) % found.length : -1;
  [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
  if (at < 0) { input.removeAttribute("aria-activedescendant"); return; }
  input.setAttribute("aria-activedescendant", list.children[at].id);
  list.children[at].scrollIntoView({ block: "nearest" });
}

function part(name, text) { return Object.assign(document.createElement("span"), { className: name, textContent: text }); }

function show(text) {
  shownFor = text;
  list.replaceChildren(...found.map((one, i) => {
    const item = Object.assign(document.createElement("li"), { id: `palette-${i}` });
    item.setAttribute("role", "option");
    item.append(part("kind", one.kind), part("name", one.name), part("detail", one.detail));
    item.addEventListener("click", () => go(one));
    item.addEventListener("pointermove", () => { if (at !== i) mark(i); });
    return item;
  }));
  said.textContent = found.length ? "↑ ↓ choose, Enter opens, Esc closes" : "Nothing is called so.";
  said.classList.toggle("is-keys", found.length > 0);
  mark(0);
}

function go(one) { dialog.close(); location.assign(one.address); }

async function look() {
  clearTimeout(timer);
  const text = input.value.trim();
  asking?.abort();
  const mine = asking = new AbortController();
  try {
    const answer = await fetch(`/api/v1/search?${new URLSearchParams({ text })}`, { signal: mine.signal });
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    found = (await answer.json()).found;
  } catch {
    if (!mine.signal.aborted) said.textContent = "The server does not answer.";
    return;
  }
  if (mine.signal.aborted) return;
  show(text);
  if (isWanted && found.length) go(found[0]);
  isWanted = false;
}

function open() {
  if (dialog.open) { dialog.close(); return; }
  input.value = "";
  dialog.showModal();
  look();
}

input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, WAIT); });
input.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowDown") mark(at + 1);
  else if (event.key === "ArrowUp") mark(at - 1);
  else if (event.key === "Enter") {
    if (shownFor !== input.value.trim()) { isWanted = true; look(); } else if (at >= 0) go(found[at]);
  } else return;
  event.preventDefault();
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => { clearTimeout(timer); asking?.abort(); isWanted = false; });
if (opener && /Mac|iPhone|iPad/.test(navigator.platform)) opener.querySelector("kbd").textContent = "⌘K";
opener?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  open();
});
