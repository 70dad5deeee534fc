// The stage: a window on a view that may be dragged and zoomed. Only what is in the window, and a little around it, is drawn.
import { paintFar } from "./canvas.js";
import { kindOfLine, line, make, node } from "./shapes.js";

const FAR = 0.45; // below this scale nothing can be read, and all is painted as marks
const LEAST = 0.01, MOST = 2;
const AROUND = 0.6; // of the window, drawn beyond each of its sides
const MOST_PASSING = 3000; // in a larger graph, lines that only pass through the window are left out
const PAD = 28, TOP = 48; // the buttons stand above

export class Stage {
  constructor(element, marks, onMove) {
    Object.assign(this, { element, marks, onMove, colour: "state", current: -1, lit: null, drawn: new Map(), lines: new Map() });
    this.canvas = document.createElement("canvas");
    this.lineLayer = make("g", { class: "lines" });
    this.nodeLayer = make("g", { class: "nodes" });
    this.root = make("g", {}, this.lineLayer, this.nodeLayer);
    this.svg = make("svg", { class: "lineage", width: "100%", height: "100%" }, this.root);
    this.map = document.createElement("canvas");
    this.map.className = "map";
    this.frame = document.createElement("div");
    this.frame.className = "map-frame";
    for (const shown of [this.canvas, this.map]) shown.setAttribute("aria-hidden", "true");
    element.replaceChildren(this.canvas, this.svg, this.map, this.frame);
    element.classList.add("is-live");
    new ResizeObserver(() => { this.measure(); this.repaint(); }).observe(element);
    this.measure();
    this.listen();
  }

  measure() {
    const box = this.element.getBoundingClientRect();
    this.width = box.width; this.height = box.height;
  }

  show(view, colour, camera) {
    Object.assign(this, { view, colour, current: -1, lit: null });
    this.clear();
    this.svg.classList.toggle("dense", view.sources.length > 300);
    this.camera = camera ?? this.opening();
    this.limit();
    this.paintMap();
    this.paint();
  }

  // All of it where it can be read so, else where somebody looks first.
  opening() {
    const { width, height } = this.view.graph;
    const k = Math.min(1, (this.width - 2 * PAD) / Math.max(width, 1), (this.height - 2 * TOP) / Math.max(height, 1));
    if (k >= 0.78) return { k, x: -(this.width / k - width) / 2, y: -(this.height / k - height) / 2 };
    const first = this.view.first();
    return this.centred(first, this.width < 600 ? 0.8 : 1);
  }

  centred(i, k) {
    const x = this.view.x[i] + this.view.graph.node_width / 2 - this.width / k / 2;
    return { k, x, y: this.view.middle(i) - this.height / k / 2 };
  }

  fit() {
    const { width, height } = this.view.graph;
    const k = Math.max(Math.min(1, (this.width - 2 * PAD) / Math.max(width, 1), (this.height - 2 * TOP) / Math.max(height, 1)), LEAST);
    this.move({ k, x: -(this.width / k - width) / 2, y: -(this.height / k - height) / 2 });
  }

  zoom(factor, atX = this.width / 2, atY = this.height / 2) {
    const { x, y, k } = this.camera, next = Math.min(Math.max(k * factor, LEAST), MOST);
    this.move({ k: next, x: x + atX / k - atX / next, y: y + atY / k - atY / next });
  }

  move(camera) {
    this.camera = camera;
    this.limit();
    this.repaint();
    this.onMove();
  }

  // Some of the graph stays in the window. Gives whether the camera had to be held back.
  limit() {
    const { camera } = this, { width, height } = this.view.graph, { x, y } = camera;
    const hold = (value, size, shown, least) => {
      const pad = least / camera.k, low = Math.min(-pad, (size - shown) / 2), high = Math.max(size + pad - shown, (size - shown) / 2);
      return Math.min(Math.max(value, low), high);
    };
    camera.x = hold(x, width, this.width / camera.k, PAD);
    camera.y = hold(y, height, this.height / camera.k, TOP);
    return camera.x !== x || camera.y !== y;
  }

  repaint() {
    if (!this.view || this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => { this.isWaiting = false; this.paint(); });
  }

  clear() {
    this.window = null;
    this.drawn.clear(); this.lines.clear();
    this.nodeLayer.replaceChildren(); this.lineLayer.replaceChildren();
  }

  // Draw everything anew, as after a change of colours or states.
  refresh() { const had = this.element.contains(document.activeElement) && document.activeElement !== this.element; this.clear(); this.paintMap(); this.paint(); if (had) this.focus(this.current); }

  paint() {
    const { x, y, k } = this.camera, isFar = k < FAR;
    const seen = { x, y, width: this.width / k, height: this.height / k };
    this.svg.classList.toggle("is-hidden", isFar);
    this.canvas.classList.toggle("is-hidden", !isFar);
    if (!this.covers(seen, isFar, k)) this.draw(seen, isFar, k);
    if (isFar) this.canvas.style.transform = `translate(${(this.window.x - x) * k}px, ${(this.window.y - y) * k}px)`;
    else this.root.setAttribute("transform", `translate(${-x * k} ${-y * k}) scale(${k})`);
    this.frameMap(seen);
    this.element.dataset.drawn = isFar ? "far" : this.drawn.size;
  }

  covers({ x, y, width, height }, isFar, k) {
    const w = this.window;
    if (!w || w.isFar !== isFar || (isFar && w.k !== k)) return false;
    return x >= w.x && y >= w.y && x + width <= w.x + w.width && y + height <= w.y + w.height;
  }

  draw({ x, y, width, height }, isFar, k) {
    const around = isFar ? AROUND / 2 : AROUND;
    this.window = { x: x - width * around, y: y - height * around, width: width * (1 + 2 * around), height: height * (1 + 2 * around), isFar, k };
    if (isFar) {
      paintFar(this.canvas, this.view, this.window, k, this.colour, this.lit);
      this.canvas.style.width = `${this.window.width * k}px`;
      this.canvas.style.height = `${this.window.height * k}px`;
    } else { this.drawNodes(); this.drawLines(); }
  }

  isIn(i) {
    const w = this.window, { view } = this;
    return view.x[i] < w.x + w.width && view.x[i] + view.graph.node_width > w.x && view.y[i] < w.y + w.height && view.y[i] + view.height(i) > w.y;
  }

  drawNodes() {
    const fresh = document.createDocumentFragment();
    for (let i = 0; i < this.view.count; i += 1) {
      const isIn = i === this.current || this.isIn(i), has = this.drawn.has(i);
      if (isIn && !has) {
        const parts = node(this.view, i, this.colour, this.marks);
        if (this.lit?.has(i)) parts[0].classList.add("lit");
        this.drawn.set(i, parts);
        fresh.append(...parts);
      } else if (!isIn && has) {
        for (const part of this.drawn.get(i)) part.remove();
        this.drawn.delete(i);
      }
    }
    this.nodeLayer.append(fresh);
    const tab = this.drawn.has(this.current) ? this.current : this.view.first();
    for (const [i, [link]] of this.drawn) link.setAttribute("tabindex", i === tab ? 0 : -1);
  }

  passes(source, target) {
    const w = this.window, { view } = this;
    const top = Math.min(view.middle(source), view.middle(target)), foot = Math.max(view.middle(source), view.middle(target));
    return view.x[source] < w.x + w.width && view.x[target] + view.graph.node_width > w.x && top < w.y + w.height && foot > w.y;
  }

  drawLines() {
    const { view } = this, isSmall = view.count <= MOST_PASSING, above = [], below = document.createDocumentFragment();
    for (let edge = 0; edge < view.sources.length; edge += 1) {
      const source = view.sources[edge], target = view.targets[edge];
      const isIn = this.isIn(source) || this.isIn(target) || (isSmall && this.passes(source, target));
      const has = this.lines.has(edge);
      if (isIn && !has) {
        const kind = kindOfLine(view, source, target);
        const path = make("path", { class: `line ${kind}`, d: line(view, source, target) });
        if (this.lit?.has(source) && this.lit.has(target)) path.classList.add("lit");
        this.lines.set(edge, path);
        if (kind === "plain" && !path.classList.contains("lit")) below.append(path); else above.push(path);
      } else if (!isIn && has) { this.lines.get(edge).remove(); this.lines.delete(edge); }
    }
    this.lineLayer.prepend(below);
    this.lineLayer.append(...above);
  }

  // Take a node as the current one: what it is made from and what is made from it is lit.
  choose(i) {
    this.current = i;
    this.lit = i < 0 ? null : this.view.around(i);
    if (this.window?.isFar) { this.window = null; this.repaint(); return; }
    for (const [other, [link]] of this.drawn) {
      link.classList.toggle("lit", Boolean(this.lit?.has(other)));
      link.classList.toggle("current", other === i);
      link.setAttribute("tabindex", other === i ? 0 : -1);
    }
    for (const [edge, path] of this.lines) {
      const isLit = Boolean(this.lit?.has(this.view.sources[edge]) && this.lit.has(this.view.targets[edge]));
      path.classList.toggle("lit", isLit);
      if (isLit) this.lineLayer.append(path);
    }
  }

  // Bring a node into the window, draw it, and give it the focus.
  focus(i) {
    if (i < 0) return;
    const { k } = this.camera, pad = 24 / k;
    const x = this.view.x[i], y = this.view.y[i], wide = this.width / k, tall = this.height / k;
    const isSeen = k >= FAR && x - pad >= this.camera.x && y - pad >= this.camera.y
      && x + this.view.graph.node_width + pad <= this.camera.x + wide && y + this.view.height(i) + pad <= this.camera.y + tall;
    this.choose(i);
    if (!isSeen) { this.camera = this.centred(i, Math.max(k, 0.8)); this.limit(); this.onMove(); }
    if (!this.drawn.has(i)) this.window = null;
    this.paint();
    this.choose(i);
    this.drawn.get(i)?.[0].focus({ preventScroll: true });
  }

  paintMap() {
    const { width, height } = this.view.graph, most = this.width < 600 ? 2.5 : 1.25, isLarge = width > most * this.width || height > most * this.height;
    this.map.classList.toggle("is-hidden", !isLarge);
    this.frame.classList.toggle("is-hidden", !isLarge);
    if (!isLarge) return;
    const scale = Math.min(180 / width, 140 / height);
    this.mapScale = { across: Math.max(scale, 24 / width), down: Math.max(scale, 24 / height) };
    const pen = this.map.getContext("2d");
    this.map.width = width * this.mapScale.across; this.map.height = height * this.mapScale.down;
    const tones = getComputedStyle(this.element);
    for (const look of ["success", "unknown", "skipped", "warn", "late", "error"]) {
      pen.fillStyle = tones.getPropertyValue({ late: "--warn", skipped: "--quiet", unknown: "--quiet" }[look] ?? `--${look}`);
      pen.globalAlpha = look === "success" ? 0.35 : 1;
      const least = look === "error" || look === "late" ? 2 : 1;
      for (let i = 0; i < this.view.count; i += 1) {
        if (this.view.looks[i] === look) pen.fillRect(this.view.x[i] * this.mapScale.across, this.view.y[i] * this.mapScale.down, Math.max(this.view.graph.node_width * this.mapScale.across, least), Math.max(28 * this.mapScale.down, least));
      }
    }
  }

  frameMap({ x, y, width, height }) {
    if (!this.mapScale || this.map.classList.contains("is-hidden")) return;
    const { across, down } = this.mapScale, within = (value, most) => Math.min(Math.max(value, 0), most);
    const left = within(x * across, this.map.width), right = within((x + width) * across, this.map.width);
    const top = within(y * down, this.map.height), foot = within((y + height) * down, this.map.height);
    Object.assign(this.frame.style, {
      right: `${8 + this.map.width - right}px`, bottom: `${8 + this.map.height - foot}px`,
      width: `${Math.max(right - left, 6)}px`, height: `${Math.max(foot - top, 6)}px`,
    });
  }

  listen() {
    const { element } = this, held = new Map();
    let start = null, hasMoved = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held.set(event.pointerId, event);
      start = { x: event.clientX, y: event.clientY, camera: { ...this.camera } };
      hasMoved = false;
    });
    element.addEventListener("pointermove", (event) => {
      if (!held.has(event.pointerId) || !this.view) return;
      const before = held.get(event.pointerId);
      held.set(event.pointerId, event);
      if (held.size === 2) { hasMoved = true; this.pinch(before, event, [...held.values()].find((one) => one.pointerId !== event.pointerId)); return; }
      const dx = event.clientX - start.x, dy = event.clientY - start.y;
      if (!hasMoved && Math.hypot(dx, dy) < 4) return;
      if (!hasMoved) { hasMoved = true; element.setPointerCapture(event.pointerId); element.classList.add("is-dragged"); }
      this.move({ k: this.camera.k, x: start.camera.x - dx / this.camera.k, y: start.camera.y - dy / this.camera.k });
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, (event) => { held.delete(event.pointerId); element.classList.remove("is-dragged"); });
    element.addEventListener("click", (event) => { if (hasMoved) { event.preventDefault(); event.stopPropagation(); hasMoved = false; } }, true);
    element.addEventListener("dragstart", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  wheel(event) {
    if (!this.view) return;
    const box = this.element.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), event.clientX - box.left, event.clientY - box.top);
      return;
    }
    const unit = event.deltaMode ? 16 : 1, { x, y, k } = this.camera;
    const [dx, dy] = event.shiftKey && !event.deltaX ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    this.camera = { k, x: x + (dx * unit) / k, y: y + (dy * unit) / k };
    this.limit();
    const hasMoved = Math.abs(this.camera.x - x) + Math.abs(this.camera.y - y) > 0.01;
    if (hasMoved) { event.preventDefault(); this.repaint(); this.onMove(); } // at its edge the page scrolls on
  }

  pinch(before, now, other) {
    const box = this.element.getBoundingClientRect();
    const was = Math.hypot(before.clientX - other.clientX, before.clientY - other.clientY) || 1;
    const is = Math.hypot(now.clientX - other.clientX, now.clientY - other.clientY);
    this.zoom(is / was, (now.clientX + other.clientX) / 2 - box.left, (now.clientY + other.clientY) / 2 - box.top);
  }
}
