// Full-size results from half-size ones: the package's image/detail.py, row by row from the photo's
// bytes, so that no float of the full size is ever in memory.

import constants from "./constants.json" with { type: "json" };
import { halve, LUMA, luma, rowOf, subsampleStep } from "./image.js";
import { boxFilter, clamp, guide, map, percentile, plane, reflected } from "./planes.js";

const { ENERGY_SAMPLES, FLAT, GAIN_RADIUS_PX, MOST_GAIN, NOISE_K, QUIET, WINDOW_PX } = constants.detail;
const REACH_PX = 4 * WINDOW_PX; // of the Gaussian window of the energy
const KERNEL = gaussian();

function gaussian() {
  const raw = Array.from({ length: 2 * REACH_PX + 1 }, (_, n) => Math.exp(-((n - REACH_PX) ** 2) / (2 * WINDOW_PX ** 2)));
  const total = raw.reduce((a, b) => a + b);
  return raw.map((weight) => weight / total);
}

// `relight` of a photo, or an image of floats, at half its size, at full size again with the photo's own detail:
// finish(y, [red, green, blue]) is called with every row's floats.
export async function relightHalved(photo, relight, finish) {
  const small = halve(photo);
  const after = await relight(small);
  const before = luma(small);
  const gain = localGain(before, luma(after));
  const detail = new Detail(photo, before);
  const noise = detail.noise();
  const { width, height } = photo;
  const planes = [gain, ...after.channels.map((data) => plane(after.width, after.height, data))];
  const rows = planes.map(() => new Float32Array(width));
  for (let y = 0; y < height; y += 1) {
    const [own, energy] = [detail.row(y), detail.energy(y)];
    planes.forEach((one, n) => enlargedRow(one, y, rows[n]));
    const [gains, ...colours] = rows;
    for (let x = 0; x < width; x += 1) {
      const share = Math.max(energy[x] - noise, 0) / (energy[x] + 1e-9);
      const added = share * own[x] * gains[x];
      colours[0][x] += added;
      colours[1][x] += added;
      colours[2][x] += added;
    }
    finish(y, colours);
  }
}

// The photo's luma without what half the size holds, and its local energy, a row at a time.
class Detail {
  constructor(photo, before) {
    this.photo = photo;
    this.before = before;
    this.rows = new Map();
  }

  row(y) {
    if (this.rows.has(y)) return this.rows.get(y);
    for (const known of this.rows.keys()) if (known < y - 3 * REACH_PX) this.rows.delete(known);
    const out = enlargedRow(this.before, y, new Float32Array(this.photo.width));
    const [red, green, blue] = rowOf(this.photo, y);
    for (let x = 0; x < out.length; x += 1) out[x] = LUMA[0] * red[x] + LUMA[1] * green[x] + LUMA[2] * blue[x] - out[x];
    this.rows.set(y, out);
    return out;
  }

  // The energy around every step-th pixel of a row.
  energy(y, step = 1) {
    const { width, height } = this.photo;
    const down = new Float32Array(width);
    for (let n = -REACH_PX; n <= REACH_PX; n += 1) {
      const row = this.row(reflected(y + n, height));
      const weight = KERNEL[n + REACH_PX];
      for (let x = 0; x < width; x += 1) down[x] += weight * row[x] * row[x];
    }
    const out = new Float32Array(Math.ceil(width / step));
    for (let i = 0, x = 0; x < width; i += 1, x += step) {
      const inner = x >= REACH_PX && x < width - REACH_PX;
      let sum = 0;
      for (let n = 0; n < KERNEL.length; n += 1) {
        const at = x + n - REACH_PX;
        sum += KERNEL[n] * down[inner ? at : reflected(at, width)];
      }
      out[i] = sum;
    }
    return out;
  }

  noise() {
    const step = subsampleStep(this.photo, ENERGY_SAMPLES);
    const [across, down] = [Math.ceil(this.photo.width / step), Math.ceil(this.photo.height / step)];
    const all = new Float32Array(across * down);
    for (let n = 0; n < down; n += 1) all.set(this.energy(n * step, step), n * across);
    this.rows.clear();
    return NOISE_K ** 2 * percentile(all.sort(), QUIET);
  }
}

// Row y of a plane at twice its size, bilinearly, as far as `out` reaches.
function enlargedRow({ width, height, data }, y, out) {
  const middle = y >> 1;
  const beside = clamp(y % 2 ? middle + 1 : middle - 1, 0, height - 1);
  const [near, far] = [middle * width, beside * width];
  const mixed = (x) => 0.75 * data[near + x] + 0.25 * data[far + x];
  let [left, here] = [mixed(0), mixed(0)];
  for (let x = 0; x < width; x += 1) {
    const right = x + 1 < width ? mixed(x + 1) : here;
    out[2 * x] = 0.25 * left + 0.75 * here;
    out[2 * x + 1] = 0.75 * here + 0.25 * right; // past the end of an odd row it is dropped
    left = here;
    here = right;
  }
  return out;
}

// The local slope of `after` over `before`.
const localGain = (before, after) =>
  boxFilter(map(guide(before, after, GAIN_RADIUS_PX, FLAT).slope, (slope) => clamp(slope, 0, MOST_GAIN)), GAIN_RADIUS_PX);
