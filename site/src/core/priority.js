// Faces that the exposure of their scene would leave dark: the package's exposure/faces.py,
// whose docstring says why.

import constants from "./constants.json" with { type: "json" };
import { downscaleImage, largest, luma } from "./image.js";
import { GAMMA, limited, ratio } from "./metering.js";
import { extremes, linearResize, map, most, percentile, plane, roundEven, sum } from "./planes.js";

const {
  DARK_SHARE, FACE_BEND, FACE_DARK, FACE_INNER, FACE_LOWER, FACE_REACH, FACE_ROOM, FLOOR, GIVEN_UP, HIGHLIGHTS, MOST_FACE_STOPS, MOST_GAIN,
  SEARCH_GAIN, SEARCH_PX, SURENESS, TOE, UNTOUCHED_STOPS, USUAL_BRIGHTNESS,
} = constants.exposure;

// Stops that faces lack, a plane of the reading's size, or null if they lack none. `curve` is what
// places of a base light will be multiplied with in any case; find(image) gives [{ box, weight }]
// in shares of the sides; `share` of what is lacking is given.
export async function priorityStops(image, reading, curve, brightness, find, share) {
  const factor = map(reading.base, curve);
  const { width, height } = factor;
  const exposed = plane(width, height, reading.base.data.map((base, i) => Math.min(base * factor.data[i], 1)));
  const floor = FLOOR * Math.min(1, brightness / USUAL_BRIGHTNESS) ** (1 / 3);
  const dark = extremes(map(exposed, (value) => (value < FACE_DARK * floor ? 1 : 0)), 3, Math.min).data;
  if (sum(dark) / dark.length < DARK_SHARE) return null;
  const lit = exposedCopy(image, factor);
  const light = linearResize(exposed, lit.width, lit.height).data;
  const brighter = ratio(SEARCH_GAIN, 1);
  const shown = { ...lit, channels: lit.channels.map((data) => data.map((value, i) => value * brighter(light[i]))) };
  const stops = plane(width, height);
  const grey = luma(lit);
  for (const region of await find(shown)) {
    const inside = valuesInside(region, grey);
    if (!inside.length) continue;
    const highlights = Math.max(percentile(inside.sort(), HIGHLIGHTS), 1 / 255);
    spread(region, missingStops(highlights, floor) * region.weight * share, exposed, stops);
  }
  for (let i = 0; i < stops.data.length; i += 1) {
    const base = reading.base.data[i];
    const bound = GAMMA * Math.log2(MOST_GAIN / Math.max(factor.data[i], 1));
    stops.data[i] = Math.min((stops.data[i] * reading.evidence * base) / (base + TOE), bound);
  }
  return most(stops.data) < UNTOUCHED_STOPS ? null : stops;
}

// A small copy times the factor, as it will be seen.
function exposedCopy(image, factor) {
  const scale = Math.min(1, SEARCH_PX / Math.max(image.height, image.width));
  const size = [image.width, image.height].map((side) => Math.max(1, roundEven(side * scale)));
  const small = downscaleImage(image, ...size);
  const [brightest, lift] = [largest(small).data, linearResize(factor, ...size).data];
  const channels = small.channels.map((data) => data.map((value, i) => value * limited(lift[i], brightest[i])));
  return { ...small, channels };
}

// Stops that a face lacks whose highlights have this luma.
function missingStops(highlights, floor) {
  const below = Math.max(GAMMA * Math.log2(floor / highlights), 0);
  return Math.min(SURENESS * (below - GIVEN_UP * (1 - Math.exp(-below / GIVEN_UP))), MOST_FACE_STOPS);
}

// The lift, where it is as dark as in the region and near it, into `stops` where it is more.
function spread(region, lift, exposed, stops) {
  const inside = valuesInside(region, exposed);
  if (!inside.length) return;
  const gain = 2 ** (lift / GAMMA);
  const bound = FACE_ROOM * gain * Math.max(sum(inside) / inside.length, 1e-4);
  const away = distance(region.box, exposed, FACE_REACH, FACE_LOWER);
  for (let i = 0; i < stops.data.length; i += 1) {
    const part = Math.min(exposed.data[i] / bound, 1) ** FACE_BEND;
    const bend = Math.log2(1 + (gain ** FACE_BEND - 1) * part) / FACE_BEND;
    stops.data[i] = Math.max(stops.data[i], (lift - GAMMA * bend) / (1 + away[i] ** 3));
  }
}

function valuesInside({ box }, one) {
  const away = distance(box, one, [FACE_INNER / 2, FACE_INNER / 2], 0);
  return one.data.filter((_, i) => away[i] < 1);
}

// Squared distance of every cell from the box's middle, 1 at `axes` times its width and height.
function distance([x0, y0, x1, y1], { width, height }, axes, lower) {
  const [wide, high] = [Math.max(x1 - x0, 1 / width), Math.max(y1 - y0, 1 / height)];
  const out = new Float32Array(width * height);
  for (let i = 0; i < out.length; i += 1) {
    const x = ((i % width) + 0.5) / width - (x0 + x1) / 2;
    const y = (Math.floor(i / width) + 0.5) / height - (y0 + y1) / 2 - lower * high;
    out[i] = (x / (axes[0] * wide)) ** 2 + (y / (axes[1] * high)) ** 2;
  }
  return out;
}
