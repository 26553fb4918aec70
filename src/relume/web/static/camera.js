// The camera, live: its picture relit as it comes, by whichever engine the page has. The camera is
// asked for on a click only, stops when the page is hidden, and is free again once this is closed.

import { byId, drawn, packed } from "./dom.js";
import { engine } from "./engine.js";
import { save } from "./files.js";

const LIVE_PX = 640; // longer side of what is relit live
const STRIDE_PX = 16;
const BURST = 4; // frames of a still
const EASE = 0.1; // of the frame rate that is shown

const asked = new URLSearchParams(location.search); // ?camera=1, with &clean=1 nothing but the picture

// Why there is no picture, as a sentence; null where the phone's own camera app is the better answer.
/** @param {Error} error */
function sentence({ name, message }) {
  if (name === "NotAllowedError" || name === "SecurityError") {
    return "The browser does not let this page use the camera. Allow it in the address bar, then try again.";
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") return "There is no camera on this device.";
  if (name === "NotReadableError" || name === "AbortError") return "The camera does not start: another program may be using it.";
  return message;
}

class Camera {
  /** @param {(file: File) => void} take */
  constructor(take) {
    this.take = take;
    this.dialog = byId("camera", HTMLDialogElement);
    this.video = byId("camera-video", HTMLVideoElement);
    this.view = byId("camera-view", HTMLCanvasElement);
    this.brightness = /** @type {number | null} */ (null); // automatic
    this.stream = /** @type {MediaStream | null} */ (null);
    this.paused = false;
    this.task = new AbortController();
    byId("camera-start").addEventListener("click", () => this.start());
    byId("camera-close").addEventListener("click", () => this.dialog.close());
    byId("camera-shoot").addEventListener("click", () => this.shoot());
    byId("camera-save").addEventListener("click", () => this.still());
    byId("camera-brightness").addEventListener("input", () => this.aim(Number(byId("camera-brightness").value)));
    byId("camera-auto").addEventListener("click", () => this.aim(null));
    this.dialog.addEventListener("close", () => this.stop());
    document.addEventListener("visibilitychange", () => this.seen());
    this.listenForHolding();
  }

  // The dialog; the camera with it, unless somebody has to click first.
  async open({ start = true } = {}) {
    this.dialog.showModal();
    this.say(null);
    if (start) await this.start();
    else this.waitForClick();
  }

  waitForClick() {
    byId("camera-start").hidden = false;
  }

  async start() {
    this.stop();
    byId("camera-start").hidden = true;
    const task = this.task = new AbortController();
    this.say("Starting the camera …");
    try {
      const wanted = { video: { facingMode: "user", width: { ideal: 1280 } } };
      const stream = await navigator.mediaDevices.getUserMedia(wanted);
      if (task.signal.aborted || !this.dialog.open) { // closed while the browser was asking
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      this.stream = stream;
      for (const track of stream.getTracks()) track.addEventListener("ended", () => this.fail("The camera was unplugged, or taken away."));
      this.video.srcObject = stream;
      await this.video.play();
      await this.relight(task.signal);
    } catch (error) {
      if (!task.signal.aborted) this.fail(sentence(error));
    }
  }

  /** @param {AbortSignal} signal */
  // Frame after frame, each as soon as the one before is done; what came in between is left out.
  async relight(signal) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.view.getContext("2d"));
    let [first, rate, count, before] = [true, 0, Number(this.view.dataset.frames ?? 0), performance.now()];
    this.say("Starting the network …");
    while (!signal.aborted) {
      await this.nextFrame();
      if (signal.aborted) return;
      const [width, height] = this.size();
      const bitmap = await createImageBitmap(this.video, { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" });
      const relit = await engine.frame(bitmap, { brightness: this.brightness, first, signal }).finally(() => bitmap.close());
      if (signal.aborted) return;
      if (this.view.width !== width || this.view.height !== height) {
        Object.assign(this.view, { width, height });
        this.view.style.aspectRatio = String(this.video.videoWidth / this.video.videoHeight);
      }
      context.drawImage(relit, 0, 0);
      relit.close();
      const now = performance.now();
      if (first) this.say(null);
      else rate += (1000 / (now - before) - rate) * (rate ? EASE : 1);
      [first, before] = [false, now];
      byId("camera-rate").textContent = rate ? `${rate.toFixed(rate < 10 ? 1 : 0)} frames/s` : "";
      count += 1;
      Object.assign(this.view.dataset, { frames: count, rate: rate.toFixed(2) });
    }
  }

  /** @returns {Promise<void>} */
  nextFrame() {
    return new Promise((resolve) => {
      if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(() => resolve());
      else requestAnimationFrame(() => resolve());
      setTimeout(resolve, 500); // a camera that stands still is looked at again, so that stopping it is seen
    });
  }

  // Of what is relit: the network takes multiples of 16.
  size() {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, LIVE_PX / Math.max(videoWidth, videoHeight));
    return [videoWidth, videoHeight].map((side) => Math.max(1, Math.round((side * scale) / STRIDE_PX)) * STRIDE_PX);
  }

  /** @param {number | null} brightness */
  aim(brightness) {
    this.brightness = brightness;
    byId("camera-brightness-value").textContent = brightness === null ? "automatic" : brightness.toFixed(2);
    byId("camera-auto").setAttribute("aria-pressed", String(brightness === null));
  }

  // The picture as it is, as long as it is pressed.
  listenForHolding() {
    /** @param {boolean} on */
    const hold = (on) => { this.dialog.classList.toggle("original", on); byId("camera-hold").setAttribute("aria-pressed", String(on)); };
    for (const id of ["camera-hold", "camera-view"]) {
      byId(id).addEventListener("pointerdown", () => hold(true));
      for (const end of ["pointerup", "pointercancel", "pointerleave"]) byId(id).addEventListener(end, () => hold(false));
    }
    byId("camera-hold").addEventListener("keydown", ({ key }) => { if (key === " " || key === "Enter") hold(true); });
    for (const end of ["keyup", "blur"]) byId("camera-hold").addEventListener(end, () => hold(false));
    this.video.addEventListener("pointerup", () => hold(false));
    this.dialog.addEventListener("close", () => hold(false));
  }

  // The next frame, as large as the camera gives it, as a file.
  async snapshot() {
    await this.nextFrame();
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const file = await packed(drawn(this.video, this.video.videoWidth, this.video.videoHeight), `camera ${stamp}.png`, "image/png");
    if (!file) throw new Error("This browser cannot pack a picture of the camera.");
    return file;
  }

  // A photo like any other.
  async shoot() {
    if (!this.stream) return;
    const file = await this.snapshot();
    this.dialog.close();
    this.take(file);
  }

  // A still by the large network, saved: of several frames, where the engine can merge them.
  async still() {
    if (!this.stream) return;
    const button = byId("camera-save");
    const { burst } = /** @type {{ burst?: typeof engine.burst }} */ (engine); // the device has none
    button.disabled = true;
    this.say("Relighting the still …");
    try {
      const files = [await this.snapshot()];
      const query = /** @type {[string, string][]} */ (this.brightness === null ? [] : [["brightness", String(this.brightness)]]);
      while (burst && files.length < BURST) files.push(await this.snapshot());
      const { blob } = burst ? await burst.call(engine, files, query) : await engine.enhance(files[0], [["method", "relume"], ...query]);
      save(blob, files[0].name.replace(/\.png$/, `.relume.${blob.type.split("/")[1]}`));
      this.say(null);
    } catch (error) {
      this.say(error.message);
    } finally {
      button.disabled = false;
    }
  }

  // A hidden page does not film; when it is seen again, it goes on.
  seen() {
    if (!this.dialog.open) return;
    if (document.hidden) {
      this.paused = Boolean(this.stream);
      this.stop();
    } else if (this.paused) {
      this.paused = false;
      this.start();
    }
  }

  stop() {
    this.task.abort();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    byId("camera-rate").textContent = "";
  }

  /** @param {string} why */
  fail(why) {
    this.stop();
    this.say(why);
    this.waitForClick();
  }

  /** @param {string | null} text */
  say(text) {
    byId("camera-note").textContent = text ?? "";
    byId("camera-note").hidden = !text;
  }
}

/**
 * Calls take(file) with the pictures that are shot.
 * @param {(file: File) => void} take
 */
export function listenForCamera(take) {
  const camera = new Camera(take);
  byId("use-camera").addEventListener("click", () => {
    if (navigator.mediaDevices) camera.open();
    else byId("snapshot").click(); // no camera for pages here: the phone's own camera app
  });
  if (asked.get("camera") === "1") openByAddress(camera);
}

// Other programs can show the picture alone (OBS: a browser source). They are let in by whoever set
// them up; a browser that has not allowed the camera yet waits for a click.
/** @param {Camera} camera */
async function openByAddress(camera) {
  if (asked.get("clean") === "1") document.documentElement.dataset.clean = "";
  const permission = await navigator.permissions?.query({ name: /** @type {any} */ ("camera") }).catch(() => null);
  camera.open({ start: permission?.state === "granted" || "obsstudio" in window });
}
