// Elements are made here, and text gets into them as text alone: nothing that came from the network is ever markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

// Says it at the edge of the page for some seconds, and to who listens to it.
let said = 0;

export function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  clearTimeout(said);
  said = setTimeout(() => told.replaceChildren(), 8000);
}

export function duration(seconds) {
  if (seconds === undefined || seconds === null) return "";
  const s = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

export function facts(pairs) {
  return element("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

// Asks first; true if the answer is yes.
export function confirmed(question, yes) {
  return new Promise((resolve) => {
    const id = "question";
    const dialog = element("dialog", { "aria-labelledby": id },
      element("p", { id }, question),
      element("form", { method: "dialog", class: "bar" },
        element("button", { value: "no" }, "Cancel"),
        element("button", { value: "yes", class: "danger" }, yes)));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A table whose columns sort, with a field that filters. Rows keep their elements while they are shown, so that the focus stays.
export class Table {
  constructor({ caption, columns, key, empty, search = "Search" }) {
    Object.assign(this, { columns, key, empty });
    this.rows = [];
    this.known = new Map();
    this.sorted = { column: 0, down: false };
    this.body = element("tbody");
    this.none = element("p", { class: "quiet" }, empty);
    this.count = element("span", { class: "quiet", role: "status" });
    this.field = element("input", { type: "search", oninput: () => this.show() });
    this.heads = columns.map((column, index) => element("th", { scope: "col", class: column.number ? "number" : undefined },
      column.value ? element("button", { type: "button", onclick: () => this.sort(index) }, column.name) : column.name));
    this.table = element("table", { class: "stack" }, element("caption", {}, caption),
      element("thead", {}, element("tr", {}, this.heads)), this.body);
    this.element = element("div", {}, element("div", { class: "bar" }, element("label", {}, search, this.field), this.count),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, this.table), this.none);
  }

  sort(index) {
    this.sorted = { column: index, down: this.sorted.column === index && !this.sorted.down };
    this.show();
  }

  set(rows) {
    this.rows = rows;
    this.show();
  }

  show() {
    const wanted = this.field.value.trim().toLowerCase();
    const value = this.columns[this.sorted.column].value;
    const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a ?? "").localeCompare(String(b ?? "")));
    let rows = this.rows.filter((row) => !wanted || this.columns.some((c) => c.value && String(c.value(row) ?? "").toLowerCase().includes(wanted)));
    if (value) rows = [...rows].sort((a, b) => compare(value(a), value(b)) * (this.sorted.down ? -1 : 1));
    this.heads.forEach((head, index) => {
      if (index === this.sorted.column) head.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const before = this.known;
    this.known = new Map();
    const shown = rows.slice(0, 500).map((row) => this.line(row, before.get(this.key(row))));
    const now = [...this.body.children];
    if (shown.length !== now.length || shown.some((line, index) => line !== now[index])) this.body.replaceChildren(...shown);
    this.none.hidden = rows.length > 0;
    this.none.textContent = this.rows.length > 0 ? "Nothing fits the search." : this.empty;
    this.table.hidden = rows.length === 0;
    this.count.textContent = rows.length > 500 ? `the first 500 of ${rows.length}` : `${rows.length} of ${this.rows.length}`;
  }

  line(row, known) {
    const cells = this.columns.map((column) => (column.value ? String(column.value(row) ?? "") : ""));
    const line = known && known.state === cells.join("\u0001") ? known.line : element("tr", {}, this.columns.map((column, index) =>
      element("td", { class: column.number ? "number" : undefined, "data-name": column.name },
        element("span", {}, column.show ? column.show(row) : cells[index]))));
    this.known.set(this.key(row), { state: cells.join("\u0001"), line });
    return line;
  }
}
