// The search: while somebody types, the nodes whose names say so; arrows choose one, Enter takes it.
const WAIT = 120;

export function listen(input, place, take) {
  const list = document.createElement("ul");
  Object.assign(list, { id: "found", className: "found", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Nodes");
  for (const [name, value] of [["role", "combobox"], ["aria-controls", "found"], ["aria-expanded", "false"], ["aria-autocomplete", "list"]]) input.setAttribute(name, value);
  input.after(list);
  let timer = 0, asking = null, found = [], at = -1;

  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); at = -1; };
  const mark = (next) => {
    at = (next + found.length) % found.length;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    input.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at].scrollIntoView({ block: "nearest" });
  };
  const choose = (node) => { close(); input.value = node.name; take(node); };

  async function look() {
    const text = input.value.trim();
    if (!text) { close(); return; }
    asking?.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(`/api/v1/catalog?${new URLSearchParams({ ...place(), text, limit: 12 })}`, { signal: asking.signal });
      if (!answer.ok) return;
      found = (await answer.json()).nodes;
    } catch { return; }
    list.replaceChildren(...found.map((node, i) => {
      const item = document.createElement("li");
      item.id = `found-${i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      const kind = document.createElement("span");
      kind.className = "meta";
      kind.textContent = `${node.resource_type.replace("_", " ")} · ${node.project_name ?? node.account}`;
      item.append(node.name, kind);
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); choose(node); });
      return item;
    }));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    at = -1;
  }

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, WAIT); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { close(); return; }
    if (list.hidden || !found.length) return;
    if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); mark(at < 0 ? -1 : at - 1); }
    if (event.key === "Enter" && at >= 0) { event.preventDefault(); choose(found[at]); }
  });
}
