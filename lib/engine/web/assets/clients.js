import { element, duration, Table, confirmed, tell } from "./dom.js";
import { get, post, session } from "./server.js";
import { Refresher } from "./refresher.js";

export class Clients {
  constructor() {
    this.trouble = element("p", { class: "complaint", role: "alert", hidden: true });
    this.table = new Table({
      caption: "Registered clients",
      key: (client) => client.id,
      empty: "No client is registered.",
      search: "Search clients",
      columns: [
        { name: "User", value: (client) => client.aor },
        { name: "Contact", value: (client) => client.contact },
        { name: "Seen at", value: (client) => client.flow && `${client.flow.transport} ${client.flow.remote}` },
        { name: "Place", value: (client) => client.place },
        { name: "Why", value: (client) => client.why },
        { name: "Expires in", number: true, value: (client) => Math.round((client.expires_ms || 0) / 1000), show: (client) => duration((client.expires_ms || 0) / 1000) },
        { name: "Device", value: (client) => client.user_agent },
        { name: "Remove", show: (client) => element("button", { type: "button", class: "danger", disabled: session.read_only,
          "aria-label": `Remove ${client.aor}`, onclick: () => this.remove(client) }, "Remove") },
      ],
    });
    this.more = element("p", { class: "hint", hidden: true }, "There are more than are shown here; natkit clients --user NAME finds the others.");
    this.element = element("div", {}, this.trouble, this.more, this.table.element);
    this.refresher = new Refresher(async () => this.look(), (text) => this.complain(text));
  }

  complain(text) {
    this.trouble.hidden = !text;
    this.trouble.textContent = text;
  }

  async look() {
    const reply = await get("/api/clients");
    this.table.set(reply.clients);
    this.more.hidden = !reply.next;
  }

  enter() {
    this.refresher.start();
  }

  leave() {
    this.refresher.stop();
  }

  async remove(client) {
    if (!await confirmed(`Remove ${client.aor} at ${client.contact}? It cannot be called until it registers again.`, "Remove the client")) return;
    try {
      await post("/api/remove_client", { client: client.id });
      tell("The client is removed.");
      await this.look();
    } catch (error) {
      this.complain(error.message);
    }
  }
}
