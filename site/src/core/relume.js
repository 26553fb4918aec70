// The method relume: a photo's exposure is planned and then applied, as the package's
// exposure/plan.py and enhancers/relume.py do it, with networks that are given:
// infer(image, thumbnail, brightness, gain plane or null, scale) and estimate(thumbnail).

import { takeCastOff } from "./cast.js";
import constants from "./constants.json" with { type: "json" };
import { putBackTexture, takeDoubtfulColourOff } from "./faithful.js";
import { downscaleImage, largest, luma, meanLevel, planeOf, subsample } from "./image.js";
import { fitStops, GAMMA, limited, meter, networkShare, scaling } from "./metering.js";
import { priorityStops } from "./priority.js";
import { keepLitDetail } from "./texture.js";
import { clamp, most, sum } from "./planes.js";

export const { THUMBNAIL_PX } = constants.sizes;
const { DARKEST } = constants.sizes;
const { FRAME_TOLERANCE } = constants.levels;
const { FRAME_SAMPLES, GREY_SAMPLES, MOSTLY_PICTURE, NETWORK_BRIGHTNESS } = constants.exposure;

const thumbnail = (image) => downscaleImage(image, THUMBNAIL_PX, THUMBNAIL_PX);

// The photo relit: options as of plan().
export async function relight(image, options, networks) {
  return apply(await plan(image, options, networks), image, networks);
}

// What every place gets: { level, isBounded, reading, curve, local, overall, expected, faceStops,
// stops, protectLit, kept, cast, faithful }; without a reading the whole frame gets one exposure, the network's own.
// options: { brightness (null: automatic), local, stops (a plane or null), protectLit, find (faces
// to expose for, or null), cast (what goes of the light's colour), faithful (to the photo's texture and
// doubtful colours), seen (what was read of this image
// before, filled here) }.
export async function plan(image, options, networks) {
  const { brightness, local, stops, protectLit, find, cast, faithful = false, seen = {} } = options;
  const isBounded = local > 0 && brightness === null;
  const aim = async (of, part) => brightness ?? (seen[part] ??= await networks.estimate(thumbnail(of)));
  if (local === 0 && !stops) return { level: await aim(image, "whole"), reading: null, protectLit, cast, faithful };
  let reading = (seen.reading ??= meter(image));
  let level = await (isBounded && !reading.isWhole ? aim(reading.crop(image), "content") : aim(image, "whole"));
  if (isBounded && protectLit) level = reading.sceneBrightness(level);
  if (!isBounded) reading = reading.overFrame();
  const softness = reading.softness(level);
  const gain = reading.shadowGain(level, softness, isBounded);
  const reached = reading.meanAt(gain, softness);
  const expected = isBounded ? reached : Math.min(level, reached);
  const overall = reading.overallGain(expected);
  const share = local * reading.needsCurve(overall);
  const curve = reading.curve(gain, softness, { overall, local: share });
  const faceStops = find && local ? await priorityStops(image, reading, curve, level, find, local) : null;
  return {
    level, isBounded, reading, curve, local: share, overall, expected, faceStops, stops, protectLit, kept: protectLit ? share : 0, cast, faithful,
  };
}

export async function apply(plan, image, networks) {
  const small = thumbnail(image);
  if (!plan.reading) {
    const relit = matchMean(await networks.infer(image, small, plan.level, null, 1), plan.level);
    return finished(plan, image, relit, () => 1);
  }
  const { factor, counted, expected } = exposed(plan, image);
  const factorAt = factor ? (i) => factor.data[i] : () => plan.overall;
  const share = (of) => (plan.protectLit ? networkShare(of) : 1) * plan.reading.evidence;
  const highest = share(factor ? most(factor.data) : plan.overall);
  if (highest === 0) return blendDirect(image, null, factorAt, () => 0);
  const brightness = clamp(factor ? meanOf(image, factor) : evenMean(plan), ...NETWORK_BRIGHTNESS);
  const lift = Math.max(meanLevel(small), DARKEST) / brightness;
  // where nearly all counts, the network need not be told what its brightness takes
  const isKnown = !factor && sum(plan.reading.weight.data) / plan.reading.weight.data.length >= MOSTLY_PICTURE;
  const relit = await networks.infer(image, small, brightness, factor, factor ? lift : isKnown ? 1 : plan.overall * lift);
  const shareAt = (i) => (factor ? share(factor.data[i]) : highest);
  if (factor || highest < 1) blendDirect(image, relit, factorAt, shareAt);
  if (expected) applied(relit, counted.match(relit, expected, { byFactor: !factor }));
  return finished(plan, image, plan.kept ? keepLitDetail(image, relit, plan.kept) : relit, shareAt);
}

function finished({ cast, faithful }, image, relit, shareAt) {
  if (faithful) takeDoubtfulColourOff(image, putBackTexture(image, relit), shareAt);
  return takeCastOff(cast, relit, shareAt);
}

// The plane of factors, null if one does for all, what counts beside the places that got stops, and
// the mean level of that.
function exposed({ reading, curve, local, expected, faceStops, stops, isBounded }, image) {
  if (!local && !faceStops && !stops) return { factor: null, counted: reading, expected };
  const factor = reading.factor(image, curve, local);
  let counted = reading;
  for (const map of [faceStops, stops]) {
    if (!map) continue;
    if (map === stops || isBounded) {
      // what is painted is not undone, and what is not painted stays as it is
      const outside = counted.outside(map);
      expected *= outside.meanWith(factor) / Math.max(counted.meanWith(factor), 1e-6);
      counted = outside;
    }
    const fitted = fitStops(map, image);
    for (let i = 0; i < factor.data.length; i += 1) factor.data[i] *= 2 ** (fitted.data[i] / GAMMA);
  }
  return { factor, counted, expected };
}

const mean = (values) => sum(values) / values.length;
const evenMean = ({ reading, overall }) => mean(reading.grey.data.map((grey) => Math.min(grey * overall, 1)));
function meanOf(image, factor) {
  const [grey, lifts] = [subsample(luma(image), GREY_SAMPLES), subsample(factor, GREY_SAMPLES)];
  return mean(grey.data.map((value, i) => Math.min(value * lifts.data[i], 1)));
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
  const samples = image.channels.map((_, n) => subsample(planeOf(image, n), FRAME_SAMPLES));
  const meanAt = (factor) => meanLevel({ ...samples[0], channels: samples.map(({ data }) => data.map((x) => Math.min(x * factor, 1))) });
  return applied(image, scaling(level, meanAt, FRAME_TOLERANCE));
}
