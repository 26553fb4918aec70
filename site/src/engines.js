// ONNX Runtime Web, as fast as the device has it: on the GPU where that gives the right answer
// soonest, else on the CPU, with threads where the page may have them.

import { THUMBNAIL_PX } from "./core/relume.js";

const [TEST_PX, FORCED_TEST_PX] = [256, 32];
const MOST_APART = 2 / 255; // of values in [0, 1] that a GPU may be off

// { ort, sessions, name } of the kind that choose() gave; bytes by name are what assets.js loads.
export async function openEngine(kind, threads, bytes) {
  const build = kind === "webgpu" ? "jspi" : "wasm";
  const ort = await import(new URL(`./ort/ort.${build}.min.mjs`, self.location.href).href);
  ort.env.wasm.wasmBinary = bytes.engine.buffer;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("./ort/", self.location.href).href;
  ort.env.logLevel = "error";
  const picture = await openPicture(ort, kind, bytes.picture);
  const detectors = { relume: await open(ort, bytes.faces), ...(bytes.yunet && { yunet: await open(ort, bytes.yunet) }) };
  const sessions = { picture, estimator: await open(ort, bytes.estimator), detectors };
  return { ort, sessions, name: picture.isOnGpu ? "webgpu" : "wasm" };
}

const open = (ort, model, executionProviders = ["wasm"]) => ort.InferenceSession.create(model, { executionProviders });

// A picture network, on the GPU where that is better.
export async function openPicture(ort, kind, model) {
  const onCpu = await open(ort, model);
  if (kind !== "webgpu") return onCpu;
  const onGpu = await open(ort, model, ["webgpu"]).catch(() => null);
  return onGpu && (await isBetter(ort, onGpu, onCpu)) ? withFallback(onGpu, onCpu) : onCpu;
}

// "webgpu" where there is a real GPU and the means to wait for it, else "wasm"; or what is asked for.
openEngine.choose = async (asked) => {
  const able = Boolean(navigator.gpu && WebAssembly.Suspending);
  if (!able || asked === "wasm") return "wasm";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return "wasm";
  const isSoftware = adapter.isFallbackAdapter ?? adapter.info?.isFallbackAdapter ?? false;
  forced = asked === "webgpu";
  return forced || !isSoftware ? "webgpu" : "wasm";
};
let forced = false;

// Whether the GPU gives what the CPU gives, and sooner: asked again, as the first answer compiles.
async function isBetter(ort, onGpu, onCpu) {
  try {
    const inputs = testInputs(ort, forced ? FORCED_TEST_PX : TEST_PX);
    const run = async (session) => (await session.run(inputs)).photo.data;
    const [byGpu, byCpu] = [await run(onGpu), await run(onCpu)];
    if (!byGpu.every((value, n) => Math.abs(value - byCpu[n]) < MOST_APART)) return false;
    if (forced) return true;
    const began = performance.now();
    await run(onGpu);
    const between = performance.now();
    await run(onCpu);
    return between - began < performance.now() - between;
  } catch {
    return false;
  }
}

// A dark picture by a formula: gradients, an edge, something like noise.
function testInputs(ort, side) {
  const filled = (channels, size, f) => new ort.Tensor("float32",
    Float32Array.from({ length: channels * size * size }, (_, n) => f(n % size, Math.floor(n / size) % size)), [1, channels, size, size]);
  const dark = (x, y) => 0.05 + (0.1 * x) / side + (x > y ? 0.1 : 0) + 0.02 * ((x * 7 + y * 13) % 5) / 5;
  return {
    image: filled(3, side, dark),
    thumbnail: filled(3, THUMBNAIL_PX, (x, y) => dark((x * side) / THUMBNAIL_PX, (y * side) / THUMBNAIL_PX)),
    gain: filled(1, side, (x) => 1 + x / side),
    brightness: new ort.Tensor("float32", Float32Array.of(0.4), [1, 1]),
  };
}

// A GPU may be lost, or have too little memory for a tile: the CPU takes over, for good.
function withFallback(onGpu, onCpu) {
  let lost = false;
  return {
    isOnGpu: true,
    async run(inputs) {
      if (!lost) {
        try {
          return await onGpu.run(inputs);
        } catch {
          lost = true;
        }
      }
      return onCpu.run(inputs);
    },
  };
}
