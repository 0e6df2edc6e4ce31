import { element, tell } from "./dom.js";
import { session } from "./server.js";

const MOST_MB = 32;

export class Doctor {
  constructor() {
    this.file = element("input", { type: "file", name: "capture", id: "capture", onchange: () => this.explain() });
    this.form = element("form", { method: "post", action: "/doctor", enctype: "multipart/form-data", target: "finding" },
      element("input", { type: "hidden", name: "csrf", value: session.csrf }),
      element("div", { class: "drop" }, element("p", {}, element("label", { for: "capture" }, "Drop a capture here, or choose one: "), this.file),
        element("p", { class: "quiet" }, `pcap, pcapng (gzip too), or messages as text, of at most ${MOST_MB} MB. It is read by a program of its own and kept nowhere.`)));
    const drop = this.form.querySelector(".drop");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer.files.length === 0) return;
      this.file.files = event.dataTransfer.files;
      this.explain();
    });
    this.state = element("p", { role: "status" });
    this.frame = element("iframe", { name: "finding", title: "What the doctor found", hidden: true });
    this.frame.addEventListener("load", () => {
      if (!this.waiting) return;
      this.waiting = false;
      this.frame.hidden = false;
      this.state.textContent = "Explained:";
      tell("The capture is explained.");
    });
    this.element = element("div", {}, this.form, this.state, this.frame);
  }

  explain() {
    const [file] = this.file.files;
    if (!file) return;
    if (file.size > MOST_MB * 1024 * 1024 - 4096) {
      this.state.textContent = `${file.name} is larger than ${MOST_MB} MB: cut it to one call.`;
      return;
    }
    this.waiting = true;
    this.state.textContent = `Reading ${file.name} …`;
    this.form.requestSubmit();
  }
}
