// The core alone, without a browser, with networks that only tell what they were handed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { relightHalved } from "../src/core/detail.js";
import { enhance, machineView } from "../src/core/enhance.js";
import { toImage } from "../src/core/image.js";
import { plan } from "../src/core/relume.js";
import { alphaPixels, alphaPng } from "../src/png.js";

function photo(width, height, grey = false) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i += 1) {
    const value = 20 + ((i * 7) % 31);
    rgba.set([value, grey ? value : value + 9, grey ? value : value >> 1, 255], 4 * i);
  }
  return { width, height, rgba };
}

function networks(seen) {
  const infer = async (image) => {
    seen.push([image.width, image.height]);
    return { ...image, channels: image.channels.map((data, n) => data.map((x) => x * (2 + 0.1 * n))) };
  };
  return { infer, estimate: async () => 0.4 };
}

test("the machine view of a large photo is relit at half its size", async () => {
  const seen = [];
  const small = await machineView(toImage(photo(300, 200)), networks(seen));
  const large = await machineView(toImage(photo(4001, 1101)), networks(seen));
  assert.deepEqual(seen, [[300, 200], [2001, 551]]);
  assert.deepEqual([small.width, small.height, large.width, large.height], [300, 200, 4001, 1101]);
});

test("the machine view of a grey photo is grey", async () => {
  const { channels: [red, green, blue] } = await machineView(toImage(photo(60, 40, true)), networks([]));
  assert.deepEqual(green, red);
  assert.deepEqual(blue, red);
});

test("three levels of a photo are metered once, and are what each alone would be", async () => {
  const night = photo(90, 60);
  for (let at = 0; at < 4 * 90 * 20; at += 1) if (at % 4 < 3) night.rgba[at] = 230;
  const parameters = { half_above_mp: 4 };
  const level = (of, brightness, own) => enhance(of, { method: "relume", parameters, strength: 1, brightness, local: null, protectLit: true, stops: null, black: null, exposeFor: "scene" }, own);
  let asked = 0;
  const counting = { ...networks([]), estimate: async () => { asked += 1; return 0.4; } };
  const strip = [];
  for (const brightness of [null, 0.3, null]) strip.push((await level(night, brightness, counting)).rgba);
  assert.equal(asked, 1);
  for (const [n, brightness] of [null, 0.3, null].entries()) assert.deepEqual(strip[n], (await level({ ...night }, brightness, networks([]))).rgba);
  assert.notDeepEqual(strip[0], strip[1]);
  const seen = {};
  const options = { local: 1, stops: null, protectLit: true, find: null, seen };
  const planned = [await plan(toImage(night), { ...options, brightness: null }, counting), await plan(toImage(night), { ...options, brightness: 0.3 }, counting)];
  assert.equal(planned[0].reading.base, planned[1].reading.base, "it was metered twice");
});

test("fine detail is the same of bytes and of floats", async () => {
  const [rows, bytes] = [[], photo(61, 43)];
  const relight = async (image) => ({ ...image, channels: image.channels.map((data) => data.map((x) => 3 * x)) });
  for (const source of [bytes, toImage(bytes)]) {
    const all = [];
    await relightHalved(source, relight, (y, colours) => all.push(...colours[1]));
    rows.push(all);
  }
  assert.deepEqual(rows[0], rows[1]);
});

// The pixels of [row, column] lists of numbers, and EXIF that says how they lie.
async function lying(values, orientation) {
  const [width, height] = [values[0].length, values.length];
  const rgba = new Uint8ClampedArray(values.flat().flatMap((value) => [value, value, value, 100]));
  const png = Buffer.from(await (new Blob([await alphaPng({ width, height, rgba })])).arrayBuffer());
  const tiff = Buffer.from(`49492a0008000000010012010300010000000${orientation}00000000000000`, "hex");
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from("eXIf"), tiff, Buffer.alloc(4)]);
  chunk.writeUInt32BE(tiff.length, 0);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

test("a PNG with transparency is upright as its EXIF asks", async () => {
  const wanted = { 1: [1, 2, 3, 4, 5, 6], 2: [3, 2, 1, 6, 5, 4], 3: [6, 5, 4, 3, 2, 1], 4: [4, 5, 6, 1, 2, 3],
    5: [1, 4, 2, 5, 3, 6], 6: [4, 1, 5, 2, 6, 3], 7: [6, 3, 5, 2, 4, 1], 8: [3, 6, 2, 5, 1, 4] };
  for (const [orientation, values] of Object.entries(wanted)) {
    const pixels = await alphaPixels(await lying([[1, 2, 3], [4, 5, 6]], orientation));
    assert.deepEqual([...pixels].filter((_, n) => n % 4 === 0), values, `orientation ${orientation}`);
  }
});
