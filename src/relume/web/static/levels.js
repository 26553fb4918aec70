// Three small results of one photo to choose from: darker, automatic, brighter.

import { byId, make } from "./dom.js";

/** @type {[string, number][]} a name, and times the automatic level */
const STEPS = [["Darker", 0.7], ["Automatic", 1], ["Brighter", 1.35]];
const AUTOMATIC = 1;

export class Levels {
  constructor(settings) {
    this.settings = settings;
    this.key = "";
    this.parts = STEPS.map(([name]) => {
      const [image, value] = [make("span", { className: "thumb" }), make("small", {}, "\u2007")];
      const button = make("button", { type: "button" }, image, make("span", {}, name), value);
      return { button, image, value, level: /** @type {number | null} */ (null) };
    });
    for (const [index, part] of this.parts.entries()) {
      part.button.addEventListener("click", () =>
        settings.setBrightness(index === AUTOMATIC ? null : part.level));
    }
    byId("levels").replaceChildren(...this.parts.map((part) => part.button));
    settings.addEventListener("update", () => this.mark());
    this.forget();
  }

  forget() {
    this.key = "";
    for (const part of this.parts) {
      part.level = null;
      part.image.replaceChildren();
      part.value.textContent = "\u2007";
    }
    this.mark();
  }

  // relit(query) gives { url, after }; known is the automatic level, NaN if it is not known yet.
  // Nothing is done if the key is that of the last time.
  async fill(key, known, relit) {
    if (!this.settings.takes("brightness") || key === this.key) return;
    this.forget();
    byId("levels").ariaBusy = "true";
    try {
      await this.fillAll(known, relit);
    } finally {
      byId("levels").ariaBusy = "false";
    }
    this.key = key;
  }

  async fillAll(known, relit) {
    const automatic = await relit([]);
    const middle = known >= 0 ? known : automatic.after;
    this.set(AUTOMATIC, automatic.url, middle);
    for (const [index, [, step]] of STEPS.entries()) {
      if (index === AUTOMATIC) continue;
      const level = Math.min(0.95, Math.max(0.05, middle * step)).toFixed(2);
      this.set(index, (await relit([["brightness", level]])).url, Number(level));
    }
  }

  set(index, url, level) {
    const part = this.parts[index];
    part.level = Number(level.toFixed(2));
    part.value.textContent = level.toFixed(2);
    part.image.replaceChildren(make("img", { src: url, alt: "" }));
    this.mark();
  }

  mark() {
    const { brightness } = this.settings;
    byId("levels").hidden = !this.settings.takes("brightness");
    for (const [index, { button, level }] of this.parts.entries()) {
      const chosen = index === AUTOMATIC ? brightness === null : level !== null && brightness === level;
      button.setAttribute("aria-pressed", String(chosen));
      button.disabled = index !== AUTOMATIC && level === null;
    }
  }
}
