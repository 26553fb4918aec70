// The panel: what is asked of the engine, built from its own menu.

import { byId, capital, fillTrack, make } from "./dom.js";

/** @returns {NodeListOf<HTMLInputElement>} */
const radios = () => document.querySelectorAll("[name=expose_for]");

export const usable = (entries) => entries.filter((entry) => entry.available);

export class Settings extends EventTarget {
  constructor(menu) {
    super();
    this.menu = menu;
    this.values = {};
    this.brightness = null; // automatic
    this.level = NaN; // what that came to, once it is known
    this.local = null; // the method's own
    this.exposeFor = this.usualExposure;
    this.past = []; // states to go back to
    this.fill();
    this.listen();
    this.choose(menu.default);
    this.standard = this.last = this.state;
  }

  get method() { return byId("method").value; }
  get entry() { return this.menu.enhancers.find((entry) => entry.name === this.method); }
  get strength() { return Number(byId("strength").value); }
  get format() { return byId("format").value; }

  // Whether a method takes an option of the menu.
  takes(name, entry = this.entry) { return Boolean(entry?.options.includes(name)); }

  get usualExposure() { return this.menu.exposes_for_faces ? "faces" : "scene"; }
  get otherExposure() { return this.exposeFor === "faces" ? "scene" : "faces"; }

  // Whether the method can let faces come first: it follows the light.
  canExposeForFaces(entry = this.entry) {
    const local = this.local ?? Number(entry.name === this.menu.default); // by itself, only that method does
    return this.takes("expose_for", entry) && local > 0;
  }

  // What enhance is asked, without strength: the page blends that itself while one looks.
  query({ method = this.method, brightness = this.brightness, exposeFor = this.exposeFor } = {}) {
    const entry = this.menu.enhancers.find((one) => one.name === method);
    const query = [["method", method]];
    for (const parameter of entry.parameters) {
      const value = this.values[method]?.[parameter.name];
      if (value !== undefined && String(value) !== String(parameter.default)) {
        query.push(["param", `${parameter.name}=${value}`]);
      }
    }
    if (this.takes("brightness", entry) && brightness !== null) query.push(["brightness", String(brightness)]);
    if (this.takes("local", entry) && this.local !== null) query.push(["local", String(this.local)]);
    const black = byId("black").value.trim();
    if (this.takes("black", entry) && black) query.push(["black", black]);
    const cast = byId("cast");
    if (this.takes("cast", entry) && cast.value !== cast.defaultValue) query.push(["cast", cast.value]);
    const isUsual = exposeFor === "faces" && this.menu.exposes_for_faces; // the service looks by itself
    if (this.canExposeForFaces(entry) && !isUsual) query.push(["expose_for", exposeFor]);
    if (!byId("protect_lit").checked) query.push(["protect_lit", "false"]);
    return query;
  }

  // The query for a file to keep.
  finalQuery(other = {}) {
    const query = this.query(other);
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
    if (!byId("second-look").checked) query.push(["views", "original"]);
    return query;
  }

  choose(method) {
    byId("method").value = method;
    const entry = this.entry;
    byId("method-summary").textContent = capital(entry.summary);
    byId("brightness").disabled = !this.takes("brightness");
    byId("brightness-part").classList.toggle("off", !this.takes("brightness"));
    byId("local-part").hidden = !this.takes("local");
    for (const name of ["black", "cast"]) byId(`${name}-part`).hidden = !this.takes(name);
    this.showParameters(entry);
  }

  // A mean grey level, or null for automatic.
  setBrightness(level) {
    this.show(level);
    this.changed();
  }

  // Another photo, with its own level: what was done to the one before cannot be undone here.
  begin(level) {
    this.show(level);
    this.past = [];
    this.last = this.state;
    this.update();
  }

  show(level) {
    this.brightness = level;
    if (level !== null) byId("brightness").value = level;
    this.update();
  }

  // All that a photo is relit with, but what is painted.
  get state() {
    const boxes = Object.fromEntries(["black", "cast", "strength", "format", "quality"].map((id) => [id, byId(id).value]));
    const { method, brightness, local, exposeFor } = this;
    return structuredClone({ method, brightness, local, exposeFor, values: this.values, protect: byId("protect_lit").checked, boxes });
  }

  set state({ method, brightness, local, exposeFor, values, protect, boxes }) {
    Object.assign(this, { local, exposeFor, values: structuredClone(values) });
    for (const [id, value] of Object.entries(boxes)) byId(id).value = value;
    byId("local").value = local ?? this.option("local").default;
    byId("protect_lit").checked = protect;
    this.choose(method);
    this.show(brightness);
  }

  // Something is to be relit anew; false if all is as it was.
  remember() {
    const now = this.state;
    if (JSON.stringify(now) === JSON.stringify(this.last)) return false;
    this.past.push(this.last);
    this.last = now;
    this.update();
    return true;
  }

  changed() {
    this.remember();
    this.dispatchEvent(new Event("change"));
  }

  undo() {
    if (!this.past.length) return;
    this.state = this.last = this.past.pop();
    this.update();
    this.say();
  }

  reset() {
    this.state = this.standard;
    if (this.remember()) this.say();
  }

  say() {
    this.dispatchEvent(new Event("strength"));
    this.dispatchEvent(new Event("change"));
  }

  // A slider back to where it stood at first.
  restore({ id }) {
    const parameter = id.replace("parameter-", "");
    if (id === "brightness") this.brightness = null;
    else if (id === "local") this.local = null;
    else delete this.values[this.method]?.[parameter];
    const { value } = { strength: { value: this.standard.boxes.strength }, threshold: { value: this.threshold.default } }[id] ?? {};
    if (value !== undefined) byId(id).value = value;
    if (id === "local") byId(id).value = this.option(id).default;
    this.showParameters(this.entry);
    if (id === "threshold") this.dispatchEvent(new Event("faces"));
    else if (this.remember()) this.say();
  }

  // In a few words, what photos will be relit with; each has its own brightness.
  words() {
    const { method, entry } = this;
    const words = [method];
    if (this.takes("local") && this.local !== null) words.push(`local light ${this.local.toFixed(2)}`);
    if (this.canExposeForFaces() && this.exposeFor !== this.usualExposure) words.push(this.exposeFor === "scene" ? "the whole scene" : "faces first");
    if (this.takes("black") && byId("black").value.trim()) words.push(`black ${byId("black").value.trim()}`);
    if (this.takes("cast") && byId("cast").value !== byId("cast").defaultValue) words.push(`lamps' colour ${byId("cast").value}`);
    if (!byId("protect_lit").checked) words.push("what is lit, too");
    for (const { name, default: usual } of entry.parameters) {
      const value = this.values[method]?.[name];
      if (value !== undefined && String(value) !== String(usual)) words.push(`${name} ${value}`);
    }
    words.push(`strength ${Math.round(this.strength * 100)} %`);
    words.push(this.format ? this.format.toUpperCase() : "file type as it is");
    if (byId("quality").value && !byId("quality").disabled) words.push(`quality ${byId("quality").value}`);
    return words.join(" · ");
  }

  // The level that the automatic brightness came to: where the slider starts; NaN while nobody knows.
  found(level) {
    this.level = level;
    if (this.brightness === null && level >= 0) byId("brightness").value = level;
    this.update();
  }

  // The picture came; `same` if it makes no difference whether faces come first.
  exposed(same) {
    byId("expose-hint").textContent = same ? "No difference here: no face in this photo would stay dark."
      : "Faces first: a face that would stay dark, as against a window, gets more light.";
  }

  option(name) { return this.menu.options.find((one) => one.name === name); }

  get detector() { return this.menu.detectors.find((entry) => entry.name === byId("detector").value); }
  get threshold() {
    return this.detector.parameters.find((parameter) => parameter.name === "threshold");
  }

  fill() {
    const { menu } = this;
    options(byId("method"), menu.enhancers.filter((e) => e.name !== "original"));
    options(byId("detector"), menu.detectors);
    byId("detector").value = menu.default_detector;
    const formats = menu.formats.map((f) => ({ name: f.name, label: f.name.toUpperCase() }));
    options(byId("format"), [{ name: "", label: "As original" }, ...formats]);
    byId("threshold").value = this.threshold.default;
    byId("quality").min = this.option("quality").low;
    byId("quality").max = this.option("quality").high;
    byId("detector-part").hidden = menu.detectors.length < 2;
    byId("strength").value = this.option("strength").default;
    byId("local").value = this.option("local").default;
    byId("protect_lit").checked = this.option("protect_lit").default;
    byId("landmarks-part").hidden = usable(menu.landmarkers).length === 0;
    this.update();
  }

  listen() {
    const say = (name) => (name === "change" ? this.changed() : this.dispatchEvent(new Event(name)));
    byId("settings").addEventListener("submit", (event) => event.preventDefault());
    byId("settings").addEventListener("input", () => this.update());
    byId("method").addEventListener("change", () => { this.choose(this.method); say("change"); });
    byId("strength").addEventListener("input", () => say("strength"));
    for (const id of ["strength", "format", "quality"]) byId(id).addEventListener("change", () => this.remember());
    byId("undo").addEventListener("click", () => this.undo());
    byId("reset").addEventListener("click", () => this.reset());
    byId("brightness-auto").addEventListener("click", () => this.setBrightness(null));
    byId("settings").addEventListener("dblclick", ({ target }) => {
      if (target instanceof HTMLInputElement && target.type === "range") this.restore(target);
    });
    document.addEventListener("keydown", (event) => {
      const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
      const isElsewhere = event.target instanceof Element && event.target.closest("dialog, [type=number]");
      if (!isUndo || isElsewhere || byId("panel").hidden || !byId("paint-bar").hidden) return;
      event.preventDefault();
      this.undo();
    });
    for (const id of ["black", "cast", "protect_lit"]) byId(id).addEventListener("change", () => say("change"));
    byId("brightness").addEventListener("input", () => {
      this.brightness = Number(byId("brightness").value);
      this.update();
    });
    byId("brightness").addEventListener("change", () => say("change"));
    byId("local").addEventListener("input", () => {
      this.local = Number(byId("local").value);
      this.update();
    });
    byId("local").addEventListener("change", () => say("change"));
    for (const radio of radios()) {
      radio.addEventListener("input", () => { this.exposeFor = radio.value; });
      radio.addEventListener("change", () => say("change"));
    }
    byId("faces").addEventListener("change", () => {
      byId("faces-part").hidden = !byId("faces").checked;
      const beside = getComputedStyle(byId("main")).flexDirection === "row"; // else it would leave the photo
      if (beside) byId("faces-part").scrollIntoView({ block: "nearest" });
      say("faces");
    });
    byId("detector").addEventListener("change", () => { // each has its own measure
      byId("threshold").value = this.threshold.default;
      this.update();
    });
    for (const id of ["detector", "landmarks", "threshold", "second-look"]) {
      byId(id).addEventListener("change", () => say("faces"));
    }
  }

  update() {
    byId("strength-value").textContent = `${Math.round(this.strength * 100)} %`;
    const level = Number(byId("brightness").value).toFixed(2);
    byId("brightness-value").textContent = !this.takes("brightness")
      ? "not with this method" : this.brightness !== null ? level
        : this.level >= 0 ? `${level} · automatic` : "automatic";
    const own = this.local === null && this.method !== this.menu.default;
    byId("local-value").textContent = own ? "the method's own" : Number(byId("local").value).toFixed(2);
    for (const radio of radios()) radio.checked = radio.value === this.exposeFor;
    if (this.entry) {
      byId("expose-part").hidden = !this.canExposeForFaces();
      byId("tuning").hidden = byId("expose-part").hidden && byId("black-part").hidden && this.entry.parameters.length === 0;
    }
    byId("brightness-auto").hidden = this.brightness === null || !this.takes("brightness");
    byId("undo").disabled = this.past.length === 0;
    byId("reset").disabled = !this.standard || JSON.stringify(this.state) === JSON.stringify(this.standard);
    byId("second-look-part").hidden = this.detector?.views.length === 1; // it sees the dark by itself
    byId("threshold-value").textContent = Number(byId("threshold").value).toFixed(2);
    const lossless = ["png", "tiff"].includes(this.format);
    byId("quality").disabled = lossless;
    for (const range of document.querySelectorAll("input")) if (range.type === "range") fillTrack(range);
    this.dispatchEvent(new Event("update"));
  }

  showParameters(entry) {
    const values = (this.values[entry.name] ??= {});
    byId("parameters").replaceChildren(...entry.parameters.map((parameter) =>
      control(parameter, values[parameter.name] ?? parameter.default, (value) => {
        this.values[entry.name][parameter.name] = value;
        this.changed();
      })));
    this.update();
  }
}

function control(parameter, value, changed) {
  const id = `parameter-${parameter.name}`;
  const text = make("span", {}, capital(parameter.summary));
  if (typeof parameter.default === "boolean") {
    const input = make("input", { type: "checkbox", id, checked: String(value) === "true" });
    input.addEventListener("change", () => changed(input.checked));
    return make("label", { className: "check" }, input, text);
  }
  const output = make("output", {}, String(value));
  const label = make("label", { className: "row", htmlFor: id }, text);
  if (parameter.choices.length) {
    const select = make("select", { id });
    options(select, parameter.choices.map((name) => ({ name, label: name })));
    select.value = value;
    select.addEventListener("change", () => changed(select.value));
    return make("div", {}, label, select);
  }
  const input = number(parameter, id);
  if (value !== parameter.also[0]) input.value = value;
  else if (input.type === "range") input.value = parameter.low;
  if (input.type === "range") label.append(output);
  input.addEventListener("input", () => { output.textContent = input.value; });
  input.addEventListener("change", () => { if (input.reportValidity()) changed(input.value); });
  return make("div", {}, label, input);
}

// A slider whose steps meet the default; a field where the range is too wide for one.
function number({ default: standard, low, high, also }, id) {
  const whole = Number.isInteger(standard) && Number.isInteger(low) && high - low > 2;
  if (high - low > 200) return make("input", { type: "number", id, min: low, max: high, step: "any", placeholder: also[0] ?? "" });
  const step = whole ? 1 : [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1].find((one) => (high - low) / one <= 200) ?? 1;
  return make("input", { type: "range", id, min: low, max: high, step });
}

function options(select, entries) {
  select.replaceChildren(...entries.map((entry) => {
    const label = entry.label ?? (entry.available === false && entry.extra ? `${entry.name} (needs the extra ${entry.extra})` : entry.name);
    return make("option", { value: entry.name, disabled: entry.available === false }, label);
  }));
}
