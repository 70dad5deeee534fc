// The shapes of a view: the same as the server draws for who has no scripts.
const SVG = "http://www.w3.org/2000/svg";
const BEGINNINGS = new Set(["source"]), ENDS = new Set(["exposure", "metric", "semantic_model", "saved_query"]);
const PILL = "M8 -10H16A10 10 0 0 1 16 10H8A10 10 0 0 1 8 -10Z";
const pen = document.createElement("canvas").getContext("2d");
const BELOW = 5;
const FONT = getComputedStyle(document.body).fontFamily;

function measure(text, { size = 12, isBold = false } = {}) {
  pen.font = `${isBold ? 600 : 400} ${size}px ${FONT}`;
  return pen.measureText(text).width;
}

export function make(name, attributes = {}, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

export function outline(kind, width, height) {
  const left = BEGINNINGS.has(kind) ? height / 2 : 4, right = ENDS.has(kind) ? height / 2 : 4;
  return `M${left} 0H${width - right}A${right} ${right} 0 0 1 ${width} ${right}V${height - right}`
    + `A${right} ${right} 0 0 1 ${width - right} ${height}H${left}A${left} ${left} 0 0 1 0 ${height - left}V${left}A${left} ${left} 0 0 1 ${left} 0Z`;
}

export function line(view, source, target) {
  const { node_width: wide, pitch, bends } = view.graph;
  let x = view.x[source] + wide, y = view.middle(source);
  const endX = view.x[target], endY = view.middle(target), swing = (pitch - wide) / 2;
  if (endX <= view.x[source]) { // folders that need each other: around and below both
    const below = Math.max(view.y[source] + view.height(source), view.y[target] + view.height(target)) + BELOW;
    return `M${x} ${y}C${x + swing} ${y} ${x + swing} ${below} ${x} ${below}H${endX}C${endX - swing} ${below} ${endX - swing} ${endY} ${endX} ${endY}`;
  }
  const between = Math.max(Math.floor((endX - view.x[source]) / pitch) - 1, 0);
  let d = `M${x} ${y}`;
  (bends[source] ?? []).slice(0, between).forEach((bend, step) => {
    const left = view.x[source] + (step + 1) * pitch;
    d += `C${x + swing} ${y} ${left - swing} ${bend} ${left} ${bend}H${left + wide}`;
    x = left + wide; y = bend;
  });
  return `${d}C${x + swing} ${y} ${endX - swing} ${endY} ${endX} ${endY}`;
}

export function kindOfLine(view, source, target) {
  if (view.steps.has(`${source} ${target}`)) return "path";
  return view.reached.has(source) && view.reached.has(target) ? "reach" : "plain";
}

export function node(view, i, colour, marks) {
  const wide = view.graph.node_width, tall = view.height(i), isGroup = view.isGroup(i), look = view.looks[i];
  const [name, project] = isGroup ? view.graph.names[i].split(": ").reverse() : [view.graph.names[i]];
  const title = view.title(i), isFocus = i === view.graph.focus;
  const classes = ["node", `n-${look}`];
  const shade = view.shade(i, colour), figure = view.figure(i, colour);
  if (shade !== null) classes.push(`shade-${shade}`);
  for (const [is, word] of [[isGroup, "group"], [isFocus, "is-focus"], [view.onPath.has(i), "on-path"], [view.reached.has(i), "reached"]]) if (is) classes.push(word);
  const mark = make("g", { class: "mark", transform: "translate(10 8)" }, marks[look].cloneNode(true));
  const link = make("a", {
    class: classes.join(" "), href: hrefOf(view, i), transform: `translate(${view.x[i]} ${view.y[i]})`, "aria-label": title,
    "data-number": i, tabindex: -1,
  }, make("title", {}, title), make("path", { class: "outline", d: outline(view.kind(i), wide, tall) }), mark,
  make("text", { class: "label", x: 28, y: 18, "font-weight": isFocus || isGroup ? 600 : null }, fit(name, wide - 44 - measure(figure, { size: 11 }), { isGroup, isBold: isFocus || isGroup })),
  make("text", { class: "figure", x: wide - 10, y: 18, "text-anchor": "end" }, figure));
  if (isGroup) {
    const said = `${view.graph.counts[i]} ${view.graph.counts[i] === 1 ? "node" : "nodes"}`;
    link.append(make("text", { class: "figure", x: 28, y: 35 }, project ? `${said} · ${project}` : said));
    let x = 12;
    for (const [look_, share] of view.shares(i)) {
      link.append(make("rect", { class: `f-${look_}`, x, y: 41, width: share * (wide - 24), height: 3 }));
      x += share * (wide - 24);
    }
  }
  const parts = [link];
  const { hidden_parents: above, hidden_children: below } = view.graph;
  if (above[i]) parts.push(handle(view, i, -27, above[i], "parents"));
  if (below[i]) parts.push(handle(view, i, wide + 3, below[i], "children"));
  return parts;
}

function handle(view, i, x, count, what) {
  const at = `translate(${view.x[i] + x} ${view.middle(i)})`;
  return make("a", { class: "more", transform: at, "data-more": i, tabindex: -1, href: "#", "aria-label": `Show ${count} more ${what} of ${view.graph.names[i]}` },
    make("rect", { class: "hit", y: -12, width: 26, height: 24 }), make("path", { class: "outline", d: PILL }),
    make("text", { x: 12, y: 4, "text-anchor": "middle" }, `+${count}`));
}

// Cut a name to the room there is: a node's at its end, a folder's at its beginning, before a part where two are left.
function fit(name, room, { isGroup, isBold }) {
  let shown = name;
  for (let kept = name.length - 1; kept > 0 && measure(shown, { isBold }) > room; kept -= 1) {
    shown = isGroup ? `…${name.slice(-kept)}` : `${name.slice(0, kept)}…`;
  }
  const part = shown.indexOf("/");
  return isGroup && shown !== name && shown.indexOf("/", part + 1) > 0 ? `…${shown.slice(part)}` : shown;
}

export function hrefOf(view, i) {
  const place = view.place(i), uniqueId = view.graph.unique_ids[i];
  if (uniqueId === null) return "#";
  return `/nodes?${new URLSearchParams({ ref: uniqueId, account: place.account, project: place.project_id, environment: place.environment_id })}`;
}
