// Zoom and pan of the photo in its frame: wheel, pinch, drag, keys, and three buttons.

import { byId } from "./dom.js";

const BUTTONS = { "zoom-fit": 0, "zoom-100": 1, "zoom-200": 2 };
const MOST = 8; // screen pixels for one of the photo

export class Zoom {
  constructor(frame) {
    this.frame = frame;
    this.canvases = [...frame.querySelectorAll(".canvas")];
    this.size = { width: 1, height: 1 };
    this.scale = /** @type {number | null} CSS pixels for one of the photo; null: it fits as a whole */ (null);
    this.fit = 1; // the scale at which it does
    this.x = 0;
    this.y = 0;
    for (const [id, times] of Object.entries(BUTTONS)) {
      byId(id).addEventListener("click", () => this.to(times ? times / devicePixelRatio : null));
    }
    frame.addEventListener("wheel", (event) => {
      if (!frame.classList.contains("filled")) return;
      event.preventDefault();
      this.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX, event.clientY);
    }, { passive: false });
    frame.addEventListener("dblclick", (event) => {
      if (!event.target.closest("button, .painting")) this.to(this.scale ? null : 1 / devicePixelRatio, event.clientX, event.clientY);
    });
    new ResizeObserver(() => this.draw()).observe(frame);
  }

  // The photo that is shown now: a new one is shown whole.
  show(size) {
    this.size = size;
    this.to(null);
  }

  by(factor, clientX, clientY) {
    const now = this.scale ?? this.frame.clientWidth / this.size.width;
    this.to(now * factor, clientX, clientY);
  }

  /**
   * The point of the photo under (clientX, clientY), by default the middle, stays where it is.
   * @param {number | null} scale
   * @param {number} [clientX]
   * @param {number} [clientY]
   */
  to(scale, clientX, clientY) {
    const before = this.canvases[0].getBoundingClientRect();
    const room = this.frame.getBoundingClientRect();
    const px = clientX ?? room.left + room.width / 2;
    const py = clientY ?? room.top + room.height / 2;
    const [u, v] = [(px - before.left) / before.width, (py - before.top) / before.height];
    if (!this.scale) this.fit = this.frame.clientWidth / this.size.width;
    const wanted = scale === null || scale <= this.fit * 1.001 ? null : Math.min(scale, Math.max(MOST / devicePixelRatio, this.fit));
    this.scale = wanted;
    this.frame.classList.toggle("zoomed", wanted !== null);
    if (wanted !== null) {
      const frame = this.frame.getBoundingClientRect(); // it may have grown
      const middle = clientX === undefined;
      this.x = (middle ? frame.width / 2 : px - frame.left) - u * this.size.width * wanted;
      this.y = (middle ? frame.height / 2 : py - frame.top) - v * this.size.height * wanted;
    }
    this.draw();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.draw();
  }

  draw() {
    const { scale, frame, size } = this;
    for (const [id, times] of Object.entries(BUTTONS)) {
      const now = scale ? Math.abs(scale * devicePixelRatio - times) < 0.005 : times === 0;
      byId(id).setAttribute("aria-pressed", String(now));
    }
    const [width, height] = scale ? [size.width * scale, size.height * scale] : [0, 0];
    if (scale) {
      this.x = inside(this.x, width, frame.clientWidth);
      this.y = inside(this.y, height, frame.clientHeight);
    }
    for (const { style } of this.canvases) {
      style.left = scale ? `${this.x}px` : "";
      style.top = scale ? `${this.y}px` : "";
      style.width = scale ? `${width}px` : "";
      style.height = scale ? `${height}px` : "";
    }
  }
}

// Where a photo of this length may begin: no gap beside it, or in the middle if it is shorter.
function inside(start, length, room) {
  return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
}
