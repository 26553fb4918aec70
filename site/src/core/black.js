// The black point: the package's exposure/black.py, line for line; its docstring says why. A test
// holds both together (test/parity.test.js).

import constants from "./constants.json" with { type: "json" };
import { downscaleImage } from "./image.js";
import { smoothstep } from "./planes.js";

const C = constants.exposure;

export const NO_BLACK = [0, 0, 0];

// The black level of each channel, in [0, 1), as far as there is evidence that the photo has one.
export function readBlack(image) {
  const cells = smallCopy(image);
  const { width } = cells;
  const { top, bottom, left, right } = withoutBars(cells);
  if (Math.min(bottom - top, right - left) < C.PARTS) return NO_BLACK;
  const [rows, columns] = [bounds(top, bottom), bounds(left, right)];
  const read = cells.channels.map((data) => {
    const darkest = [];
    let [sum, least, count] = [0, Infinity, 0];
    for (const [y0, y1] of rows) {
      for (const [x0, x1] of columns) {
        const values = [];
        for (let y = y0; y < y1; y += 1) for (let x = x0; x < x1; x += 1) values.push(data[y * width + x]);
        values.sort((a, b) => a - b);
        darkest.push(values[Math.ceil(C.BLACK_DARKEST * (values.length - 1))]);
        least = Math.min(least, values[0]);
        for (const value of values) sum += value;
        count += values.length;
      }
    }
    const level = [...darkest].sort((a, b) => a - b)[1];
    const agreeing = darkest.filter((value) => value <= level + C.BLACK_APART + C.BLACK_APART_SHARE * level).length;
    return { level, agreeing, least, mean: sum / count };
  });
  const total = (of) => read.reduce((all, one) => all + of(one), 0);
  const most = Math.max(...read.map(({ level }) => level));
  const light = total(({ mean, level }) => mean - level) / Math.max(total(({ level }) => level), 1e-6);
  const share = smoothstep(most, ...C.BLACK_LIFTED) * (1 - smoothstep(most, ...C.BLACK_MOST)) * (1 - smoothstep(light, ...C.BLACK_LIGHT))
    * smoothstep(light, ...C.BLACK_SHOWS)
    * smoothstep(Math.min(...read.map(({ agreeing }) => agreeing)), ...C.BLACK_AGREEING)
    * smoothstep(total(({ least }) => least) / Math.max(total(({ level }) => level), 1e-6), ...C.BLACK_BELOW);
  return share === 0 ? NO_BLACK : read.map(({ level }) => Math.max(level - C.BLACK_LEFT, 0) * share);
}

// What is read where parts of a frame are compared.
export function smallCopy(image) {
  const scale = Math.min(1, C.PARTED_SIDE_PX / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  return downscaleImage(image, width, height);
}

// The image without it, white where it was white; itself, if there is none.
export function offBlack(image, black) {
  if (!black.some(Boolean)) return image;
  const channels = image.channels.map((data, n) => data.map((value) => Math.max(value - black[n], 0) / (1 - black[n])));
  return { ...image, channels };
}

function withoutBars({ width, height, channels: [red, green, blue] }) {
  const most = red.map((value, i) => Math.max(value, green[i], blue[i]));
  const held = (length, at) => {
    const found = [];
    for (let i = 0; i < length; i += 1) {
      let [low, high] = [Infinity, -Infinity];
      for (const value of at(i)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      if (high - low > C.BLACK_BAR_RANGE) found.push(i);
    }
    return found;
  };
  const rows = held(height, (y) => most.subarray(y * width, (y + 1) * width));
  const columns = held(width, (x) => Array.from({ length: height }, (_, y) => most[y * width + x]));
  if (Math.min(rows.length, columns.length) < C.PARTS) return { top: 0, bottom: height, left: 0, right: width };
  return { top: rows[0], bottom: rows[rows.length - 1] + 1, left: columns[0], right: columns[columns.length - 1] + 1 };
}

// As NumPy's array_split: the first parts are longer by one where they do not fit.
export function bounds(from, to) {
  const [whole, more] = [Math.floor((to - from) / C.PARTS), (to - from) % C.PARTS];
  let at = from;
  return Array.from({ length: C.PARTS }, (_, n) => {
    const start = at;
    at += whole + (n < more ? 1 : 0);
    return [start, at];
  });
}
