// No number of the exposure is written in JavaScript: all come from the package's own, by constants.json.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";

const CORE = join(import.meta.dirname, "..", "src", "core");
// counts of channels and of bytes a pixel, middles of pixels, and guards of a division
const EVERYWHERE = [0, 1, 2, 3, 4, 0.5, 255, 1e-3, 1e-4, 1e-6, 1e-9, 1e-12];
const OWN = {
  "curves.js": [256, 1000, 50, 0.04045, 12.92, 0.055, 1.055, 2.4, 0.0031308], // a table of bytes, Newton's steps, sRGB's standard
  "detail.js": [0.25, 0.75], // between the middles of pixels of half the size
  "detectors.js": [5, 10], // points, and their numbers
  "enhance.js": [1e6], // megapixels
  "faces.js": [10, 1000], // what is told is rounded to
  "metering.js": [14], // digits of a table's length: of speed, not of light
  "networks.js": [1536], // a tile, of memory
  "planes.js": [100], // percent
  "quality.js": [6], // Immerkaer's mask
};
const NOT_EXPOSURE = ["live.js"]; // a camera's frames, by no file of the package

test("every number of the exposure is the package's", () => {
  const files = readdirSync(CORE).filter((name) => name.endsWith(".js") && !NOT_EXPOSURE.includes(name));
  assert.ok(files.includes("metering.js"));
  const found = files.flatMap((name) => {
    const source = ts.createSourceFile(name, readFileSync(join(CORE, name), "utf8"), ts.ScriptTarget.Latest, true);
    const numbers = /** @type {string[]} */ ([]);
    const walk = (node) => {
      const isLiteral = ts.isNumericLiteral(node) && ![...EVERYWHERE, ...(OWN[name] ?? [])].includes(Number(node.text));
      if (isLiteral) numbers.push(`${name}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} has ${node.getText()}`);
      ts.forEachChild(node, walk);
    };
    walk(source);
    return numbers;
  });
  assert.deepEqual(found, []);
});
