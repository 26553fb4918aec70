// How dark a photo is, and how many of its faces may stay hidden: the package's faces/quality.py, and
// what faces/views.py asks of the light.

import { offBlack, readBlack } from "./black.js";
import constants from "./constants.json" with { type: "json" };
import { crop, luma, meanLevel, subsample } from "./image.js";
import { areaResize, boxFilter, roundEven, sum } from "./planes.js";

const { BLACK_BELOW, DARK_BELOW, MAD_OF_NORMAL, NOISE_PIXELS, NOISY_DARK_BELOW, NOISY_FROM } = constants.views;
const { CELLS, HIDDEN, PIXELS, ROUNDING } = constants.quality;

// Whether a photograph may hide faces: it is dark, or half dark and noisy.
export function isDark(image) {
  const level = meanLevel(image);
  if (level < DARK_BELOW || level >= NOISY_DARK_BELOW) return level < DARK_BELOW;
  return relativeNoise(luma(image)) > NOISY_FROM;
}

// Whether half of a photograph or more is so dark that a single view may miss a face. The camera's
// black is no light.
export function isNearlyBlack(image) {
  const light = luma(offBlack(image, readBlack(image)));
  return median(subsample(light, NOISE_PIXELS).data) < BLACK_BELOW;
}

// The share of faces that may be expected to stay hidden: 0 in a good photograph.
export function hiddenShare(image, black = isNearlyBlack(image)) {
  if (!black) return 0;
  const clear = clarity(image);
  return HIDDEN.find(([below]) => clear < below)?.[1] ?? 0;
}

// What a visitor is told about that share, or null.
export function warning(hidden) {
  if (hidden === 0) return null;
  const share = hidden >= 0.5 ? "half of the faces or more stay" : "about 3 faces in 10 stay";
  return `too dark to be sure: in photographs like this ${share} hidden`;
}

// The contrast of a photograph's large areas over the noise of a point.
export function clarity(image) {
  const shrink = Math.min(1, Math.sqrt(PIXELS / (image.width * image.height)));
  const size = [image.width, image.height].map((side) => Math.max(1, roundEven(side * shrink)));
  const grey = areaResize(luma(image), ...size);
  const cell = Math.max(...size) / CELLS;
  const areas = areaResize(grey, ...size.map((side) => Math.max(2, roundEven(side / cell)))).data;
  const [mean, level] = [areas, grey.data].map((values) => sum(values) / values.length);
  const spread = Math.sqrt(areas.reduce((total, value) => total + (value - mean) ** 2, 0) / areas.length);
  return spread / Math.max(level * relativeNoise(grey), ROUNDING);
}

// Immerkaer's mask over the grey level around it: the median of both, in the picture's middle.
function relativeNoise(grey) {
  const share = Math.min(1, Math.sqrt(NOISE_PIXELS / (grey.height * grey.width)));
  const [top, left] = [grey.height, grey.width].map((side) => Math.trunc((side * (1 - share)) / 2));
  const middle = crop({ ...grey, channels: [grey.data] }, left, top, grey.width - left, grey.height - top);
  const { width, height, channels: [data] } = middle;
  const around = boxFilter({ width, height, data }, 1);
  const at = (x, y) => data[folded(y, height) * width + folded(x, width)];
  const values = new Float32Array(data.length);
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
      const edges = at(x, y - 1) + at(x, y + 1) + at(x - 1, y) + at(x + 1, y);
      values[i] = Math.abs(corners - 2 * edges + 4 * data[i]) / 6 / Math.max(around.data[i], 1 / 255);
    }
  }
  return median(values) / MAD_OF_NORMAL;
}

// 2 1 | 0 1 2 | 1 0: OpenCV's filter2D does not repeat the border.
const folded = (at, size) => (size === 1 ? 0 : at < 0 ? -at : at >= size ? 2 * size - 2 - at : at);

function median(values) {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
