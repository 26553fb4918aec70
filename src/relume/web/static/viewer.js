// Before and after, one over the other, with a divider between them.

import { byId } from "./api.js";
import { make } from "./settings.js";

// iBUG's 68 points as lines: jaw, brows, nose, eyes and lips (the latter closed)
const CONTOURS = [
  [0, 16], [17, 21], [22, 26], [27, 30], [31, 35],
  [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true],
];

export class Viewer {
  constructor() {
    this.frame = byId("frame");
    this.size = { width: 1, height: 1 };
    const divider = byId("divider");
    divider.addEventListener("input", () => this.place(Number(divider.value)));
    this.frame.addEventListener("pointerdown", (event) => this.grab(event));
    this.frame.addEventListener("pointermove", (event) => {
      if (this.frame.hasPointerCapture(event.pointerId)) this.follow(event);
    });
    const zoom = byId("zoom");
    zoom.addEventListener("click", () => {
      const actual = this.frame.classList.toggle("actual");
      zoom.setAttribute("aria-pressed", String(actual));
    });
    const peek = byId("peek");
    const look = (on) => {
      this.frame.classList.toggle("peek", on);
      peek.setAttribute("aria-pressed", String(on));
    };
    peek.addEventListener("click", () => look(!this.frame.classList.contains("peek")));
    this.place(50);
  }

  grab(event) {
    if (event.button !== 0) return;
    this.frame.setPointerCapture(event.pointerId);
    this.follow(event);
    byId("divider").focus({ preventScroll: true });
    event.preventDefault();
  }

  follow(event) {
    const box = this.frame.getBoundingClientRect();
    this.place(((event.clientX - box.left) / box.width) * 100);
  }

  place(percent) {
    const x = Math.min(100, Math.max(0, percent));
    this.frame.style.setProperty("--x", `${x}%`);
    const divider = byId("divider");
    divider.value = Math.round(x);
    divider.setAttribute("aria-valuetext", `${Math.round(x)} % before`);
  }

  async showBefore(url) {
    const image = await loaded(url);
    this.size = { width: image.naturalWidth, height: image.naturalHeight };
    this.frame.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    this.frame.style.setProperty("--actual", `${image.naturalWidth / devicePixelRatio}px`);
    byId("before").src = url;
    byId("before-under").src = url;
    this.frame.classList.add("filled");
    this.showNothing();
    this.showFaces("before", null);
    this.showFaces("after", null);
  }

  async showAfter(url, strength) {
    await loaded(url);
    byId("after").src = url;
    this.blend(strength);
  }

  showNothing() {
    byId("after").removeAttribute("src");
    byId("after").style.opacity = 0;
  }

  // The service blends in the same values, so this is what will be in the file.
  blend(strength) {
    if (byId("after").getAttribute("src")) byId("after").style.opacity = strength;
  }

  work(on) {
    byId("working").hidden = !on;
    byId("nothing").textContent = on ? "Opening …" : "No photo is open.";
  }

  // What the right side is: the label must not promise what is not there yet.
  name(text) { byId("after-label").textContent = text; }

  showFaces(side, found) {
    const layer = byId(`boxes-${side}`);
    layer.replaceChildren();
    if (!found) return;
    const { width, height } = found;
    for (const face of found.faces) {
      const { x0, y0, x1, y1 } = face.box;
      const room = side === "before" ? x0 : width - x1; // for the score, beside the box
      const box = make("div", { className: room < width * 0.14 ? "face edge" : "face" },
        make("span", {}, face.score.toFixed(2)));
      Object.assign(box.style, {
        left: `${(x0 / width) * 100}%`, top: `${(y0 / height) * 100}%`,
        width: `${((x1 - x0) / width) * 100}%`, height: `${((y1 - y0) / height) * 100}%`,
      });
      layer.append(box);
    }
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    drawing.setAttribute("preserveAspectRatio", "none");
    for (const face of found.faces) if (face.landmarks) drawing.append(...landmarks(face.landmarks));
    layer.append(drawing);
  }
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
