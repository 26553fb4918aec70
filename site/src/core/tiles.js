// A network over a large image, tile by tile: the same result as in one go, in bounded memory.

import constants from "./constants.json" with { type: "json" };
import { clamp, reflected } from "./planes.js";

const { PICTURE_HALO_PX: HALO_PX, PICTURE_STRIDE_PX: STRIDE_PX } = constants.sizes;

const up = (value) => Math.ceil(value / STRIDE_PX) * STRIDE_PX;

// run(planes, width, height) gives three planes for four, both one Float32Array; gain is a plane
// or null (1 everywhere), `scale` multiplies it. The result is clamped to [0, 1]. Sides are
// mirrored to multiples of the stride; before every tile, `onTile` may stop it by throwing.
export async function runTiled(run, image, gain, scale, { tilePx, onTile }) {
  const { width, height } = image;
  const out = { width, height, channels: image.channels.map((data) => new Float32Array(data.length)) };
  const parts = (side) => {
    const count = Math.ceil(up(side) / tilePx);
    const step = up(Math.ceil(up(side) / count));
    return Array.from({ length: count }, (_, n) => [n * step, Math.min((n + 1) * step, up(side))]).filter(([a, b]) => a < b);
  };
  const all = parts(height).flatMap((down) => parts(width).map((across) => [across, down]));
  for (const [number, [[x0, x1], [y0, y1]]] of all.entries()) {
    await onTile(number, all.length);
    const [left, top] = [Math.max(0, x0 - HALO_PX), Math.max(0, y0 - HALO_PX)];
    const [right, bottom] = [Math.min(up(width), x1 + HALO_PX), Math.min(up(height), y1 + HALO_PX)];
    const size = [right - left, bottom - top];
    const relit = await run(window(image, gain, scale, left, top, ...size), ...size);
    for (let n = 0; n < 3; n += 1) {
      for (let y = y0; y < Math.min(y1, height); y += 1) {
        let from = n * size[0] * size[1] + (y - top) * size[0] + x0 - left;
        for (let x = x0, at = y * width + x0; x < Math.min(x1, width); x += 1) {
          out.channels[n][at++] = clamp(relit[from++], 0, 1);
        }
      }
    }
  }
  return out;
}

// A window as the four planes that the network takes.
function window(image, gain, scale, left, top, width, height) {
  const planes = new Float32Array(4 * width * height);
  const sources = [...image.channels, gain?.data ?? null];
  const inside = Math.min(width, image.width - left);
  for (let n = 0, at = 0; n < 4; n += 1) {
    for (let y = 0; y < height; y += 1, at += width) {
      const from = reflected(top + y, image.height) * image.width;
      if (!sources[n]) {
        planes.fill(scale, at, at + width);
        continue;
      }
      planes.set(sources[n].subarray(from + left, from + left + inside), at);
      for (let x = inside; x < width; x += 1) planes[at + x] = sources[n][from + reflected(left + x, image.width)];
      if (n === 3 && scale !== 1) for (let x = 0; x < width; x += 1) planes[at + x] *= scale;
    }
  }
  return planes;
}
