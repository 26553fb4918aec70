// Files to photos and back, with what the browser has: it decodes and encodes, the bytes around
// the pixels (EXIF, ICC, XMP) are carried over here.

import { alphaPixels, alphaPng, pngChunks, unusualColour, withPngChunks } from "./png.js";
import { jpegParts, withJpegSegments } from "./jpeg.js";
import { fileKind, headerSize, noteOf } from "./kinds.js";

/** @type {ImageBitmapOptions} */
const EXACT = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none" };
// what carries its profile over keeps its numbers; the colours of others become sRGB's
/** @returns {ImageBitmapOptions} */
const decoding = (kind) => (["jpeg", "png"].includes(kind) ? EXACT : { ...EXACT, colorSpaceConversion: "default" });
const DEFAULT_QUALITY = 95;
const [LEAST_QUALITY, MOST_GROWTH] = [75, 1.5];
const MEDIA = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" };

export class Refused extends Error {
  constructor(message, details = {}) {
    super(message);
    Object.assign(this, details);
  }
}

// { width, height, rgba, alpha, bytes, format, note, jpeg (segments, quality), chunks }.
export async function decode(file, most) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = fileKind(bytes, file);
  if (kind.refusal) throw new Refused(`${file.name}: ${kind.refusal}`);
  const size = headerSize(bytes, kind.name);
  if (size) refuseLarge(file, size, most);
  const chunks = kind.name === "png" ? pngChunks(bytes) : null;
  const unusual = chunks && unusualColour(chunks);
  if (unusual) throw new Refused(`${file.name}: ${unusual}, which this page does not convert; relume's command on a computer does`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: kind.type }), decoding(kind.name));
  } catch {
    throw new Refused(`${file.name}: ${kind.unreadable ?? "the file is damaged, or cut off"}`);
  }
  refuseLarge(file, bitmap, most);
  const { width, height } = bitmap;
  const { context } = canvas(width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  let rgba = context.getImageData(0, 0, width, height).data;
  const alpha = hasAlpha(rgba);
  if (alpha && kind.name === "png") rgba = (await alphaPixels(bytes)) ?? rgba;
  const jpeg = kind.name === "jpeg" ? jpegParts(bytes) : null;
  return {
    width, height, rgba, alpha, format: MEDIA[kind.name] ? kind.name : ["heif", "jxl"].includes(kind.name ?? "") ? "jpeg" : "png",
    bytes: bytes.length, note: noteOf(bytes, kind.name) ?? leftOutNote(jpeg),
    jpeg, chunks,
  };
}

function leftOutNote(jpeg) {
  const gone = jpeg?.leftOut ?? [];
  return gone.length ? `${gone.join(" and ")} ${gone.length > 1 ? "are" : "is"} left out` : null;
}

function refuseLarge(file, { width, height }, most) {
  const megapixels = (width * height) / 1e6;
  if (megapixels <= most * 1.02) return;
  const told = megapixels < 10 ? megapixels.toFixed(1) : Math.round(megapixels);
  throw new Refused(`${file.name}: ${width} × ${height} are ${told} megapixels, too large for this device, which takes up to ${Number(most.toFixed(1))}.`,
    { smaller: megapixels < 4 * most ? (most > 2 ? Math.floor(0.9 * most) : most / 2) : null });
}

function canvas(width, height) {
  const board = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (board.getContext("2d", { willReadFrequently: true }));
  return { board, context };
}

function hasAlpha(rgba) {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] < 255) return true;
  return false;
}

// A file of `format` ("" is the photo's own), its metadata with it where that format takes it.
export async function encode(photo, format, quality) {
  const kind = format || photo.format;
  const { width, height, rgba, alpha, jpeg, chunks } = photo;
  if (kind === "png" && alpha) return new Blob([withPngChunks(await alphaPng(photo), chunks)], { type: MEDIA.png });
  const { board, context } = canvas(width, height);
  context.putImageData(new ImageData(rgba, width, height), 0, 0);
  if (kind === "jpeg" && alpha) { // JPEG has no transparency: laid on white
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  const compress = (percent) => board.convertToBlob({ type: MEDIA[kind], quality: percent / 100 });
  const blob = kind === "jpeg" && !quality && jpeg?.quality
    ? await compressLike(compress, jpeg.quality, photo.bytes) : await compress(quality ?? DEFAULT_QUALITY);
  if (blob.type !== MEDIA[kind]) throw new Refused(`This browser cannot write ${kind}; choose another file type.`);
  if (kind === "jpeg" && jpeg) return withSegments(blob, jpeg);
  if (kind === "png" && chunks?.length) {
    return new Blob([withPngChunks(new Uint8Array(await blob.arrayBuffer()), chunks)], { type: MEDIA.png });
  }
  return blob;
}

// The original's quality, lowered while the file is more than 1.5 times as large: noise that was
// dark takes bytes once it is bright.
async function compressLike(compress, quality, bytes) {
  let blob = await compress(quality);
  const limit = MOST_GROWTH * bytes;
  if (blob.size <= limit || quality <= LEAST_QUALITY) return blob;
  blob = await compress(LEAST_QUALITY);
  let [low, high] = [LEAST_QUALITY, quality];
  while (blob.size <= limit && high - low > 1) {
    const middle = (low + high) >> 1;
    const tried = await compress(middle);
    if (tried.size > limit) {
      high = middle;
    } else {
      [blob, low] = [tried, middle];
    }
  }
  return blob;
}

async function withSegments(blob, { segments }) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return new Blob([withJpegSegments(bytes, segments)], { type: MEDIA.jpeg });
}
