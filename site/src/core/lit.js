// What is lit well enough stays: the package's LitProtection (image/exposure.py), for methods that
// expose a photo as a whole.

import constants from "./constants.json" with { type: "json" };
import { LUMA, subsample } from "./image.js";
import { clamp, downscale, most, roundEven, smoothstep, sum } from "./planes.js";

const {
  CELLS, DARK_LEVEL, GATE, HEADROOM, KNEE, LAMP, LAMP_LEVEL, LIT_LEVEL, LIT_SAMPLES, NO_HEADROOM, NO_LAMP,
} = constants.levels;

// For a photo of this luma (a plane): a function that blends the original back, pixel by pixel,
// (before, after), three floats each.
export function litProtection(grey) {
  const sample = subsample(grey, LIT_SAMPLES).data;
  const level = sum(sample.map((x) => Math.min(x, LAMP_LEVEL))) / sample.length;
  const gate = GATE * smoothstep(level, DARK_LEVEL, LIT_LEVEL);
  const scale = Math.min(1, CELLS / Math.max(grey.height, grey.width));
  const size = [grey.width, grey.height].map((side) => Math.max(1, roundEven(side * scale)));
  const headroom = HEADROOM * smoothstep(most(downscale(grey, ...size).data), NO_LAMP, LAMP);
  return (before, after) => {
    const lit = headroom < NO_HEADROOM ? 0 : litShare(lumaAt(before), lumaAt(after), headroom);
    const share = 1 - (1 - gate) * (1 - lit);
    for (let n = 0; n < 3; n += 1) after[n] += share * (before[n] - after[n]);
  };
}

const lumaAt = (pixel) => LUMA[0] * pixel[0] + LUMA[1] * pixel[1] + LUMA[2] * pixel[2];

function litShare(before, after, headroom) {
  const rise = after - before;
  if (rise <= 0) return 0;
  const knee = (KNEE * headroom) / HEADROOM;
  const ceiling = 1 + headroom * Math.expm1((before - 1) / headroom);
  const near = Math.max(knee - Math.abs(after - ceiling), 0);
  const target = Math.min(after, ceiling) - (near * near) / (4 * knee);
  return clamp((after - Math.max(target, before)) / Math.max(rise, 1e-6), 0, 1);
}
