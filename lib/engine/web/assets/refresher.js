// Asks again and again while a page is shown; the next time after the last answer is there.
import { Refused } from "./server.js";

export class Refresher {
  constructor(ask, on_trouble, seconds = 2) {
    Object.assign(this, { ask, on_trouble, seconds, timer: 0, over: false });
  }

  async start() {
    if (this.over) return;
    try {
      if (!document.hidden) await this.ask();
      this.on_trouble("");
    } catch (error) {
      this.on_trouble(error instanceof Refused ? error.message : "natkit-web does not answer");
    }
    if (!this.over) this.timer = setTimeout(() => this.start(), this.seconds * 1000);
  }

  stop() {
    this.over = true;
    clearTimeout(this.timer);
  }
}
