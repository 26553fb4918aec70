// The frames of a camera, one after the other: relit by the fast network in light that is steady,
// with what the frames before have seen. The light is planned on small copies of some frames.

import { NO_CAST } from "./cast.js";
import { downscaleImage, LUMA, meanLevel } from "./image.js";
import { clamp, linearResize, plane } from "./planes.js";
import { relight, THUMBNAIL_PX } from "./relume.js";

const PLAN_PX = 160; // longer side of the copies
const PLAN_EVERY = 5; // frames
const FOLLOW = 0.3; // the share of a new plan that is followed
const SWITCHED = Math.log(1.8); // change of the mean level from which a light was switched, or a cut is
const DARKEST = 1 / 1024;
const BRIGHTNESS = [0.01, 0.95]; // what the network was trained for
const SAMPLES = 20_000; // pixels of which means are taken
const CELL_PX = 8; // in which frames are compared
const MOST_KEPT = 0.75; // of the last result, where nothing moves
const NOISE = [1.5 / 255, 8 / 255]; // the least and the most that is believed of a cell's mean
const MOVED = [2, 4]; // differences, in noises, up to which a place stays and from which it moved

const thumbnail = (image) => downscaleImage(image, THUMBNAIL_PX, THUMBNAIL_PX);

export class LiveRelighter {
  lift = /** @type {ReturnType<typeof plane> | null} */ (null);
  gain = /** @type {any} */ (null); // the same at full size, no logarithm
  last = /** @type {any} */ (null);
  cells = /** @type {ReturnType<typeof plane> | null} */ (null); // means of the last result
  level = /** @type {number | null} */ (null);
  asked = /** @type {number | null | undefined} */ (undefined);
  age = 0;

  // networks: { estimate, infer } of core/networks.js, whose picture is the fast network.
  constructor(networks) {
    this.networks = networks;
  }

  // The next frame is the first of a shot.
  forget() {
    this.lift = this.gain = this.last = this.cells = this.level = null;
    this.asked = undefined;
    this.age = 0;
  }

  // image: { width, height, channels } of floats, both sides multiples of 16; brightness null is
  // automatic. A new image, in [0, 1].
  async frame(image, brightness = null) {
    const small = thumbnail(image);
    const level = Math.max(meanLevel(small), DARKEST);
    const cut = this.level !== null && Math.abs(Math.log(level / this.level)) > SWITCHED;
    const resized = this.last && (this.last.width !== image.width || this.last.height !== image.height);
    if (cut || resized) this.forget();
    this.level = level;
    if (this.lift === null || brightness !== this.asked || this.age % PLAN_EVERY === 0) {
      const planned = await this.plan(image, brightness);
      const before = brightness === this.asked ? this.lift : null;
      before?.data.forEach((value, i) => { planned.data[i] = value + FOLLOW * (planned.data[i] - value); });
      this.lift = planned;
      const full = linearResize(planned, image.width, image.height);
      this.gain = { ...full, data: full.data.map(Math.exp) };
      this.asked = brightness;
    }
    this.age += 1;
    const relit = await this.relit(image, small, level);
    this.last = this.merged(relit);
    return this.last;
  }

  // The logarithm of what encoded values are multiplied with, on a small copy: what the network
  // would be asked for there.
  async plan(image, brightness) {
    const scale = Math.min(1, PLAN_PX / Math.max(image.width, image.height));
    const copy = downscaleImage(image, Math.round(image.width * scale), Math.round(image.height * scale));
    const level = Math.max(meanLevel(thumbnail(copy)), DARKEST);
    const lift = plane(copy.width, copy.height); // nothing is lifted unless the network is asked
    const infer = async (of, small, wanted, gain, factor) => {
      const overall = Math.log((wanted / level) * factor);
      for (let i = 0; i < lift.data.length; i += 1) lift.data[i] = overall + (gain ? Math.log(gain.data[i]) : 0);
      return { ...of, channels: of.channels.map((data) => data.slice()) };
    };
    await relight(copy, { brightness, local: 1, stops: null, protectLit: true, find: null, cast: NO_CAST }, { ...this.networks, infer });
    return lift;
  }

  // What the network makes of the frame in this light.
  async relit(image, small, level) {
    const { data } = /** @type {ReturnType<typeof plane>} */ (this.gain);
    const [red, green, blue] = image.channels;
    const step = Math.max(1, Math.floor(data.length / SAMPLES));
    let [total, count] = [0, 0];
    for (let i = 0; i < data.length; i += step, count += 1) {
      const grey = LUMA[0] * red[i] + LUMA[1] * green[i] + LUMA[2] * blue[i];
      total += Math.min(1, grey * data[i]);
    }
    const wanted = clamp(total / count, ...BRIGHTNESS);
    return this.networks.infer(image, small, wanted, this.gain, level / wanted);
  }

  // The frame mixed with the last result where both show the same.
  merged(relit) {
    const { width, height } = relit;
    const [cells, before] = [cellMeans(relit), this.cells];
    this.cells = cells;
    if (!this.last || !before) return relit;
    const apart = cells.data.map((value, i) => Math.abs(value - before.data[i]));
    const noise = clamp(1.5 * thirdOf(apart), ...NOISE);
    const kept = plane(cells.width, cells.height);
    for (let i = 0; i < apart.length; i += 1) {
      const t = clamp((MOVED[1] - apart[i] / noise) / (MOVED[1] - MOVED[0]), 0, 1);
      kept.data[i] = MOST_KEPT * t * t * (3 - 2 * t);
      cells.data[i] += kept.data[i] * (before.data[i] - cells.data[i]);
    }
    const share = linearResize(kept, width, height).data;
    relit.channels.forEach((data, n) => {
      const old = this.last.channels[n];
      for (let i = 0; i < data.length; i += 1) data[i] += share[i] * (old[i] - data[i]);
    });
    return relit;
  }
}

// The mean lumas of cells of 8 x 8 pixels; both sides are multiples of it.
function cellMeans({ width, height, channels: [red, green, blue] }) {
  const out = plane(width / CELL_PX, height / CELL_PX);
  const [r, g, b] = LUMA.map((weight) => weight / CELL_PX ** 2);
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = Math.floor(y / CELL_PX) * out.width;
    for (let x = 0; x < width; x += 1, at += 1) out.data[row + (x >> 3)] += r * red[at] + g * green[at] + b * blue[at];
  }
  return out;
}

const thirdOf = (values) => Float32Array.from(values).sort()[Math.floor(values.length / 3)];
