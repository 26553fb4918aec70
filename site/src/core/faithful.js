// The photo's own texture, put back where the network wiped it away, and colour that too little light
// has: the package's image/texture.py, whose docstring says why. A test holds both together.

import constants from "./constants.json" with { type: "json" };
import { LUMA, halve, luma } from "./image.js";
import { boxFilter, clamp, linearResize, map2, percentile, plane, smoothstep } from "./planes.js";

const { CHROMA_RADIUS_PX, FAINT, FLAT, LEAST_CHROMA, LIGHT, MOST_GAIN, MOST_SLOPE, NOISE_K, QUIET, RADIUS_PX, ROUNDED, STRONGEST, WARM } = constants.texture;

// `after`, changed in place: its luma with the texture of `before` that it lacks.
export function putBackTexture(before, after) {
  const { width, height } = before;
  if (Math.min(width, height) < 2) return after;
  const doubled = (half) => doubledTo(half, width, height);
  const [old, fresh] = [luma(before), luma(after)];
  const [mean, level] = [old, fresh].map((one) => boxFilter(halfOf(one), RADIUS_PX));
  const gain = map2(level, mean, (l, m) => Math.min(l / Math.max(m, 1e-4), MOST_GAIN));
  const own = map2(old, doubled(mean), (value, m) => value - m);
  const result = map2(map2(fresh, doubled(level), (value, l) => value - l), doubled(gain), (value, g) => value / Math.max(g, 1e-3));
  const [both, square] = [own, result].map((one) => boxFilter(halfOf(map2(one, result, (a, b) => a * b)), RADIUS_PX));
  const slope = map2(both, map2(square, mean, (s, m) => s + (FLAT * m) ** 2 + 1e-9), (b, s) => clamp(b / s, 0, MOST_SLOPE));
  const followed = map2(doubled(slope), result, (s, r) => s * r);
  const lost = map2(own, followed, (o, f) => o - f);
  const energy = boxFilter(halfOf(map2(lost, lost, (a, b) => a * b)), RADIUS_PX);
  const quiet = percentile(map2(energy, mean, (e, m) => e / (m + LIGHT)).data.sort(), QUIET);
  const noise = mean.data.map((m) => NOISE_K ** 2 * Math.max(quiet * (m + LIGHT), ROUNDED ** 2));
  const lit = map2(gain, mean, (g, m) => (g * m) / (m + LIGHT));
  const weight = plane(lit.width, lit.height, lit.data.map((g, i) => g * Math.max(1 - noise[i] / (energy.data[i] + 1e-12), 0)));
  const share = doubled(weight).data;
  for (let i = 0; i < share.length; i += 1) {
    const faint = lost.data[i] * share[i];
    const added = faint / (1 + (faint / STRONGEST) ** 2);
    for (const data of after.channels) data[i] += added;
  }
  return after;
}

// How much of its colour each pixel of the result `after` keeps: values in [0, 1].
function believedColour(before, after) {
  const [seen, made] = [chromaOf(before), chromaOf(after)];
  const share = plane(seen.width, seen.height, seen.chroma.map((chroma, i) => {
    const believed = chroma ** 2 / (chroma ** 2 + FAINT ** 2);
    const warmth = made.warm[i] / Math.max(made.chroma[i], LEAST_CHROMA);
    return believed + (1 - believed) * smoothstep(warmth, ...WARM);
  }));
  return doubledTo(share, before.width, before.height).data;
}

// At half the size: the largest channel less the least, and the lesser of red and green less blue.
function chromaOf(image) {
  const { width, height, channels } = halve(image);
  const [red, green, blue] = channels.map((data) => boxFilter(plane(width, height, data), CHROMA_RADIUS_PX).data);
  return {
    width, height,
    chroma: red.map((r, i) => Math.max(r, green[i], blue[i]) - Math.min(r, green[i], blue[i])),
    warm: red.map((r, i) => Math.min(r, green[i]) - blue[i]),
  };
}

// `picture`, in place: colour that the photo does not tell is taken off as far as a place is lifted.
export function takeDoubtfulColourOff(image, picture, shareAt) {
  const believed = believedColour(image, picture);
  const [reds, greens, blues] = picture.channels;
  for (let i = 0; i < believed.length; i += 1) {
    const kept = 1 - shareAt(i) * (1 - believed[i]);
    const grey = LUMA[0] * reds[i] + LUMA[1] * greens[i] + LUMA[2] * blues[i];
    for (const data of picture.channels) data[i] = grey + (data[i] - grey) * kept;
  }
  return picture;
}

function halfOf({ width, height, data }) {
  const { channels: [half], ...size } = halve({ width, height, channels: [data] });
  return plane(size.width, size.height, half);
}

// A plane of half the size, doubled; what an odd size lacks is left out.
function doubledTo(half, width, height) {
  const double = linearResize(half, 2 * half.width, 2 * half.height);
  if (double.width === width) return plane(width, height, double.data.subarray(0, width * height));
  const out = plane(width, height);
  for (let y = 0; y < height; y += 1) out.data.set(double.data.subarray(y * double.width, y * double.width + width), y * width);
  return out;
}
