// A folder of pictures: a list, a progress bar, an archive at the end.

import { byId, enhance } from "./api.js";
import { make } from "./settings.js";
import { zip } from "./zip.js";
import { relitName, save } from "./files.js";

export class Album extends EventTarget {
  constructor(settings, fail) {
    super();
    this.settings = settings;
    this.fail = fail;
    this.items = [];
    this.stop = null;
    byId("album-start").addEventListener("click", () => (this.stop ? this.stop.abort() : this.run()));
    byId("album-save").addEventListener("click", () => this.save());
  }

  // files: [{ file, path }]
  add(files) {
    for (const { file, path } of files) this.items.push(this.item(file, path));
    this.tell();
  }

  item(file, path) {
    const state = make("span", { className: "state" }, "waiting");
    const before = make("span", { className: "thumb" }, thumbnail(URL.createObjectURL(file)));
    const after = make("span", { className: "thumb" });
    const keep = make("button", { className: "quiet", hidden: true, ariaLabel: `Download ${path}` }, "Save");
    const look = make("button", { className: "look", title: "Look at it" }, path);
    look.addEventListener("click", () => this.dispatchEvent(new CustomEvent("look", { detail: file })));
    const name = make("span", { className: "name" }, look, state);
    const row = make("li", {}, before, after, name, keep);
    byId("album-list").append(row);
    const item = { file, path, row, state, after, keep, blob: null, failed: false, asked: "" };
    keep.addEventListener("click", () => save(item.blob, relitName(path.split("/").pop(), item.blob)));
    return item;
  }

  async run() {
    this.stop = new AbortController();
    const { signal } = this.stop;
    const query = this.settings.finalQuery();
    const asked = JSON.stringify(query);
    const todo = this.items.filter((item) => item.asked !== asked || !item.blob);
    for (const item of todo) Object.assign(item, { blob: null, failed: false, asked });
    this.tell();
    const work = async () => {
      for (let item = todo.shift(); item && !signal.aborted; item = todo.shift()) {
        await this.relight(item, query, signal);
        this.tell();
      }
    };
    // one more than the service has workers: the next upload runs while a picture is worked on
    const lanes = this.settings.menu.limits.workers + 1;
    await Promise.all(Array.from({ length: lanes }, work));
    this.stop = null;
    this.tell();
  }

  async relight(item, query, signal) {
    item.state.textContent = "working …";
    try {
      const { blob, seconds } = await enhance(item.file, query, signal);
      item.blob = blob;
      item.after.replaceChildren(thumbnail(URL.createObjectURL(blob)));
      item.keep.hidden = false;
      item.state.textContent = `done in ${seconds.toFixed(2)} s`;
    } catch (error) {
      item.failed = error.name !== "AbortError";
      item.asked = "";
      item.state.textContent = item.failed ? error.message : "stopped";
    }
    item.row.classList.toggle("failed", item.failed);
  }

  tell() {
    const count = this.items.length;
    const done = this.items.filter((item) => item.blob).length;
    const failed = this.items.filter((item) => item.failed).length;
    byId("album-progress").max = Math.max(count, 1);
    byId("album-progress").value = done + failed;
    byId("album-told").textContent = count
      ? `${done} of ${count} relit${failed ? `, ${failed} failed` : ""}`
      : "Drop a folder, or several pictures at once.";
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

// What the browser cannot show (HEIC, camera raw) leaves its place empty.
function thumbnail(url) {
  const image = make("img", { alt: "", loading: "lazy", src: url });
  image.addEventListener("load", () => URL.revokeObjectURL(url));
  image.addEventListener("error", () => image.remove());
  return image;
}
