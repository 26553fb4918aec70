// All the work, away from the page: it goes on answering while a photo is relit.

import { fetchAssets } from "./assets.js";
import { detect } from "./core/faces.js";
import { enhance } from "./core/enhance.js";
import { meanLevelOf } from "./core/image.js";
import { Networks } from "./core/networks.js";
import { decode, encode, Refused } from "./picture.js";
import { openEngine } from "./engines.js";

/* global ASSETS -- file names, sizes and hashes, put in by the build */
const STOPPED = "AbortError";

let networks; // a promise of them, once start() was called
const cancelled = new Set();
/** @type {{ file: number | null, photo: any }} */
let decoded = { file: null, photo: null }; // the last one: settings are tried on the same photo

async function start({ engine, threads }) {
  const kind = await openEngine.choose(engine);
  const { plain, jspi, yunet, ...weights } = ASSETS;
  const wanted = { ...weights, engine: kind === "webgpu" ? jspi : plain, ...(yunet && { yunet }) };
  const bytes = await fetchAssets(wanted, (done, total) => postMessage({ loading: { done, total } }));
  const { ort, sessions, name } = await openEngine(kind, threads, bytes);
  postMessage({ ready: { engine: name, threads } });
  return new Networks(ort, sessions);
}

const TASKS = {
  async enhance({ file, options, format, quality, most }) {
    const began = performance.now();
    const photo = await photoOf(file, most);
    const relit = await enhance(photo, options, await networks);
    const after = meanLevelOf(relit);
    const blob = await encode(relit, format, quality);
    return { blob, seconds: (performance.now() - began) / 1000, before: meanLevelOf(photo), after, note: photo.note };
  },

  async detect({ file, threshold, views, most }) {
    const photo = await photoOf(file, most);
    const { width, height } = photo;
    return { width, height, ...(await detect(photo, { threshold, views }, await networks)) };
  },

  // A copy of a photo that is too large for this device.
  async smaller({ file, megapixels }) {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
    if (!bitmap) throw new Refused(`${file.name}: this browser cannot make a smaller copy of it.`);
    const scale = Math.sqrt((megapixels * 1e6) / (bitmap.width * bitmap.height));
    const board = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (board.getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, board.width, board.height);
    bitmap.close();
    return board.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  },
};

async function photoOf(file, most) {
  if (decoded.file !== file.key) decoded = { file: file.key, photo: await decode(file.blob, most) };
  return decoded.photo;
}

/** @param {any} message what the page asked for */
async function work({ id, task, ...asked }) {
  // between tiles, messages come in: a job may be cancelled
  const turn = () => new Promise((resolve) => { setTimeout(resolve); });
  const goOn = async () => {
    await turn();
    if (cancelled.has(id)) throw new DOMException("stopped", STOPPED);
  };
  try {
    if (task !== "smaller") {
      (await networks).onTile = goOn;
      await goOn();
    }
    postMessage({ id, result: await TASKS[task](asked) });
  } catch (error) {
    postMessage({ id, error: told(error, asked) });
  } finally {
    cancelled.delete(id);
  }
}

// A sentence for people; what ran out of memory is the photo's size, not its fault.
/**
 * @param {any} error
 * @param {any} asked
 */
function told(error, { file }) {
  const { name, smaller = null } = error;
  if (name === STOPPED || error instanceof Refused) return { name, message: error.message, smaller };
  const large = decoded.photo && decoded.photo.width * decoded.photo.height > 1e6;
  decoded = { file: null, photo: null };
  if (large && /memory|allocat|array length|bad_alloc|out of bounds/i.test(String(error.message ?? error))) {
    const message = `${file.blob.name}: this device has too little memory for a photo of that size.`;
    return { name: "TooLarge", message, smaller: 4 };
  }
  return { name, message: error.message ?? String(error) };
}

addEventListener("message", ({ data }) => {
  if (data.cancel !== undefined) {
    cancelled.add(data.cancel);
  } else if (data.start) {
    networks = start(data.start);
    networks.catch((error) => postMessage({ failed: error.message ?? String(error) }));
  } else {
    work(data);
  }
});
