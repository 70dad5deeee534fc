// The explorer of the lineage: asks for the view that the address names, and lets it be walked, opened and saved.
import { follow } from "../events.js";
import { sayTimes } from "../times.js";
import * as search from "./search.js";
import { hrefOf } from "./shapes.js";
import { Stage } from "./stage.js";
import { read } from "./view.js";

const element = document.getElementById("stage");
const marks = Object.fromEntries([...document.querySelectorAll("#marks > svg")].map((one) => [one.classList[1].slice(2), one]));
const stage = new Stage(element, marks, () => { clearTimeout(saving); saving = setTimeout(keepCamera, 200); });
const panel = document.createElement("div");
let saving = 0, asking = null, bringing = null, query = new URLSearchParams(location.search);

// What a view is asked for with: the question alone, without colour and camera.
function questionOf(whole) {
  const asked = new URLSearchParams(whole);
  for (const name of ["colour", "view", "offset"]) asked.delete(name);
  return asked.toString();
}

function cameraOf(whole) {
  const [x, y, k] = (whole.get("view") ?? "").split(",").map(Number);
  return k > 0 && Number.isFinite(x + y + k) ? { x: x - stage.width / k / 2, y: y - stage.height / k / 2, k } : null;
}

function keepCamera() {
  const { x, y, k } = stage.camera;
  query.set("view", [Math.round(x + stage.width / k / 2), Math.round(y + stage.height / k / 2), Number(k.toFixed(4))].join(","));
  history.replaceState(history.state, "", `/lineage?${query}`);
}

// Show what an address asks for; `anchor` is a node that stays where it is on the screen.
async function go(next, { anchor = null, isNew = true, focus = null } = {}) {
  clearTimeout(saving);
  const held = anchor === null || !stage.view ? null : { id: anchor, ...placeOf(stage.view.find(anchor)) };
  if (isNew) next.delete("view");
  query = next;
  if (isNew) history.pushState(null, "", `/lineage?${query}`);
  asking?.abort();
  const mine = asking = new AbortController();
  element.classList.add("is-busy");
  element.setAttribute("aria-busy", "true");
  try {
    const page = isNew || document.documentElement.dataset.view !== undefined ? bringPage() : null;
    const view = await read(questionOf(query), mine.signal);
    show(view, held, focus);
    await page;
    document.documentElement.dataset.view = "";
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
    return;
  } finally {
    if (asking === mine) { element.classList.remove("is-busy"); element.removeAttribute("aria-busy"); }
  }
}

function placeOf(i) {
  return i < 0 ? {} : { x: (stage.view.x[i] - stage.camera.x) * stage.camera.k, y: (stage.view.y[i] - stage.camera.y) * stage.camera.k, k: stage.camera.k };
}

function show(view, held, focus) {
  let camera = cameraOf(query);
  const same = held?.k ? view.find(held.id) : -1;
  if (!camera && same >= 0) camera = { k: held.k, x: view.x[same] - held.x / held.k, y: view.y[same] - held.y / held.k };
  stage.show(view, query.get("colour") ?? "state", camera);
  tell(-1);
  if (focus !== null) { const i = view.find(focus); if (i >= 0) { stage.focus(i); tell(i); } }
  performance.mark("lineage-drawn");
}

// The sentence, the choices and the table come from the server, as for who has no scripts. What was asked for last is
// shown: an answer to an earlier choice is given up, and what was typed meanwhile stays.
async function bringPage() {
  bringing?.abort();
  const { signal } = bringing = new AbortController();
  const typed = document.getElementById("ref").value;
  let text;
  try {
    const answer = await fetch(`/lineage?${query}`, { headers: { Accept: "text/html" }, signal });
    if (answer.redirected) { location.reload(); return; }
    text = await answer.text();
  } catch (error) {
    if (!signal.aborted) say(error.message);
    return;
  }
  if (signal.aborted) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const focused = document.activeElement?.id, typing = document.getElementById("ref");
  for (const id of ["said", "controls", "legend", "table-twin"]) {
    const part = fresh.getElementById(id);
    if (part) { sayTimes(part); document.getElementById(id)?.replaceWith(document.importNode(part, true)); }
  }
  const crumbs = fresh.querySelector(".crumbs");
  if (crumbs) document.querySelector(".crumbs").replaceWith(document.importNode(crumbs, true));
  document.title = fresh.title;
  listenToControls();
  if (focused && !element.contains(document.activeElement)) document.getElementById(focused)?.focus({ preventScroll: true });
  const field = document.getElementById("ref");
  if (typing.value === typed || field === typing) return;
  field.value = typing.value;
  field.dispatchEvent(new Event("input"));
}

function changed(changes) {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) if (value === null || value === "") next.delete(name); else next.set(name, value);
  next.delete("offset");
  return next;
}

function added(name, value) {
  const known = (query.get(name) ?? "").split("|").filter(Boolean);
  return changed({ [name]: [...new Set([...known, value])].join("|") });
}

function currentId() { return stage.current >= 0 ? stage.view.graph.unique_ids[stage.current] : null; }

function putInMiddle(i) {
  const place = stage.view.place(i);
  go(changed({ ref: stage.view.graph.unique_ids[i], account: place.account, project: place.project_id, environment: place.environment_id, more: null, path: null, reach: null }), { focus: stage.view.graph.unique_ids[i] });
}

function open(i) {
  if (stage.view.isGroup(i)) go(added("opened", stage.view.graph.names[i]));
  else location.assign(hrefOf(stage.view, i));
}

function expand(i) {
  const id = stage.view.graph.unique_ids[i];
  if (id !== null) go(added("more", id), { anchor: id, focus: id });
}

function listenToControls() {
  const form = document.getElementById("controls");
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "ref") return;
    if (name === "colour") {
      query = changed({ colour: value });
      history.pushState(null, "", `/lineage?${query}`);
      stage.colour = value;
      stage.refresh();
      bringPage();
      return;
    }
    if (name === "account") { go(new URLSearchParams({ account: value })); return; }
    go(changed({ [name]: value, ...(name === "project" ? { ref: null, more: null, opened: null, path: null, reach: null } : {}), ...(name === "collapse" ? { opened: null } : {}) }), { anchor: stage.view?.graph.focus !== null ? stage.view?.graph.unique_ids[stage.view.graph.focus] : null });
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); go(changed({ ref: form.elements.ref.value, more: null, path: null, reach: null })); });
  const place = () => Object.fromEntries(["account", "project", "environment", "at"].filter((name) => query.get(name)).map((name) => [name, query.get(name)]));
  search.listen(form.elements.ref, place, (node) => {
    go(changed({ ref: node.unique_id, account: node.account, project: node.project_id, environment: node.environment_id, more: null, path: null, reach: null }), { focus: node.unique_id });
  });
  const png = document.getElementById("png");
  png.hidden = false;
  png.addEventListener("click", (event) => { event.preventDefault(); savePng(png.href); });
}

async function savePng(address) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const picture = new Image();
  picture.src = `${address}${address.includes("?") ? "&" : "?"}scheme=${isDark ? "dark" : "light"}`;
  try { await picture.decode(); } catch { say("The picture could not be drawn."); return; }
  const canvas = document.createElement("canvas");
  const dense = Math.min(2, 16000 / Math.max(picture.width, picture.height));
  canvas.width = picture.width * dense; canvas.height = picture.height * dense;
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const file = await new Promise((done) => { canvas.toBlob(done, "image/png"); });
  if (!file) { say("The picture is too large for a PNG; save it as SVG."); return; }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "lineage.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The panel: what is known of the current node, and what can be done with it.
function tell(i) {
  panel.replaceChildren();
  panel.hidden = i < 0;
  if (i < 0) return;
  const { view } = stage, id = view.graph.unique_ids[i];
  const add = (tag, text, made = {}) => { const part = Object.assign(document.createElement(tag), made); part.textContent = text; panel.append(part); return part; };
  add("b", view.graph.names[i]);
  const [, ...said] = view.title(i).split(", ").slice(view.graph.names[i].split(", ").length - 1);
  const above = view.graph.hidden_parents[i] + view.parents(i).length, below = view.graph.hidden_children[i] + view.children(i).length;
  add("span", [...said, `${above} ${above === 1 ? "parent" : "parents"}, ${below} ${below === 1 ? "child" : "children"}`].join(" · "), { className: "meta" });
  const act = (text, what) => { const button = add("button", text, { type: "button", className: "button" }); button.addEventListener("click", what); };
  if (id === null) { act("Show its nodes", () => open(i)); return; }
  add("a", "Open its page", { href: hrefOf(view, i) });
  if (i !== view.graph.focus) act("Put in the middle", () => putInMiddle(i));
  if (view.graph.hidden_parents[i] + view.graph.hidden_children[i]) act("Show neighbours", () => expand(i));
}

function say(message) {
  panel.hidden = false;
  panel.textContent = message;
}

// The nearest node in the direction of an arrow: along the lines to the sides, in the layer up and down.
function next(i, key) {
  const { view } = stage;
  const nearest = (found) => [...found].sort((a, b) => Math.abs(view.middle(a) - view.middle(i)) - Math.abs(view.middle(b) - view.middle(i)))[0] ?? -1;
  if (key === "ArrowRight") return nearest(view.children(i));
  if (key === "ArrowLeft") return nearest(view.parents(i));
  const isDown = key === "ArrowDown";
  let best = -1;
  for (let other = 0; other < view.count; other += 1) {
    if (view.x[other] !== view.x[i] || other === i || (view.y[other] > view.y[i]) !== isDown) continue;
    if (best < 0 || Math.abs(view.y[other] - view.y[i]) < Math.abs(view.y[best] - view.y[i])) best = other;
  }
  return best;
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !stage.view) return;
  const { key } = event, at = stage.current >= 0 ? stage.current : stage.view.first();
  if (key.startsWith("Arrow")) {
    const to = stage.current < 0 ? at : next(at, key);
    if (to >= 0) { stage.focus(to); tell(to); }
  } else if (key === "+" || key === "=") stage.zoom(1.25);
  else if (key === "-" || key === "_") stage.zoom(0.8);
  else if (key === "0") stage.fit();
  else if (key === "f" && currentId() !== null) putInMiddle(at);
  else if (key === "e" && currentId() !== null) expand(at);
  else if (key === "Escape") { stage.choose(-1); tell(-1); element.focus({ preventScroll: true }); } else return;
  event.preventDefault();
}

function buttons() {
  const row = Object.assign(document.createElement("div"), { className: "zooms" });
  for (const [text, said, act] of [["+", "Zoom in", () => stage.zoom(1.25)], ["−", "Zoom out", () => stage.zoom(0.8)], ["Fit", "Show all of it", () => stage.fit()]]) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, title: said });
    button.setAttribute("aria-label", said);
    button.addEventListener("click", act);
    row.append(button);
  }
  return row;
}

element.addEventListener("click", (event) => {
  const more = event.target.closest("[data-more]"), link = event.target.closest("[data-number]");
  if (more) { event.preventDefault(); expand(Number(more.dataset.more)); return; }
  if (!link) {
    if (element.dataset.drawn !== "far") { stage.choose(-1); tell(-1); return; }
    const box = element.getBoundingClientRect(), { x, y, k } = stage.camera;
    const atX = x + (event.clientX - box.left) / k, atY = y + (event.clientY - box.top) / k;
    stage.move({ k: 1, x: atX - stage.width / 2, y: atY - stage.height / 2 });
    return;
  }
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const i = Number(link.dataset.number);
  if (event.detail === 0) { if (stage.view.isGroup(i)) { event.preventDefault(); open(i); } return; } // Enter opens
  event.preventDefault();
  stage.choose(i);
  link.focus({ preventScroll: true });
  tell(i);
  if (stage.view.isGroup(i)) open(i);
});
element.addEventListener("dblclick", (event) => { const link = event.target.closest("[data-number]"); if (link) open(Number(link.dataset.number)); });
element.addEventListener("keydown", press);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  const field = document.getElementById("ref");
  field.focus();
  field.select();
});
addEventListener("popstate", () => go(new URLSearchParams(location.search), { isNew: false }));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stage.view && stage.refresh());

// States change while runs go on: they are asked for again, and cost nothing where nothing was stored.
async function look() {
  if (document.hidden || !stage.view || query.get("at")) return;
  const answer = await fetch(`/api/v1/lineage/states?${questionOf(query)}`).catch(() => null);
  if (!answer?.ok) return;
  const states = await answer.json();
  if (states.of !== stage.view.graph.etag || states.etag === stage.view.states.etag) return;
  stage.view.take(states);
  stage.refresh();
}

Object.assign(panel, { className: "panel", hidden: true });
panel.setAttribute("role", "status");
element.after(buttons(), panel);
listenToControls();
go(query, { isNew: false });
follow(look);
