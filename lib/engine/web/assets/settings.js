import { element, tell } from "./dom.js";
import { get, post } from "./server.js";
import { input_of } from "./inputs.js";

const bar = document.getElementById("pending");
const outcome = document.getElementById("outcome");
const listeners = new Set();  // those who want to know that the file is another one
let countdown = 0;
let waiting;  // the version that is to be confirmed, as natkit told last

async function after_change(act) {
  try {
    await act();
  } catch (error) {
    tell(error.message);
    bar.append(element("span", { class: "bad" }, error.message));
    return;
  }
  await look();
}

// What has become of the change that waited.
async function tell_outcome(version) {
  const { versions } = await get("/api/settings/versions");
  const one = versions.find((each) => each.version === version);
  if (!one || one.state !== "undone") return;
  outcome.replaceChildren(element("span", {}, `${one.summary}, by ${one.who}: it was not kept. The file is as it was before, unless somebody has edited it since.`),
    element("button", { type: "button", onclick: () => { outcome.hidden = true; } }, "Close"));
  outcome.hidden = false;
}

// A change that waits to be confirmed is told on every page.
async function look() {
  clearInterval(countdown);
  let pending;
  try {
    ({ pending } = await get("/api/settings"));
  } catch {
    waiting = null;  // asked again at the next event
    return;
  }
  if (!pending) {
    if (bar.hidden) return;
    bar.hidden = true;
    for (const handler of [...listeners]) handler();
    return tell_outcome(Number(bar.dataset.version));
  }
  const key = JSON.stringify([pending.version, pending.who, pending.yours]);
  if (bar.hidden || bar.dataset.key !== key) {
    const confirm = element("button", { type: "button", class: "main", onclick: () => after_change(() => post("/api/settings/confirm", {})) }, "Keep the change");
    const undo = element("button", { type: "button", onclick: () => after_change(() => post("/api/settings/undo", {})) }, "Undo it now");
    bar.replaceChildren(element("span", {}, `${pending.summary}, by ${pending.who}: it is undone in `, element("b", {}), " s unless it is confirmed."),
      pending.yours ? confirm : element("span", {}, "Only the session that applied it can confirm it."), undo);
    bar.dataset.key = key;
    bar.dataset.version = pending.version;
    outcome.hidden = true;
    bar.hidden = false;
  }
  const until = Date.now() + pending.seconds_left * 1000;
  const tick = () => { bar.querySelector("b").textContent = String(Math.max(0, Math.ceil((until - Date.now()) / 1000))); };
  clearInterval(countdown);
  countdown = setInterval(tick, 1000);
  tick();
}

// The server is asked when another version waits than before: what others change, confirm or undo is told by events.
export function watch_pending(live) {
  live.watch(({ status }) => {
    if (status.unconfirmed_settings === waiting) return;
    waiting = status.unconfirmed_settings;
    look();
  });
}

function difference(text) {
  return element("pre", { tabindex: "0", "aria-label": "Difference" }, text.split("\n").map((line) =>
    element("span", { class: line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : undefined }, `${line}\n`)));
}

export class Settings {
  constructor(section, title) {
    Object.assign(this, { section, title });
    this.trouble = element("div", { role: "alert" });
    this.form = element("form", { onsubmit: (event) => { event.preventDefault(); this.preview(); } });
    this.result = element("div", { role: "status" });
    this.versions = element("tbody");
    const heads = ["Version", "When", "Who", "What", "State", "Bring back"];
    this.element = element("div", {}, this.trouble, this.form, this.result,
      element("h2", {}, "Versions"),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Versions" }, element("table", {},
        element("caption", {}, "The configuration as it was, the newest first"),
        element("thead", {}, element("tr", {}, heads.map((name) => element("th", { scope: "col" }, name)))), this.versions)));
    this.inputs = [];
    this.on_change = () => this.load(true);
  }

  enter() {
    listeners.add(this.on_change);
    this.load();
  }

  leave() {
    listeners.delete(this.on_change);
  }

  complain(...texts) {
    this.trouble.replaceChildren(...texts.map((text) => element("p", { class: "complaint" }, text)));
  }

  // What somebody is writing is not taken away from them when others change the file: the preview says that they did.
  async load(by_others = false) {
    try {
      const settings = await get("/api/settings");
      if (!by_others || this.changes().length === 0) {
        this.settings = settings;
        this.fill();
      }
      await this.load_versions();
    } catch (error) {
      this.complain(error.message);
    }
  }

  fill() {
    const { sections, writable, why_not, file } = this.settings;
    const section = sections.find((one) => one.name === this.section);
    this.complain();
    this.result.replaceChildren();
    if (!section) return this.complain("natkit does not tell of these settings.");
    this.inputs = section.settings.map((setting, index) => ({ setting, ...input_of(setting, `setting-${index}`, !writable) }));
    this.form.replaceChildren(
      writable ? element("p", { class: "quiet" }, `In ${file}. Comments and all other lines stay as they are.`)
        : element("p", { class: "hint" }, `These settings cannot be changed here: ${why_not}`),
      ...this.inputs.map((one) => one.row),
      element("p", {}, element("button", { type: "submit", disabled: !writable }, "Preview")));
  }

  async load_versions() {
    const { versions } = await get("/api/settings/versions");
    const { writable } = this.settings;
    this.versions.replaceChildren(...versions.map((one) => element("tr", {}, element("th", { scope: "row" }, one.version),
      element("td", {}, new Date(one.time).toLocaleString()), element("td", {}, [one.who, one.client].filter(Boolean).join(" from ")),
      element("td", {}, one.summary), element("td", {}, one.current ? `${one.state}, in effect` : one.state),
      element("td", {}, one.current ? "" : element("button", { type: "button", disabled: !writable,
        "aria-label": `Bring back version ${one.version}`, onclick: () => this.preview_version(one.version) }, "Bring back")))));
  }

  changes() {
    return this.inputs.filter((one) => one.reset() || one.changed()).map(({ setting, value, reset }) =>
      (reset() ? { section: setting.section, key: setting.key, reset: true } : { section: setting.section, key: setting.key, value: value(), comments: setting.text !== undefined || !setting.set }));
  }

  async preview() {
    const changes = this.changes();
    this.complain();
    if (changes.length === 0) return this.result.replaceChildren(element("p", {}, "Nothing is changed."));
    const { hash } = this.settings;
    await this.show_preview({ hash, changes }, () => post("/api/settings/apply", { hash, changes }), "Apply");
  }

  async preview_version(version) {
    const { hash } = this.settings;
    this.complain();
    await this.show_preview({ hash, version }, () => post("/api/settings/restore", { hash, version }), `Bring back version ${version}`);
  }

  async show_preview(request, apply, words) {
    let told;
    try {
      told = await post("/api/settings/preview", request);
    } catch (error) {
      this.result.replaceChildren();
      return this.complain(error.message);
    }
    for (const { setting, complain } of this.inputs) {
      const mine = told.problems.filter((one) => one.section === setting.section && one.key === setting.key);
      complain(mine.map((one) => one.message).join("; "));
    }
    const effects = told.effects_text || [];
    const good = told.problems.length === 0 && told.diff !== "";
    const button = element("button", { type: "button", class: "main", disabled: !good, onclick: () => this.apply(apply, button) }, words);
    this.result.replaceChildren(element("h2", {}, "Preview"),
      ...told.problems.map((one) => element("p", { class: "complaint" }, [one.where, one.message].filter(Boolean).join(": "))),
      told.diff === "" ? element("p", {}, "Nothing would change.") : difference(told.diff),
      effects.length > 0 ? element("ul", {}, effects.map((text) => element("li", {}, text))) : "",
      (told.needs_restart || []).length > 0 ? element("p", { class: "hint" }, `Takes effect when natkit is started anew: ${told.needs_restart.join(", ")}`) : "",
      good ? element("p", { class: "quiet" }, "It is undone after 60 s unless you confirm it.") : "", element("p", {}, button));
    this.result.scrollIntoView({ block: "nearest" });
    tell(good ? "The preview is shown." : "The preview has problems.");
  }

  async apply(act, button) {
    button.disabled = true;
    try {
      await act();
      tell("Applied. Confirm within 60 seconds.");
    } catch (error) {
      return this.complain(error.message);
    }
    await look();
    await this.load();
  }
}
