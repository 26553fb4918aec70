// What goes with a result, and what a result must not promise: no browser is needed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { jpegParts } from "../src/jpeg.js";
import { fileKind } from "../src/kinds.js";
import { pngChunks, unusualColour } from "../src/png.js";
import { CLIP, EXTENDED, GAIN_MAP, plainXmp } from "../src/xmp.js";

const bytesOf = (words) => Uint8Array.from([...words].map((letter) => letter.charCodeAt(0)));
const wordsOf = (bytes) => String.fromCharCode(...bytes);
const segment = (marker, body) => `\xff${String.fromCharCode(marker, (body.length + 2) >> 8, (body.length + 2) & 255)}${body}`;
const SCAN = `${segment(0xda, "\x01\x01\0\0\x3f\0")}\x12\x34\xff\xd9`;
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const packet = (attributes, inside = "") => "<rdf:Description"
  + ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" xmlns:C="http://ns.google.com/photos/1.0/container/"'
  + ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
  + ` ${attributes}>${inside}</rdf:Description>`;
// EXIF of one entry, an orientation
const exif = (orientation) => segment(0xe1, `Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0${String.fromCharCode(orientation)}\0\0\0\0\0\0\0`);

test("clips and gain maps are struck from XMP, and told", () => {
  const words = packet(
    "GCamera:MotionPhoto=\"1\" GCamera:MicroVideoOffset='9' GCamera:Kept=\"1\" hdrgm:Version=\"1.0\"",
    '<C:Directory><rdf:Seq><C:Item Item:Semantic="GainMap"/></rdf:Seq></C:Directory><dc:title>Night</dc:title>',
  );
  const { segments, leftOut } = jpegParts(bytesOf(`\xff\xd8${segment(0xe1, XMP + words)}${SCAN}\0\0\0\x18ftypmp42`));
  assert.deepEqual(leftOut.toSorted(), [CLIP, GAIN_MAP].toSorted());
  const [out] = segments.map(wordsOf);
  for (const gone of ["MotionPhoto", "MicroVideo", "hdrgm:Version", "GainMap\"", "C:Directory"]) assert.ok(!out.includes(gone), gone);
  for (const kept of ['GCamera:Kept="1"', "<dc:title>Night</dc:title>"]) assert.ok(out.includes(kept), kept);
  assert.equal((out.charCodeAt(2) << 8) + out.charCodeAt(3), out.length - 2);
});

test("XMP beyond a segment is told, and named no more", () => {
  const words = packet('xmpNote:HasExtendedXMP="AB"');
  const { segments, leftOut } = jpegParts(bytesOf(`\xff\xd8${segment(0xe1, XMP + words)}${segment(0xe1, "http://ns.adobe.com/xmp/extension/\0AB")}${SCAN}`));
  assert.deepEqual(leftOut, [EXTENDED]);
  assert.equal(segments.length, 1);
  assert.ok(!wordsOf(segments[0]).includes("HasExtendedXMP"));
});

test("what promises nothing stays byte for byte", () => {
  const words = packet('dc:source="MotionPhoto \xc3\xa9"');
  assert.deepEqual(plainXmp(words, true), { packet: words, leftOut: [] });
});

test("an orientation in XMP alone stays for those who apply it", () => {
  const words = packet('tiff:Orientation="6"');
  const parts = (before) => jpegParts(bytesOf(`\xff\xd8${before}${segment(0xe1, XMP + words)}${SCAN}`)).segments.map(wordsOf);
  assert.ok(parts("")[0].includes('tiff:Orientation="6"'));
  const [first, second] = parts(exif(6));
  assert.equal(first.charCodeAt(4 + 6 + 8 + 2 + 8), 1); // the browser has turned the pixels
  assert.ok(second.includes('tiff:Orientation="1"'));
});

test("junk between segments does not hide what stands behind it", () => {
  const { segments } = jpegParts(bytesOf(`\xff\xd8${segment(0xfe, "note")}\x12\x34\x56\0${exif(6)}${segment(0xe2, "ICC_PROFILE\0\x01\x01icc")}${SCAN}`));
  assert.equal(segments.length, 2);
});

test("PNG's words about colour are kept, or the file is refused", () => {
  const chunk = (name, body) => `${String.fromCharCode(0, 0, 0, body.length)}${name}${body}\0\0\0\0`;
  const colour = (...parts) => unusualColour(pngChunks(bytesOf(`\x89PNG\r\n\x1a\n${parts.join("")}${chunk("IDAT", "")}`)));
  assert.equal(colour(chunk("cICP", "\x09\x10\0\x01")), "HDR (PQ)");
  assert.equal(colour(chunk("cICP", "\x09\x12\0\x01")), "HDR (HLG)");
  assert.equal(colour(chunk("cICP", "\x0c\x0d\0\x01")), null);
  assert.equal(colour(chunk("gAMA", "\0\x01\x86\xa0")), "linear light");
  assert.equal(colour(chunk("gAMA", "\0\x01\x86\xa0"), chunk("sRGB", "\0")), null);
  assert.equal(colour(chunk("gAMA", "\0\0\xb1\x8f")), null);
  assert.deepEqual(pngChunks(bytesOf(`\x89PNG\r\n\x1a\n${chunk("cICP", "\x0c\x0d\0\x01")}`)).map(({ name }) => name), ["cICP"]);
});

test("JPEG XL is left to the browser", () => {
  for (const start of ["\xff\x0a\0\0\0\0\0\0\0\0\0\0", "\0\0\0\x0cJXL \r\n\x87\n"]) {
    assert.equal(fileKind(bytesOf(start), { name: "a.jxl", type: "" }).type, "image/jxl");
  }
});
