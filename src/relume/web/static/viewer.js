// Before and after, one over the other, with a divider between them.

import { byId, make } from "./dom.js";
import { Zoom } from "./zoom.js";

// iBUG's 68 points as lines: jaw, brows, nose, eyes and lips (the latter closed)
/** @type {[number, number, boolean?][]} */
const CONTOURS = [
  [0, 16], [17, 21], [22, 26], [27, 30], [31, 35],
  [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true],
];
const NEAR_PX = 24; // so far from the divider it is still taken
const PATIENCE_MS = 1000;

export class Viewer {
  constructor() {
    this.frame = byId("frame");
    this.size = { width: 1, height: 1 };
    this.zoom = new Zoom(this.frame);
    this.pointers = new Map();
    this.brush = null; // what one finger paints with; else it moves the divider
    const divider = byId("divider");
    divider.addEventListener("input", () => this.place(Number(divider.value)));
    divider.addEventListener("keydown", (event) => this.key(event));
    this.frame.addEventListener("pointerdown", (event) => this.grab(event));
    this.frame.addEventListener("pointermove", (event) => this.move(event));
    this.frame.addEventListener("pointerup", (event) => {
      this.pointers.delete(event.pointerId);
      this.brush?.end();
    });
    this.frame.addEventListener("pointercancel", (event) => {
      this.pointers.delete(event.pointerId);
      this.brush?.cancel();
    });
    const peek = byId("peek");
    peek.addEventListener("click", () => {
      const on = this.frame.classList.toggle("peek");
      peek.setAttribute("aria-pressed", String(on));
    });
    // on a phone the photo covers the top: what is scrolled to must come out below it
    new ResizeObserver(() => document.documentElement.style
      .setProperty("--covered", `${byId("stage").offsetHeight}px`)).observe(byId("stage"));
    this.place(50);
  }

  // One finger paints, or moves the divider, or the photo if it is zoomed; two zoom it.
  grab(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    this.frame.setPointerCapture(event.pointerId);
    const box = this.frame.getBoundingClientRect();
    const away = Math.abs(event.clientX - box.left - (box.width * Number(byId("divider").value)) / 100);
    this.slides = this.zoom.scale === null || away < NEAR_PX;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.brush && this.pointers.size > 1) this.brush.cancel();
    else if (this.brush) this.brush.begin(event);
    else if (this.slides && this.pointers.size === 1) this.follow(event);
    byId(this.brush ? "paint-layer" : "divider").focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    this.pointers.set(event.pointerId, now);
    if (this.pointers.size > 1) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      this.zoom.by(apart(now) / apart(last), (now.x + other.x) / 2, (now.y + other.y) / 2);
      if (this.zoom.scale) this.zoom.pan((now.x - last.x) / 2, (now.y - last.y) / 2);
    } else if (this.brush) {
      this.brush.move(event);
    } else if (this.slides) {
      this.follow(event);
    } else {
      this.zoom.pan(now.x - last.x, now.y - last.y);
    }
  }

  follow(event) {
    const box = this.frame.getBoundingClientRect();
    this.place(((event.clientX - box.left) / box.width) * 100);
  }

  key(event) {
    const arrow = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    const button = { 0: "zoom-fit", 1: "zoom-100", 2: "zoom-200" }[event.key];
    const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (arrow && event.shiftKey && this.zoom.scale) this.zoom.pan(...arrow);
    else if (button) byId(button).click();
    else if (factor) this.zoom.by(factor);
    else return;
    event.preventDefault();
  }

  place(percent) {
    const x = Math.min(100, Math.max(0, percent));
    this.frame.style.setProperty("--x", `${x}%`);
    const divider = byId("divider");
    divider.value = String(Math.round(x));
    divider.setAttribute("aria-valuetext", `${Math.round(x)} % before`);
  }

  async showBefore(url) {
    const image = await loaded(url);
    this.size = { width: image.naturalWidth, height: image.naturalHeight };
    this.frame.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
    byId("before").src = url;
    byId("before-under").src = url;
    this.frame.classList.add("filled");
    this.zoom.show(this.size);
    this.showNothing();
    this.refuse(null);
    this.showFaces(null);
  }

  async showAfter(url, strength) {
    await loaded(url);
    this.refuse(null);
    byId("after").src = url;
    this.blend(strength);
  }

  showNothing() {
    byId("after").removeAttribute("src");
    byId("after").style.opacity = "0";
  }

  // Why there is no result, said where it would be; null where there is or will be one.
  refuse(text) {
    byId("refusal").textContent = text ?? "";
    byId("refusal").hidden = !text;
    this.frame.classList.toggle("refused", Boolean(text));
    for (const id of ["paint", "peek"]) byId(id).disabled = Boolean(text);
  }

  // The engine blends in the same values, so this is what will be in the file.
  blend(strength) {
    if (byId("after").getAttribute("src")) byId("after").style.opacity = strength;
  }

  // What is being done, or null; after a second the time it has taken is shown, too.
  work(text) {
    clearInterval(this.clock);
    byId("working").hidden = !text;
    byId("progress").hidden = true;
    byId("nothing").textContent = text ?? "No photo is open.";
    if (!text) return;
    const began = performance.now();
    byId("cancel").textContent = "Cancel";
    this.clock = setInterval(() => {
      byId("progress").hidden = false;
      byId("progress-text").textContent = `${text} ${Math.round((performance.now() - began) / 1000)} s`;
    }, PATIENCE_MS);
  }

  // It was cancelled: the button goes on.
  stop() {
    this.work(null);
    byId("progress-text").textContent = "Stopped";
    byId("cancel").textContent = "Relight";
    byId("progress").hidden = false;
  }

  // What the right side is: the label must not promise what is not there yet.
  name(text) { byId("after-label").textContent = text; }

  // Before: the faces that the photo shows as it is; after: all.
  showFaces(found) {
    if (found && found === this.found) return;
    this.found = found;
    const all = found?.faces ?? [];
    draw(byId("boxes-before"), found, all.filter(isSeen));
    draw(byId("boxes-after"), found, all);
  }
}

// Whether the photo shows the face as it is, and not only its relit copy.
export const isSeen = (face) => face.view.split("+").includes("original");

function draw(layer, found, faces) {
  layer.replaceChildren();
  if (!faces.length) return;
  const { width, height } = found;
  for (const face of faces) {
    const { x0, y0, x1, y1 } = face.box;
    const room = layer.id === "boxes-before" ? x0 : width - x1; // for the score, beside the box
    const box = make("div", { className: "face" }, make("span", {}, face.score.toFixed(2)));
    box.classList.toggle("edge", room < width * 0.14);
    box.classList.toggle("dark", !isSeen(face));
    Object.assign(box.style, {
      left: `${(x0 / width) * 100}%`, top: `${(y0 / height) * 100}%`,
      width: `${((x1 - x0) / width) * 100}%`, height: `${((y1 - y0) / height) * 100}%`,
    });
    layer.append(box);
  }
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("preserveAspectRatio", "none");
  for (const face of faces) if (face.landmarks) drawing.append(...landmarks(face.landmarks));
  layer.append(drawing);
}

function landmarks(points) {
  const at = ([x, y]) => `${x} ${y}`;
  const dots = points.map((point) => `M${at(point)}h0`).join("");
  if (points.length !== 68) return [path(dots, "dots")];
  const lines = CONTOURS.map(([first, last, closed]) =>
    `M${points.slice(first, last + 1).map(at).join("L")}${closed ? "z" : ""}`).join("");
  return [path(lines, "lines")];
}

function path(d, className) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("d", d);
  element.setAttribute("class", className);
  element.setAttribute("vector-effect", "non-scaling-stroke");
  return element;
}

export function loaded(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("The picture cannot be shown by this browser."));
    image.src = url;
  });
}
