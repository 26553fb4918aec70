// PNG where a canvas is not enough: exact colours under transparency, and metadata chunks.

import { crc32 } from "../../src/relume/web/static/zip.js";

const KEPT = ["cICP", "iCCP", "sRGB", "gAMA", "cHRM", "pHYs", "eXIf", "tEXt", "zTXt", "iTXt", "tIME"];
const SIGNATURE = 8;
const HEADER_END = SIGNATURE + 25;

// The metadata of a PNG, chunk by chunk. Its pixels were turned upright if its EXIF asked for it;
// that is rare enough in PNG for the EXIF to be left out then.
export function pngChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = [];
  for (let at = SIGNATURE; at + 12 <= bytes.length;) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length || name === "IEND") break;
    if (KEPT.includes(name)) found.push({ name, bytes: bytes.slice(at, end) });
    at = end;
  }
  return found.filter(({ name, bytes: whole }) => name !== "eXIf" || orientation(whole.subarray(8)) === 1);
}

// What the values mean if it is no usual picture's encoding ("HDR (PQ)", "linear light"), or null.
export function unusualColour(chunks) {
  const body = (wanted) => chunks.find(({ name }) => name === wanted)?.bytes.subarray(8);
  const transfer = body("cICP")?.[1];
  if (transfer !== undefined) return { 8: "linear light", 16: "HDR (PQ)", 18: "HDR (HLG)" }[transfer] ?? null;
  const gamma = body("gAMA");
  if (!gamma || body("iCCP") || body("sRGB")) return null;
  return new DataView(gamma.buffer, gamma.byteOffset).getUint32(0) === 100_000 ? "linear light" : null;
}

// How the EXIF says that the stored picture lies, 1 to 8; 0 where it cannot be read.
function orientation(tiff) {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  try {
    const little = view.getUint16(0) === 0x4949;
    const first = view.getUint32(4, little);
    for (let n = 0, at = first + 2; n < view.getUint16(first, little); n += 1, at += 12) {
      if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
    }
    return 1;
  } catch {
    return 0;
  }
}

// A PNG with those chunks after its header, in place of its own of the same names.
export function withPngChunks(png, chunks) {
  if (!chunks?.length) return new Blob([png]);
  const names = new Set(chunks.map(({ name }) => name));
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const rest = [];
  for (let at = HEADER_END; at + 12 <= png.length;) {
    const end = at + 12 + view.getUint32(at);
    if (!names.has(String.fromCharCode(...png.subarray(at + 4, at + 8)))) rest.push(png.subarray(at, end));
    at = end;
  }
  return new Blob([png.subarray(0, HEADER_END), ...chunks.map(({ bytes }) => bytes), ...rest]);
}

// The exact values of a PNG with alpha, upright (8 bits, not interlaced), or null for any other:
// browsers give colours that were multiplied with alpha, and that rounds.
export async function alphaPixels(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height, bits, type, interlaced] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25], bytes[28]];
  const samples = { 4: 2, 6: 4 }[type];
  if (!samples || bits !== 8 || interlaced) return null;
  const packed = [];
  let lies = 1;
  for (let at = SIGNATURE; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) === 0x65584966) lies = orientation(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
    if (view.getUint32(at + 4) === 0x49444154) packed.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(stream).arrayBuffer());
  const line = samples * width;
  const rgba = new Uint8ClampedArray(4 * width * height);
  let above = new Uint8Array(line);
  for (let y = 0; y < height; y += 1) {
    const row = rows.subarray(y * (line + 1) + 1, (y + 1) * (line + 1));
    unfilter(rows[y * (line + 1)], row, above, samples);
    for (let x = 0, at = 4 * y * width; x < line; x += samples, at += 4) {
      for (let n = 0; n < 3; n += 1) rgba[at + n] = row[samples === 4 ? x + n : x];
      rgba[at + 3] = row[x + samples - 1];
    }
    above = row;
  }
  return upright(rgba, width, height, lies);
}

// The pixels of a picture that lies as an EXIF orientation says: mirrored where that is 2, 4, 5 or 7,
// upside down where it is 3 or 4, on its side from 5 on.
function upright(rgba, width, height, lies) {
  if (!(lies > 1 && lies <= 8)) return rgba;
  const [from, to] = [rgba, rgba.slice()].map(({ buffer }) => new Uint32Array(buffer));
  const [right, below] = [[2, 3, 7, 8].includes(lies), [3, 4, 6, 7].includes(lies)]; // where it begins
  const [across, down] = lies < 5 ? [width, height] : [height, width];
  for (let y = 0, at = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1, at += 1) {
      const [column, row] = lies < 5 ? [x, y] : [y, x];
      to[at] = from[(below ? height - 1 - row : row) * width + (right ? width - 1 - column : column)];
    }
  }
  return new Uint8ClampedArray(to.buffer);
}

function unfilter(kind, row, above, step) {
  for (let x = 0; x < row.length; x += 1) {
    const left = x < step ? 0 : row[x - step];
    const corner = x < step ? 0 : above[x - step];
    if (kind === 1) row[x] += left;
    else if (kind === 2) row[x] += above[x];
    else if (kind === 3) row[x] += (left + above[x]) >> 1;
    else if (kind === 4) row[x] += nearest(left, above[x], corner);
  }
}

// Paeth's predictor.
function nearest(left, up, corner) {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

// { width, height, rgba } as a PNG with alpha, every row predicted by the one above.
export async function alphaPng({ width, height, rgba }) {
  const line = 4 * width;
  const rows = new Uint8Array(height * (line + 1));
  for (let y = 0; y < height; y += 1) {
    const at = y * (line + 1);
    rows[at] = y ? 2 : 0;
    for (let x = 0; x < line; x += 1) rows[at + 1 + x] = rgba[y * line + x] - (y ? rgba[(y - 1) * line + x] : 0);
  }
  const packed = new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate")));
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 6, 0, 0, 0], 8);
  const parts = [chunk("IHDR", header), chunk("IDAT", new Uint8Array(await packed.arrayBuffer())), chunk("IEND", new Uint8Array(0))];
  const out = new Uint8Array(SIGNATURE + parts.reduce((sum, part) => sum + part.length, 0));
  out.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  let at = SIGNATURE;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(name, body) {
  const out = new Uint8Array(12 + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  out.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
}
