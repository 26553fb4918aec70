// The one door, as the package's enhancers/api.py: a photo of bytes in, one of bytes out.

import { offBlack, readBlack } from "./black.js";
import { NO_CAST, readCast, times } from "./cast.js";
import constants from "./constants.json" with { type: "json" };
import { CURVES } from "./curves.js";
import { relightHalved } from "./detail.js";
import { isGrey, LUMA, luma, lumaOf, toImage } from "./image.js";
import { litProtection } from "./lit.js";
import { clamp } from "./planes.js";
import { relight } from "./relume.js";
import { findRegions } from "./detectors.js";

const { MACHINE_LEVEL } = constants.machine;
const { HALF_ABOVE } = constants.relume;

// options: { method, parameters, strength, brightness (null: automatic), local (null: the method's),
// protectLit, stops (a plane or null), black (null: read), cast (a share of what is read), exposeFor ("scene": not for faces) }, checked by who asks.
export async function enhance(photo, options, networks) {
  const { method, parameters, strength, brightness, protectLit } = options;
  if (strength === 0 || method === "original" || holdsNoLight(photo)) return photo;
  const takesLocal = method === "relume" || method === "machine";
  const local = options.local ?? (method === "machine" ? 0 : 1);
  const protect = protectLit && brightness === null && !(takesLocal && local);
  const finisher = new Finisher(photo, { protect, strength });
  if (!takesLocal) {
    finisher.curve(CURVES[method](photo, parameters, brightness));
    return finisher.photo;
  }
  const own = method === "machine" ? { ...networks, estimate: async () => MACHINE_LEVEL } : networks;
  const find = options.exposeFor !== "scene" ? (image) => findRegions(image, networks) : null;
  const isHalved = photo.width * photo.height > parameters.half_above_mp * 1e6;
  const isBalanced = method === "relume" && options.cast > 0;
  const seen = seenOf(photo, `${options.black} ${isHalved} ${method}`);
  const work = (image) => {
    seen.black ??= options.black ?? readBlack(image);
    const off = offBlack(image, seen.black);
    const cast = isBalanced ? times((seen.cast ??= readCast(off)), options.cast) : NO_CAST;
    return relight(off, { brightness, local, stops: options.stops, protectLit, find, cast, faithful: method === "relume", seen }, own);
  };
  if (isHalved) {
    await relightHalved(photo, work, (y, rows) => finisher.row(y, rows));
  } else {
    const { channels } = await work(toImage(photo));
    for (let y = 0, at = 0; y < photo.height; y += 1, at += photo.width) {
      finisher.row(y, channels.map((data) => data.subarray(at, at + photo.width)));
    }
  }
  return finisher.photo;
}

// What was read of a photo, which is the same whatever is asked of it: a strip of levels meters once.
const SEEN = new WeakMap();
function seenOf(photo, key) {
  if (!SEEN.has(photo)) SEEN.set(photo, {});
  return (SEEN.get(photo)[key] ??= {});
}

function holdsNoLight({ rgba }) {
  return rgba.every((value, at) => value === 0 || at % 4 === 3);
}

// What detectors look at beside the photo: the method machine, in floats; a large one at half its size
// and grey where the photo is, as with any method.
/**
 * @param {any} image
 * @param {any} networks
 * @param {number | null} [brightness]
 */
export async function machineView(image, networks, brightness = null) {
  const options = { brightness, local: 0, stops: null, protectLit: true, find: null, cast: NO_CAST };
  const work = (of) => relight(offBlack(of, readBlack(of)), options, { ...networks, estimate: async () => MACHINE_LEVEL });
  let out = { ...image, channels: image.channels.map((data) => new Float32Array(data.length)) };
  if (image.width * image.height > HALF_ABOVE * 1e6) {
    await relightHalved(image, work, (y, rows) => rows.forEach((row, n) => out.channels[n].set(row, y * image.width)));
  } else {
    out = await work(image);
  }
  const keepLit = brightness === null ? litProtection(luma(image)) : () => {};
  const [red, green, blue] = image.channels;
  const grey = red.every((value, i) => value === green[i] && value === blue[i]);
  const [before, after] = [[0, 0, 0], [0, 0, 0]];
  for (let i = 0; i < image.width * image.height; i += 1) {
    for (let n = 0; n < 3; n += 1) {
      before[n] = image.channels[n][i];
      after[n] = clamp(out.channels[n][i], 0, 1);
    }
    keepLit(before, after);
    if (grey) after.fill(LUMA[0] * after[0] + LUMA[1] * after[1] + LUMA[2] * after[2]);
    for (let n = 0; n < 3; n += 1) out.channels[n][i] = after[n];
  }
  return out;
}

// Floats to bytes: clamped, lit parts kept, grey if the photo is, blended by strength.
class Finisher {
  constructor(photo, { protect, strength }) {
    this.before = photo;
    this.photo = { ...photo, rgba: new Uint8ClampedArray(photo.rgba.length) };
    this.keepLit = protect ? litProtection(lumaOf(photo)) : null;
    this.grey = isGrey(photo);
    this.strength = strength;
    this.pixel = [0, 0, 0];
    this.old = [0, 0, 0];
  }

  curve(table) {
    const { width, height } = this.before;
    const rows = [0, 1, 2].map(() => new Float32Array(width));
    for (let y = 0, at = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, at += 4) {
        for (let n = 0; n < 3; n += 1) rows[n][x] = table[this.before.rgba[at + n]];
      }
      this.row(y, rows);
    }
  }

  /** @param {number} y @param {Float32Array[]} rows of red, green and blue */
  row(y, [reds, greens, blues]) {
    const { pixel, old, strength, keepLit, before: { width, rgba } } = this;
    const out = this.photo.rgba;
    for (let x = 0, at = 4 * y * width; x < width; x += 1, at += 4) {
      pixel[0] = clamp(reds[x], 0, 1);
      pixel[1] = clamp(greens[x], 0, 1);
      pixel[2] = clamp(blues[x], 0, 1);
      if (keepLit || strength < 1) for (let n = 0; n < 3; n += 1) old[n] = rgba[at + n] / 255;
      if (keepLit) keepLit(old, pixel);
      if (this.grey) pixel.fill(LUMA[0] * pixel[0] + LUMA[1] * pixel[1] + LUMA[2] * pixel[2]);
      if (strength < 1) for (let n = 0; n < 3; n += 1) pixel[n] = old[n] * (1 - strength) + pixel[n] * strength;
      out[at] = 255 * pixel[0]; // clamped arrays round to the nearest
      out[at + 1] = 255 * pixel[1];
      out[at + 2] = 255 * pixel[2];
      out[at + 3] = rgba[at + 3];
    }
  }
}
