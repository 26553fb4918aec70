import * as ort from "onnxruntime-web/wasm";
import fs from "node:fs";
import { enhance } from "./src/core/enhance.js";
import { Networks } from "./src/core/networks.js";
ort.env.wasm.numThreads = 1;
const W = "/work/wt/browser/src/relume/weights/";
import { pack, unpack } from "./src/pack.js"; import zlib from "node:zlib";
const load = (f) => { let b = new Uint8Array(fs.readFileSync(W + f)); if (process.env.HALF) { const p = pack(b); console.log(f, b.length, p.length, zlib.gzipSync(p,{level:9}).length, zlib.brotliCompressSync(p).length); b = unpack(new Uint8Array(p)); } return ort.InferenceSession.create(b, { executionProviders: ["wasm"] }); };
const networks = new Networks(ort, { picture: await load("relume.onnx"), estimator: await load("relume-exposure.onnx") });
const P = { relume: { half_above_mp: 4 }, machine: { half_above_mp: 4 }, gamma: { exponent: .5, normalise: true }, "auto-gamma": { target: .45 }, "auto-exposure": { max_gain: 32 } };
for (const c of JSON.parse(fs.readFileSync("/tmp/par/cases.json"))) {
  const raw = fs.readFileSync(`/tmp/par/${c.i}.in`);
  const want = fs.readFileSync(`/tmp/par/${c.i}-${c.name}.out`);
  const rgba = new Uint8ClampedArray(4 * c.w * c.h);
  for (let i = 0; i < c.w * c.h; i++) { for (let n = 0; n < 3; n++) rgba[4 * i + n] = raw[3 * i + n]; rgba[4 * i + 3] = 255; }
  const { kw } = c; const method = kw.method ?? "relume";
  const t = performance.now();
  const got = await enhance({ width: c.w, height: c.h, rgba }, { method, parameters: { ...P[method], ...(kw.parameters ?? {}) }, strength: kw.strength ?? 1, brightness: kw.brightness ?? null, local: kw.local ?? null, protectLit: kw.protect_lit ?? true, stops: c.stops ? { width: c.stops.w, height: c.stops.h, data: Float32Array.from(c.stops.data) } : null }, networks);
  const ms = performance.now() - t;
  let worst = 0, off = 0;
  for (let i = 0; i < c.w * c.h; i++) for (let n = 0; n < 3; n++) { const d = Math.abs(got.rgba[4 * i + n] - want[3 * i + n]); worst = Math.max(worst, d); off += d > 0; }
  console.log(c.i, c.name, c.w, c.h, "worst", worst, "share off", (off / (3 * c.w * c.h)).toFixed(4), Math.round(ms), "ms");
}
