// What relights a camera's frames, with a network that only exposes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveRelighter } from "../src/core/live.js";
import { clamp } from "../src/core/planes.js";
import { meanLevel } from "../src/core/image.js";

const [WIDTH, HEIGHT] = [64, 48];
const networks = (chosen = 0.4) => ({
  estimate: async () => chosen,
  async infer(image, small, brightness, gain, scale) {
    const overall = brightness / meanLevel(small);
    const channels = image.channels.map((data) => data.map((value, i) => clamp(value * overall * scale * (gain ? gain.data[i] : 1), 0, 1)));
    return { ...image, channels };
  },
});

// A wall in this light, with noise of its own each time.
let state = 7;
const noise = (most) => { state = (state * 48271) % 2147483647; return (state / 2147483647 - 0.5) * most; };
const frame = (level, most = 0.01, at = (x) => 0.8 + (0.4 * x) / WIDTH) => {
  const channels = [0, 1, 2].map(() => Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => clamp(level * at(i % WIDTH) + noise(most), 0, 1)));
  return { width: WIDTH, height: HEIGHT, channels };
};
const deviation = (one, other) => Math.sqrt(one.channels[0].reduce((sum, value, i) => sum + (value - other.channels[0][i]) ** 2, 0) / (WIDTH * HEIGHT));

test("a frame becomes as bright as is asked for", async () => {
  const live = new LiveRelighter(networks());
  for (const wanted of [0.3, 0.6]) {
    const relit = await live.frame(frame(0.06), wanted);
    assert.ok(Math.abs(meanLevel(relit) - wanted) < 0.03, `${wanted} became ${meanLevel(relit)}`);
  }
});

test("what stands still loses noise, frame by frame", async () => {
  const live = new LiveRelighter(networks());
  const first = await live.frame(frame(0.06, 0.02), 0.4);
  let [before, last] = [first, first];
  for (let n = 0; n < 8; n += 1) [before, last] = [last, await live.frame(frame(0.06, 0.02), 0.4)];
  const fresh = new LiveRelighter(networks());
  const alone = [await fresh.frame(frame(0.06, 0.02), 0.4), await new LiveRelighter(networks()).frame(frame(0.06, 0.02), 0.4)];
  assert.ok(deviation(before, last) < 0.4 * deviation(...alone));
});

test("what has moved is not mixed with what was there", async () => {
  const live = new LiveRelighter(networks());
  const [left, right] = [(x) => (x < 32 ? 1.6 : 0.4), (x) => (x < 32 ? 0.4 : 1.6)];
  for (let n = 0; n < 4; n += 1) await live.frame(frame(0.06, 0.004, left), 0.4);
  const moved = await live.frame(frame(0.06, 0.004, right), 0.4);
  const fresh = await new LiveRelighter(networks()).frame(frame(0.06, 0.004, right), 0.4);
  assert.ok(deviation(moved, fresh) < 0.03, `${deviation(moved, fresh)} of what was there is left`);
});

test("a trembling choice of brightness is followed slowly; a light that is switched is followed at once", async () => {
  const own = networks();
  const live = new LiveRelighter(own);
  const before = meanLevel(await live.frame(frame(0.06)));
  own.estimate = async () => 0.55;
  const levels = [];
  for (let n = 0; n < 10; n += 1) levels.push(meanLevel(await live.frame(frame(0.06))));
  const steps = levels.map((level, n) => Math.abs(level - (n ? levels[n - 1] : before)));
  assert.ok(Math.max(...steps) < 0.06, `steps of ${steps}`);
  const switched = await live.frame(frame(0.2));
  const fresh = await new LiveRelighter(own).frame(frame(0.2));
  assert.ok(Math.abs(meanLevel(switched) - meanLevel(fresh)) < 0.02);
});

test("a frame of another size begins anew", async () => {
  const live = new LiveRelighter(networks());
  await live.frame(frame(0.06));
  const half = { width: 32, height: 48, channels: frame(0.06).channels.map((data) => data.slice(0, 32 * 48)) };
  assert.equal((await live.frame(half)).width, 32);
});
