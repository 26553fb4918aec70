// What a file is, by its first bytes, and how large its picture says it is.

const text = (bytes, from, length) => String.fromCharCode(...bytes.subarray(from, from + length));
const isTiff = (bytes) => ["II*\0", "MM\0*"].includes(text(bytes, 0, 4));
const brand = (bytes) => (text(bytes, 4, 4) === "ftyp" ? text(bytes, 8, 4).trim() : "");
const HEIF = ["heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "heif"];
const isAnimated = {
  gif: hasSecondPicture,
  webp: (bytes) => text(bytes, 12, 4) === "VP8X" && Boolean(bytes[20] & 2),
  png: hasFrames,
  avif: (bytes) => brand(bytes) === "avis",
};
const ONLY_THERE = "relume's command on a computer reads it";

// { name, type } of what the browser may read, with a sentence for when it cannot (`unreadable`);
// { refusal } of what it never can.
export function fileKind(bytes, { name, type }) {
  if (!bytes.length) return { refusal: "the file is empty (0 bytes)" };
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return { name: "jpeg", type: "image/jpeg" };
  if (text(bytes, 1, 3) === "PNG") return { name: "png", type: "image/png" };
  if (text(bytes, 0, 3) === "GIF") return { name: "gif", type: "image/gif" };
  if (text(bytes, 0, 2) === "BM") return { name: "bmp", type: "image/bmp" };
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return { name: "webp", type: "image/webp" };
  if (["avif", "avis"].includes(brand(bytes))) {
    return { name: "avif", type: "image/avif", unreadable: "this browser cannot read AVIF, or the file is damaged" };
  }
  if ((bytes[0] === 0xff && bytes[1] === 0x0a) || text(bytes, 4, 4) === "JXL ") {
    return { name: "jxl", type: "image/jxl", unreadable: `this browser cannot read JPEG XL; ${ONLY_THERE}` };
  }
  if (HEIF.includes(brand(bytes))) {
    const unreadable = `this browser cannot read HEIC; save it as JPEG (iPhone: Settings, Camera, Formats, Most Compatible), or ${ONLY_THERE}`;
    return { name: "heif", type: "image/heic", unreadable };
  }
  if (isVideo(bytes, type)) return { refusal: `a clip, and this page takes photos; on a computer, relume's command relights clips: relume enhance ${quoted(name)}` };
  if (isTiff(bytes)) return { refusal: `TIFF and camera raw are not read in a browser; ${ONLY_THERE}` };
  return { refusal: "not a picture that a browser reads (JPEG, PNG, WebP, AVIF, GIF or BMP)" };
}

// What there is to say about a file that was read, or null.
export const noteOf = (bytes, kind) => (isAnimated[kind]?.(bytes)
  ? "this is an animation: its first picture was relit, and the others were left out" : null);

// Whether a GIF goes on after its first picture: by its blocks, each a chain of lengths and bytes.
function hasSecondPicture(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const afterChain = (at) => {
    while (bytes[at]) at += bytes[at] + 1;
    return at + 1;
  };
  let pictures = 0;
  for (let at = 13 + table(bytes[10]); at < bytes.length;) {
    if (bytes[at] === 0x2c) {
      pictures += 1;
      if (pictures > 1) return true;
      at = afterChain(at + 11 + table(bytes[at + 9]));
    } else if (bytes[at] === 0x21) {
      at = afterChain(at + 2);
    } else return false;
  }
  return false;
}

// Whether a PNG tells of more than one frame, before its pixels.
function hasFrames(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length && text(bytes, at + 4, 4) !== "IDAT"; at += 12 + view.getUint32(at)) {
    if (text(bytes, at + 4, 4) === "acTL") return view.getUint32(at + 8) > 1;
  }
  return false;
}

const quoted = (name) => (/[^\w.-]/.test(name) ? `"${name}"` : name);

export function isVideo(bytes, type) {
  return type.startsWith("video/") || Boolean(brand(bytes)) || text(bytes, 4, 4) === "moov"
    || text(bytes, 0, 4) === "\x1a\x45\xdf\xa3" || (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 3) === "AVI");
}

// { width, height } by the file's header, or null where only decoding tells.
export function headerSize(bytes, kind) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (kind === "png") return { width: view.getUint32(16), height: view.getUint32(20) };
    if (kind === "gif") return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (kind === "bmp") return { width: view.getUint32(18, true), height: Math.abs(view.getInt32(22, true)) };
    if (kind === "jpeg") return jpegSize(view);
    if (kind === "webp" && text(bytes, 12, 4) === "VP8X") {
      const three = (at) => 1 + (view.getUint16(at, true) | (view.getUint8(at + 2) << 16));
      return { width: three(24), height: three(27) };
    }
  } catch {
    return null; // cut off: the decoder says so
  }
  return null;
}

function jpegSize(view) {
  for (let at = 2; view.getUint8(at) === 0xff;) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}
