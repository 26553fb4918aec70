// The engine behind the page on the visitor's own device: what http.js is for a service, by a
// worker. It says "loading" ({ done, total } bytes), "ready" and "failed" as events.

import { readQuery } from "./query.js";

/* global YUNET, MENU -- put in by the build */

const PATIENCE_MS = 300; // for a job to stop by itself; then its worker is ended
const NEEDED = ["WebAssembly", "OffscreenCanvas", "createImageBitmap", "DecompressionStream"];
const RAM_MP = [[2, 12], [4, 24]]; // GB of memory that a browser tells of, megapixels it takes then
const TOUCH_MP = 16; // of phones that tell nothing: Safari's canvases end there

const asked = new URLSearchParams(location.search); // ?engine=wasm, ?threads=1, ?most=12 (megapixels): to measure and to test

class Device extends EventTarget {
  /** @type {Worker | null} */ worker = null;
  /** @type {object | null} what the worker said when it was ready */ engine = null;
  /** @type {string | null} why it cannot be */ failure = null;

  constructor() {
    super();
    this.waiting = /** @type {any[]} */ ([]);
    this.running = /** @type {any} */ (null);
    this.count = 0;
    this.keys = new WeakMap(); // files that the worker has seen
  }

  get isReady() { return Boolean(this.engine); }

  // Once; what is asked before is asked then.
  start() {
    if (this.worker) return;
    const lacking = NEEDED.filter((name) => !(name in self));
    if (lacking.length) {
      this.hear({ failed: `This browser lacks what relume needs to work on the device: ${lacking.join(", ")}. A newer one has it.` });
      return;
    }
    this.worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.hear(data));
    this.worker.addEventListener("error", (event) => this.hear({ failed: event.message || "the page's worker did not start" }));
    const most = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
    const threads = Math.min(most, Number(asked.get("threads")) || most);
    this.worker.postMessage({ start: { engine: asked.get("engine"), threads } });
  }

  forgetWorker() {
    this.worker?.terminate();
    this.worker = null;
    this.engine = null;
  }

  restart() {
    this.forgetWorker();
    this.start();
    this.running = null;
    this.next();
  }

  /** @param {{ loading?: object, ready?: object, failed?: string, id?: number, result?: any, error?: any }} message */
  hear({ loading, ready, failed, id, result, error }) {
    if (loading) this.say("loading", loading);
    if (ready) {
      this.engine = ready;
      this.say("ready", ready);
    }
    if (failed) {
      this.failure = failed;
      this.say("failed", failed);
      for (const job of [this.running, ...this.waiting.splice(0)]) job?.reject(new Error(failed));
      this.running = null;
    }
    if (id === undefined || this.running?.id !== id) return;
    const { resolve, reject } = this.running;
    this.running = null;
    if (error) reject(this.failed(error));
    else resolve(result);
    this.next();
  }

  say(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  failed({ name, message, smaller }) {
    if (name === "AbortError") return new DOMException("stopped", name);
    return Object.assign(new Error(message), { smaller });
  }

  // One job after the other: a device has one engine.
  ask(message, signal) {
    if (this.failure) { // with every photo it is tried again
      this.failure = null;
      this.forgetWorker();
    }
    this.start();
    if (this.failure) return Promise.reject(new Error(this.failure));
    return new Promise((resolve, reject) => {
      const job = { id: this.count++, message, resolve, reject };
      const stop = () => {
        reject(new DOMException("stopped", "AbortError"));
        this.waiting = this.waiting.filter((one) => one !== job);
        if (this.running !== job) return;
        this.worker?.postMessage({ cancel: job.id });
        if (this.isReady) {
          setTimeout(() => { if (this.running === job) this.restart(); }, PATIENCE_MS);
        } else { // it has not begun, and what has arrived of the network is not thrown away
          this.running = null;
          this.next();
        }
      };
      if (signal?.aborted) {
        stop();
        return;
      }
      signal?.addEventListener("abort", stop, { once: true });
      this.waiting.push(job);
      this.next();
    });
  }

  next() {
    if (this.running || !this.waiting.length) return;
    this.running = this.waiting.shift();
    this.worker?.postMessage({ id: this.running.id, ...this.running.message });
  }

  // A file, and a key that tells the worker whether it is the one before.
  known(file) {
    if (!this.keys.has(file)) this.keys.set(file, this.count++);
    return { key: this.keys.get(file), blob: file };
  }

  async methods() {
    const own = { megapixels: mostMegapixels(), workers: 0 };
    const detectors = MENU.detectors.filter(({ name }) => YUNET || name !== "yunet");
    const formats = await writable(MENU.formats);
    this.menu = { ...MENU, default_detector: detectors[0].name, detectors, formats, limits: { ...MENU.limits, ...own } };
    return this.menu;
  }

  /**
   * @param {File} file
   * @param {[string, string][]} query
   * @param {{ signal?: AbortSignal, exposure?: any }} [options]
   */
  async enhance(file, query, { signal, exposure } = {}) {
    const most = this.menu.limits.megapixels;
    return this.ask({ task: "enhance", file: this.known(file), most, ...readQuery(this.menu, query, exposure) }, signal);
  }

  async detect(file, query, signal) {
    const given = Object.fromEntries(query);
    const most = this.menu.limits.megapixels;
    const { detector, threshold } = given;
    const views = given.views === "original" ? ["original"] : this.menu.detectors.find(({ name }) => name === detector).views;
    return this.ask({ task: "detect", file: this.known(file), detector, threshold: Number(threshold), views, most }, signal);
  }

  // One frame of a camera, relit, as a bitmap; `first` begins anew.
  async frame(bitmap, { brightness, first, signal }) {
    return this.ask({ task: "frame", bitmap, brightness, first }, signal);
  }

  // A smaller copy of a photo that is too large, as a file of the same name.
  async smaller(file, megapixels) {
    const blob = await this.ask({ task: "smaller", file, megapixels });
    return new File([blob], `${file.name.replace(/\.[^.]+$/, "")}.jpg`, { type: "image/jpeg" });
  }
}

function mostMegapixels() {
  const { deviceMemory, maxTouchPoints } = navigator;
  const limit = deviceMemory === undefined ? maxTouchPoints > 1 && TOUCH_MP
    : RAM_MP.find(([gigabytes]) => deviceMemory <= gigabytes)?.[1];
  return Math.min(Number(asked.get("most")) || Infinity, limit || Infinity, MENU.limits.megapixels);
}

// A browser that cannot write a type gives a PNG in its place.
async function writable(formats) {
  if (!self.OffscreenCanvas) return formats;
  const written = await Promise.all(formats.map(async (format) => {
    const board = new OffscreenCanvas(1, 1);
    board.getContext("2d");
    const blob = await board.convertToBlob({ type: format.media_type }).catch(() => null);
    return blob?.type === format.media_type;
  }));
  return formats.filter((_, n) => written[n]);
}

export const engine = new Device();
