// Chooses a span of the bars of runs and opens its runs: drag over the bars, or arrow keys with Shift, then Enter.
// Without this each bar is a link to its own span.
let drag = null; // the bar a drag began at and the one it is at now
let span = null; // what the keyboard has chosen: the bar it began at, and the one it is at now
let dragged = false;
const HINT = "Drag over the bars to open the runs of a span; with the keyboard, Shift and the arrow keys, then Enter.";

const barsOf = (plot) => [...plot.querySelectorAll("a.column")];
const ordered = ([one, other]) => [Math.min(one, other), Math.max(one, other)];

function barAt(plot, x) {
  const bars = barsOf(plot), box = plot.getBoundingClientRect();
  const index = Math.floor(((x - box.left) / box.width) * bars.length);
  return Math.min(Math.max(index, 0), bars.length - 1);
}

function show(plot, chosen) {
  const bars = barsOf(plot), [first, last] = chosen ? ordered(chosen) : [1, 0];
  bars.forEach((bar, index) => bar.classList.toggle("chosen", index >= first && index <= last));
  const said = plot.closest("figure").querySelector(".brush-said");
  said.hidden = false;
  if (!chosen) { said.textContent = HINT; return; }
  const runs = bars.slice(first, last + 1).reduce((sum, bar) => sum + Number(bar.dataset.runs), 0);
  const named = first === last ? bars[first].dataset.said : `${bars[first].dataset.said} to ${bars[last].dataset.said}`;
  said.textContent = `${named}: ${runs.toLocaleString("en")} ${runs === 1 ? "run" : "runs"}.`;
}

function open(plot, chosen) {
  const bars = barsOf(plot), [first, last] = ordered(chosen);
  const asked = new URLSearchParams({ created_from: bars[first].dataset.from, created_to: bars[last].dataset.to });
  location.assign(`/runs?${asked}`);
}

function makeReady() {
  for (const plot of document.querySelectorAll("svg[data-brush]")) {
    const bars = barsOf(plot);
    if (!bars.length || bars.some((bar) => bar.tabIndex === 0)) continue;
    bars.at(-1).setAttribute("tabindex", "0"); // one stop for all bars; the arrow keys go on from there
    show(plot, null);
  }
}

document.addEventListener("pointerdown", (event) => {
  const plot = event.target.closest?.("svg[data-brush]");
  dragged = false;
  if (plot && event.button === 0 && event.pointerType !== "touch") {
    const bar = barAt(plot, event.clientX);
    drag = { plot, at: [bar, bar] };
  }
});
document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const bar = barAt(drag.plot, event.clientX);
  if (!dragged && bar === drag.at[0]) return;
  dragged = true;
  drag.at[1] = bar;
  show(drag.plot, drag.at);
});
document.addEventListener("pointerup", () => {
  const { plot, at } = drag ?? {};
  drag = null;
  if (plot?.isConnected && dragged) open(plot, at);
});
document.addEventListener("pointercancel", () => { if (drag) { show(drag.plot, null); drag = null; } });
document.addEventListener("dragstart", (event) => { if (event.target.closest?.("svg[data-brush]")) event.preventDefault(); });
document.addEventListener("click", (event) => {
  if (dragged && event.target.closest?.("svg[data-brush]")) event.preventDefault();
  dragged = false;
}, true);

document.addEventListener("keydown", (event) => {
  const plot = event.target.closest?.("svg[data-brush]");
  if (!plot || event.altKey || event.ctrlKey || event.metaKey) return;
  const bars = barsOf(plot), at = bars.indexOf(event.target.closest("a.column"));
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (to !== undefined) {
    const next = Math.min(Math.max(to, 0), bars.length - 1);
    span = event.shiftKey ? [span ? span[0] : at, next] : null;
    bars[at]?.setAttribute("tabindex", "-1");
    bars[next].setAttribute("tabindex", "0");
    bars[next].focus();
    show(plot, span ?? [next, next]);
  } else if (event.key === "Enter" && span) {
    open(plot, span);
  } else if (event.key === "Escape") {
    span = null;
    show(plot, null);
  } else return;
  event.preventDefault();
});
document.addEventListener("focusout", (event) => {
  if (event.target.closest?.("svg[data-brush]") && !event.relatedTarget?.closest?.("svg[data-brush]")) span = null;
});

makeReady();
new MutationObserver(makeReady).observe(document.querySelector("main"), { childList: true });
