// A JPEG's metadata: EXIF (upright, without its thumbnail), XMP and ICC as they were; its quality.

import { CLIP, EXTENDED, GAIN_MAP, plainXmp } from "./xmp.js";

const XMP = "http://ns.adobe.com/xap/1.0/\0";
const ORIENTATION = 0x0112;
const [THUMBNAIL_AT, THUMBNAIL_BYTES] = [0x0201, 0x0202];
const LUMA_TABLE = [ // of quality 50, in zigzag order, as it stands in a file
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57,
  51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100,
  120, 92, 101, 103, 99,
];

const starts = (bytes, word) => [...word].every((letter, n) => bytes[n] === letter.charCodeAt(0));

// { segments: [bytes with marker and length], quality (1 to 100, or null), leftOut }.
export function jpegParts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = [];
  let quality = null;
  let at = 2;
  while (at + 4 <= bytes.length) {
    // between segments may stand junk: decoders skip it, up to the next marker
    if (bytes[at] !== 0xff || bytes[at + 1] === 0xff || bytes[at + 1] === 0) { at += 1; continue; }
    const marker = bytes[at + 1];
    if (marker === 0xda || marker === 0xd9) break;
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) break;
    const body = bytes.subarray(at + 4, end);
    if (marker === 0xe1 || marker === 0xe2) found.push({ marker, segment: bytes.slice(at, end), body });
    else if (marker === 0xdb && quality === null) quality = qualityOf(body);
    at = end;
  }
  const exifs = found.filter(({ marker, body }) => marker === 0xe1 && starts(body, "Exif\0\0")).map(({ segment }) => plainExif(segment));
  const turned = exifs.some((exif) => exif?.turned);
  const leftOut = new Set(leftBehind(bytes, at));
  const segments = found.map(({ marker, segment, body }) => {
    if (marker === 0xe1 && starts(body, XMP)) return plainPacket(segment, turned, leftOut);
    if (marker === 0xe1 && starts(body, "http://ns.adobe.com/xmp/extension/")) leftOut.add(EXTENDED);
    if (marker === 0xe2 && starts(body, "urn:iso:std:iso:ts:21496:-1")) leftOut.add(GAIN_MAP);
    return marker === 0xe2 && starts(body, "ICC_PROFILE\0") ? segment : null;
  });
  return { segments: [...exifs.map((exif) => exif?.segment), ...segments].filter(Boolean), quality, leftOut: [...leftOut] };
}

// What lies behind the picture's end: phones put a clip there, or a gain map.
function leftBehind(bytes, scan) {
  let end = scan;
  while (end + 1 < bytes.length && !(bytes[end] === 0xff && bytes[end + 1] === 0xd9)) end += 1;
  const behind = letters(bytes.subarray(end));
  const gainMap = behind.includes("hdr-gain-map") || behind.includes("HDRGainMap");
  return [...(behind.includes("ftyp") ? [CLIP] : []), ...(gainMap ? [GAIN_MAP] : [])];
}

function plainPacket(segment, turned, leftOut) {
  const from = 4 + XMP.length;
  const plain = plainXmp(letters(segment.subarray(from)), turned);
  plain.leftOut.forEach((what) => leftOut.add(what));
  const out = new Uint8Array(from + plain.packet.length);
  out.set(segment.subarray(0, from));
  for (let n = 0; n < plain.packet.length; n += 1) out[from + n] = plain.packet.charCodeAt(n);
  new DataView(out.buffer).setUint16(2, out.length - 2);
  return out;
}

// Bytes as letters of the same number.
function letters(bytes) {
  let words = "";
  for (let at = 0; at < bytes.length; at += 8192) words += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return words;
}

// The segments in front of all others of a JPEG that a canvas wrote.
export function withJpegSegments(bytes, segments) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isJfif = bytes[2] === 0xff && bytes[3] === 0xe0;
  let at = isJfif ? 4 + view.getUint16(4) : 2;
  const head = bytes.subarray(0, at);
  while (bytes[at] === 0xff && [0xe1, 0xe2].includes(bytes[at + 1])) at += 2 + view.getUint16(at + 2); // the canvas's own
  return new Blob([head, ...segments, bytes.subarray(at)]);
}

// The libjpeg quality whose table is nearest, if the first table holds bytes.
function qualityOf(body) {
  if (body[0] >> 4 || body.length < 65) return null;
  let [best, least] = [/** @type {number | null} */ (null), Infinity];
  for (let quality = 1; quality <= 100; quality += 1) {
    const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
    const apart = LUMA_TABLE.reduce((sum, value, n) =>
      sum + Math.abs(Math.min(255, Math.max(1, Math.floor((percent * value + 50) / 100))) - body[1 + n]), 0);
    if (apart < least) [best, least] = [quality, apart];
  }
  return best;
}

// EXIF as a photo carries it that is upright: single values are overwritten where they stand, so
// that a maker note's offsets stay right. null in place of what makes no sense.
function plainExif(segment) {
  const tiff = segment.subarray(10);
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  try {
    const little = view.getUint16(0) === 0x4949;
    if (!little && view.getUint16(0) !== 0x4d4d) return null;
    const first = directory(view, view.getUint32(4, little), little);
    const orientation = first.entries.get(ORIENTATION);
    const turned = Boolean(orientation) && view.getUint16(orientation + 8, little) !== 0;
    if (orientation && view.getUint16(orientation + 2, little) === 3) view.setUint16(orientation + 8, 1, little);
    const next = view.getUint32(first.nextAt, little);
    if (next) {
      const { entries } = directory(view, next, little);
      const value = (tag) => (entries.has(tag) ? view.getUint32(entries.get(tag) + 8, little) : 0);
      const [start, length] = [value(THUMBNAIL_AT), value(THUMBNAIL_BYTES)];
      if (start > 8 && start + length <= tiff.length) tiff.fill(0, start, start + length); // it shows the dark photo
      view.setUint32(first.nextAt, 0, little);
    }
    return { segment, turned };
  } catch {
    return null;
  }
}

function directory(view, at, little) {
  const count = view.getUint16(at, little);
  const entries = new Map();
  for (let n = 0; n < count; n += 1) entries.set(view.getUint16(at + 2 + 12 * n, little), at + 2 + 12 * n);
  return { entries, nextAt: at + 2 + 12 * count };
}
