// A JPEG's metadata: EXIF (upright, without its thumbnail), XMP and ICC as they were; its quality.

const ORIENTATION = 0x0112;
const [THUMBNAIL_AT, THUMBNAIL_BYTES] = [0x0201, 0x0202];
const LUMA_TABLE = [ // of quality 50, in zigzag order, as it stands in a file
  16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57,
  51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100,
  120, 92, 101, 103, 99,
];

const starts = (bytes, word) => [...word].every((letter, n) => bytes[n] === letter.charCodeAt(0));

// { segments: [bytes with marker and length], quality (1 to 100, or null) }.
export function jpegParts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments = [];
  let quality = null;
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1];
    if (marker === 0xda) break;
    if (marker === 0xff) { at += 1; continue; }
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) break;
    const body = bytes.subarray(at + 4, end);
    if (marker === 0xe1 && starts(body, "Exif\0\0")) segments.push(plainExif(bytes.slice(at, end)));
    else if (marker === 0xe1 && starts(body, "http://ns.adobe.com/xap/1.0/")) segments.push(plainXmp(bytes.slice(at, end)));
    else if (marker === 0xe2 && starts(body, "ICC_PROFILE\0")) segments.push(bytes.slice(at, end));
    else if (marker === 0xdb && quality === null) quality = qualityOf(body);
    at = end;
  }
  return { segments: segments.filter(Boolean), quality };
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
  let [best, least] = [null, Infinity];
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
    if (orientation && view.getUint16(orientation + 2, little) === 3) view.setUint16(orientation + 8, 1, little);
    const next = view.getUint32(first.nextAt, little);
    if (next) {
      const { entries } = directory(view, next, little);
      const value = (tag) => (entries.has(tag) ? view.getUint32(entries.get(tag) + 8, little) : 0);
      const [start, length] = [value(THUMBNAIL_AT), value(THUMBNAIL_BYTES)];
      if (start > 8 && start + length <= tiff.length) tiff.fill(0, start, start + length); // it shows the dark photo
      view.setUint32(first.nextAt, 0, little);
    }
    return segment;
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

function plainXmp(segment) {
  const words = new TextDecoder("latin1").decode(segment);
  const found = /tiff:Orientation(?:\s*=\s*["']|>)[2-8](?=["'<])/.exec(words);
  if (found) segment[found.index + found[0].length - 1] = "1".charCodeAt(0);
  return segment;
}
