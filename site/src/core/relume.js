// The method relume: the package's enhancers/relume.py on one photo, with networks that are given:
// infer(image, thumbnail, brightness, gain plane or null, scale) and estimate(thumbnail).

import { downscaleImage, largest, luma, meanLevel, planeOf, subsample } from "./image.js";
import { fitStops, GAMMA, limited, meter, networkShare, scaling } from "./metering.js";
import { priorityStops } from "./priority.js";
import { keepLitDetail } from "./texture.js";
import { clamp, most, plane, sum } from "./planes.js";

export const THUMBNAIL_PX = 96;
const DARKEST = 1 / 1024;
const TOLERANCE = 0.02;
const MOSTLY_PICTURE = 0.9;
const NETWORK_BRIGHTNESS = [0.01, 0.95];

export const thumbnail = (image) => downscaleImage(image, THUMBNAIL_PX, THUMBNAIL_PX);

// options: { brightness (null: automatic), local, stops (a plane or null), protectLit, find (faces
// to expose for, or null) }.
export async function relight(image, options, networks) {
  const { brightness, local, stops, protectLit, find } = options;
  const small = thumbnail(image);
  const automatic = brightness === null;
  const aim = async (of) => (automatic ? networks.estimate(of) : brightness);
  if (local === 0 && !stops) {
    const target = await aim(small);
    return matchMean(await networks.infer(image, small, target, null, 1), target);
  }
  let reading = meter(image);
  const asked = local === 0 || !automatic;
  if (asked) reading = reading.countingAll();
  let target;
  if (local === 0) {
    target = await aim(small);
  } else {
    target = await aim(!reading.isWhole && automatic ? thumbnail(reading.crop(image)) : small);
    if (automatic && protectLit) target = reading.wanted(target);
  }
  const softness = reading.softness(target);
  const gain = reading.shadowGain(target, softness, { asked });
  let expected = asked ? target : reading.meanAt(gain, softness);
  const overall = reading.overallGain(expected);
  const share = local * reading.needsCurve(overall);
  const lacking = find && local
    ? await priorityStops(image, reading, reading.curve(gain, softness, { overall, local: share }), target, find, local) : null;
  if (share === 0 && !stops && !lacking) {
    return exposeEvenly(image, small, overall, reading, expected, protectLit, networks);
  }
  const factor = reading.factor(image, gain, softness, { overall, local: share });
  for (const map of [lacking, stops]) {
    if (!map) continue;
    if (map === stops || !asked) {
      // what is painted is not undone, and what is not painted stays as it is
      const outside = reading.outside(map);
      expected *= outside.meanWith(factor) / Math.max(reading.meanWith(factor), 1e-6);
      reading = outside;
    }
    const fitted = fitStops(map, image);
    for (let i = 0; i < factor.data.length; i += 1) factor.data[i] *= 2 ** (fitted.data[i] / GAMMA);
  }
  return expose(image, small, factor, reading, expected, { protectLit, kept: protectLit ? share : 0 }, networks);
}

// The photo at one exposure, its encoded values lifted by about `overall`.
async function exposeEvenly(image, small, overall, reading, expected, protectLit, networks) {
  const share = (protectLit ? networkShare(overall) : 1) * reading.evidence;
  if (share === 0) return blendDirect(image, null, () => overall, () => 0);
  const { data } = reading.grey;
  const mean = sum(data.map((grey) => Math.min(grey * overall, 1))) / data.length;
  const brightness = clamp(mean, ...NETWORK_BRIGHTNESS);
  let gain = null;
  if (sum(reading.weight.data) / data.length < MOSTLY_PICTURE) { // a frame's light says nothing
    const level = Math.max(meanLevel(small), DARKEST);
    gain = plane(image.width, image.height);
    gain.data.fill((overall * level) / brightness);
  }
  const relit = await networks.infer(image, small, brightness, gain, 1);
  if (share < 1) blendDirect(image, relit, () => overall, () => share);
  return applied(relit, reading.match(relit, expected, { byFactor: true }));
}

// The photo with every place's encoded values lifted by `factor`, noise removed.
async function expose(image, small, factor, reading, expected, { protectLit, kept }, networks) {
  const { data } = factor;
  const share = (of) => (protectLit ? networkShare(of) : 1) * reading.evidence;
  if (share(most(data)) === 0) return blendDirect(image, null, (i) => data[i], () => 0);
  const level = Math.max(meanLevel(small), DARKEST);
  const [grey, lifts] = [subsample(luma(image), 60_000), subsample(factor, 60_000)];
  const mean = sum(grey.data.map((value, i) => Math.min(value * lifts.data[i], 1))) / grey.data.length;
  const brightness = clamp(mean, ...NETWORK_BRIGHTNESS);
  const relit = await networks.infer(image, small, brightness, factor, level / brightness);
  blendDirect(image, relit, (i) => data[i], (i) => share(data[i]));
  if (expected) applied(relit, reading.match(relit, expected));
  return kept ? keepLitDetail(image, relit, kept) : relit;
}

// Brings what is no share of the network's to the photo itself times the factor; in place.
function blendDirect(image, relit, factorAt, shareAt) {
  const out = relit ?? { ...image, channels: image.channels.map((data) => new Float32Array(data.length)) };
  const brightest = largest(image).data;
  for (let i = 0; i < brightest.length; i += 1) {
    const share = shareAt(i);
    if (share === 1) continue;
    const factor = limited(factorAt(i), brightest[i]);
    for (let n = 0; n < 3; n += 1) {
      const direct = image.channels[n][i] * factor;
      out.channels[n][i] = direct + share * (out.channels[n][i] - direct);
    }
  }
  return out;
}

function applied(image, f) {
  if (!f) return image;
  const brightest = largest(image).data;
  for (let i = 0; i < brightest.length; i += 1) {
    const factor = f(brightest[i]);
    for (const data of image.channels) data[i] *= factor;
  }
  return image;
}

// The image scaled so that its mean grey level, once clipped, is `level`.
function matchMean(image, level) {
  const samples = image.channels.map((_, n) => subsample(planeOf(image, n), 250_000));
  const meanAt = (factor) => meanLevel({ ...samples[0], channels: samples.map(({ data }) => data.map((x) => Math.min(x * factor, 1))) });
  return applied(image, scaling(level, meanAt, TOLERANCE));
}

