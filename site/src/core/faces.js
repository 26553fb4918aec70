// Faces: YuNet on the photo as it is and on the machine view, as the package's faces/ has it
// (yunet, search, views, fusion), for these two views.

import { machineView } from "./enhance.js";
import { areaResizeImage, crop, luma, meanLevel, toImage } from "./image.js";
import { boxFilter, clamp, roundEven } from "./planes.js";

const STRIDES_PX = [8, 16, 32];
const MOST_IOU = 0.3;
const [LARGEST_PX, TILE_PX, OVERLAP_PX] = [1280, 2048, 384];
const [DARK_BELOW, NOISY_DARK_BELOW, NOISY_FROM] = [0.2, 0.25, 0.15];
const NOISE_PIXELS = 250_000;
const MAD_OF_NORMAL = 0.6745;
const [VIEW_PIXELS, LEAST_SCALE] = [500_000, 0.5];
const SAME_FACE_IOU = 0.3;
const [SLID_IOU, SLID_DISTANCE, SLID_SIZE, SLID_SCORE] = [0.15, 0.65, 0.6, 0.1];
const MOVES_BOX_IOU = 0.5;

// { views, faces: [{ box: { x0, y0, x1, y1 }, score, view, landmarks }] }, best score first.
export async function detect(photo, { threshold, views }, networks) {
  if (!networks.sessions.faces) throw new Error("Faces cannot be searched here: this site was built without YuNet.");
  const image = toImage(photo);
  const both = views.length > 1 && isDark(image);
  const find = (picture) => search(picture, threshold, networks);
  const found = [(await find(image)).map((face) => ({ ...face, view: "original" }))];
  if (both) {
    const scale = clamp(Math.sqrt(VIEW_PIXELS / (image.width * image.height)), LEAST_SCALE, 1);
    const size = [image.width, image.height].map((side) => Math.max(1, roundEven(side * scale)));
    const view = await machineView(scale === 1 ? image : areaResizeImage(image, ...size), networks);
    found.push((await find(view)).map((face) => ({ ...scaled(face, 1 / scale), view: "machine" })));
  }
  const faces = byScore(merged(found));
  return { views: both ? views : views.slice(0, 1), faces: faces.map((face) => told(face, photo)) };
}

function told({ box: [x0, y0, x1, y1], score, view, landmarks }, { width, height }) {
  const tenths = (value, most = Infinity) => Math.round(clamp(value, most === Infinity ? -Infinity : 0, most) * 10) / 10;
  const box = { x0: tenths(x0, width), y0: tenths(y0, height), x1: tenths(x1, width), y1: tenths(y1, height) };
  return { box, score: Math.round(score * 1000) / 1000, view, landmarks: landmarks.map((point) => point.map((value) => tenths(value))) };
}

const scaled = ({ box, score, landmarks }, factor, [dx, dy] = [0, 0]) => ({
  box: box.map((value, n) => (value + (n % 2 ? dy : dx)) * factor),
  score,
  landmarks: landmarks.map(([x, y]) => [(x + dx) * factor, (y + dy) * factor]),
});

// Whether a photograph may hide faces: it is dark, or half dark and noisy.
function isDark(image) {
  const level = meanLevel(image);
  if (level < DARK_BELOW || level >= NOISY_DARK_BELOW) return level < DARK_BELOW;
  return relativeNoise(image) > NOISY_FROM;
}

// Immerkaer's mask over the grey level around it: the median of both, in the picture's middle.
function relativeNoise(image) {
  const share = Math.min(1, Math.sqrt(NOISE_PIXELS / (image.height * image.width)));
  const [top, left] = [image.height, image.width].map((side) => Math.trunc((side * (1 - share)) / 2));
  const grey = luma(crop(image, left, top, image.width - left, image.height - top));
  const { width, height, data } = grey;
  const around = boxFilter(grey, 1);
  const at = (x, y) => data[mirrored(y, height) * width + mirrored(x, width)];
  const values = new Float32Array(data.length);
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
      const edges = at(x, y - 1) + at(x, y + 1) + at(x - 1, y) + at(x + 1, y);
      values[i] = Math.abs(corners - 2 * edges + 4 * data[i]) / 6 / Math.max(around.data[i], 1 / 255);
    }
  }
  values.sort();
  const half = values.length >> 1;
  return (values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2) / MAD_OF_NORMAL;
}

// 2 1 | 0 1 2 | 1 0: OpenCV's filter2D does not repeat the border.
const mirrored = (at, size) => (size === 1 ? 0 : at < 0 ? -at : at >= size ? 2 * size - 2 - at : at);

// What YuNet sees at all levels and in all tiles of a picture, one each.
async function search(image, threshold, networks) {
  const found = [];
  for (let [level, scale] = [image, 1]; ; scale *= 2) {
    const large = Math.max(level.width, level.height) > LARGEST_PX;
    for (const y of starts(level.height)) {
      for (const x of starts(level.width)) {
        const tile = crop(level, x, y, Math.min(x + TILE_PX, level.width), Math.min(y + TILE_PX, level.height));
        await networks.onTile(0, 1);
        for (const face of await yunet(tile, threshold, networks)) {
          const [x0, y0, x1, y1] = face.box;
          const cut = (x > 0 && x0 <= 0) || (y > 0 && y0 <= 0)
            || (x + tile.width < level.width && x1 >= tile.width) || (y + tile.height < level.height && y1 >= tile.height);
          if (cut || (large && Math.max(x1 - x0, y1 - y0) > OVERLAP_PX)) continue;
          found.push(scaled(face, scale, [x, y]));
        }
      }
    }
    if (!large) break;
    const even = [level.width, level.height].map((side) => side - (side % 2) || 1);
    level = areaResizeImage(crop(level, 0, 0, ...even), ...even.map((side) => Math.max(1, side >> 1)));
  }
  return suppressed(found).filter(({ box: [x0, y0, x1, y1] }) => x1 > x0 && y1 > y0);
}

function starts(length) {
  const found = [];
  for (let at = 0; at < length - TILE_PX; at += TILE_PX - OVERLAP_PX) found.push(at);
  return length <= TILE_PX ? [0] : [...found, length - TILE_PX];
}

async function yunet({ width, height, channels }, threshold, { ort, sessions: { faces } }) {
  const up = (side) => Math.ceil(side / 32) * 32;
  const [w, h] = [up(width), up(height)];
  const pixels = new Float32Array(3 * w * h);
  [2, 1, 0].forEach((channel, n) => { // it was trained on blue, green, red
    for (let y = 0; y < height; y += 1) {
      const to = n * w * h + y * w;
      for (let x = 0, from = y * width; x < width; x += 1) pixels[to + x] = 255 * channels[channel][from++];
    }
  });
  const out = await faces.run({ [faces.inputNames[0]]: new ort.Tensor("float32", pixels, [1, 3, h, w]) });
  return STRIDES_PX.flatMap((stride) => decoded(out, stride, w / stride, threshold));
}

// The candidates of one stride: box and points relative to the corner of their cell.
function decoded(out, stride, columns, threshold) {
  const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map((name) => out[`${name}_${stride}`].data);
  const found = [];
  for (let cell = 0; cell < classes.length; cell += 1) {
    const score = Math.sqrt(clamp(classes[cell], 0, 1) * clamp(objects[cell], 0, 1));
    if (score < threshold) continue;
    const [column, row] = [cell % columns, Math.floor(cell / columns)];
    const [dx, dy, w, h] = boxes.subarray(4 * cell, 4 * cell + 4);
    const [x, y] = [(column + dx) * stride, (row + dy) * stride];
    const [halfW, halfH] = [(Math.exp(w) * stride) / 2, (Math.exp(h) * stride) / 2];
    const landmarks = Array.from({ length: 5 }, (_, n) =>
      [(points[10 * cell + 2 * n] + column) * stride, (points[10 * cell + 2 * n + 1] + row) * stride]);
    found.push({ box: [x - halfW, y - halfH, x + halfW, y + halfH], score, landmarks });
  }
  return found;
}

function iou([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) {
  const inside = Math.max(0, Math.min(ax1, bx1) - Math.max(ax0, bx0)) * Math.max(0, Math.min(ay1, by1) - Math.max(ay0, by0));
  const both = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - inside;
  return both > 0 ? inside / both : 0;
}

const byScore = (faces) => [...faces].sort((a, b) => b.score - a.score || a.box.reduce((d, v, n) => d || v - b.box[n], 0));

function suppressed(faces) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => iou(box, face.box) <= MOST_IOU)) kept.push(face);
  }
  return kept;
}

// Weighted boxes fusion that never loses the original's: every face of the first view leads.
function merged([first, second]) {
  if (!second) return first;
  const clusters = first.map((face) => [face]);
  for (const face of byScore(second)) {
    const nearest = clusters.reduce((best, one) => (!best || iou(one[0].box, face.box) > iou(best[0].box, face.box) ? one : best), null);
    if (nearest && isShown(nearest, face)) nearest.push(face);
    else clusters.push([face]);
  }
  return clusters.map(fused);
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

function fused(cluster) {
  const lead = cluster[0];
  const near = cluster.filter(({ box }) => iou(box, lead.box) >= MOVES_BOX_IOU);
  const total = near.reduce((sum, { score }) => sum + score, 0);
  const mean = (value) => near.reduce((sum, face) => sum + (total > 0 ? face.score / total : 1 / near.length) * value(face), 0);
  const box = [0, 1, 2, 3].map((n) => mean((face) => face.box[n]));
  return {
    box: iou(box, lead.box) >= MOVES_BOX_IOU ? box : lead.box,
    score: Math.max(...cluster.map(({ score }) => score)),
    landmarks: lead.landmarks.map((_, p) => [0, 1].map((axis) => mean((face) => face.landmarks[p][axis]))),
    view: [...new Set(cluster.map(({ view }) => view))].join("+"),
  };
}
