// A clip relit, or photos merged, in a window of its own: progress, a slider over what moves, a file.

import { byId, fillTrack, make } from "./dom.js";
import { relitName, save } from "./files.js";

const ASK_MS = 400;
const DRIFT_S = 0.06; // from which the two clips are put in step again
const MOST_MERGED = 16;

const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

const size = ({ size: bytes }) => (bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);

/**
 * A part of the window, with an id of its own.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} id
 * @param {Partial<Record<keyof HTMLElementTagNameMap[Tag], any>>} [properties]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
const part = (tag, id, properties = {}) => make(tag, { .../** @type {any} */ (properties), id: `clip-${id}` });
const range = (id, label, properties) => part("input", id, { type: "range", ariaLabel: label, ...properties });

export class Clip {
  /** @type {AbortController | null} */ job = null;
  /** @type {Blob | null} */ result = null;
  /** @type {string[]} */ urls = [];
  /** @type {number | null} the brightness that is asked for; null is automatic */ asked = null;
  /** @type {((query: string[][], signal: AbortSignal) => Promise<{ blob: Blob, notes: string[] }>) | null} */ work = null;
  name = "";
  dialog = part("dialog", "dialog", { className: "clip" });
  title = part("h2", "title");
  close = part("button", "close", { className: "quiet icon", ariaLabel: "Close", textContent: "✕" });
  stage = part("div", "stage", { className: "clip-stage" });
  before = part("div", "before");
  after = part("div", "after");
  divider = range("divider", "Divider between before and after", { min: 0, max: 100, value: 50 });
  player = part("div", "player", { className: "clip-row" });
  play = part("button", "play", { className: "quiet", textContent: "Play" });
  time = range("time", "Position in the clip", { min: 0, max: 1, step: 0.001, value: 0 });
  clock = part("span", "clock", { className: "hint" });
  progress = part("progress", "progress", { max: 1, value: 0, ariaLabel: "Progress" });
  status = part("p", "status", { className: "hint", ariaLive: "polite" });
  options = part("div", "options", { className: "clip-row" });
  brightness = range("brightness", "Brightness", { min: 0.05, max: 0.95, step: 0.01, value: 0.4 });
  level = part("output", "level");
  again = part("button", "again", { className: "quiet", textContent: "Relight again" });
  stop = part("button", "stop");
  download = part("button", "download", { className: "primary", textContent: "Download" });

  constructor(engine, settings, album) {
    this.engine = engine;
    this.settings = settings;
    this.album = album;
    this.build();
    this.listen();
    if (engine.burst) this.offerMerge();
    if (!engine.sendClip) return;
    byId("file").accept += ",video/*";
    byId("kinds").append(", clips");
  }

  build() {
    const side = (name, element, label) => make("div", { className: `clip-side ${name}` }, element, make("span", { className: "label" }, label));
    this.stage.append(side("before", this.before, "Before"), side("after", this.after, "After"), this.divider, make("div", { className: "clip-handle" }));
    this.player.append(this.play, this.time, this.clock);
    this.options.append(make("label", { htmlFor: "clip-brightness" }, "Brightness"), this.brightness, this.level);
    this.dialog.append(
      make("div", { className: "clip-head" }, this.title, this.close), this.stage, this.player, this.progress, this.status, this.options,
      make("div", { className: "actions" }, this.again, this.stop, this.download));
    document.body.append(this.dialog);
  }

  listen() {
    this.close.addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.forget());
    this.stop.addEventListener("click", () => this.job?.abort());
    this.again.addEventListener("click", () => this.run());
    this.download.addEventListener("click", () => { if (this.result) save(this.result, this.name); });
    this.brightness.addEventListener("input", () => { this.asked = Number(this.brightness.value); this.show(); });
    const to = (percent) => {
      this.divider.value = String(percent);
      this.stage.style.setProperty("--at", `${this.divider.value}%`);
    };
    this.divider.addEventListener("input", () => to(this.divider.value));
    const drag = (event) => {
      const { left, width } = this.stage.getBoundingClientRect();
      to((100 * (event.clientX - left)) / width);
    };
    this.stage.addEventListener("pointerdown", (event) => { this.stage.setPointerCapture(event.pointerId); drag(event); });
    this.stage.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
    this.play.addEventListener("click", () => (this.leader.paused ? this.leader.play() : this.leader.pause()));
    this.time.addEventListener("input", () => { this.leader.currentTime = Number(this.time.value) * this.leader.duration; });
  }

  /** The clip that the other one follows. @returns {HTMLVideoElement} */
  get leader() { return /** @type {HTMLVideoElement} */ (this.after.querySelector("video") ?? this.before.querySelector("video")); }

  url(blob) {
    this.urls.push(URL.createObjectURL(blob));
    return this.urls.at(-1);
  }

  begin(title, name, work) {
    Object.assign(this, { work, name, result: null, asked: null }); // a level belongs to one photo
    this.title.textContent = title;
    this.after.replaceChildren();
    this.stage.style.setProperty("--at", "50%");
    this.divider.value = "50";
    if (!this.dialog.open) this.dialog.showModal();
    this.close.focus();
    this.run();
  }

  // A clip: it is sent, relit frame by frame, fetched.
  open(file) {
    this.forget();
    const name = `${file.name.replace(/\.[^.]+$/, "")}.relume.mp4`;
    const video = this.video(file, "The original; this browser may not be able to show it.");
    this.before.replaceChildren(video);
    this.player.hidden = false;
    this.begin(file.name, name, async (query, signal) => {
      const most = this.settings.menu.limits.clip_bytes;
      if (!most) throw new Error("Clips need PyAV where the service runs: pip install av, then start it again.");
      if (file.size > most) throw new Error(`The clip has ${size(file)}; the service takes up to ${Math.floor(most / 2 ** 20)} MB.`);
      this.say("Sending …");
      const { name: job } = await this.engine.sendClip(file, query, signal);
      try {
        for (;;) {
          const state = await this.engine.clipState(job, signal);
          if (state.error) throw new Error(state.detail);
          this.count(state);
          if (state.state === "done") return { blob: await this.engine.clipFile(job, signal), notes: state.notes };
          await new Promise((resolve) => setTimeout(resolve, ASK_MS));
          signal.throwIfAborted();
        }
      } finally {
        this.engine.deleteClip(job).catch(() => {});
      }
    });
  }

  // Photos of one scene: one picture.
  merge(files) {
    this.forget();
    const image = make("img", { alt: "One of the photos", src: this.url(files[0]) });
    image.addEventListener("load", () => this.fit(image.naturalWidth, image.naturalHeight));
    this.before.replaceChildren(image);
    this.player.hidden = true;
    this.begin(`${files.length} photos, merged`, "", async (query, signal) => {
      this.progress.removeAttribute("value");
      this.say("Relighting, aligning and merging …");
      const { blob, leftOut } = await this.engine.burst(files, query, signal);
      this.name = relitName(files[0].name, blob).replace(".relume", ".relume-burst");
      const names = leftOut.map((number) => files[number - 1].name).join(", ");
      return { blob, notes: names ? [`left out, as it does not fit: ${names}`] : [] };
    });
  }

  async run() {
    this.job?.abort();
    const job = new AbortController();
    this.job = job;
    this.progress.value = 0;
    this.show();
    try {
      if (!this.work) return;
      const { blob, notes } = await this.work(this.query(), job.signal);
      if (job.signal.aborted) return;
      this.result = blob;
      this.showAfter(blob);
      this.say([`Done: ${size(blob)}`, ...notes].join("; "));
    } catch (error) {
      if (this.job === job) this.say(error.name === "AbortError" ? "Stopped." : error.message);
    } finally {
      if (this.job === job) this.job = null;
      this.show();
    }
  }

  query() {
    // faces come first in photos only
    const query = this.settings.query({ brightness: this.asked }).filter(([name]) => name !== "expose_for");
    if (this.settings.strength !== 1) query.push(["strength", String(this.settings.strength)]);
    return query;
  }

  showAfter(blob) {
    if (blob.type.startsWith("image/")) {
      this.after.replaceChildren(make("img", { alt: "Merged", src: this.url(blob) }));
      return;
    }
    const video = this.video(blob, "The relit clip cannot be shown by this browser; it can be downloaded.");
    this.after.replaceChildren(video);
    video.play().catch(() => {}); // where it may not play by itself, there is the button
  }

  video(blob, otherwise) {
    const video = make("video", { muted: true, loop: true, playsInline: true, src: this.url(blob) });
    video.addEventListener("loadedmetadata", () => this.fit(video.videoWidth, video.videoHeight));
    video.addEventListener("error", () => this.say(otherwise));
    for (const name of ["play", "pause", "seeked", "timeupdate"]) video.addEventListener(name, () => this.keepStep());
    return video;
  }

  // Two clips in step: the one before follows.
  keepStep() {
    const { leader } = this;
    const follower = this.before.querySelector("video");
    if (!leader) return;
    if (follower && follower !== leader) {
      if (leader.paused !== follower.paused) leader.paused ? follower.pause() : follower.play().catch(() => {});
      if (Math.abs(follower.currentTime - leader.currentTime) > DRIFT_S) follower.currentTime = leader.currentTime;
    }
    this.play.textContent = leader.paused ? "Play" : "Pause";
    const { currentTime: now, duration } = leader;
    if (duration > 0) {
      this.time.value = String(now / duration);
      this.clock.textContent = `${clock(now)} / ${clock(duration)}`;
      fillTrack(this.time);
    }
  }

  fit(width, height) { this.stage.style.setProperty("--ratio", String(width / height || 16 / 9)); }

  count({ state, frames, total, frames_per_second: speed }) {
    if (state === "waiting") {
      this.say("Waiting for another clip …");
      return;
    }
    if (total) this.progress.value = frames / total;
    const left = total && speed ? `, ${clock(Math.max(total - frames, 0) / speed)} left` : "";
    this.say(`Frame ${frames}${total ? ` of ${total}` : ""}${speed ? `, ${speed.toFixed(1)} a second` : ""}${left}`);
  }

  say(text) { this.status.textContent = text; }

  show() {
    const working = Boolean(this.job);
    this.stop.hidden = !working;
    this.stop.textContent = "Stop";
    this.again.hidden = working;
    this.download.disabled = !this.result || working;
    this.progress.hidden = !working;
    this.options.hidden = !this.settings.takes("brightness");
    if (this.asked !== null) this.brightness.value = String(this.asked);
    this.level.textContent = this.asked === null ? "automatic" : this.asked.toFixed(2);
    fillTrack(this.brightness);
  }

  forget() {
    this.job?.abort();
    this.job = null;
    for (const url of this.urls.splice(0)) URL.revokeObjectURL(url);
    this.before.replaceChildren();
    this.after.replaceChildren();
    this.result = null;
  }

  offerMerge() {
    const button = make("button", { id: "album-merge", title: "Photos of one scene, taken one after the other: one photo with less noise" }, "Merge into one");
    byId("album-start").after(button);
    const fits = () => { button.disabled = !(this.album.items.length > 1 && this.album.items.length <= MOST_MERGED); };
    new MutationObserver(fits).observe(byId("album-list"), { childList: true });
    fits();
    button.addEventListener("click", () => this.merge(this.album.items.map((item) => item.file)));
  }
}
