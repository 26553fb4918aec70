// Lit places keep their own contrast: keep_lit_detail of the package's image/detail.py, by the same
// blocks of rows.

import constants from "./constants.json" with { type: "json" };
import { areaResize, boxFilter, clamp, extremes, linearResize, map, map2, most, plane, smoothstep } from "./planes.js";
import { largest, luma } from "./image.js";

const { BASE_PX, BESIDE_DARK, CONTRAST_PX, LIT, LOST } = constants.detail;
const { BLOCK_VALUES } = constants.parallel;

// `after`, changed in place: where it is lit and lost contrast, the luma's detail of `before`.
export function keepLitDetail(before, after, strength) {
  const { width, height } = before;
  const values = 3 * width * height;
  const rows = values <= BLOCK_VALUES ? height
    : Math.max(2, Math.floor(Math.floor((BLOCK_VALUES * height) / values) / 2) * 2);
  const reach = BASE_PX + CONTRAST_PX;
  const ratios = new Float32Array(width * height).fill(1);
  for (let top = 0; top < height; top += rows) {
    const [first, last] = [Math.max(0, top - reach), Math.min(height, top + rows + reach)];
    const ratio = detailRatio(luma(rowsOf(before, first, last)), rowsOf(after, first, last), strength);
    const bottom = Math.min(top + rows, height);
    if (ratio) ratios.set(ratio.subarray((top - first) * width, (bottom - first) * width), top * width);
  }
  for (const data of after.channels) for (let i = 0; i < data.length; i += 1) data[i] *= ratios[i];
  return after;
}

const rowsOf = ({ width, channels }, first, last) => ({
  width, height: last - first, channels: channels.map((data) => data.subarray(first * width, last * width)),
});

// What values are multiplied with, or null where nothing is lit. What is smooth is found at half size.
function detailRatio(old, after, strength) {
  const { width, height } = old;
  const half = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const smallOld = areaResize(old, ...half);
  const { mean, contrast } = contrastOf(smallOld);
  if (most(mean.data) <= LIT[0]) return null;
  const fresh = luma(after);
  const smallNew = areaResize(fresh, ...half);
  const darkest = extremes(mean, BASE_PX >> 1, Math.min);
  const now = contrastOf(smallNew).contrast;
  const small = plane(...half);
  for (let i = 0; i < small.data.length; i += 1) {
    const lit = smoothstep(mean.data[i], ...LIT) * smoothstep(darkest.data[i], ...BESIDE_DARK) * strength;
    const lost = (contrast.data[i] - now.data[i]) / Math.max(contrast.data[i], 1e-3);
    small.data[i] = lit * clamp(lost / LOST, 0, 1);
  }
  const apart = boxFilter(map2(smallNew, smallOld, (a, b) => a - b), BASE_PX >> 2);
  const [share, base] = [small, apart].map((one) => linearResize(one, width, height).data);
  const brightest = largest(after).data;
  return fresh.data.map((value, i) => {
    const wanted = Math.max(value + share[i] * (base[i] + old.data[i] - value), Math.min(old.data[i], value));
    const ratio = Math.min(wanted, 1) / Math.max(value, 1e-3);
    return Math.min(ratio, Math.max(1 / Math.max(brightest[i], 1e-3), 1));
  });
}

function contrastOf(one) {
  const [mean, square] = [one, map(one, (x) => x * x)].map((each) => boxFilter(each, CONTRAST_PX >> 2));
  return { mean, contrast: map2(square, mean, (x, m) => Math.sqrt(Math.max(x - m * m, 0))) };
}
