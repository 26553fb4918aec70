// The face detectors as the package's faces/ runs them (search, cells, yunet, relume): at the picture's
// own size and at halves of it, in tiles; one decoding for both.

import constants from "./constants.json" with { type: "json" };
import { areaResizeImage, crop, luma, subsample } from "./image.js";
import { gainFor } from "./metering.js";
import { clamp, smoothstep, sum } from "./planes.js";

const { DETECTOR_STRIDES_PX: STRIDES_PX } = constants.sizes;
const { LARGEST_PX, OVERLAP_PX, PART_SHARE, PART_SIZE, SAME_IOU, TILE_PX, VOTES_FROM } = constants.search;
const { BLACK_SHARE, LEVEL, MEASURED_PIXELS, MOST_BLACK, MOST_GAIN } = constants.opening;
const { NMS, SMALLEST_PX, THRESHOLD } = constants.detector;
const { SURE } = constants.faces; // scores from which a face counts in an exposure, and in full

// By name: how far a picture is halved, whether boxes of one face are averaged, and what the network
// is given, { data, dims } by name, of a tile of a picture: the tile first.
const DETECTORS = {
  yunet: {
    largestPx: LARGEST_PX,
    isMerged: false,
    inputs: () => (tile) => ({ input: padded(tile, [2, 1, 0], 255) }), // trained on blue, green, red bytes
  },
  relume: {
    largestPx: SMALLEST_PX,
    isMerged: true,
    inputs(image) {
      const { black, gain } = opening(image); // of the whole, not of a tile
      const whole = { black: { data: Float32Array.from(black), dims: [1, 3] }, gain: { data: Float32Array.of(gain), dims: [1, 1] } };
      return (tile) => ({ image: padded(tile, [0, 1, 2], 1), ...whole });
    },
  },
};

// Faces to expose for: { box, weight } in shares of the image's sides.
export async function findRegions(image, networks) {
  const { width, height } = image;
  const found = await search(image, networks.usualDetector, THRESHOLD, networks);
  return found.map(({ box: [x0, y0, x1, y1], score }) =>
    ({ box: [x0 / width, y0 / height, x1 / width, y1 / height], weight: smoothstep(score, ...SURE) }));
}

// Faces { box, score, landmarks } at all levels and in all tiles of a picture, one each.
export async function search(image, name, threshold, networks) {
  const { largestPx, isMerged, inputs } = DETECTORS[name];
  const given = inputs(image);
  const least = isMerged ? Math.min(threshold, VOTES_FROM) : threshold;
  const found = [];
  for (let [level, scale] = [image, 1]; ; scale *= 2) {
    const large = Math.max(level.width, level.height) > largestPx;
    for (const y of starts(level.height)) {
      for (const x of starts(level.width)) {
        const tile = crop(level, x, y, Math.min(x + TILE_PX, level.width), Math.min(y + TILE_PX, level.height));
        await networks.onTile(0, 1);
        for (const face of await candidates(given(tile), name, least, networks)) {
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
  const kept = suppressed(found);
  return (isMerged ? withoutParts(kept.map((face) => averaged(face, found))) : kept)
    .filter(({ box: [x0, y0, x1, y1], score }) => score >= threshold && x1 > x0 && y1 > y0);
}

function starts(length) {
  const found = [];
  for (let at = 0; at < length - TILE_PX; at += TILE_PX - OVERLAP_PX) found.push(at);
  return length <= TILE_PX ? [0] : [...found, length - TILE_PX];
}

// Possible faces of a tile: what the network says of the cells of every stride.
async function candidates(given, name, least, { ort, sessions: { detectors } }) {
  const tensors = Object.entries(given).map(([input, { data, dims }]) => [input, new ort.Tensor("float32", data, dims)]);
  const out = await detectors[name].run(Object.fromEntries(tensors));
  const [columns] = tensors[0][1].dims.slice(-1);
  return STRIDES_PX.flatMap((stride) => decoded(out, stride, columns / stride, least));
}

// Three planes in the next multiples of the coarsest stride.
function padded({ width, height, channels }, order, factor) {
  const [w, h] = [width, height].map((side) => Math.ceil(side / STRIDES_PX[2]) * STRIDES_PX[2]);
  const data = new Float32Array(3 * w * h);
  order.forEach((channel, n) => {
    for (let y = 0; y < height; y += 1) {
      const to = n * w * h + y * w;
      for (let x = 0, from = y * width; x < width; x += 1) data[to + x] = factor * channels[channel][from++];
    }
  });
  return { data, dims: [1, 3, h, w] };
}

// The black level of each channel and the one gain that open a picture up: image/opening.py.
function opening(image) {
  const some = image.channels.map((data) => subsample({ ...image, data }, MEASURED_PIXELS));
  const black = some.map(({ data }) => Math.min(data.slice().sort()[Math.floor(BLACK_SHARE * data.length)], MOST_BLACK));
  const above = some.map(({ data }, n) => data.map((value) => clamp((value - black[n]) / (1 - black[n]), 0, 1)));
  const light = luma({ ...some[0], channels: above }).data;
  const meanAt = (gain) => 1 - sum(light.map((value) => (1 - value) ** gain)) / light.length;
  return { black, gain: Math.max(1, gainFor(meanAt, LEVEL, MOST_GAIN)) };
}

// The candidates of one stride: box and points relative to the corner of their cell.
function decoded(out, stride, columns, least) {
  const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map((name) => out[`${name}_${stride}`]?.data);
  const found = [];
  for (let cell = 0; cell < classes.length; cell += 1) {
    const sure = clamp(classes[cell], 0, 1);
    const score = objects ? Math.sqrt(sure * clamp(objects[cell], 0, 1)) : sure;
    if (score < least) continue;
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

/** @param {number[]} box */
const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** @param {number[]} one @param {number[]} other boxes */
const common = ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) =>
  Math.max(0, Math.min(ax1, bx1) - Math.max(ax0, bx0)) * Math.max(0, Math.min(ay1, by1) - Math.max(ay0, by0));

/** @param {number[]} one @param {number[]} other boxes */
export function iou(one, other) {
  const both = area(one) + area(other) - common(one, other);
  return both > 0 ? common(one, other) / both : 0;
}

// The faces, best score first, that are no parts of surer ones.
function withoutParts(faces) {
  const wholes = faces.filter(({ score }) => score >= VOTES_FROM);
  const isPart = ({ box, score }) => wholes.some((whole) => whole.score > score
    && common(box, whole.box) >= PART_SHARE * area(box) && area(whole.box) > PART_SIZE * area(box));
  return faces.filter((face) => !isPart(face));
}

function suppressed(faces) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => iou(box, face.box) <= NMS)) kept.push(face);
  }
  return kept;
}

// A face whose box is the mean of those that show it, by the squares of their scores; a weak one as it is.
function averaged(face, found) {
  if (face.score < VOTES_FROM) return face;
  const votes = found.filter(({ box, score }) => score >= VOTES_FROM && iou(face.box, box) >= SAME_IOU);
  const total = votes.reduce((all, { score }) => all + score ** 2, 0);
  if (!total) return face;
  return { ...face, box: face.box.map((_, n) => votes.reduce((all, { box, score }) => all + (score ** 2 * box[n]) / total, 0)) };
}
