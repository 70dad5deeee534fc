// Lists by the keyboard: j and k, or the arrows once a row has the focus, go from row to row; Enter opens it.
function rows() {
  return [...document.querySelectorAll("main a.opens")].filter((one) => one.checkVisibility());
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, dialog, [role=region], [contenteditable]")) return;
  const isOnRow = event.target.matches("a.opens");
  const step = { j: 1, k: -1, ...(isOnRow ? { ArrowDown: 1, ArrowUp: -1 } : {}) }[event.key];
  if (!step) return;
  const all = rows(), at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.closest("tr, li")?.scrollIntoView({ block: "nearest" });
});
