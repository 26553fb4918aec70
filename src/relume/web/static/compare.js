// The methods side by side, on a copy of the photo that is quick to work on.

import { byId, capital, make } from "./dom.js";
import { usable } from "./settings.js";

const FIRST = 5; // as many are shown at first

export class Compare extends EventTarget {
  constructor(settings) {
    super();
    this.settings = settings;
    const entries = usable(settings.menu.enhancers).filter((entry) => entry.name !== "original");
    byId("method-chips").replaceChildren(...entries.map((entry, index) => {
      const input = make("input", { type: "checkbox", value: entry.name, checked: index < FIRST });
      input.addEventListener("change", () => this.dispatchEvent(new Event("change")));
      return make("label", { title: capital(entry.summary) }, input, make("span", {}, entry.name));
    }));
  }

  // relit(method) gives { url, seconds }; originalUrl is the photo as it is.
  async show(originalUrl, hint, relit) {
    byId("methods-hint").textContent = hint;
    const names = [...byId("method-chips").querySelectorAll("input")].filter((input) => input.checked).map((input) => input.value);
    const figures = names.map((name) => this.figure(name));
    const image = make("img", { src: originalUrl, alt: "The original" });
    const original = make("figure", {}, make("div", { className: "room" }, image), make("figcaption", {}, "original"));
    byId("method-grid").replaceChildren(original, ...figures.map((one) => one.element));
    for (const [index, name] of names.entries()) {
      try {
        figures[index].done(await relit(name));
      } catch (error) {
        if (error.name === "AbortError") return;
        figures[index].failed(error);
      }
    }
  }

  figure(name) {
    const time = make("small", {});
    const choose = make("button", { className: "room", ariaLabel: `Work with ${name}` });
    const element = make("figure", { className: "busy" }, choose, make("figcaption", {}, name, time));
    element.classList.toggle("chosen", name === this.settings.method);
    choose.addEventListener("click", () => this.dispatchEvent(new CustomEvent("choose", { detail: name })));
    return {
      element,
      done: ({ url, seconds }) => {
        element.classList.remove("busy");
        choose.append(make("img", { src: url, alt: `Relit by ${name}` }));
        time.textContent = `${seconds.toFixed(2)} s`;
      },
      failed: (error) => {
        element.classList.remove("busy");
        choose.replaceWith(make("div", { className: "room failed" }, error.message));
      },
    };
  }
}
