// The far view: when nodes are too small to be read, all of them are painted as marks of their colour.
const MOST_LINES = 20000;

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    success: of("--success"), warn: of("--warn"), late: of("--warn"), error: of("--error"), skipped: of("--quiet"),
    unknown: of("--quiet"), line: of("--edge"), ink: of("--ink"), paper: of("--paper"), accent: of("--accent"),
    shades: [0.12, 0.3, 0.5, 0.75, 1],
  };
}

// Paints what of a view lies in a window of its own coordinates: {x, y, width, height}, at so many pixels a unit.
export function paintFar(canvas, view, { x, y, width, height }, scale, colour, lit, { withLines = true } = {}) {
  const dense = Math.min(window.devicePixelRatio || 1, 2), tones = colours();
  canvas.width = Math.max(Math.round(width * scale * dense), 1);
  canvas.height = Math.max(Math.round(height * scale * dense), 1);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale * dense, 0, 0, scale * dense, -x * scale * dense, -y * scale * dense);
  const isIn = (i) => view.x[i] < x + width && view.x[i] + view.graph.node_width > x && view.y[i] < y + height && view.y[i] + view.height(i) > y;
  if (withLines) paintLines(pen, view, isIn, tones, lit, scale * dense);
  const least = 1.2 / (scale * dense), byLook = new Map();
  for (let i = 0; i < view.count; i += 1) {
    if (!isIn(i)) continue;
    const shade = view.shade(i, colour);
    const key = shade === null ? view.looks[i] : `shade ${shade}`;
    if (!byLook.has(key)) byLook.set(key, []);
    byLook.get(key).push(i);
  }
  for (const [key, nodes] of byLook) {
    const shade = key.startsWith("shade ") ? Number(key.slice(6)) : null;
    pen.fillStyle = shade === null ? tones[key] : shade > 4 ? tones.unknown : tones.accent;
    pen.globalAlpha = shade === null ? (key === "success" ? 0.75 : 1) : tones.shades[shade] ?? 0.5;
    for (const i of nodes) pen.fillRect(view.x[i], view.y[i], view.graph.node_width, Math.max(view.height(i), least));
  }
  pen.globalAlpha = 1;
}

function paintLines(pen, view, isIn, tones, lit, scale) {
  const shown = [];
  for (let edge = 0; edge < view.sources.length && shown.length <= MOST_LINES; edge += 1) {
    if (isIn(view.sources[edge]) || isIn(view.targets[edge])) shown.push(edge);
  }
  if (shown.length > MOST_LINES) return;
  for (const isLit of [false, true]) {
    pen.beginPath();
    for (const edge of shown) {
      const source = view.sources[edge], target = view.targets[edge];
      if (Boolean(lit && lit.has(source) && lit.has(target)) !== isLit) continue;
      pen.moveTo(view.x[source] + view.graph.node_width, view.middle(source));
      pen.lineTo(view.x[target], view.middle(target));
    }
    pen.lineWidth = (isLit ? 1.6 : 0.8) / scale;
    pen.strokeStyle = isLit ? tones.ink : tones.line;
    pen.stroke();
  }
}
