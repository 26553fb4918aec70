// The browser gives what the package gives: no value differs by more than one level of 255.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { iou } from "../src/core/detectors.js";
import { holdsLight } from "../src/core/faces.js";
import { toImage } from "../src/core/image.js";
import { clarity, hiddenShare, warning } from "../src/core/quality.js";
import { alphaPixels } from "../src/png.js";
import { launch, makeFixtures, openPage, serveSite, skipPython } from "./browser.js";

const MOST_LEVELS = 1;
const MOST_SCORE = 0.01; // that scores of faces differ
const MOST_SHARE = 0.05; // of values that may differ at all
const MENU = JSON.parse(readFileSync(join(import.meta.dirname, "..", "menu.json")));
const CAST = MENU.options.find(({ name }) => name === "cast").default;
const DEFAULTS = Object.fromEntries(MENU.enhancers.map(({ name, parameters }) =>
  [name, Object.fromEntries(parameters.map((one) => [one.name, one.default]))]));
const skip = skipPython();
let [fixtures, site, browser, page, told] = [];

before(async () => {
  if (skip) return;
  fixtures = makeFixtures();
  site = await serveSite({ folder: fixtures.folder, isolated: true });
  browser = await launch();
  ({ page, told } = await openPage(browser, site.url));
  await page.evaluate(startWorker, { defaults: DEFAULTS, cast: CAST });
});
after(async () => {
  await browser?.close();
  site?.server.close();
  fixtures?.remove();
});

// A worker of our own, and relight(name, options) that asks it for a PNG.
async function startWorker({ defaults, cast }) {
  const worker = new Worker("worker.js", { type: "module" });
  const waiting = new Map();
  worker.addEventListener("message", ({ data }) => waiting.get(data.id)?.(data));
  worker.postMessage({ start: { engine: "wasm", threads: Math.min(4, navigator.hardwareConcurrency) } });
  let count = 0;
  const ask = async (name, blob, asked) => {
    const id = count++;
    const file = { key: id, blob: new File([blob], name, { type: blob.type }) };
    const answer = await new Promise((resolve) => {
      waiting.set(id, resolve);
      worker.postMessage({ id, file, most: 50, ...asked });
    });
    if (answer.error) throw new Error(answer.error.message);
    return answer.result;
  };
  const pixels = async (blob) => {
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  };
  self.compare = async (name, { method = "relume", parameters, ...given }) => {
    const blob = await (await fetch(`fixtures/${name}`)).blob();
    const wanted = new Uint8Array(await (await fetch(`fixtures/${name}.rgba`)).arrayBuffer());
    const stops = given.stops && { ...given.stops, data: Float32Array.from(given.stops.data) };
    const black = given.black === undefined ? null : given.black.split(",").map((level) => Number(level) / 255);
    const options = { exposeFor: "scene", strength: 1, brightness: null, local: null, protectLit: true, cast, ...given, black: black?.length === 1 ? [black[0], black[0], black[0]] : black, method, stops, parameters: { ...defaults[method], ...parameters } };
    const result = await ask(name, blob, { task: "enhance", options, format: "png", quality: null });
    if (name.endsWith("alpha.png")) return Array.from(new Uint8Array(await result.blob.arrayBuffer())); // a canvas rounds
    const got = await pixels(result.blob);
    let [worst, differing] = [0, 0];
    for (let at = 0; at < wanted.length; at += 1) {
      const apart = Math.abs(got[at] - wanted[at]);
      if (apart) differing += 1;
      if (apart > worst) worst = apart;
    }
    return { worst, share: differing / wanted.length, seconds: result.seconds };
  };
  self.detect = async (name, detector, threshold, views) => ask(name, await (await fetch(`fixtures/${name}`)).blob(),
    { task: "detect", detector, threshold, views });
}

// The same for a PNG with transparency.
async function compared(png, name) {
  const [got, wanted] = [await alphaPixels(png), readFileSync(join(fixtures.folder, `${name}.rgba`))];
  const apart = Array.from(wanted, (value, at) => Math.abs(value - got[at]));
  return { worst: apart.reduce((a, b) => Math.max(a, b)), share: apart.filter(Boolean).length / apart.length };
}

test("every picture comes out as Python's relume makes it", { skip }, async (context) => {
  for (const { name, options } of fixtures.cases) {
    await context.test(`${name} ${JSON.stringify({ ...options, stops: options.stops && "..." })}`, async (one) => {
      const answer = await page.evaluate(([n, o]) => self.compare(n, o), [name, options]);
      const { worst, share, seconds = 0 } = Array.isArray(answer) ? await compared(Uint8Array.from(answer), name) : answer;
      one.diagnostic(`${worst} levels at most, ${(100 * share).toFixed(2)} % of values differ, ${seconds.toFixed(2)} s`);
      assert.ok(worst <= MOST_LEVELS, `${worst} levels apart`);
      assert.ok(share <= MOST_SHARE, `${100 * share} % of the values differ`);
    });
  }
  assert.deepEqual(told.outside, []);
});

test("how much stays hidden is what Python's relume says", { skip }, async (context) => {
  const said = new Set();
  for (const { name, rgba, ...wanted } of JSON.parse(readFileSync(join(fixtures.folder, "dark.json")))) {
    await context.test(name, () => {
      const image = toImage({ ...wanted, rgba: Buffer.from(rgba, "base64") });
      const clear = clarity(image);
      assert.ok(Math.abs(clear - wanted.clarity) <= 1e-3 * wanted.clarity + 1e-6, `clarity ${clear} and ${wanted.clarity}`);
      assert.equal(hiddenShare(image), wanted.hidden);
      assert.equal(warning(wanted.hidden), wanted.warning);
      for (const { box, lit } of wanted.boxes) assert.equal(holdsLight(image, box), lit, `light in ${box}`);
      said.add(wanted.hidden);
    });
  }
  assert.deepEqual([...said].sort(), [0, 0.3, 0.5]);
});

// Of two lists of faces: those whose score is too near to the threshold to be in both need not be. What is
// averaged over the same views is the same to a pixel.
function isSameFaces(got, wanted, threshold) {
  const paired = wanted.map((face) => [face, got.find(({ box }) => iou(sides(box), sides(face.box)) > 0.85)]);
  const lone = [...paired.filter(([, mine]) => !mine).map(([face]) => face), ...got.filter((face) => paired.every(([, mine]) => mine !== face))];
  for (const { score } of lone) assert.ok(score < threshold + MOST_SCORE, `a face of ${score} in one of both only`);
  for (const [{ box, score, view, landmarks }, mine] of paired) {
    if (!mine) continue;
    assert.ok(Math.abs(mine.score - score) < MOST_SCORE, `scores ${mine.score} and ${score}`);
    if (mine.view !== view) continue;
    sides(box).forEach((value, n) => assert.ok(Math.abs(sides(mine.box)[n] - value) < 1, `${sides(mine.box)} and ${sides(box)}`));
    landmarks.forEach(([x, y], p) => assert.ok(Math.hypot(mine.landmarks[p][0] - x, mine.landmarks[p][1] - y) < 1));
  }
}

const sides = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];

test("faces are those that Python's relume finds", { skip }, async (context) => {
  const expected = JSON.parse(readFileSync(join(fixtures.folder, "faces.json")));
  for (const { photo, detector, threshold, faces, views, warning: unsure } of expected) {
    await context.test(`${photo} by ${detector} on ${views}`, async () => {
      const got = await page.evaluate((asked) => self.detect(...asked), [photo, detector, threshold, views.slice(0, 2)]);
      assert.deepEqual(got.views, views);
      assert.equal(got.warning, unsure);
      isSameFaces(got.faces, faces, threshold);
    });
  }
  assert.ok(expected.some(({ detector, faces }) => detector === "relume" && faces.length), "no face was compared");
});
