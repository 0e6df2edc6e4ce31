import { element } from "./dom.js";
import { get } from "./server.js";
import { Refresher } from "./refresher.js";

const LEVELS = ["crashes", "failures", "major", "problems", "low-level", "all"];
const MOST = 2000;

export class Log {
  constructor() {
    this.lines = [];
    this.next = {};
    this.tags = new Set();
    this.level = element("select", { onchange: () => this.show() }, LEVELS.map((level) => element("option", { value: level }, level)));
    this.level.value = "all";
    this.tag = element("select", { onchange: () => this.show() }, element("option", { value: "" }, "all"));
    this.search = element("input", { type: "search", oninput: () => this.show() });
    this.stay = element("input", { type: "checkbox" });
    this.list = element("ol", { class: "log" });
    this.trouble = element("p", { class: "complaint", role: "alert", hidden: true });
    this.element = element("div", {}, this.trouble,
      element("div", { class: "bar" }, element("label", {}, "Up to level", this.level), element("label", {}, "Tag", this.tag),
        element("label", {}, "Search", this.search), element("label", {}, "Stand still", this.stay)),
      element("p", { class: "quiet" }, "What the programs have written lately, the newest first. What is not logged by [sip] log_level and its like is not here either."),
      this.list);
    this.refresher = new Refresher(() => this.look(), (text) => {
      this.trouble.hidden = !text;
      this.trouble.textContent = text;
    });
  }

  enter() {
    this.refresher.start();
  }

  leave() {
    this.refresher.stop();
  }

  async look() {
    if (this.stay.checked) return;
    const { lines, next } = await get("/api/log", this.next);
    this.next = next;
    if (lines.length === 0) return;
    this.lines = [...this.lines, ...lines].slice(-MOST);
    for (const { tag } of lines) {
      if (this.tags.has(tag)) continue;
      this.tags.add(tag);
      this.tag.append(element("option", { value: tag }, tag));
    }
    this.show();
  }

  show() {
    const most = LEVELS.indexOf(this.level.value);
    const wanted = this.search.value.trim().toLowerCase();
    const fits = (line) => LEVELS.indexOf(line.level) <= most && (!this.tag.value || line.tag === this.tag.value)
      && (!wanted || line.text.toLowerCase().includes(wanted));
    this.list.replaceChildren(...this.lines.filter(fits).reverse().slice(0, 500).map((line) =>
      element("li", { class: line.level }, `${line.time} ${line.level} ${line.tag} ${line.text}`)));
  }
}
