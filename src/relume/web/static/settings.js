// The panel on the right: what is asked of the service, built from its own menu.

import { byId } from "./api.js";

export const usable = (entries) => entries.filter((entry) => entry.available);

export class Settings extends EventTarget {
  constructor(menu) {
    super();
    this.menu = menu;
    this.values = {};
    this.fill();
    this.listen();
    this.choose(menu.default);
  }

  get method() { return byId("method").value; }
  get entry() { return this.menu.enhancers.find((entry) => entry.name === this.method); }
  get strength() { return Number(byId("strength").value); }
  get format() { return byId("format").value; }

  // The query for /v1/enhance, without strength: the page blends that itself while one looks.
  query(method = this.method) {
    const entry = this.menu.enhancers.find((one) => one.name === method);
    const query = [["method", method]];
    for (const parameter of entry.parameters) {
      const value = this.values[method]?.[parameter.name];
      if (value !== undefined && String(value) !== String(parameter.default)) {
        query.push(["param", `${parameter.name}=${value}`]);
      }
    }
    if (entry.takes_brightness && !byId("brightness-auto").checked) {
      query.push(["brightness", byId("brightness").value]);
    }
    if (!byId("protect_lit").checked) query.push(["protect_lit", "false"]);
    return query;
  }

  // The query for a file to keep.
  finalQuery() {
    const query = this.query();
    if (this.strength !== 1) query.push(["strength", String(this.strength)]);
    if (this.format) query.push(["format", this.format]);
    const quality = byId("quality").value;
    if (quality) query.push(["quality", quality]);
    return query;
  }

  faceQuery() {
    const query = [["detector", byId("detector").value], ["threshold", byId("threshold").value]];
    const landmarker = usable(this.menu.landmarkers)[0];
    if (byId("landmarks").checked && landmarker) query.push(["landmarks", landmarker.name]);
    // each side as it is, so that before and after can be compared; or as the service would look
    if (!byId("second-look").checked) query.push(["views", "original"]);
    return query;
  }

  choose(method) {
    byId("method").value = method;
    const entry = this.entry;
    byId("method-summary").textContent = capital(entry.summary);
    const part = byId("brightness-part");
    const takes = entry.takes_brightness;
    byId("brightness").disabled = byId("brightness-auto").disabled = !takes;
    part.classList.toggle("off", !takes);
    part.title = takes ? "" : `${method} cannot be asked for a brightness`;
    this.showParameters(entry);
  }

  fill() {
    const { menu } = this;
    options(byId("method"), menu.enhancers.filter((e) => e.name !== "original"));
    options(byId("detector"), menu.detectors);
    byId("detector").value = menu.default_detector;
    const formats = menu.formats.map((f) => ({ name: f.name, label: f.name.toUpperCase() }));
    options(byId("format"), [{ name: "", label: "As original" }, ...formats]);
    const threshold = menu.detectors
      .find((entry) => entry.name === menu.default_detector).parameters
      .find((parameter) => parameter.name === "threshold");
    byId("threshold").value = threshold.default;
    const option = (name) => menu.options.find((one) => one.name === name);
    byId("quality").min = option("quality").low;
    byId("quality").max = option("quality").high;
    byId("second-look").closest("label").hidden = menu.default_views.length < 2;
    byId("strength").value = option("strength").default;
    byId("protect_lit").checked = option("protect_lit").default;
    byId("landmarks").closest("label").hidden = usable(menu.landmarkers).length === 0;
    this.tell();
  }

  listen() {
    const say = (name) => this.dispatchEvent(new Event(name));
    byId("settings").addEventListener("submit", (event) => event.preventDefault());
    byId("settings").addEventListener("input", () => this.tell());
    byId("method").addEventListener("change", () => { this.choose(this.method); say("change"); });
    byId("strength").addEventListener("input", () => say("strength"));
    byId("strength").addEventListener("change", () => say("strength-set"));
    for (const id of ["brightness-auto", "protect_lit"]) {
      byId(id).addEventListener("change", () => say("change"));
    }
    byId("brightness").addEventListener("input", () => {
      byId("brightness-auto").checked = false;
      this.tell();
    });
    byId("brightness").addEventListener("change", () => say("change"));
    byId("faces").addEventListener("change", () => {
      byId("faces-part").hidden = !byId("faces").checked;
      const beside = matchMedia("(min-width: 861px)").matches; // else it would leave the photo
      if (beside) byId("faces-part").scrollIntoView({ block: "nearest" });
      say("faces");
    });
    for (const id of ["detector", "landmarks", "threshold", "second-look"]) {
      byId(id).addEventListener("change", () => say("faces"));
    }
  }

  tell() {
    byId("strength-told").textContent = `${Math.round(this.strength * 100)} %`;
    const auto = byId("brightness-auto").checked;
    byId("brightness-part").classList.toggle("auto", auto);
    const level = auto ? "auto" : Number(byId("brightness").value).toFixed(2);
    byId("brightness-told").textContent = this.entry.takes_brightness ? level : "not with this method";
    byId("threshold-told").textContent = Number(byId("threshold").value).toFixed(2);
    const lossless = ["png", "tiff"].includes(this.format);
    byId("quality").disabled = lossless;
    for (const range of document.querySelectorAll("input[type=range]")) fillTrack(range);
  }

  showParameters(entry) {
    const values = (this.values[entry.name] ??= {});
    byId("tuning").hidden = entry.parameters.length === 0;
    byId("parameters").replaceChildren(...entry.parameters.map((parameter) =>
      control(parameter, values[parameter.name] ?? parameter.default, (value) => {
        values[parameter.name] = value;
        this.dispatchEvent(new Event("change"));
      })));
    this.tell();
  }
}

function control(parameter, value, changed) {
  const id = `parameter-${parameter.name}`;
  const part = document.createElement("div");
  const title = capital(parameter.name.replaceAll("_", " ").replace(/ px$/, ""));
  if (typeof parameter.default === "boolean") {
    const input = make("input", { type: "checkbox", id, checked: String(value) === "true" });
    input.addEventListener("change", () => changed(input.checked));
    part.append(make("label", { className: "check", title: parameter.summary }, input, make("span", {}, title)));
    return part;
  }
  const label = make("label", { className: "row", htmlFor: id }, make("span", {}, title));
  part.append(label);
  if (parameter.choices.length) {
    const select = make("select", { id, title: parameter.summary });
    options(select, parameter.choices.map((name) => ({ name, label: name })));
    select.value = value;
    select.addEventListener("change", () => changed(select.value));
    part.append(select);
    return part;
  }
  const word = parameter.also[0];
  const whole = Number.isInteger(parameter.default) && Number.isInteger(parameter.low) && parameter.high - parameter.low > 2;
  const step = whole ? 1 : Math.max((parameter.high - parameter.low) / 200, 0.01);
  const output = make("output", {}, String(value));
  label.append(output);
  const start = value === word ? parameter.low : value;
  const input = make("input", { type: "range", id, min: parameter.low, max: parameter.high, step, title: parameter.summary });
  input.value = start;
  const show = () => { output.textContent = String(Number(Number(input.value).toFixed(2))); };
  if (value !== word) show();
  input.addEventListener("input", show);
  input.addEventListener("change", () => changed(input.value));
  part.append(input);
  part.append(make("p", { className: "hint" }, capital(parameter.summary)));
  return part;
}

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function options(select, entries) {
  select.replaceChildren(...entries.map((entry) => {
    const label = entry.label ?? (entry.available === false ? `${entry.name} (needs relume[${entry.extra}])` : entry.name);
    return make("option", { value: entry.name, disabled: entry.available === false }, label);
  }));
}

export function fillTrack(range) {
  const share = (range.value - range.min) / (range.max - range.min || 1);
  range.style.setProperty("--fill", `${share * 100}%`);
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
