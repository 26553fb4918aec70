// The page: a photo, its relit version, and the views of both.

import { byId, detect, enhance, menu as fetchMenu } from "./api.js";
import { Album } from "./album.js";
import { isPicture, relitName, save, smaller, takePictures } from "./files.js";
import { Settings, capital, make, usable } from "./settings.js";
import { Viewer, loaded } from "./viewer.js";

const TABS = ["photo", "methods", "album"];
const PREVIEW_PX = 1280;
const KEPT = 8;
const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/avif"];

const viewer = new Viewer();
let settings;
let album;
let photo = null; // { file, url, shown, results, faces, preview }
let task = new AbortController();

function fail(error) {
  if (error.name === "AbortError") return;
  byId("alert-text").textContent = error.message;
  byId("alert").hidden = false;
}
byId("alert-close").addEventListener("click", () => { byId("alert").hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") byId("alert").hidden = true; });

// A new task ends the one before: only the last answer counts.
function begin() {
  task.abort();
  task = new AbortController();
  byId("alert").hidden = true;
  return task.signal;
}

async function take(files, intoAlbum = false) {
  const pictures = files.filter(({ file }) => isPicture(file));
  if (pictures.length === 0) {
    fail(new Error(files.length === 1 ? `${files[0].file.name} is not a picture.` : "There are no pictures among these files."));
    return;
  }
  atWork(true);
  if (intoAlbum || pictures.length > 1 || files[0].path.includes("/")) {
    album.add(pictures);
    show("album");
    // the other views show the first of them that can be shown
    for (let index = 0; !photo && index < Math.min(pictures.length, 5); index += 1) {
      await open(pictures[index].file, () => {});
    }
  } else {
    show("photo");
    await open(pictures[0].file);
  }
}

// The page with its tools, or the welcome.
function atWork(on) {
  byId("welcome").hidden = on;
  byId("panel").hidden = byId("tabs").hidden = byId("open").hidden = !on;
  if (!on) for (const name of TABS) byId(`view-${name}`).hidden = true;
}

// A photo that cannot be read leaves the one before it where it is.
async function open(file, failed = fail) {
  const signal = begin();
  viewer.work(true);
  try {
    const next = await read(file, signal);
    forget(photo);
    photo = next;
    byId("facts").textContent = file.name;
    await viewer.showBefore(photo.url);
    await refresh();
  } catch (error) {
    if (signal.aborted) return;
    failed(error);
    if (!photo && !album.items.length) atWork(false);
  } finally {
    if (!signal.aborted) viewer.work(false);
  }
}

async function read(file, signal) {
  const next = { file, url: URL.createObjectURL(file), results: new Map(), faces: new Map(), shown: file };
  try {
    await loaded(next.url).catch(async () => {
      // TIFF, HEIC, camera raw: the service shows the browser what it cannot read
      URL.revokeObjectURL(next.url);
      const { blob } = await enhance(file, [["method", "original"], ["format", "png"]], signal);
      next.url = URL.createObjectURL(blob);
      next.shown = null;
    });
    signal.throwIfAborted();
    return next;
  } catch (error) {
    URL.revokeObjectURL(next.url);
    throw error;
  }
}

function forget(one) {
  if (!one) return;
  for (const url of [one.url, ...[...one.results.values()].map((result) => result.url)]) {
    URL.revokeObjectURL(url);
  }
}

const native = () => photo.shown !== null && SHOWN.includes(photo.file.type);
const forLooking = (query) => (native() ? query : [...query, ["format", "png"]]);

async function relit(query, signal, file = photo.file) {
  const key = JSON.stringify([query, file.name, file.size]);
  const { results } = photo;
  if (!results.has(key)) {
    const answer = await enhance(file, query, signal);
    results.set(key, { ...answer, url: URL.createObjectURL(answer.blob) });
    if (results.size > KEPT + usable(settings.menu.enhancers).length) {
      const [oldest, { url }] = results.entries().next().value;
      URL.revokeObjectURL(url);
      results.delete(oldest);
    }
  }
  return results.get(key);
}

async function refresh() {
  if (!photo) return;
  const signal = begin();
  viewer.work(true);
  viewer.name("Relighting …");
  try {
    const result = await relit(forLooking(settings.query()), signal);
    await viewer.showAfter(result.url, settings.strength);
    viewer.name("After");
    tellFacts(result.seconds);
    if (current() === "methods") await compareMethods();
    await showFaces();
  } catch (error) {
    fail(error);
    if (!signal.aborted && byId("after-label").textContent !== "After") {
      viewer.showNothing(); // what was there belongs to other settings
      viewer.showFaces("after", null);
      viewer.name("No result");
    }
  } finally {
    if (!signal.aborted) viewer.work(false);
  }
}

function tellFacts(seconds) {
  const { width, height } = viewer.size;
  const facts = [`${width} × ${height}`, `${((width * height) / 1e6).toFixed(1)} MP`, `${settings.method} in ${seconds.toFixed(2)} s`];
  byId("facts").replaceChildren(make("b", {}, photo.file.name), ` · ${facts.join(" · ")}`);
}

async function showFaces() {
  if (!byId("faces").checked) {
    viewer.showFaces("before", null);
    viewer.showFaces("after", null);
    return;
  }
  const { signal } = task;
  const query = settings.faceQuery();
  byId("faces-told").textContent = "Looking …";
  viewer.work(true);
  try {
    const shown = settings.strength === 1
      ? forLooking(settings.query())
      : forLooking([...settings.query(), ["strength", String(settings.strength)]]);
    const result = await relit(shown, signal);
    const find = async (file, key) => {
      const whole = JSON.stringify([key, query]);
      if (!photo.faces.has(whole)) photo.faces.set(whole, await detect(file, query, signal));
      return photo.faces.get(whole);
    };
    const before = await find(photo.file, "before");
    const after = await find(result.blob, shown);
    viewer.showFaces("before", before);
    viewer.showFaces("after", after);
    byId("faces-told").replaceChildren("Before ", make("b", {}, String(before.faces.length)),
      " · After ", make("b", {}, String(after.faces.length)));
  } catch (error) {
    if (error.name !== "AbortError") byId("faces-told").textContent = "";
    throw error;
  } finally {
    if (!signal.aborted) viewer.work(false);
  }
}

async function preview() {
  photo.preview ??= (await smaller(photo.url, PREVIEW_PX)) ?? photo.file;
  return photo.preview;
}

function chips() {
  const entries = usable(settings.menu.enhancers).filter((entry) => entry.name !== "original");
  byId("method-chips").replaceChildren(...entries.map((entry, index) => {
    const input = make("input", { type: "checkbox", value: entry.name, checked: index < 5 });
    input.addEventListener("change", () => compareMethods().catch(fail));
    return make("label", { title: capital(entry.summary) }, input, make("span", {}, entry.name));
  }));
}

async function compareMethods() {
  if (!photo) return;
  const { signal } = task;
  const file = await preview();
  byId("methods-hint").textContent = file === photo.file
    ? "Choose one to work with it." : `Shown at ${PREVIEW_PX} px. Choose one to work with it.`;
  const names = [...byId("method-chips").querySelectorAll(":checked")].map((input) => input.value);
  const figures = names.map((name) => figure(name));
  byId("method-grid").replaceChildren(...[original(), ...figures.map((one) => one.element)]);
  for (const [index, name] of names.entries()) {
    const query = [...settings.query(name), ...(file === photo.file ? forLooking([]) : [])];
    try {
      figures[index].done(await relit(query, signal, file));
    } catch (error) {
      if (error.name === "AbortError") return;
      figures[index].failed(error);
    }
  }
}

function original() {
  const image = make("img", { src: photo.url, alt: "The original" });
  return make("figure", {}, make("div", { className: "room" }, image), make("figcaption", {}, "original"));
}

function figure(name) {
  const time = make("small", {});
  const choose = make("button", { className: "room", ariaLabel: `Work with ${name}` });
  const element = make("figure", { className: "busy" }, choose, make("figcaption", {}, name, time));
  element.classList.toggle("chosen", name === settings.method);
  choose.addEventListener("click", () => {
    settings.choose(name);
    show("photo");
    refresh();
  });
  return {
    element,
    done: ({ url, seconds }) => {
      element.classList.remove("busy");
      choose.append(make("img", { src: url, alt: `Relit by ${name}` }));
      time.textContent = `${seconds.toFixed(2)} s`;
    },
    failed: (error) => {
      element.classList.remove("busy");
      choose.replaceWith(make("div", { className: "room failed" }, error.message));
    },
  };
}

const current = () => TABS.find((name) => byId(`tab-${name}`).getAttribute("aria-selected") === "true");

function show(tab) {
  for (const name of TABS) {
    const chosen = name === tab;
    byId(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    byId(`view-${name}`).hidden = !chosen;
  }
  byId("stage").scrollTop = 0;
  if (tab === "methods") compareMethods().catch(fail);
}

function listen() {
  takePictures((files, intoAlbum) => take(files, intoAlbum).catch(fail));
  byId("save-here").addEventListener("click", () => byId("download").click());
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => show(name));
  byId("tabs").addEventListener("keydown", (event) => {
    const at = TABS.indexOf(current());
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    const next = TABS[(to + TABS.length) % TABS.length];
    show(next);
    byId(`tab-${next}`).focus();
  });
  settings.addEventListener("change", refresh);
  settings.addEventListener("strength", () => viewer.blend(settings.strength));
  settings.addEventListener("strength-set", () => showFaces().catch(fail));
  settings.addEventListener("faces", () => showFaces().catch(fail));
  byId("download").addEventListener("click", async () => {
    if (!photo) return;
    byId("download").disabled = true;
    try {
      const { blob } = await relit(settings.finalQuery(), undefined);
      save(blob, relitName(photo.file.name, blob));
    } catch (error) {
      fail(error);
    } finally {
      byId("download").disabled = false;
    }
  });
}

try {
  settings = new Settings(await fetchMenu());
  album = new Album(settings, fail);
  album.tell();
  album.addEventListener("look", ({ detail }) => {
    show("photo");
    open(detail);
  });
  if (!settings.menu.formats.some((format) => format.name === "heif")) {
    byId("kinds").textContent = byId("kinds").textContent.replace(", HEIC", "");
  }
  chips();
  listen();
  document.documentElement.dataset.ready = "true";
} catch (error) {
  fail(error);
}
