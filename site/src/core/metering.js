// How much light every place of a photo gets: the package's exposure/meter.py and curve.py, line
// for line; their docstrings say why. A test holds both together (test/parity.test.js).

import constants from "./constants.json" with { type: "json" };
import { crop, largest, luma, planeOf, squareRoot } from "./image.js";
import {
  areaResize, boxFilter, clamp, downscale, extremes, guide, guidedFilter, linearResize, map, map2, most, percentile, plane,
  roundEven, smoothstep, sum,
} from "./planes.js";

export const { GAMMA } = constants.color;
const { GAIN_STEP, MOST_FACTOR, MOST_ODDS, SCALE_STEPS, TOLERANCE } = constants.levels;
const C = constants.exposure;
const STEPS = 1 << 14; // of the table that factor() looks values up in, for roots from 0 to 2

// A photo as the meter sees it: small planes of light, luma, and how much each cell counts.
export class Reading {
  /** @typedef {{ width: number, height: number, data: Float32Array }} Plane */
  /** @type {Plane} */ base;
  /** @type {Plane} */ grey;
  /** @type {Plane} */ weight;
  /** @type {Plane} */ slope;
  /** @type {Plane} */ offset;
  /** @type {number} */ level;
  /** @type {number} */ power;
  /** @type {number} */ brightest;
  /** @type {number} */ lamps;
  /** @type {number} */ peak;
  /** @type {number[]} */ content;
  /** @type {number} */ evidence;

  /** @param {Partial<Reading>} fields */
  constructor(fields) { Object.assign(this, fields); }

  // The same where every pixel counts alike, flat ones too, and noise bounds nothing: for what is asked.
  overFrame() {
    return new Reading({ ...this, weight: map(this.weight, () => 1), evidence: 1, ...lampsOf(this.base.data.slice()) });
  }

  // The brightness that suits the photo, if `expected` suits its scene.
  sceneBrightness(expected) {
    const contrast = this.brightest / Math.max(this.level, 1e-4);
    const dark = 1 - smoothstep(this.level, ...C.NIGHT_LEVEL);
    const night = smoothstep(contrast, ...C.NIGHT) * dark * this.lit;
    const aim = Math.max(expected * (1 - C.NIGHT_CUT * night), C.DIMMEST);
    if (this.level >= aim) return this.level;
    const share = 1 - smoothstep(this.power / aim, ...C.SCENE_LIGHT);
    return this.level + share * (aim - this.level);
  }

  // The lift of shadows that brings the mean of what counts to `brightness`.
  shadowGain(brightness, softness, isBounded) {
    if (most(this.weight.data) <= 0 || this.evidence <= 0) return 1;
    const high = gainFor((gain) => this.meanAt(gain, softness), brightness, isBounded ? C.MOST_GAIN : C.MOST_ASKED);
    return !isBounded || high < 1 ? high : high ** this.evidence;
  }

  // The one factor for the whole photo that brings the mean of what counts there.
  overallGain(brightness) {
    return gainFor((factor) => this.mean((grey) => Math.min(grey * factor, 1)), brightness, C.MOST_ASKED);
  }

  // White is not a lamp: where nothing shines, what is brightest is lit as all the rest is.
  get lit() { return smoothstep(this.lamps - C.DIM_WHITE * (1 - smoothstep(this.peak, ...C.SHINES)), ...C.LIT_PLACES); }

  // Base light that the curve lifts by half.
  get toe() { return C.TOE + this.lit * (C.TOE_BESIDE_LAMPS - C.TOE); }

  // Whether the one factor would burn out what is lit, in [0, 1]; else it serves best.
  needsCurve(overall) {
    const beyond = Math.log(Math.max(this.lamps * overall, 1e-3));
    return this.lit * smoothstep(beyond, ...C.BEYOND.map(Math.log));
  }

  softness(brightness) {
    const beyond = this.lamps * this.overallGain(brightness);
    return smoothstep(Math.log(Math.max(beyond, 1e-3)), ...C.FAR_BEYOND.map(Math.log));
  }

  // The plane that encoded values are multiplied with, by a curve() of this `local`.
  factor(image, curve, local) {
    const [slope, offset] = [this.slope, this.offset].map((one) => linearResize(one, image.width, image.height));
    const table = Float64Array.from({ length: STEPS + 1 }, (_, n) => curve(((2 * n) / STEPS) ** 2));
    const out = largest(image);
    const envelope = extremes(extremes(out, C.TEXTURE_PX, Math.max), C.TEXTURE_PX, Math.min).data;
    for (let i = 0; i < out.data.length; i += 1) {
      const root = Math.sqrt(out.data[i]) * slope.data[i] + offset.data[i];
      const at = clamp(root * (STEPS / 2), 0, STEPS - 1);
      const low = Math.floor(at);
      const lift = table[low] + (at - low) * (table[low + 1] - table[low]);
      const room = C.TEXTURE_ROOM / Math.max(envelope[i], 1e-3);
      out.data[i] = Math.min(lift, lift + local * (Math.max(room, Math.min(lift, 1)) - lift));
    }
    return out;
  }

  // The same as a function of base light.
  curve(gain, softness, { overall, local }) {
    const lift = ratio(gain, softness, this.toe);
    return local === 1 ? lift : (base) => lift(base) ** local * overall ** (1 - local);
  }

  meanAt(gain, softness) {
    const curve = ratio(gain, softness, this.toe);
    return this.mean((grey, base) => grey * curve(base));
  }

  // The same where only places count that the map of stops leaves alone.
  outside(stops) {
    const fitted = areaResize(map(stops, Math.abs), this.weight.width, this.weight.height);
    const weight = map2(fitted, this.weight, (asked, own) => (asked < C.UNTOUCHED_STOPS ? own : 0));
    return new Reading({ ...this, weight });
  }

  meanWith(factor) {
    const { width, height, data } = this.weight;
    const small = downscale(factor, width, height);
    return most(data) > 0 ? this.mean((grey, base, i) => Math.min(grey * small.data[i], 1)) : 0;
  }

  // What pixels of a largest channel are multiplied with, or null, so that the mean of what counts
  // is `level`.
  match(picture, level, { byFactor = false } = {}) {
    const { width, height } = this.weight;
    const channels = picture.channels.map((_, n) => downscale(planeOf(picture, n), width, height).data);
    const small = { width, height, channels };
    const [grey, brightest] = [luma(small).data, largest(small).data];
    if (byFactor) return scaling(level, (factor) => weightedMean(this.weight, (i) => Math.min(grey[i] * factor, 1)));
    const bend = (gain) => (value) => gain / (1 + (gain - 1) * value);
    const meanAt = (gain) => weightedMean(this.weight, (i) => grey[i] * bend(gain)(brightest[i]));
    return isMet(meanAt(1), level) ? null : bend(gainFor(meanAt, level, MOST_ODDS));
  }

  // The part of the photo that holds all that counts.
  crop(image) {
    const [x0, y0, x1, y1] = this.content;
    const [top, left] = [Math.trunc(y0 * image.height), Math.trunc(x0 * image.width)];
    const bottom = Math.min(image.height, Math.max(top + 1, roundEven(y1 * image.height)));
    const right = Math.min(image.width, Math.max(left + 1, roundEven(x1 * image.width)));
    return crop(image, left, top, right, bottom);
  }

  get isWhole() { return this.content.join() === "0,0,1,1"; }

  // The mean over what counts of f(luma, base light, cell).
  mean(f) { return weightedMean(this.weight, (i) => f(this.grey.data[i], this.base.data[i], i)); }
}

// Of base light, which is sorted: that of the brightest places, and of the lamps.
function lampsOf(light) {
  light.sort();
  return { brightest: percentile(light, C.BRIGHTEST), lamps: percentile(light, C.LAMPS) };
}

function weightedMean({ data }, f) {
  const total = sum(data);
  let mean = 0;
  for (let i = 0; i < data.length; i += 1) mean += (total > 0 ? data[i] / total : 1 / data.length) * f(i);
  return mean;
}

// The gain in [1 / bound, bound] with which a rising mean reaches `level`, or the nearest.
export function gainFor(meanAt, level, bound) {
  let [low, high] = [1 / bound, bound];
  while (high / low > 1 + GAIN_STEP) {
    const gain = Math.sqrt(low * high);
    if (meanAt(gain) < level) low = gain;
    else high = gain;
  }
  return high;
}

const isMet = (mean, level, within = TOLERANCE) => mean <= 0 || Math.abs(mean / level - 1) < within;

// The one factor, as a function, with which a mean meets `level`, or null; errors below `within` are
// left.
export function scaling(level, meanAt, within = TOLERANCE) {
  let factor = 1;
  for (let n = 0; n < SCALE_STEPS; n += 1) {
    const mean = meanAt(factor);
    if (isMet(mean, level, within)) break;
    factor = clamp((factor * level) / mean, 1 / MOST_FACTOR, MOST_FACTOR);
  }
  return factor === 1 ? null : () => factor;
}

// f(B) / B as a function of base light B.
export function ratio(gain, softness, toe = C.TOE) {
  const power = C.SHOULDER + softness * (C.SOFT_SHOULDER - C.SHOULDER);
  const steep = gain ** power - 1;
  return (base) => {
    const lift = gain * (1 + steep * base ** power) ** (-1 / power);
    if (gain <= 1) return lift;
    return 1 + (lift * (1 - C.HEADROOM * softness * (1 - base)) - 1) * (base / (base + toe));
  };
}

// What the meter sees of an image.
export function meter(image) {
  const scale = Math.min(1, C.METER_SIDE_PX / Math.max(image.height, image.width));
  const size = [image.width, image.height].map((side) => Math.max(1, roundEven(side * scale)));
  const channels = image.channels.map((_, n) => downscale(planeOf(image, n), ...size).data);
  const small = { width: size[0], height: size[1], channels };
  const [root, grey] = [squareRoot(largest(small)), luma(small)];
  let weight = map(flatShare(image, size), (flat) => 1 - smoothstep(flat, ...C.MOSTLY_FLAT));
  const inner = extremes(weight, 3, Math.min); // half of a cell at the border of a frame may be the frame
  if (sum(inner.data) > C.INNER_SHARE * sum(weight.data)) weight = inner;
  const line = guide(root, root, C.METER_RADIUS_PX, C.EDGE_EPS);
  const [slope, offset] = [line.slope, line.offset].map((one) => boxFilter(one, C.METER_RADIUS_PX));
  const base = plane(...size);
  for (let i = 0; i < base.data.length; i += 1) {
    base.data[i] = Math.max(slope.data[i] * root.data[i] + offset.data[i], 0) ** 2;
  }
  const seen = { base, grey, weight, slope, offset };
  if (sum(weight.data) <= 0) {
    return new Reading({ ...seen, level: 0, power: 0, brightest: 0, lamps: 0, peak: 0, content: [0, 0, 1, 1], evidence: 0 });
  }
  const bare = new Reading(seen);
  const level = bare.mean((x) => x);
  const least = C.LEAST_WEIGHT * most(weight.data);
  const inside = content(weight, least);
  return new Reading({
    ...seen,
    level,
    power: bare.mean((x) => Math.sqrt(Math.max(x, 0))) ** 2,
    ...lampsOf(base.data.filter((_, i) => weight.data[i] > least)),
    peak: largestInside(root, inside) ** 2,
    content: inside,
    evidence: evidence(bare, level),
  });
}

// How much of a place is the network's, by the factor that it is lifted with.
export const networkShare = (factor) => smoothstep(GAMMA * Math.log2(Math.max(factor, 1e-6)), ...C.NETWORK_STOPS);

// The factor for a pixel, limited where its largest channel would clip, so that hues stay.
export const limited = (factor, brightest) =>
  Math.min(factor, Math.max(1 / Math.max(brightest, 1e-6), Math.min(factor, 1)));

// An exposure map { width, height, data } of stops at the size of `image`, fitted to its edges.
export function fitStops(stops, image) {
  const { width, height } = image;
  if (stops.width === width && stops.height === height) return stops;
  if (stops.height > height && stops.width > width) return downscale(stops, width, height);
  const large = linearResize(stops, width, height);
  const radius = roundEven(Math.max(height / stops.height, width / stops.width));
  if (radius < 2 || Math.min(height, width) < C.MAP_LEAST_PX) return large;
  const subsample = Math.max(1, Math.floor(radius / C.MAP_SUBSAMPLE));
  return guidedFilter(squareRoot(luma(image)), large, { radius, eps: C.EDGE_EPS, subsample });
}

// The share of pixels that equal their right and lower neighbours: no photograph.
function flatShare(image, size) {
  const step = Math.max(1, Math.floor(Math.sqrt((image.height * image.width) / C.FLAT_SAMPLES)));
  const [rows, columns] = [image.height, image.width].map((side) => Math.floor((side - 1) / step));
  if (rows < 1 || columns < 1) return plane(...size);
  const green = image.channels[1];
  const flat = plane(columns, rows);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const at = y * step * image.width + x * step;
      const here = green[at];
      const apart = Math.max(Math.abs(here - green[at + 1]), Math.abs(here - green[at + image.width]));
      flat.data[y * columns + x] = apart < C.FLAT_STEP ? 1 : 0;
    }
  }
  return areaResize(flat, ...size);
}

// How sure it is, in [0, 1], that the cells show something: that two halves of them tell the same.
function evidence(reading, level) {
  const { grey, weight } = reading;
  const { width } = grey;
  const on = (i) => (Math.floor(i / width / C.SQUARE_PX) + Math.floor((i % width) / C.SQUARE_PX)) % 2;
  const smoothed = (parity) => {
    const part = plane(width, grey.height);
    part.data.set(weight.data.map((x, i) => (on(i) === parity ? x : 0)));
    const light = map2(part, grey, (x, y) => x * Math.min(y, C.MOST_EVIDENT * level));
    const half = map2(boxFilter(light, C.SMOOTH_PX), boxFilter(part, C.SMOOTH_PX), (x, share) => x / Math.max(share, 1e-6));
    const mean = weightedMean(weight, (i) => half.data[i]);
    return half.data.map((x) => x - mean);
  };
  const [one, other] = [smoothed(1), smoothed(0)];
  const together = (a, b) => weightedMean(weight, (i) => a[i] * b[i]);
  const spread = Math.sqrt(together(one, one) * together(other, other));
  return smoothstep(together(one, other) / Math.max(spread, 1e-12), ...C.EVIDENCE);
}

function content({ width, height, data }, least) {
  let [x0, y0, x1, y1] = [width, height, 0, 0];
  data.forEach((value, i) => {
    if (value <= least) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
  });
  return [x0 / width, y0 / height, x1 / width, y1 / height];
}

/**
 * The largest of the cells between the bars.
 * @param {Plane} plane
 * @param {number[]} box
 */
function largestInside({ width, height, data }, [x0, y0, x1, y1]) {
  const [left, right, top, bottom] = [x0 * width, x1 * width, y0 * height, y1 * height].map(roundEven);
  let best = 0;
  for (let y = top; y < bottom; y += 1) for (let x = left; x < right; x += 1) best = Math.max(best, data[y * width + x]);
  return best;
}
