// Methods that send every value through one curve: the package's enhancers/curves.py. A browser's
// photo has 256 values, so each is a table of as many.

import constants from "./constants.json" with { type: "json" };
import { LUMA, subsampleStep } from "./image.js";
import { gainFor } from "./metering.js";
import { clamp } from "./planes.js";

const { SHOULDER } = constants.levels;
const { AUTO_LEVEL, LEAST_EXPONENT, MEAN_SAMPLES, WIDEST_GAIN } = constants.curves;
const VALUES = Float64Array.from({ length: 256 }, (_, value) => value / 255);

// name -> (photo, parameters, brightness or null) -> what each of 256 values becomes.
export const CURVES = {
  gamma({ rgba }, { exponent, normalise }) {
    let [low, high] = [255, 0];
    for (let at = 0; at < rgba.length; at += 1) {
      if (at % 4 === 3) continue;
      if (rgba[at] < low) low = rgba[at];
      if (rgba[at] > high) high = rgba[at];
    }
    if (!normalise || high <= low) return VALUES.map((x) => x ** exponent);
    return VALUES.map((x) => clamp((255 * x - low) / (high - low), 0, 1) ** exponent);
  },

  "auto-gamma"(photo, { target }) {
    const median = clamp(medianLuma(photo), 0.5 / 255, 1 - 0.5 / 255);
    const exponent = clamp(Math.log(target) / Math.log(median), LEAST_EXPONENT, 1);
    return VALUES.map((x) => x ** exponent);
  },

  "auto-exposure"(photo, { max_gain: most }, brightness) {
    const gain = brightness === null ? clamp(exposureGain(photo, AUTO_LEVEL), 1, most) : exposureGain(photo, brightness);
    return gain === 1 ? VALUES : VALUES.map(exposure(gain));
  },
};

// Thousandths of a value are whole numbers, so the median is exact without sorting.
function medianLuma({ rgba }) {
  const [red, green, blue] = LUMA.map((weight) => Math.round(1000 * weight));
  const counts = new Uint32Array(255 * 1000 + 1);
  for (let at = 0; at < rgba.length; at += 4) counts[red * rgba[at] + green * rgba[at + 1] + blue * rgba[at + 2]] += 1;
  const pixels = rgba.length / 4;
  const nth = (n) => {
    let seen = 0;
    return counts.findIndex((count) => (seen += count) > n);
  };
  return (nth(Math.floor((pixels - 1) / 2)) + nth(Math.floor(pixels / 2))) / 2 / (255 * 1000);
}

// `gain` times the light, highlights rolled off instead of clipped.
function exposure(gain) {
  const bend = gain > 1 ? bendFor((gain - SHOULDER) / (1 - SHOULDER)) : 0;
  return (value) => {
    const light = toLinear(value) * gain;
    return clamp(toSrgb(gain > 1 ? rolledOff(light, gain, bend) : light), 0, 1);
  };
}

function rolledOff(light, gain, bend) {
  const t = Math.max(light - SHOULDER, 0) / (gain - SHOULDER);
  const rise = bend < 1e-4 ? t : Math.expm1(-bend * t) / Math.expm1(-bend);
  return Math.min(light, SHOULDER) + (1 - SHOULDER) * rise;
}

// The a > 0 with a / (1 - exp(-a)) = ratio > 1, by Newton's method from above.
function bendFor(ratio) {
  let a = Math.max(ratio, 2 * (ratio - 1));
  for (let n = 0; n < 50; n += 1) {
    const decay = Math.exp(-a);
    const slope = 1 - ratio * decay;
    const step = slope > 1e-12 ? (a - ratio * (1 - decay)) / slope : 0;
    a -= step;
    if (Math.abs(step) < 1e-12 * Math.max(a, 1e-6)) break;
  }
  return Math.max(a, 0);
}

// The gain on linear light that brings the mean grey level to `level`.
function exposureGain(photo, level) {
  const shares = new Float64Array(256); // of each value in the mean grey level
  const step = subsampleStep(photo, MEAN_SAMPLES);
  let pixels = 0;
  for (let y = 0; y < photo.height; y += step) {
    for (let x = 0; x < photo.width; x += step) {
      const at = 4 * (y * photo.width + x);
      LUMA.forEach((weight, n) => { shares[photo.rgba[at + n]] += weight; });
      pixels += 1;
    }
  }
  const meanAt = (gain) => {
    const curve = exposure(gain);
    return shares.reduce((sum, share, value) => (share ? sum + share * curve(VALUES[value]) : sum), 0) / pixels;
  };
  return gainFor(meanAt, level, WIDEST_GAIN);
}

const toLinear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
const toSrgb = (x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * Math.max(x, 0) ** (1 / 2.4) - 0.055);
