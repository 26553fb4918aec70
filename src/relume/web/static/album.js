// A folder of pictures: a list, a progress bar, an archive at the end.

import { byId, capital, make } from "./dom.js";
import { isClip, relitName, save, smaller } from "./files.js";
import { loaded } from "./viewer.js";
import { zip } from "./zip.js";

const THUMB_PX = 160;
const NAMED = 5; // of the files that were left out

export class Album extends EventTarget {
  constructor(engine, settings, fail) {
    super();
    this.engine = engine;
    this.settings = settings;
    this.fail = fail;
    this.items = [];
    this.stop = /** @type {AbortController | null} */ (null);
    this.skipped = [];
    this.previews = Promise.resolve(); // one after the other
    byId("album-start").addEventListener("click", () => (this.stop ? this.stop.abort() : this.run()));
    byId("album-save").addEventListener("click", () => this.save());
    settings.addEventListener("update", () => this.update());
    this.update();
  }

  // files: [{ file, path }]; others: the paths of those that are no pictures.
  add(files, others = []) {
    this.items.push(...files.map(({ file, path }) => this.item(file, path)));
    this.items.sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
    byId("album-list").replaceChildren(...this.items.map((item) => item.row));
    this.skipped.push(...others);
    this.update();
  }

  // The brightness of its own that a photo of the album has, or null: automatic.
  level(file) {
    return this.items.find((item) => item.file === file)?.brightness ?? null;
  }

  setLevel(file, level) {
    const item = this.items.find((one) => one.file === file);
    if (!item || item.brightness === level) return;
    item.brightness = level;
    item.level.value = level ?? "";
    this.update();
  }

  // The photo before or after this one, if there is one.
  beside(file, step) {
    const at = this.items.findIndex((item) => item.file === file);
    return at < 0 ? undefined : this.items[at + step];
  }

  // The photo that the other views show.
  mark(file) {
    for (const item of this.items) item.row.classList.toggle("chosen", item.file === file);
  }

  item(file, path) {
    const state = make("span", { className: "state" }, "waiting");
    const before = make("span", { className: "thumb" });
    const after = make("span", { className: "thumb" });
    const keep = make("button", { className: "quiet", hidden: true, ariaLabel: `Download ${path}` }, "Save");
    const look = make("button", { className: "look", title: "Compare before and after" }, before, after,
      make("span", { className: "text" }, make("span", { className: "name" }, path), state));
    const { min, max } = byId("brightness");
    const level = make("input", { type: "number", min, max, step: 0.01, placeholder: "automatic", ariaLabel: `Brightness of ${path}`, title: "Brightness of this photo" });
    const row = make("li", {}, look, level, keep);
    const item = { file, path, row, state, after, keep, level, failed: false, asked: "", query: [],
      brightness: /** @type {number | null} */ (null), blob: /** @type {Blob | null} */ (null) };
    level.addEventListener("change", () => {
      if (!level.reportValidity()) return;
      item.brightness = level.value === "" ? null : Number(level.value);
      this.update();
      this.dispatchEvent(new CustomEvent("level", { detail: item }));
    });
    look.addEventListener("click", () => this.dispatchEvent(new CustomEvent("look", { detail: item })));
    keep.addEventListener("click", () => save(item.blob, relitName(path.split("/").pop(), item.blob)));
    this.thumbnail(before, file);
    return item;
  }

  // One after the other; what the browser cannot read (HEIC, camera raw) the engine shows it.
  thumbnail(place, file) {
    this.previews = this.previews.then(async () => {
      const url = URL.createObjectURL(file);
      try {
        await this.draw(place, url);
      } catch {
        const { blob } = await this.engine.enhance(file, [["method", "original"], ["format", "jpeg"]]);
        const shown = URL.createObjectURL(blob);
        await this.draw(place, shown).finally(() => URL.revokeObjectURL(shown));
      } finally {
        URL.revokeObjectURL(url);
      }
    }).catch(() => {}); // what nobody can read says so when it is relit
  }

  async draw(place, url) {
    await loaded(url);
    const small = await smaller(url, THUMB_PX);
    const own = small ? URL.createObjectURL(small) : url;
    const image = make("img", { alt: "", src: own });
    await image.decode();
    if (small) URL.revokeObjectURL(own);
    place.replaceChildren(image);
  }

  async run() {
    this.stop = new AbortController();
    const { signal } = this.stop;
    const todo = this.items.filter((item) => !this.isDone(item));
    for (const item of todo) Object.assign(item, { blob: null, failed: false, query: this.query(item), asked: this.asked(item) });
    this.update();
    const work = async () => {
      for (let item = todo.shift(); item && !signal.aborted; item = todo.shift()) {
        await this.relight(item, item.query, signal);
        this.update();
      }
    };
    // one more than the service has workers: the next upload runs while a picture is worked on
    const lanes = this.settings.menu.limits.workers + 1;
    await Promise.all(Array.from({ length: lanes }, work));
    this.stop = null;
    this.update();
  }

  query({ brightness }) { return this.settings.finalQuery({ brightness }); }
  asked(item) { return JSON.stringify(this.query(item)); }

  // Whether it has what would be asked for now.
  isDone(item) { return Boolean(item.blob) && item.asked === this.asked(item); }

  async relight(item, query, signal) {
    item.state.textContent = "working …";
    try {
      const { blob, seconds, after } = await this.engine.enhance(item.file, query, { signal });
      item.blob = blob;
      this.thumbnail(item.after, new File([blob], item.file.name, { type: blob.type }));
      item.keep.hidden = false;
      item.state.textContent = `${after >= 0 ? `brightness ${after.toFixed(2)}, ` : ""}done in ${seconds.toFixed(2)} s`;
    } catch (error) {
      item.failed = error.name !== "AbortError";
      item.asked = "";
      const said = error.message.replace(`${item.file.name}: `, ""); // the row has its name
      item.state.textContent = item.failed ? capital(said) : "stopped";
    }
    item.row.classList.toggle("failed", item.failed);
  }

  update() {
    const count = this.items.length;
    const done = this.items.filter((item) => item.blob).length;
    const failed = this.items.filter((item) => item.failed).length;
    byId("album-progress", HTMLProgressElement).max = Math.max(count, 1);
    byId("album-progress", HTMLProgressElement).value = done + failed;
    byId("album-status").textContent = count
      ? `${done} of ${count} relit${failed ? `, ${failed} failed` : ""}`
      : "Add several photos, or a whole folder: all are relit with the same settings, each to its own brightness.";
    byId("album-skipped").hidden = this.skipped.length === 0;
    const [named, rest] = [this.skipped.slice(0, NAMED).join(", "), this.skipped.length - NAMED];
    const alone = this.engine.sendClip && this.skipped.some((name) => isClip({ type: "", name }));
    byId("album-skipped").textContent = `Not photos, left out: ${named}${rest > 0 ? ` and ${rest} more` : ""}`
      + `${alone ? ". A clip is relit by itself: open it alone." : ""}`;
    byId("album-list").classList.toggle("level", this.settings.takes("brightness"));
    byId("album-settings").textContent = count ? `With ${this.settings.words()}` : "";
    const finished = count > 0 && !this.stop && this.items.every((item) => item.failed || this.isDone(item)) && done > 0;
    byId("album-start").classList.toggle("primary", !finished);
    byId("album-save").classList.toggle("primary", finished);
    byId("album-start").textContent = this.stop ? "Stop" : "Relight all";
    byId("album-start").disabled = count === 0;
    byId("album-save").disabled = done === 0 || Boolean(this.stop);
  }

  async save() {
    const taken = new Set();
    const entries = this.items.filter((item) => item.blob).map((item) => {
      const folders = item.path.split("/").slice(0, -1);
      let path = [...folders, relitName(item.path.split("/").pop(), item.blob)].join("/");
      for (let n = 2; taken.has(path); n += 1) path = path.replace(/(?: \(\d+\))?(\.[^.]*)$/, ` (${n})$1`);
      taken.add(path);
      return { path, blob: item.blob };
    });
    try {
      save(await zip(entries), "relume.zip");
    } catch (error) {
      this.fail(error);
    }
  }
}
