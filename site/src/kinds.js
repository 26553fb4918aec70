// What a file is, by its first bytes, and how large its picture says it is.

const text = (bytes, from, length) => String.fromCharCode(...bytes.subarray(from, from + length));
const isTiff = (bytes) => ["II*\0", "MM\0*"].includes(text(bytes, 0, 4));
const brand = (bytes) => (text(bytes, 4, 4) === "ftyp" ? text(bytes, 8, 4).trim() : "");
const HEIF = ["heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "heif"];
const ONLY_THERE = "relume on a computer reads it (pip install relume)";

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
  if (HEIF.includes(brand(bytes))) {
    const unreadable = `this browser cannot read HEIC; save it as JPEG (iPhone: Settings, Camera, Formats, Most Compatible), or ${ONLY_THERE}`;
    return { name: "heif", type: "image/heic", unreadable };
  }
  if (isVideo(bytes, type)) return { refusal: `a clip, and this page relights photographs; on a computer: relume enhance ${quoted(name)}` };
  if (isTiff(bytes)) return { refusal: `TIFF and camera raw are not read in a browser; ${ONLY_THERE}` };
  return { refusal: "not a picture that a browser reads (JPEG, PNG, WebP, AVIF, GIF or BMP)" };
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
