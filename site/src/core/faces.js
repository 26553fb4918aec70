// Faces: a detector on the photo as it is and on the machine view, and of a nearly black photo on more
// machine views, as the package's faces/ has it (views, fusion).

import constants from "./constants.json" with { type: "json" };
import { iou, scaled, search } from "./detectors.js";
import { machineView } from "./enhance.js";
import { areaResizeImage, crop, luma, toImage } from "./image.js";
import { areaResize, boxFilter, clamp, map2, roundEven, sum } from "./planes.js";
import { hiddenShare, isDark, isNearlyBlack, warning } from "./quality.js";

const { LEAST_SCALE, LOOK_AGAIN, VIEW_PIXELS } = constants.views;
const {
  AGREES, ALONE, MOVES_BOX_IOU, SAME_FACE_IOU, SLID_DISTANCE, SLID_IOU, SLID_SCORE, SLID_SIZE,
} = constants.fusion;
const { LEAST_BOX_PX, LEAST_LIGHT, NOISE_IS_SURER, PARTS, POINT_RADIUS_PX, ROUNDING } = constants.light;
const MIRRORED = [1, 0, 2, 4, 3]; // eyes, nose, corners of the mouth
// further views of a nearly black photo, by what follows the method's name: an option, or a scale
/** @type {{ name: string, mirrored?: boolean, scale?: number, brightness?: number }[]} */
const FURTHER = LOOK_AGAIN.map((how) => ({
  name: `machine${how}`,
  ...(how === "@mirrored" ? { mirrored: true } : how.startsWith("@") ? { scale: Number(how.slice(1)) } : { brightness: Number(how.split("=")[1]) }),
}));

// { views, faces: [{ box: { x0, y0, x1, y1 }, score, view, landmarks }] }, best score first; and a
// `warning` where it is too dark to be sure that there are no others.
export async function detect(photo, { detector, threshold, views }, networks) {
  const image = toImage(photo);
  const several = views.length > 1 && isDark(image);
  const black = isNearlyBlack(image);
  const again = several && black;
  const least = again ? Math.max(0, threshold - AGREES) : threshold; // a second view may be less sure
  const found = [(await search(image, detector, least, networks)).map((face) => ({ ...face, view: "original" }))];
  const names = ["original"];
  if (several) {
    const usual = clamp(Math.sqrt(VIEW_PIXELS / (image.width * image.height)), LEAST_SCALE, 1);
    const asked = again ? [{ name: "machine" }, ...FURTHER] : [{ name: "machine" }];
    const relit = new Map();
    for (const { name, scale = usual, brightness = null, mirrored = false } of asked) {
      if (name === "machine@0.5" && usual === scale) continue; // it was the usual one
      const key = `${scale} ${brightness}`; // mirrored, it is searched again, but not relit
      if (!relit.has(key)) relit.set(key, await machineView(resized(image, scale), networks, brightness));
      const view = relit.get(key);
      const faces = await search(mirrored ? flipped(view) : view, detector, least, networks);
      const upright = mirrored ? faces.map((face) => turned(face, view.width)) : faces;
      found.push(upright.map((face) => ({ ...scaled(face, 1 / scale), view: name })));
      names.push(name);
    }
  }
  const sure = again ? merged(found, threshold).map((face) => doubted(face, image)) : merged(found, threshold);
  const faces = byScore(sure.filter(({ score }) => score >= threshold));
  const unsure = warning(hiddenShare(image, black));
  return { views: names, ...(unsure && { warning: unsure }), faces: faces.map((face) => told(face, photo)) };
}

// A face of a nearly black photo, less sure if only relit noise shows it.
function doubted(face, image) {
  if (face.view.split("+").includes("original") || holdsLight(image, face.box)) return face;
  return { ...face, score: Math.max(0, face.score - NOISE_IS_SURER) };
}

// Whether a box shows more than noise, as the package's faces/light.py; true where it is too small.
export function holdsLight(image, box) {
  const most = [image.width, image.height, image.width, image.height];
  const [x0, y0, x1, y1] = box.map((value, n) => clamp(roundEven(value), 0, most[n]));
  if (Math.min(x1 - x0, y1 - y0) < LEAST_BOX_PX) return true;
  const grey = luma(crop(image, x0, y0, x1, y1));
  const points = map2(grey, boxFilter(grey, POINT_RADIUS_PX), (value, around) => value - around);
  return spread(areaResize(grey, PARTS, PARTS)) >= LEAST_LIGHT * Math.max(spread(points), ROUNDING);
}

function spread({ data }) {
  const mean = sum(data) / data.length;
  return Math.sqrt(data.reduce((total, value) => total + (value - mean) ** 2, 0) / data.length);
}

const resized = (image, scale) => (scale === 1 ? image
  : areaResizeImage(image, ...[image.width, image.height].map((side) => Math.max(1, roundEven(side * scale)))));

const flipped = (image) => ({
  ...image,
  channels: image.channels.map((data) => {
    const out = new Float32Array(data.length);
    for (let at = 0; at < data.length; at += image.width) out.set(data.subarray(at, at + image.width).slice().reverse(), at);
    return out;
  }),
});

// A face of a mirrored view: right is right again.
const turned = ({ box: [x0, y0, x1, y1], score, landmarks }, width) => ({
  box: [width - x1, y0, width - x0, y1],
  score,
  landmarks: MIRRORED.map((n) => [width - landmarks[n][0], landmarks[n][1]]),
});

function told({ box: [x0, y0, x1, y1], score, view, landmarks }, { width, height }) {
  const tenths = (value, most = Infinity) => Math.round(clamp(value, most === Infinity ? -Infinity : 0, most) * 10) / 10;
  const box = { x0: tenths(x0, width), y0: tenths(y0, height), x1: tenths(x1, width), y1: tenths(y1, height) };
  return { box, score: Math.round(score * 1000) / 1000, view, landmarks: landmarks.map((point) => point.map((value) => tenths(value))) };
}

const byScore = (faces) => [...faces].sort((a, b) => b.score - a.score || a.box.reduce((d, v, n) => d || v - b.box[n], 0));

/**
 * Weighted boxes fusion that never loses the original's: every face of the first view leads.
 * @param {any[][]} views
 * @param {number} leadScore
 */
function merged([first, ...others], leadScore) {
  const leads = (face) => face.score >= leadScore;
  const clusters = first.filter(leads).map((face) => [face]);
  for (const face of byScore([...first.filter((one) => !leads(one)), ...others.flat()])) {
    const nearest = clusters.reduce((best, one) => (!best || iou(one[0].box, face.box) > iou(best[0].box, face.box) ? one : best), /** @type {any} */ (null));
    if (nearest && isShown(nearest, face)) nearest.push(face);
    else clusters.push([face]);
  }
  return others.length ? clusters.map(fused) : first;
}

function isShown(cluster, face) {
  const lead = cluster[0];
  const overlap = iou(lead.box, face.box);
  if (overlap > SAME_FACE_IOU) return true;
  const best = Math.max(...cluster.map(({ score }) => score));
  if (overlap <= SLID_IOU || face.score >= best - SLID_SCORE) return false;
  const [[ax, ay, a], [bx, by, b]] = [lead, face].map(({ box: [x0, y0, x1, y1] }) =>
    [(x0 + x1) / 2, (y0 + y1) / 2, Math.sqrt((x1 - x0) * (y1 - y0))]);
  return Math.min(a, b) > SLID_SIZE * Math.max(a, b) && Math.hypot(bx - ax, by - ay) < (SLID_DISTANCE * (a + b)) / 2;
}

// The best score, of further views as far as another view agrees.
function sureness(cluster) {
  const best = {};
  for (const { view, score } of cluster) best[view] = Math.max(score, best[view] ?? 0);
  const isFurther = (view) => FURTHER.some(({ name }) => name === view);
  const asked = Math.max(0, ...Object.keys(best).filter((view) => !isFurther(view)).map((view) => best[view]));
  const [first, second = 0] = Object.values(best).sort((a, b) => b - a);
  return Math.max(asked, Math.min(first, Math.max(second + AGREES, first - ALONE)));
}

function fused(cluster) {
  const lead = cluster[0];
  const near = cluster.filter(({ box }) => iou(box, lead.box) >= MOVES_BOX_IOU);
  const total = near.reduce((before, { score }) => before + score, 0);
  const mean = (value) => near.reduce((before, face) => before + (total > 0 ? face.score / total : 1 / near.length) * value(face), 0);
  const box = [0, 1, 2, 3].map((n) => mean((face) => face.box[n]));
  return {
    box: iou(box, lead.box) >= MOVES_BOX_IOU ? box : lead.box,
    score: sureness(cluster),
    landmarks: lead.landmarks.map((_, p) => [0, 1].map((axis) => mean((face) => face.landmarks[p][axis]))),
    // in one order for all faces: the photograph's own view first, then by name
    view: [...new Set(cluster.map(({ view }) => view))].sort((a, b) => Number(b === "original") - Number(a === "original") || (a < b ? -1 : 1)).join("+"),
  };
}
