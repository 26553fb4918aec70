// The networks, run by ONNX Runtime Web: `ort` is its module, models are their bytes.

import { runTiled } from "./tiles.js";
import { THUMBNAIL_PX } from "./relume.js";

const TILE_PX = 1536;

const batch = ({ width, height, channels }) => {
  const all = new Float32Array(3 * width * height);
  channels.forEach((data, n) => all.set(data, n * width * height));
  return all;
};

export class Networks {
  // sessions: { picture, estimator, detectors (by name) }; onTile(number, of) may throw to stop.
  constructor(ort, sessions, onTile = async () => {}) {
    this.ort = ort;
    this.sessions = sessions;
    this.onTile = onTile;
  }

  // YuNet where it is there, as in Python.
  get usualDetector() { return this.sessions.detectors.yunet ? "yunet" : "relume"; }

  tensor(data, ...dims) { return new this.ort.Tensor("float32", data, dims); }

  // The brightness that a photographer would have chosen, by the photo's thumbnail.
  estimate = async (small) => {
    const inputs = { thumbnail: this.tensor(batch(small), 1, 3, THUMBNAIL_PX, THUMBNAIL_PX) };
    const { brightness } = await this.sessions.estimator.run(inputs);
    return brightness.data[0];
  };

  // The image relit: `gain` (a plane, or null) times `scale` beside what the brightness asks for.
  infer = (image, small, brightness, gain, scale) => {
    const context = batch(small);
    const run = async (planes, width, height) => {
      const size = width * height;
      const { photo } = await this.sessions.picture.run({
        image: this.tensor(planes.subarray(0, 3 * size), 1, 3, height, width),
        gain: this.tensor(planes.subarray(3 * size), 1, 1, height, width),
        thumbnail: this.tensor(context, 1, 3, THUMBNAIL_PX, THUMBNAIL_PX),
        brightness: this.tensor(Float32Array.of(brightness), 1, 1),
      });
      return photo.data;
    };
    return runTiled(run, image, gain, scale, { tilePx: TILE_PX, onTile: this.onTile });
  };
}
