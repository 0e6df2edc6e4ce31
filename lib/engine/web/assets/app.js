// The pages: one document, whose address says after # which page is shown.
import { element } from "./dom.js";
import { session, log_in } from "./server.js";
import { Overview } from "./overview.js";
import { Calls, Call } from "./calls.js";
import { Clients } from "./clients.js";
import { Log } from "./log.js";
import { Settings, watch_pending } from "./settings.js";
import { Doctor } from "./doctor.js";

const pages = [
  ["overview", "Overview", () => new Overview()],
  ["calls", "Calls", (rest) => (rest ? new Call(rest) : new Calls())],
  ["clients", "Clients", () => new Clients()],
  ["network", "Network", () => new Settings("network", "Network")],
  ["pinger", "Pinger", () => new Settings("pinger", "Pinger")],
  ["media_proxy", "Media proxy", () => new Settings("media_proxy", "Media proxy")],
  ["sip", "SIP", () => new Settings("sip", "SIP")],
  ["registrar", "Registrar", () => new Settings("registrar", "Registrar")],
  ["doctor", "Doctor", () => new Doctor()],
  ["log", "Log", () => new Log()],
];

const main = document.getElementById("main");
const state = document.getElementById("state");
let shown = null;
let first = true;
const watchers = new Set();

// What each page may know of the last event; the events come whether it listens or not.
export const live = {
  last: null,
  watch(handler) {
    watchers.add(handler);
    if (live.last) handler(live.last);
  },
  unwatch(handler) {
    watchers.delete(handler);
  },
};

// A browser has six connections to a host: pages that nobody sees hold none.
let events = null;

function listen() {
  if (events) events.close();
  events = null;
  if (document.hidden) return;
  const mine = new EventSource("/api/events");
  events = mine;
  mine.onmessage = (event) => {
    live.last = JSON.parse(event.data);
    const { status, trouble } = live.last;
    state.textContent = trouble ? "natkit does not answer" : status.state || "";
    state.className = trouble ? "bad" : status.state === "running" ? "good" : "warn";
    for (const handler of [...watchers]) handler(live.last);
  };
  mine.onerror = () => {
    if (events !== mine) return;
    state.textContent = "no connection";
    state.className = "bad";
    if (mine.readyState === EventSource.CLOSED) setTimeout(listen_again, 2000);
  };
}

// What was refused may be refused because the session is over: then this leads to the login.
async function listen_again() {
  try {
    await log_in();
  } catch { /* it does not answer yet */ }
  listen();
}

addEventListener("pagehide", () => { if (events) events.close(); });
document.addEventListener("visibilitychange", listen);

function show() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  const [id, title, make] = pages.find(([one]) => one === name) || pages[0];
  if (shown && shown.leave) shown.leave();
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let argument = "";
  try {
    argument = decodeURIComponent(rest.join("/"));
  } catch {
    argument = "";
  }
  shown = make(argument);
  document.title = `${title} – natkit`;
  main.replaceChildren(element("h1", {}, shown.title || title), shown.element);
  if (shown.enter) shown.enter(live);
  if (!first) main.focus();
  first = false;
}

document.getElementById("nav").replaceChildren(...pages.map(([id, title]) => element("li", {}, element("a", { href: `#${id}` }, title))));
await log_in();
document.getElementById("who").textContent = session.user;
addEventListener("hashchange", show);
listen();
watch_pending(live);
show();
document.body.dataset.ready = "yes";
