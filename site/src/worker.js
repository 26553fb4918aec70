// All the work, away from the page: it goes on answering while a photo is relit.

import { fetchAssets } from "./assets.js";
import { detect } from "./core/faces.js";
import { enhance } from "./core/enhance.js";
import { meanLevelOf, toImage } from "./core/image.js";
import { LiveRelighter } from "./core/live.js";
import { Networks } from "./core/networks.js";
import { decode, encode, Refused } from "./picture.js";
import { openEngine, openPicture } from "./engines.js";

/* global ASSETS -- file names, sizes and hashes, put in by the build */
const STOPPED = "AbortError";

let networks; // a promise of them, once start() was called
let kind; // of the engine, once they are there
let live = null; // a promise of what relights a camera's frames, once there was one
const cancelled = new Set();
const SMALL = 2e6; // pixels of the copies that the page makes of a photo
/** @type {{ file: number, photo: any }[]} the last photo and its last small copy: settings are tried on both */
let decoded = [];

async function start({ engine, threads }) {
  const able = await openEngine.choose(engine);
  const { plain, jspi, fast, ...weights } = ASSETS;
  const wanted = { ...weights, engine: able === "webgpu" ? jspi : plain };
  const progress = (done, total) => postMessage({ loading: { done, total } });
  const bytes = await fetchAssets(wanted, progress, [...Object.values(wanted), fast]);
  const { ort, sessions, name } = await openEngine(able, threads, bytes);
  kind = name;
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

  async detect({ file, detector, threshold, views, most }) {
    const photo = await photoOf(file, most);
    const { width, height } = photo;
    return { width, height, ...(await detect(photo, { detector, threshold, views }, await networks)) };
  },

  // A frame of a camera, whose sides are multiples of 16.
  async frame({ bitmap, brightness, first }) {
    live ??= openLive();
    const relighter = await live.catch((error) => {
      live = null; // with the next frame it is tried again
      throw error;
    });
    if (first) relighter.forget();
    const { width, height } = bitmap;
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }));
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const rgba = context.getImageData(0, 0, width, height).data;
    const relit = await relighter.frame(toImage({ width, height, rgba }), brightness);
    return createImageBitmap(toPicture(relit));
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

// The fast network arrives with the first frame.
async function openLive() {
  const { ort, sessions } = await networks;
  const progress = (done, total) => postMessage({ loading: { done, total } });
  const { fast } = await fetchAssets({ fast: ASSETS.fast }, progress, Object.values(ASSETS));
  const picture = await openPicture(ort, kind, fast);
  postMessage({ ready: { engine: kind, threads: ort.env.wasm.numThreads } });
  return new LiveRelighter(new Networks(ort, { ...sessions, picture }));
}

// An image of floats in [0, 1] as bytes.
function toPicture({ width, height, channels }) {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  channels.forEach((data, n) => { for (let i = 0, at = n; i < data.length; i += 1, at += 4) rgba[at] = 255 * data[i]; });
  return new ImageData(rgba, width, height);
}

const isSmall = ({ width, height }) => width * height <= SMALL;

async function photoOf(file, most) {
  const kept = decoded.find((one) => one.file === file.key);
  if (kept) return kept.photo;
  const photo = await decode(file.blob, most);
  decoded = [...decoded.filter((one) => isSmall(one.photo) !== isSmall(photo)), { file: file.key, photo }];
  return photo;
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
    if (task !== "smaller" && task !== "frame") {
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
  const large = decoded.some(({ photo }) => photo.width * photo.height > 1e6);
  decoded = [];
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
