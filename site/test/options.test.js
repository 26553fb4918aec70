// Every option of the menu through the page's own engine: taken and effective, or refused; never ignored.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { enhance } from "../src/core/enhance.js";
import { readQuery } from "../src/query.js";

const MENU = JSON.parse(readFileSync(join(import.meta.dirname, "..", "menu.json")));
const VALUES = { strength: "0.5", brightness: "0.3", local: "0.25", expose_for: "scene", black: "20,3,9", protect_lit: "false", cast: "1" };
const WRONG = { strength: "2", brightness: "0", local: "-1", expose_for: "people", black: "20,3", cast: "much" };
const SHARED = MENU.options.map(({ name }) => name).filter((name) => !["format", "quality"].includes(name));

// A room, dark but for a lit corner, and black that was lifted.
function room(dark) {
  const [width, height] = [90, 60];
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const light = x < 30 && y < 25 ? 200 : dark;
      const value = light * (0.6 + 0.4 * Math.sin(x / 5) * Math.cos(y / 4));
      rgba.set([20 + value, 3 + 0.7 * value, 9 + 0.4 * value, 255], at);
    }
  }
  return { width, height, rgba };
}

// Networks that do what they are asked without drawing; `searches` counts how often faces were looked for.
function networks() {
  const told = { searches: 0 };
  const infer = async (image, small, brightness, gain, scale) => {
    const level = small.channels.flatMap((data) => [...data]).reduce((a, b) => a + b) / (3 * small.width * small.height);
    const channels = image.channels.map((data) => data.map((x, i) => Math.min(1, (x * brightness * scale * (gain ? gain.data[i] : 1)) / level)));
    return { ...image, channels };
  };
  const found = (cells, width) => ({ data: new Float32Array(cells * width) });
  const run = async ({ image: { dims } }) => {
    told.searches += 1;
    return Object.fromEntries([8, 16, 32].flatMap((stride) => {
      const cells = (dims[2] / stride) * (dims[3] / stride);
      return [[`cls_${stride}`, found(cells, 1)], [`bbox_${stride}`, found(cells, 4)], [`kps_${stride}`, found(cells, 10)]];
    }));
  };
  class Tensor { constructor(_, data, dims) { Object.assign(this, { data, dims }); } }
  return { told, infer, estimate: async () => 0.4, onTile: async () => {}, ort: { Tensor }, usualDetector: "relume", sessions: { detectors: { relume: { run } } } };
}

const result = async (query, { own = networks(), dark = 14 } = {}) => (await enhance(room(dark), readQuery(MENU, query).options, own)).rgba;

for (const { name: method, options } of MENU.enhancers.filter(({ name }) => name !== "original")) {
  for (const option of SHARED) {
    test(`${option} of ${method}`, async () => {
      const query = [["method", method], [option, VALUES[option]]];
      assert.ok(VALUES[option], "a new option needs a value here");
      if (!options.includes(option)) {
        assert.throws(() => readQuery(MENU, query), { message: `${method} takes no ${option}.` });
        return;
      }
      if (WRONG[option]) assert.throws(() => readQuery(MENU, [query[0], [option, WRONG[option]]]), { message: new RegExp(`^${option} must be .*, got ${WRONG[option]}\\.$`) });
      if (option === "expose_for") { // seen by whether faces are looked for, where places differ
        const searches = async (more) => {
          const own = networks();
          await result([["method", method], ["local", "1"], ...more], { own });
          return own.told.searches;
        };
        assert.equal(await searches([["expose_for", "scene"]]), 0);
        assert.ok(await searches([["expose_for", "faces"]]) > 0);
        return;
      }
      // what is lit is kept by one exposure for all: where places differ it is kept anyway
      const isLit = option === "protect_lit";
      const beside = isLit && options.includes("local") ? [["local", "0"]] : [];
      const made = (more) => result([["method", method], ...more, ...beside], { dark: isLit ? 90 : 14 });
      const [asked, usual] = [await made([query[1]]), await made([])];
      const most = asked.reduce((worst, value, n) => Math.max(worst, Math.abs(value - usual[n])), 0);
      assert.ok(most > 3, `it changes values by ${most} at most`);
    });
  }
}

test("what no method has is refused", () => {
  assert.throws(() => readQuery(MENU, [["method", "relume"], ["loudness", "1"]]), /relume takes no loudness/);
  assert.throws(() => readQuery(MENU, [["method", "bright"]]), /no method bright/);
  assert.throws(() => readQuery(MENU, [["method", "gamma"], ["param", "exponents=2"]]), /gamma has no parameter exponents/);
  assert.throws(() => readQuery(MENU, [["method", "gamma"], ["param", "exponent=much"]]), /exponent must be .* got much/);
});
