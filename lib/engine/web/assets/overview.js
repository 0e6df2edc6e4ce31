import { element, drawing, duration } from "./dom.js";

const PLAIN = { natkit: "starts and watches the others", mediarelay: "relays media", sipedge: "the SIP side", natpinger: "keeps NAT bindings open", "natkit-web": "these pages" };

function chart(title, unit, points, index) {
  const values = points.map((point) => point[index]);
  const most = Math.max(1, ...values);
  const step = values.length > 1 ? 300 / (values.length - 1) : 300;
  const line = values.map((value, at) => `${(at * step).toFixed(1)},${(58 - (value / most) * 54).toFixed(1)}`).join(" ");
  const last = values.length > 0 ? values[values.length - 1] : 0;
  const words = `${title}: now ${last}, at most ${most === 1 && Math.max(0, ...values) === 0 ? 0 : most} ${unit} in the last ${Math.max(1, Math.round(values.length * 5 / 60))} min`;
  return element("figure", {}, drawing("svg", { class: "chart", viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img", "aria-label": words },
    drawing("polyline", { points: line })), element("figcaption", {}, words));
}

export class Overview {
  constructor() {
    this.trouble = element("div", { role: "status" });
    this.tiles = element("ul", { class: "tiles" });
    this.charts = element("div", { class: "charts" });
    this.components = element("tbody");
    this.one_way = element("ul", { class: "plain" });
    this.refused = element("tbody");
    this.refused_none = element("p", { class: "quiet" }, "None since these pages were started.");
    this.refused_table = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Refused sources" },
      element("table", {}, element("caption", {}, "Media that came from elsewhere than it may, the newest first"),
        element("thead", {}, element("tr", {}, ["Source", "Why", "Times", "Last"].map((name) => element("th", { scope: "col" }, name)))), this.refused));
    this.element = element("div", {}, this.trouble, this.tiles,
      element("h2", {}, "The last minutes"), this.charts,
      element("h2", {}, "Components"),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Components" }, element("table", {},
        element("caption", {}, "The programs of this edge"),
        element("thead", {}, element("tr", {}, ["Program", "State", "Running for", "Restarts", "Processor", "Memory", "Troubles"].map((name) => element("th", { scope: "col" }, name)))),
        this.components)),
      element("h2", {}, "One-way calls"), this.one_way,
      element("h2", {}, "Refused sources"), this.refused_none, this.refused_table);
    this.taken = new Map();
    this.used = new Map();
    this.measured_ms = 0;
    this.handler = (news) => this.show(news);
  }

  enter(live) {
    this.live = live;
    live.watch(this.handler);
  }

  leave() {
    this.live.unwatch(this.handler);
  }

  // The share of a processor between two looks, some seconds apart.
  measure(processes, time_ms) {
    const seconds = (time_ms - this.measured_ms) / 1000;
    if (seconds > 0 && seconds < 4) return;
    const before = this.taken;
    this.taken = new Map(processes.filter((one) => one.cpu_s !== undefined).map((one) => [one.pid, one.cpu_s]));
    this.measured_ms = time_ms;
    this.used = new Map([...this.taken].filter(([pid]) => before.has(pid) && seconds > 0)
      .map(([pid, taken]) => [pid, Math.max(0, taken - before.get(pid)) / seconds]));
  }

  show({ time_ms, status, trouble, one_way, refused, history }) {
    const troubles = trouble ? [`natkit does not answer: ${trouble}`] : [...(status.degraded || [])];
    for (const listener of status.no_address || []) troubles.push(`${listener}: this host has no such address at present`);
    this.trouble.replaceChildren(...troubles.map((text) => element("p", { class: "complaint" }, text)));
    const refusals = refused.reduce((sum, one) => sum + one.count, 0);
    const one_ways = Object.values(one_way).reduce((sum, count) => sum + count, 0);
    this.tiles.replaceChildren(...[["Calls", status.calls], ["Clients", status.clients], ["Clients pinged", status.pinged],
      ["Relayed sessions", status.sessions], ["Packets a second", status.packets_a_second], ["One-way calls", one_ways], ["Refused", refusals]]
      .map(([name, value]) => element("li", {}, name, element("b", {}, value ?? "–"))));
    // The history has a point every five seconds; the last one is of now.
    const points = [...history.slice(0, -1), [0, status.calls || 0, status.clients || 0, status.packets_a_second || 0]];
    this.charts.replaceChildren(chart("Calls", "calls", points, 1), chart("Clients", "clients", points, 2), chart("Packets a second", "packets", points, 3));
    const processes = [...(status.components || []), { name: "natkit", state: status.state, pid: status.pid, uptime_s: status.uptime_s,
      cpu_s: status.cpu_s, memory_bytes: status.memory_bytes }];
    this.measure(processes, time_ms);
    this.components.replaceChildren(...processes.map((one) => element("tr", {},
      element("th", { scope: "row" }, one.name, " ", element("span", { class: "quiet" }, PLAIN[one.name] || "")),
      element("td", { class: one.state === "running" ? "good" : "bad" }, one.state),
      element("td", {}, duration(one.uptime_s)), element("td", {}, one.restarts ?? ""),
      element("td", {}, this.used.has(one.pid) ? `${(100 * this.used.get(one.pid)).toFixed(1)} %` : ""),
      element("td", {}, one.memory_bytes ? `${Math.round(one.memory_bytes / 1048576)} MB` : ""), element("td", {}, (one.degraded || []).join("; ")))));
    const causes = Object.entries(one_way);
    this.one_way.replaceChildren(...(causes.length > 0 ? causes.map(([cause, count]) => element("li", {}, `${count} × ${cause}`))
      : [element("li", { class: "quiet" }, "None since these pages were started.")]));
    this.refused_none.hidden = refused.length > 0;
    this.refused_table.hidden = refused.length === 0;
    this.refused.replaceChildren(...refused.map((one) => element("tr", {}, element("td", {}, one.source), element("td", {}, one.reason),
      element("td", {}, one.count), element("td", {}, new Date(one.last_ms).toLocaleTimeString()))));
  }
}
