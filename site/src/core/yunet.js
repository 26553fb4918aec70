// YuNet, a tiny face detector, as the package's faces/yunet.py and search.py run it: at the picture's
// own size and at halves of it, in tiles.

import constants from "./constants.json" with { type: "json" };
import { areaResizeImage, crop } from "./image.js";
import { clamp, smoothstep } from "./planes.js";

const { DETECTOR_STRIDES_PX: STRIDES_PX } = constants.sizes;
const MOST_IOU = 0.3;
const { LARGEST_PX, TILE_PX, OVERLAP_PX } = constants.search;
const THRESHOLD = 0.6;
const { SURE } = constants.faces; // scores from which a face counts in an exposure, and in full

// Faces to expose for: { box, weight } in shares of the image's sides.
export async function findRegions(image, networks) {
  const { width, height } = image;
  const found = await search(image, THRESHOLD, networks);
  return found.map(({ box: [x0, y0, x1, y1], score }) =>
    ({ box: [x0 / width, y0 / height, x1 / width, y1 / height], weight: smoothstep(score, ...SURE) }));
}

// Faces { box, score, landmarks } at all levels and in all tiles of a picture, one each.
export async function search(image, threshold, networks) {
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

export const scaled = ({ box, score, landmarks }, factor, [dx, dy] = [0, 0]) => ({
  box: box.map((value, n) => (value + (n % 2 ? dy : dx)) * factor),
  score,
  landmarks: landmarks.map(([x, y]) => [(x + dx) * factor, (y + dy) * factor]),
});

/** @param {number[]} one @param {number[]} other boxes */
export function iou([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) {
  const inside = Math.max(0, Math.min(ax1, bx1) - Math.max(ax0, bx0)) * Math.max(0, Math.min(ay1, by1) - Math.max(ay0, by0));
  const both = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - inside;
  return both > 0 ? inside / both : 0;
}

function suppressed(faces) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => iou(box, face.box) <= MOST_IOU)) kept.push(face);
  }
  return kept;
}
