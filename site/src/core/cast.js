// The cast: the package's exposure/cast.py, line for line; its docstring says why. A test holds both
// together (test/parity.test.js).

import { bounds, smallCopy } from "./black.js";
import constants from "./constants.json" with { type: "json" };
import { LUMA, largest, luma } from "./image.js";
import { smoothstep } from "./planes.js";

const C = constants.exposure;

export const NO_CAST = { red: 0, blue: 0 };

// Red and blue over green of what is grey, as logarithms to base 2, as far as there is evidence.
export function readCast(image) {
  const cells = smallCopy(image);
  const { width, height } = cells;
  if (Math.min(width, height) <= C.PARTS) return NO_CAST;
  const [grey, brightest] = [luma(cells).data, largest(cells).data];
  const signal = grey.map((value, i) => Number(value > C.CAST_SIGNAL && brightest[i] < C.CAST_CLIPS));
  const held = (x, y) => {
    for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v += 1) {
      for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u += 1) if (!signal[v * width + u]) return false;
    }
    return true;
  };
  const [reds, blues] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  for (const [y0, y1] of bounds(0, height - 1)) {
    for (const [x0, x1] of bounds(0, width - 1)) {
      const edges = [0, 0, 0];
      let count = 0;
      for (let y = y0; y < y1; y += 1) {
        for (let x = x0; x < x1; x += 1) {
          if (!held(x, y)) continue;
          count += 1;
          const at = y * width + x;
          cells.channels.forEach((data, n) => { edges[n] += Math.hypot(data[at + 1] - data[at], data[at + width] - data[at]); });
        }
      }
      if (count < C.CAST_HELD * (y1 - y0) * (x1 - x0)) continue;
      const [red, green, blue] = edges.map((sum) => Math.log2(sum / count + C.CAST_ROUNDED));
      reds.push(red - green);
      blues.push(blue - green);
    }
  }
  let share = smoothstep(reds.length, ...C.CAST_PARTS);
  if (share === 0) return NO_CAST;
  const [red, blue] = [median(reds), median(blues)];
  share *= smoothstep(red - blue, ...C.CAST_WARM) * smoothstep(-blue, ...C.CAST_BLUER) * (1 - smoothstep(-red, ...C.CAST_GREENER));
  share *= 1 - smoothstep(Math.max(Math.abs(red), Math.abs(blue)), ...C.CAST_MOST);
  if (share === 0) return NO_CAST;
  const spread = median(reds.map((value) => Math.abs(value - red))) + median(blues.map((value) => Math.abs(value - blue)));
  return times({ red, blue }, share * (1 - smoothstep(spread / (red - blue), ...C.CAST_SPREAD)));
}

export const times = ({ red, blue }, share) => ({ red: red * share, blue: blue * share });

// The image, in place, the share at each pixel of the cast taken off; luma stays.
export function takeCastOff({ red, blue }, image, shareAt) {
  if (red === 0 && blue === 0) return image;
  const [reds, greens, blues] = image.channels;
  const lumaAt = (i) => LUMA[0] * reds[i] + LUMA[1] * greens[i] + LUMA[2] * blues[i];
  for (let i = 0; i < reds.length; i += 1) {
    const share = shareAt(i) * (1 - smoothstep(Math.max(reds[i], greens[i], blues[i]), ...C.CAST_GLOWS));
    const before = lumaAt(i);
    reds[i] *= 2 ** (-red * share);
    blues[i] *= 2 ** (-blue * share);
    const kept = before / Math.max(lumaAt(i), 1e-6);
    for (const data of image.channels) data[i] *= kept;
  }
  return image;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
