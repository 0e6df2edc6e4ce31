// A setting with its names, its value and what may be wrong with it.
import { element } from "./dom.js";

const text_of = (value) => (Array.isArray(value) ? value.join("\n") : value === undefined || value === null ? "" : String(value));

function field_of(setting, id, disabled) {
  const attributes = { id, disabled, "aria-describedby": `${id}-help ${id}-wrong` };
  const { kind, value, choices = [] } = setting;
  if (kind === "bool") {
    const box = element("input", { ...attributes, type: "checkbox" });
    box.checked = value === true;
    return { field: box, read: () => box.checked };
  }
  if (kind === "choice") {
    const select = element("select", attributes, choices.map((choice) => element("option", { value: choice }, choice)));
    select.value = value;
    return { field: select, read: () => select.value };
  }
  if (kind === "list") {
    const area = element("textarea", { ...attributes, spellcheck: "false" });
    area.value = setting.text ?? text_of(value);
    area.rows = Math.max(3, area.value.split("\n").length + 1);
    return { field: area, read: () => area.value };
  }
  const line = element("input", { ...attributes, type: "text", inputmode: kind === "number" ? "numeric" : undefined, spellcheck: "false" });
  line.value = text_of(value);
  return { field: line, read: () => (kind === "number" && /^\d+$/.test(line.value.trim()) ? Number(line.value) : line.value.trim()) };
}

export function input_of(setting, id, disabled) {
  const { field, read } = field_of(setting, id, disabled);
  const before = JSON.stringify(read());
  const default_text = setting.default_text || (setting.default !== undefined ? text_of(setting.default).replaceAll("\n", ", ") || "none" : "");
  const wrong = element("p", { id: `${id}-wrong`, class: "bad" });
  const reset = element("input", { type: "checkbox", id: `${id}-reset`, disabled, onchange: () => { field.disabled = reset.checked; } });
  const hint = [setting.help, setting.kind === "list" ? "One a line; a-b is a range, and what follows a ; is a comment, which the file keeps." : "",
    default_text ? `Default: ${default_text}.` : ""].filter(Boolean).join(" ");
  const row = element("div", { class: "setting" },
    element("div", {}, element("label", { for: id }, setting.guide || setting.name), element("br"), element("code", {}, `[${setting.section}] ${setting.key}`)),
    element("div", {}, field, element("p", { id: `${id}-help`, class: "quiet" }, hint), wrong,
      setting.set ? element("p", {}, reset, " ", element("label", { for: `${id}-reset` }, "Take it out of the file: the default holds")) : null));
  return {
    row,
    value: read,
    reset: () => setting.set && reset.checked,
    changed: () => JSON.stringify(read()) !== before,
    complain: (text) => {
      wrong.textContent = text;
      if (text) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    },
  };
}
