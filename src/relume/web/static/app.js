// The page: a photo, its relit version, and the views of both.

import { Album } from "./album.js";
import { listenForCamera } from "./camera.js";
import { Clip } from "./clip.js";
import { Compare } from "./compare.js";
import { byId, capital, make } from "./dom.js";
import { engine } from "./engine.js";
import { tally } from "./faces.js";
import { isClip, isPicture, noPicture, relitName, sameBytes, save, smaller, takePictures, useFormats } from "./files.js";
import { Levels } from "./levels.js";
import { Paint } from "./paint.js";
import { Settings, usable } from "./settings.js";
import { TABS, current, listenToTabs, select } from "./tabs.js";
import { Viewer, loaded } from "./viewer.js";

const PREVIEW_PX = 1280;
const LEVEL_PX = 320;
const SKETCH_PX = 800; // of the first answer, where the whole photo takes too long:
const PATIENCE_S = { stroke: 0.6, other: 1.5 };
const LARGE = 4e6; // pixels from which it does, as long as nobody knows
const KEPT = 12;
const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/avif"];

const viewer = new Viewer();
let settings;
let album;
let levels;
let compare;
let paint;
let clip;
let photo = null; // { file, url, native, results, faces, previews, done: its result is shown }
let task = new AbortController();

function fail(error) {
  if (error.name === "AbortError") return;
  byId("alert-text").textContent = error.message;
  offer(error);
  byId("alert").hidden = false;
}

// A photo that is too large for the engine: a smaller copy, if the browser can make one.
function offer({ smaller: megapixels, file }) {
  const button = byId("alert-smaller");
  button.hidden = !(megapixels && file);
  button.textContent = `Use a copy of ${megapixels} megapixels`;
  button.onclick = async () => {
    dismiss();
    try {
      await take([{ file: await engine.smaller(file, megapixels), path: file.name }]);
    } catch (error) {
      fail(error);
    }
  };
}

const dismiss = () => { byId("alert").hidden = true; };
byId("alert-close").addEventListener("click", dismiss);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") dismiss(); });

// A new task ends the one before: only the last answer counts.
function begin() {
  task.abort();
  task = new AbortController();
  return task.signal;
}

async function take(files, intoAlbum = false) {
  if (files.length === 1 && isClip(files[0].file) && "sendClip" in engine) {
    dismiss();
    clip.open(files[0].file);
    return;
  }
  const pictures = files.filter(({ file }) => isPicture(file));
  const others = files.filter(({ file }) => !isPicture(file)).map(({ path }) => path);
  if (pictures.length === 0) {
    fail(new Error(files.length === 1 ? noPicture(files[0].file) : "There are no pictures among these files."));
    return;
  }
  atWork(true);
  if (intoAlbum || files.length > 1 || files[0].path.includes("/")) {
    album.add(pictures, others);
    show("album");
    // the other views show the first of them that can be shown
    for (let index = 0; !photo && index < Math.min(album.items.length, 5); index += 1) {
      await open(album.items[index].file, () => {});
    }
    showTurn();
  } else {
    show("photo");
    await open(pictures[0].file);
  }
}

// The page with its tools, or the welcome.
function atWork(on) {
  const isFocused = byId("welcome").contains(document.activeElement);
  byId("welcome").hidden = on;
  byId("panel").hidden = byId("tabs").hidden = byId("open").hidden = byId("title").hidden = !on;
  if (on && isFocused) byId("stage").focus({ preventScroll: true }); // it would be lost
  if (on) return;
  for (const name of TABS) byId(`view-${name}`).hidden = true;
  delete byId("main").dataset.tab;
}

// A photo that cannot be read leaves the one before it where it is.
async function open(file, failed = fail) {
  dismiss();
  const signal = begin();
  viewer.work("Opening …");
  try {
    const next = await read(file, signal);
    forget(photo);
    photo = next;
    levels.forget();
    settings.begin(album.level(file)); // an absolute level belongs to one photo
    byId("facts").textContent = file.name;
    byId("note").textContent = byId("faces-summary").textContent = "";
    settings.exposed(false);
    showSave();
    byId("title").textContent = file.name;
    document.title = `${file.name} · relume`;
    await viewer.showBefore(photo.url);
    paint.open(viewer.size);
    showTurn();
    await refresh();
  } catch (error) {
    if (signal.aborted) return;
    failed(Object.assign(error, { file }));
    if (photo && !photo.done) resume(); // it was still being relit
    else if (!photo && !album.items.length) atWork(false);
  } finally {
    if (!signal.aborted) viewer.work(null);
  }
}

async function read(file, signal) {
  const next = { file, url: URL.createObjectURL(file), results: new Map(), faces: new Map(), previews: new Map() };
  next.native = SHOWN.includes(file.type);
  try {
    const still = file.type === "image/gif" ? Promise.reject() : loaded(next.url); // a GIF may move
    await still.catch(async () => {
      // TIFF, HEIC, camera raw: the engine shows the browser what it cannot read
      URL.revokeObjectURL(next.url);
      const { blob } = await engine.enhance(file, [["method", "original"], ["format", "png"]], { signal });
      next.url = URL.createObjectURL(blob);
      next.native = false;
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

const forLooking = (query) => (photo.native ? query : [...query, ["format", "png"]]);

const keyOf = (query, file, exposure) => JSON.stringify([query, file.name, file.size, exposure]);

async function relit(query, signal, file = photo.file, exposure = null) {
  const key = keyOf(query, file, exposure);
  const { results } = photo;
  if (!results.has(key)) {
    const answer = await engine.enhance(file, query, { signal, exposure });
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
  dismiss();
  await resume();
}

async function resume() {
  if (!photo) return;
  album.setLevel(photo.file, settings.brightness);
  const signal = begin();
  viewer.work("Relighting …");
  viewer.name("Relighting …");
  try {
    const exposure = paint.exposure();
    if (!exposure) settings.found(NaN);
    if (isSlow(exposure)) await sketch(exposure, signal);
    const result = await relit(forLooking(settings.query()), signal, photo.file, exposure);
    await viewer.showAfter(result.url, settings.strength);
    signal.throwIfAborted();
    paint.answered();
    viewer.name("After");
    viewer.work(null);
    Object.assign(photo, { seconds: result.seconds, done: true });
    showSave();
    if (!exposure) settings.found(result.after);
    showFacts(result);
    settings.exposed(await isSameForFaces(result, exposure));
    if (current() === "methods") await compareMethods();
    await fillLevels(exposure ? NaN : result.after, signal);
    await showFaces();
  } catch (error) {
    if (isOfThePhoto(error)) viewer.refuse(error.message);
    else fail(Object.assign(error, { file: photo.file }));
    if (!signal.aborted && byId("after-label").textContent !== "After") {
      viewer.showNothing(); // what was there belongs to other settings
      viewer.name("No result");
      photo.done = false;
      showSave();
    }
  } finally {
    if (!signal.aborted) viewer.work(null);
  }
}

// Whether the engine cannot take the photo, whatever it is asked: a truncated one, say.
const isOfThePhoto = ({ name, status, smaller: megapixels }) => name !== "AbortError" && !megapixels
  && !photo.results.size && (status === undefined || status === 415 || status === 422);

// Whether faces first and the whole scene gave the same file; while only one is known, nobody knows.
async function isSameForFaces({ blob }, exposure) {
  const other = photo.results.get(keyOf(forLooking(settings.query({ exposeFor: settings.otherExposure })), photo.file, exposure));
  return Boolean(other) && sameBytes(blob, other.blob);
}

const isSlow = (exposure) => (photo.seconds === undefined ? viewer.size.width * viewer.size.height > LARGE
  : photo.seconds > (exposure ? PATIENCE_S.stroke : PATIENCE_S.other));

// What the photo will look like, at once, by a small copy; the photo itself comes after it.
async function sketch(exposure, signal) {
  const file = await preview(SKETCH_PX);
  if (file === photo.file) return;
  const { url } = await relit([...settings.query(), ["format", "jpeg"]], signal, file, exposure);
  await viewer.showAfter(url, settings.strength);
  paint.answered();
}

function cancel() {
  if (byId("cancel").textContent !== "Cancel") {
    refresh();
    return;
  }
  dismiss();
  begin();
  if (photo) {
    viewer.stop();
    byId("faces-summary").textContent = "";
    if (byId("after-label").textContent !== "After") viewer.name("Stopped");
  } else {
    viewer.work(null);
    if (!album.items.length) atWork(false);
  }
}

function showFacts({ seconds, before, after, note }) {
  byId("note").textContent = note ? `${capital(note)}.` : "";
  const { width, height } = viewer.size;
  const facts = after >= 0 ? [`brightness ${before.toFixed(2)} → ${after.toFixed(2)}`] : [];
  facts.push(`${settings.method} in ${seconds.toFixed(2)} s`);
  facts.push(`${width} × ${height}, ${((width * height) / 1e6).toFixed(1)} MP`);
  byId("facts").replaceChildren(make("b", {}, photo.file.name), ` · ${facts.join(" · ")}`);
}

// The small copy's own level may differ by a hundredth from what the whole photo came to.
async function fillLevels(level, signal) {
  const base = settings.query({ brightness: null });
  const file = await preview(LEVEL_PX);
  const known = settings.brightness === null ? level : NaN;
  await levels.fill(JSON.stringify(base), known, (more) =>
    relit([...base, ...more, ...(file === photo.file ? forLooking([]) : [])], signal, file));
}

async function showFaces() {
  if (!byId("faces").checked) {
    viewer.showFaces(null);
    return;
  }
  const { signal } = task;
  const query = settings.faceQuery();
  const key = JSON.stringify(query);
  const summary = byId("faces-summary");
  try {
    if (!photo.faces.has(key)) {
      summary.textContent = "Searching …";
      viewer.work("Searching for faces …");
      const { faces } = photo;
      const search = engine.detect(photo.file, query, signal);
      faces.set(key, search); // asked for twice, it is searched once
      search.catch(() => faces.delete(key));
    }
    const found = await photo.faces.get(key);
    viewer.showFaces(found);
    summary.replaceChildren(...tally(found));
  } catch (error) {
    if (error.name !== "AbortError") summary.textContent = "";
    throw error;
  } finally {
    if (!signal.aborted) viewer.work(null);
  }
}

// The photo no longer than this, for looking at many results at once.
async function preview(sidePx) {
  const { previews } = photo;
  if (!previews.has(sidePx)) previews.set(sidePx, (await smaller(photo.url, sidePx)) ?? photo.file);
  return previews.get(sidePx);
}

async function compareMethods() {
  if (!photo) return;
  const { signal } = task;
  const file = await preview(PREVIEW_PX);
  const whole = file === photo.file;
  const hint = `${whole ? "" : `Shown at ${PREVIEW_PX} px. `}Choose one to work with it.`;
  await compare.show(photo.url, hint, (name) =>
    relit([...settings.query({ method: name }), ...(whole ? forLooking([]) : [])], signal, file));
}

function show(tab) {
  select(tab);
  byId("stage").scrollTop = 0;
  scrollTo(0, 0); // a phone scrolls the whole page
  if (tab === "methods") compareMethods().catch(fail);
}

// The photo among those of the album, and which one Download is for.
function showTurn() {
  const item = album.items.find((one) => one.file === photo?.file);
  byId("turn").hidden = !item || album.items.length < 2;
  byId("previous").disabled = !album.beside(photo?.file, -1);
  byId("next").disabled = !album.beside(photo?.file, 1);
  byId("download").textContent = album.items.length && photo ? `Download ${photo.file.name}` : "Download";
  album.mark(photo?.file);
}

function turn(step) {
  const item = album.beside(photo?.file, step);
  if (item) open(item.file);
}

async function download() {
  if (!photo) return;
  showSave(true);
  try {
    const { blob } = await relit(settings.finalQuery(), undefined, photo.file, paint.exposure());
    save(blob, relitName(photo.file.name, blob));
  } catch (error) {
    fail(error);
  } finally {
    showSave();
  }
}

// Saved is what has been seen: there has to be a result.
function showSave(isSaving = false) {
  for (const id of ["download", "save-here"]) byId(id).disabled = isSaving || !photo?.done;
}

function listen() {
  takePictures((files, intoAlbum) => take(files, intoAlbum).catch(fail));
  listenForCamera((file) => take([{ file, path: file.name }]).catch(fail));
  listenToTabs(show);
  settings.addEventListener("change", refresh);
  settings.addEventListener("update", () => paint.allow(settings.takes("local")));
  paint.addEventListener("change", refresh);
  settings.addEventListener("strength", () => viewer.blend(settings.strength));
  settings.addEventListener("faces", () => { if (photo) showFaces().catch(fail); });
  compare.addEventListener("change", () => compareMethods().catch(fail));
  compare.addEventListener("choose", ({ detail }) => {
    settings.choose(detail);
    show("photo");
    refresh();
  });
  album.addEventListener("level", ({ detail }) => {
    if (detail.file !== photo?.file) return;
    settings.begin(detail.brightness);
    refresh();
  });
  album.addEventListener("look", ({ detail }) => {
    show("photo");
    open(detail.file);
  });
  byId("cancel").addEventListener("click", cancel);
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("download").addEventListener("click", download);
  byId("save-here").addEventListener("click", download);
}

try {
  settings = new Settings(await engine.methods());
  useFormats(settings.menu);
  album = new Album(engine, settings, fail);
  clip = new Clip(engine, settings, album);
  levels = new Levels(settings);
  compare = new Compare(settings);
  paint = new Paint(viewer);
  paint.allow(settings.takes("local"));
  listen();
  document.documentElement.dataset.ready = "true";
} catch (error) {
  fail(error);
}
