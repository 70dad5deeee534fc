// A view of the lineage as the server gives it: columns of numbers, and what is worked out from them.
const STEPS = { age: [3600, 21600, 86400, 259200], duration: [1, 10, 60, 600] };
const LOOKS = {
  healthy: "success", failed: "error", "test-failing": "error", missing: "error", skipped: "skipped",
  warned: "warn", anomalous: "warn", stale: "late", late: "late",
};
const ORDER = ["error", "late", "warn", "skipped", "unknown", "success"];

export function lookOf(state) { return LOOKS[state] ?? "unknown"; }

async function ask(path, signal) {
  const answer = await fetch(path, { signal });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error((await answer.json()).error?.message ?? `The server answered ${answer.status}.`);
  return answer.json();
}

export async function read(query, signal) {
  const [graph, states] = await Promise.all([
    ask(`/api/v1/lineage?${query}`, signal), ask(`/api/v1/lineage/states?${query}`, signal),
  ]);
  return new View(graph, states);
}

export function short(seconds) {
  if (seconds === null) return "";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

function lists(count, ends, others) {
  const begins = new Int32Array(count + 1);
  for (const end of ends) begins[end + 1] += 1;
  for (let i = 0; i < count; i += 1) begins[i + 1] += begins[i];
  const free = begins.slice(), kept = new Int32Array(ends.length);
  ends.forEach((end, edge) => { kept[free[end]++] = others[edge]; });
  return (node) => kept.subarray(begins[node], begins[node + 1]);
}

export class View {
  constructor(graph, states) {
    Object.assign(this, { graph, count: graph.names.length, x: Int32Array.from(graph.x), y: Int32Array.from(graph.y) });
    this.sources = Int32Array.from(graph.sources);
    this.targets = Int32Array.from(graph.targets);
    this.parents = lists(this.count, graph.targets, graph.sources);
    this.children = lists(this.count, graph.sources, graph.targets);
    this.onPath = new Set(graph.path);
    this.reached = new Set(graph.reached);
    if (graph.reached.length) this.reached.add(graph.path[0] ?? graph.focus);
    this.steps = new Set(graph.path.slice(1).map((to, i) => `${graph.path[i]} ${to}`));
    this.take(states);
  }

  take(states) {
    this.states = states;
    this.now = Date.parse(states.as_of) / 1000;
    this.looks = states.state_numbers.map((number) => lookOf(states.states[number]));
  }

  isGroup(i) { return this.graph.unique_ids[i] === null; }
  height(i) { return this.isGroup(i) ? this.graph.group_height : this.graph.node_height; }
  middle(i) { return this.y[i] + this.height(i) / 2; }
  state(i) { return this.states.states[this.states.state_numbers[i]]; }
  kind(i) { return this.isGroup(i) ? "" : this.graph.resource_types[this.graph.resource_type_numbers[i]]; }
  place(i) { return this.graph.places[this.graph.place_numbers[i]]; }
  age(i) { const at = this.states.ran_at[i]; return at === null ? null : Math.max(this.now - at, 0); }
  took(i) { return this.states.elapsed_seconds[i]; }
  figure(i, colour) { return this.isGroup(i) && colour === "state" ? "" : short(colour === "duration" ? this.took(i) : this.age(i)); }

  shade(i, colour) {
    if (colour === "state") return null;
    const seconds = colour === "age" ? this.age(i) : this.took(i);
    return seconds === null ? 5 : STEPS[colour].filter((step) => seconds >= step).length;
  }

  title(i) {
    const said = [this.graph.names[i], this.isGroup(i) ? `${this.graph.counts[i]} nodes` : this.kind(i), this.state(i)];
    if (this.age(i) !== null) said.push(`ran ${short(this.age(i))} ago`);
    if (this.took(i) !== null) said.push(`took ${short(this.took(i))}`);
    return said.join(", ");
  }

  shares(i) {
    const counts = Object.entries(this.states.state_counts[i] ?? {});
    const whole = counts.reduce((sum, [, count]) => sum + count, 0) || 1;
    return counts.map(([state, count]) => [lookOf(state), count / whole]);
  }

  // All that a thing is made from and that is made from it, itself included.
  around(start) {
    const found = new Set([start]);
    for (const near of [this.parents, this.children]) {
      const seen = new Set([start]), waiting = [start];
      while (waiting.length) for (const other of near(waiting.pop())) if (!seen.has(other)) { seen.add(other); found.add(other); waiting.push(other); }
    }
    return found;
  }

  // Where somebody looks first: the node in the middle, else what is worst, else the beginning.
  first() {
    if (this.graph.focus !== null) return this.graph.focus;
    const rank = this.looks.map((look) => ORDER.indexOf(look));
    const best = rank.reduce((found, value, i) => (value < rank[found] ? i : found), 0);
    return rank[best] < 3 ? best : 0;
  }

  find(uniqueId) { return uniqueId === null ? -1 : this.graph.unique_ids.indexOf(uniqueId); }
}
