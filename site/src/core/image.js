// Photos: { width, height, rgba } of bytes as the browser gives and takes them, and images of
// floats, { width, height, channels: [red, green, blue] }, for the work in between.

import constants from "./constants.json" with { type: "json" };
import { areaResize, downscale, map, plane, sum } from "./planes.js";

export const LUMA = constants.color.REC601; // of encoded values

// A window of the photo as floats in [0, 1].
export function toImage({ width, height, rgba }) {
  const size = width * height;
  const channels = [0, 1, 2].map((channel) => {
    const data = new Float32Array(size);
    for (let i = 0, at = channel; i < size; i += 1, at += 4) data[i] = rgba[at] / 255;
    return data;
  });
  return { width, height, channels };
}

export const planeOf = ({ width, height, channels }, channel) => plane(width, height, channels[channel]);

/** @param {{ width: number, height: number, channels: Float32Array[] }} image */
export function luma({ width, height, channels: [red, green, blue] }) {
  const out = plane(width, height);
  for (let i = 0; i < out.data.length; i += 1) {
    out.data[i] = LUMA[0] * red[i] + LUMA[1] * green[i] + LUMA[2] * blue[i];
  }
  return out;
}

// The largest channel of each pixel; a coloured lamp is as bright as that.
/** @param {{ width: number, height: number, channels: Float32Array[] }} image */
export function largest({ width, height, channels: [red, green, blue] }) {
  const out = plane(width, height);
  for (let i = 0; i < out.data.length; i += 1) out.data[i] = Math.max(red[i], green[i], blue[i]);
  return out;
}

const byPlane = (image, width, height, resize) => ({
  width, height, channels: image.channels.map((_, n) => resize(planeOf(image, n), width, height).data),
});
export const downscaleImage = (image, width, height) => byPlane(image, width, height, downscale);
export const areaResizeImage = (image, width, height) => byPlane(image, width, height, areaResize);

export function meanLevel({ width, height, channels }) {
  return channels.reduce((level, data, n) => level + (LUMA[n] * sum(data)) / (width * height), 0);
}

export function meanLevelOf({ width, height, rgba }) {
  const sums = [0, 0, 0];
  for (let at = 0; at < rgba.length; at += 4) {
    sums[0] += rgba[at];
    sums[1] += rgba[at + 1];
    sums[2] += rgba[at + 2];
  }
  return sums.reduce((level, total, n) => level + (LUMA[n] * total) / (255 * width * height), 0);
}

export const subsampleStep = ({ width, height }, pixels) => Math.max(1, Math.floor(Math.sqrt((width * height) / pixels)));

// Every n-th pixel of a plane, so that at least `pixels` are left.
export function subsample(one, pixels) {
  const step = subsampleStep(one, pixels);
  const out = plane(Math.ceil(one.width / step), Math.ceil(one.height / step));
  for (let y = 0; y < out.height; y += 1) {
    for (let x = 0; x < out.width; x += 1) {
      out.data[y * out.width + x] = one.data[y * step * one.width + x * step];
    }
  }
  return out;
}

export function isGrey({ rgba }) {
  for (let at = 0; at < rgba.length; at += 4) {
    if (rgba[at] !== rgba[at + 1] || rgba[at] !== rgba[at + 2]) return false;
  }
  return true;
}

// The window [x0, x1) x [y0, y1) of an image.
export function crop(image, x0, y0, x1, y1) {
  const channels = image.channels.map((data) => {
    const out = new Float32Array((x1 - x0) * (y1 - y0));
    for (let y = y0; y < y1; y += 1) {
      out.set(data.subarray(y * image.width + x0, y * image.width + x1), (y - y0) * (x1 - x0));
    }
    return out;
  });
  return { width: x1 - x0, height: y1 - y0, channels };
}

// The photo's luma as a plane in [0, 1], without floats of its colours.
export function lumaOf({ width, height, rgba }) {
  const out = plane(width, height);
  const [red, green, blue] = LUMA.map((weight) => weight / 255);
  for (let i = 0, at = 0; i < out.data.length; i += 1, at += 4) {
    out.data[i] = red * rgba[at] + green * rgba[at + 1] + blue * rgba[at + 2];
  }
  return out;
}

// Row y of a photo or of an image of floats, as floats: [red, green, blue].
export function rowOf({ width, rgba, channels }, y) {
  if (channels) return channels.map((data) => data.subarray(y * width, (y + 1) * width));
  return [0, 1, 2].map((channel) => {
    const row = new Float32Array(width);
    for (let x = 0, at = 4 * y * width + channel; x < width; x += 1, at += 4) row[x] = rgba[at] / 255;
    return row;
  });
}

// A photo or an image at half its sides, area-averaged; an odd last row or column counts.
export function halve(source) {
  const { width, height } = source;
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const channels = Array.from({ length: source.channels?.length ?? 3 }, () => new Float32Array(w * h));
  for (let y = 0; y < h; y += 1) {
    const rows = [rowOf(source, 2 * y), rowOf(source, Math.min(2 * y + 1, height - 1))];
    channels.forEach((out, n) => {
      const [top, bottom] = rows.map((row) => row[n]);
      for (let x = 0; x < w; x += 1) {
        const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
        out[y * w + x] = (top[left] + top[right] + bottom[left] + bottom[right]) / 4;
      }
    });
  }
  return { width: w, height: h, channels };
}

export const squareRoot = (one) => map(one, (x) => Math.sqrt(Math.max(x, 0)));
