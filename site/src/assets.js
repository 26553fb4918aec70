// The large files: weights and the engine. They come compressed, under names that hold their hash;
// what arrived whole is kept in the browser's own cache, and nothing else is believed.

const KEPT = "relume-weights";
const TRIES = 3;

// The bytes of assets { name: { file, bytes, sha256 } }, unpacked; progress(done, total) in bytes.
// What was kept earlier and is not among `current` is forgotten.
export async function fetchAssets(assets, progress, current) {
  const entries = Object.entries(assets);
  const total = entries.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  const done = new Map();
  const arrived = (name, bytes) => {
    done.set(name, bytes);
    progress([...done.values()].reduce((a, b) => a + b, 0), total);
  };
  const cache = await globalThis.caches?.open(KEPT).catch(() => null);
  const loaded = await Promise.all(entries.map(async ([name, asset]) =>
    [name, await unzipped(await fetchAsset(asset, cache, (bytes) => arrived(name, bytes)))]));
  await forgetOld(cache, current.map(({ file }) => file));
  return Object.fromEntries(loaded);
}

async function fetchAsset(asset, cache, arrived) {
  const url = new URL(asset.file, self.location.href).href;
  const kept = await cache?.match(url).catch(() => null);
  if (kept) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    arrived(bytes.length);
    if (await isWhole(bytes, asset)) return bytes;
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      const bytes = await download(url, asset, attempt, arrived);
      if (!(await isWhole(bytes, asset))) throw new Error("damaged on the way");
      const answer = new Response(bytes, { headers: { "Content-Type": "application/octet-stream" } });
      await cache?.put(url, answer).catch(() => {}); // storage is full, or refused: it works without
      return bytes;
    } catch (error) {
      if (attempt === TRIES) throw new Error(`relume's network did not arrive (${asset.file}: ${error.message}). Is there a connection?`);
    }
  }
}

async function download(url, asset, attempt, arrived) {
  // damaged bytes may be in the HTTP cache, too
  const response = await fetch(url, { cache: attempt > 1 ? "reload" : "default" });
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  const bytes = new Uint8Array(asset.bytes);
  let length = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (length + value.length > bytes.length) throw new Error("longer than it should be");
    bytes.set(value, length);
    length += value.length;
    arrived(length);
  }
  return bytes.subarray(0, length);
}

async function isWhole(bytes, { bytes: expected, sha256 }) {
  if (bytes.length !== expected) return false;
  if (!globalThis.crypto?.subtle) return true; // only pages over https or of this machine have it
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

async function unzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function forgetOld(cache, files) {
  for (const request of (await cache?.keys().catch(() => [])) ?? []) {
    if (!files.some((file) => request.url.endsWith(`/${file}`))) await cache.delete(request).catch(() => {});
  }
}
