// Painting light: strokes over the photo, as a map of stops for the engine. It has few cells, as
// light is soft, and the engine fits it to the photo's edges.

import { byId } from "./dom.js";

const CELLS = 64; // along the longer side
const STOPS = 0.5; // a stroke, in its middle
const MOST = 4; // stops that many strokes come to
const PAUSE_MS = 200; // several quick strokes are one question
const SOFT = 1.3; // times the ring's radius a stroke reaches, fading
const STEP = 1 / 32; // of the photo's longer side, for an arrow key
const HINT = "By keyboard: arrows, Space, Esc";
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const [LIGHTER, DARKER] = [[255, 190, 96], [52, 64, 150]];

// Says "change" when there is other light; exposure() is what the engine is asked for.
export class Paint extends EventTarget {
  /** @type {Float32Array[]} strokes that count */ done = [];
  /** @type {Float32Array[]} strokes taken back */ undone = [];
  /** @type {Float32Array | null} the one that is being drawn */ stroke = null;
  width = 1;
  height = 1;
  stops = 0; // of the stroke
  at = { x: 0.5, y: 0.5 }; // of the sides, where the brush is
  /** @type {{ x: number, y: number } | null} */ last = null;
  share = { x: 1, y: 1 }; // of the longer side

  constructor(viewer) {
    super();
    this.viewer = viewer;
    this.layer = byId("paint-layer", HTMLCanvasElement);
    this.ring = byId("brush");
    this.takes = false;
    const click = (id, act) => byId(id).addEventListener("click", act);
    click("paint", () => this.turn(!this.on));
    click("paint-lighter", () => this.sign(false));
    click("paint-darker", () => this.sign(true));
    for (const act of ["undo", "redo", "clear"]) click(`paint-${act}`, () => this[act]());
    byId("paint-size").addEventListener("input", () => this.showRing());
    this.layer.addEventListener("keydown", (event) => this.key(event));
    viewer.frame.addEventListener("pointermove", (event) => { if (this.on) this.point(event); });
    document.addEventListener("keydown", (event) => this.shortcut(event));
    this.open({ width: 1, height: 1 });
  }

  get on() { return this.viewer.brush === this; }
  get radius() { return Number(byId("paint-size").value) / 100; } // of the photo's longer side

  // Another photo, { width, height } in pixels: nothing is painted on it yet.
  open({ width, height }) {
    clearTimeout(this.timer);
    const long = Math.max(width, height);
    this.width = this.layer.width = Math.max(1, Math.round((CELLS * width) / long));
    this.height = this.layer.height = Math.max(1, Math.round((CELLS * height) / long));
    this.share = { x: width / long, y: height / long };
    this.at = { x: 0.5, y: 0.5 }; // of the sides, where the brush is
    [this.done, this.undone, this.stroke] = [[], [], null];
    this.asked = this.shown = 0; // how many of the strokes the engine knows, and the photo shows
    this.update();
  }

  // Whether the method that is chosen can be asked for light from place to place.
  allow(takes) {
    byId("paint").hidden = !takes;
    if (!takes) this.turn(false);
    this.allowed = takes;
  }

  turn(on) {
    this.viewer.brush = on ? this : null;
    this.viewer.frame.classList.toggle("painting", on);
    byId("paint").setAttribute("aria-pressed", String(on));
    byId("paint-bar").hidden = this.layer.hidden = this.ring.hidden = !on;
    if (on && byId("peek").getAttribute("aria-pressed") === "true") byId("peek").click();
    this.cancel();
    this.showRing();
    if (on) this.layer.focus({ preventScroll: true });
  }

  sign(takes) {
    this.takes = takes;
    byId("paint-lighter").ariaPressed = String(!takes);
    byId("paint-darker").ariaPressed = String(takes);
  }

  // { width, height, stops } row by row, or null where nothing is painted.
  exposure() {
    if (!this.allowed || !this.done.length) return null;
    this.asked = this.done.length;
    const stops = Array.from(this.sum(this.done), (value) => Number(value.toFixed(2)));
    return { width: this.width, height: this.height, stops };
  }

  // The stops of several strokes.
  sum(strokes) {
    const sum = new Float32Array(this.width * this.height);
    for (const stroke of strokes) stroke.forEach((stops, cell) => { sum[cell] += stops; });
    return sum.map((stops) => clamp(stops, -MOST, MOST));
  }

  begin(event) {
    this.point(event);
    this.stroke = new Float32Array(this.width * this.height);
    this.stops = this.takes === event.altKey ? STOPS : -STOPS;
    this.last = null;
    this.dab();
  }

  move(event) {
    if (!this.stroke) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) {
      this.point(each);
      this.dab();
    }
  }

  end() {
    if (!this.stroke) return;
    this.done.push(this.stroke);
    [this.undone, this.stroke] = [[], null];
    this.changed();
  }

  cancel() { this.stroke = null; this.draw(); }

  undo() { if (this.done.length) { this.undone.push(...this.done.splice(-1)); this.changed(); } }
  redo() { if (this.undone.length) { this.done.push(...this.undone.splice(-1)); this.changed(); } }
  clear() { if (this.done.length) { this.undone = this.done.splice(0).reverse(); this.changed(); } }

  changed() {
    this.shown = Math.min(this.shown, this.done.length);
    this.update();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.dispatchEvent(new Event("change")), PAUSE_MS);
  }

  // The photo shows the light that was asked for.
  answered() { this.shown = Math.min(this.asked, this.done.length); this.draw(); }

  update() {
    const count = this.done.length;
    byId("paint-undo").disabled = byId("paint-clear").disabled = count === 0;
    byId("paint-redo").disabled = this.undone.length === 0;
    byId("paint-status").textContent = count ? `${count} stroke${count === 1 ? "" : "s"}` : HINT;
    this.draw();
  }

  point({ clientX, clientY }) {
    const box = this.layer.getBoundingClientRect(); // as zoomed and moved
    this.at = { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    this.showRing();
  }

  // A soft dab from where the brush was last to where it is; none adds to another of its stroke.
  dab() {
    const { width, height, stroke } = this;
    if (!stroke) return;
    const to = { x: this.at.x * width, y: this.at.y * height };
    const from = this.last ?? to;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy || 1;
    const radius = SOFT * this.radius * Math.max(width, height);
    for (let cell = 0; cell < stroke.length; cell += 1) {
      const [px, py] = [(cell % width) + 0.5 - from.x, Math.floor(cell / width) + 0.5 - from.y];
      const along = clamp((px * dx + py * dy) / length, 0, 1);
      const apart = ((px - along * dx) ** 2 + (py - along * dy) ** 2) / radius ** 2;
      const stops = apart < 1 ? this.stops * (1 - apart) ** 2 : 0;
      if (Math.abs(stops) > Math.abs(stroke[cell])) stroke[cell] = stops;
    }
    this.last = to;
    this.draw();
  }

  // The strokes that the photo does not show yet; what stood for the others fades.
  draw() {
    const strokes = this.done.slice(this.shown);
    if (this.stroke) strokes.push(this.stroke);
    this.layer.classList.toggle("answered", strokes.length === 0);
    if (!strokes.length) return;
    const picture = new ImageData(this.width, this.height);
    this.sum(strokes).forEach((stops, cell) => {
      const alpha = Math.min(190, (120 * Math.abs(stops)) / STOPS);
      picture.data.set([...(stops > 0 ? LIGHTER : DARKER), alpha], 4 * cell);
    });
    this.layer.getContext("2d")?.putImageData(picture, 0, 0);
  }

  showRing() {
    const percent = { left: this.at.x, top: this.at.y, width: (2 * this.radius) / this.share.x };
    for (const [name, share] of Object.entries(percent)) this.ring.style[name] = `${100 * share}%`;
  }

  // By keyboard: arrows move the brush, Space is a stroke, Escape ends it.
  key(event) {
    if (event.key === "Escape") {
      this.turn(false);
      byId("paint").focus();
    }
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow) {
      this.at.x = clamp(this.at.x + (arrow[0] * STEP) / this.share.x, 0, 1);
      this.at.y = clamp(this.at.y + (arrow[1] * STEP) / this.share.y, 0, 1);
      this.showRing();
    } else if (event.key === " " || event.key === "Enter") {
      const { left, top, width, height } = this.layer.getBoundingClientRect();
      this.begin({ clientX: left + this.at.x * width, clientY: top + this.at.y * height, altKey: event.altKey });
      this.end();
    } else return;
    event.preventDefault();
  }

  shortcut(event) {
    if (!this.on || !(event.ctrlKey || event.metaKey) || event.target.matches("input[type=number], dialog *")) return;
    const key = event.key.toLowerCase();
    if (!["y", "z"].includes(key)) return;
    if (key === "y" || event.shiftKey) this.redo();
    else this.undo();
    event.preventDefault();
  }
}
