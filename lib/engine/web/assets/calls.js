import { element, duration, facts, Table, confirmed, tell } from "./dom.js";
import { get, post, session } from "./server.js";
import { Refresher } from "./refresher.js";

const link = (id, text) => element("a", { href: `#calls/${encodeURIComponent(id)}` }, text);
const party = (one) => (one ? `${one.source || one.site || ""} (${one.place || ""})` : "");

function complaint() {
  return element("p", { class: "complaint", role: "alert", hidden: true });
}

function complain(where, text) {
  where.hidden = !text;
  where.textContent = text;
}

export class Calls {
  constructor() {
    this.trouble = complaint();
    this.table = new Table({
      caption: "Calls at present",
      key: (call) => `${call.call_id} ${call.a && call.a.source}`,
      empty: "There is no call.",
      search: "Search calls",
      columns: [
        { name: "From", value: (call) => call.from || call.call_id, show: (call) => link(call.call_id, call.from || call.call_id) },
        { name: "To", value: (call) => call.to },
        { name: "State", value: (call) => call.state },
        { name: "Duration", number: true, value: (call) => call.duration_s, show: (call) => duration(call.duration_s) },
        { name: "Caller is", value: (call) => party(call.a) },
        { name: "Callee is", value: (call) => party(call.b) },
        { name: "Relayed", value: (call) => (call.relay ? "yes" : "no") },
        { name: "Why", value: (call) => call.why },
      ],
    });
    this.more = element("p", { class: "hint", hidden: true }, "There are more than are shown here; natkit calls --user NAME finds the others.");
    this.element = element("div", {}, this.trouble, this.more, this.table.element);
    this.refresher = new Refresher(async () => this.look(), (text) => complain(this.trouble, text));
  }

  async look() {
    const reply = await get("/api/calls");
    this.table.set(reply.calls);
    this.more.hidden = !reply.next;
  }

  enter() {
    this.refresher.start();
  }

  leave() {
    this.refresher.stop();
  }
}

function count(object, key) {
  return object && object[key] !== undefined ? object[key] : "";
}

export class Call {
  constructor(id) {
    this.id = id;
    this.title = "A call";
    this.trouble = complaint();
    this.facts = element("div");
    this.legs = element("tbody");
    this.picture = element("img", { class: "picture", alt: "", hidden: true });
    this.picture.addEventListener("load", () => { this.picture.hidden = false; });
    this.picture.addEventListener("error", () => { this.picture.hidden = true; });
    this.end = element("button", { type: "button", class: "danger", onclick: () => this.hang_up() }, "End this call");
    this.end.disabled = session.read_only;
    const heads = ["Leg", "Side", "Its party", "Learned by", "Packets in", "Lost", "Jitter ms", "Packets out", "Audio"];
    this.element = element("div", {}, element("p", {}, element("a", { href: "#calls" }, "All calls")), this.trouble, this.facts,
      element("h2", {}, "Its path"), this.picture,
      element("h2", {}, "Relay legs"),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Relay legs" }, element("table", {},
        element("caption", {}, "Where media comes in and goes out; counted while you look"),
        element("thead", {}, element("tr", {}, heads.map((name) => element("th", { scope: "col" }, name)))), this.legs)),
      element("p", {}, this.end));
    this.refresher = new Refresher(() => this.look(), (text) => complain(this.trouble, text), 1);
    this.pictured = "";
  }

  enter() {
    this.refresher.start();
  }

  leave() {
    this.refresher.stop();
  }

  async look() {
    const { passes, legs } = await get("/api/call", { id: this.id });
    const sections = passes.map((call, index) => [
      passes.length > 1 ? element("h2", {}, `Pass ${index + 1}`) : null,
      facts([["From", call.from], ["To", call.to], ["Call-ID", call.call_id], ["State", call.state], ["Duration", duration(call.duration_s)],
        ["Caller", `${party(call.a)}: ${(call.a && call.a.why) || ""}`], ["Callee", `${party(call.b)}: ${(call.b && call.b.why) || ""}`],
        ["Media", call.relay ? "relayed" : "not relayed"], ["Why", call.why]])]);
    this.facts.replaceChildren(...sections.flat().filter(Boolean));
    this.legs.replaceChildren(...legs.map((leg) => this.leg(leg)));
    this.draw(passes, legs);
  }

  leg(leg) {
    const { received, sent } = leg.statistics || {};
    const latched = (leg.latched && (leg.latched.rtp || Object.values(leg.latched)[0])) || {};
    const said = (leg.party && leg.party.endpoint) || "";
    const audio = leg.audio ? leg.audio.state + (leg.audio.cause ? `: ${leg.audio.cause}` : "") : "";
    const number = (text) => element("td", { class: "number" }, text);
    return element("tr", {}, element("th", { scope: "row" }, leg.local || leg.leg || leg.id), element("td", {}, leg.side),
      element("td", {}, latched.endpoint || said), element("td", {}, latched.rule || (said ? "signalled" : "")),
      number(count(received, "packets")), number(count(received, "lost")), number(count(received, "jitter_ms")), number(count(sent, "packets")),
      element("td", {}, audio));
  }

  // The picture is drawn anew when the call goes another way.
  draw(passes, legs) {
    const state = JSON.stringify([passes.map((call) => [call.state, call.relayed_streams]), legs.map((leg) => [leg.local, leg.state])]);
    if (state === this.pictured) return;
    this.pictured = state;
    this.picture.alt = `The path of this call's media: ${passes.map((call) => call.why).join("; ")}`;
    this.picture.src = `/api/path.svg?${new URLSearchParams({ id: this.id, at: String(Date.now()) })}`;
  }

  async hang_up() {
    if (!await confirmed("End this call? Both parties are hung up on.", "End the call")) return;
    try {
      await post("/api/hangup", { call_id: this.id });
      tell("The call is ended.");
      location.hash = "#calls";
    } catch (error) {
      complain(this.trouble, error.message);
    }
  }
}
