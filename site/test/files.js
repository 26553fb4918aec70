// Files for the tests, by hand.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const SAMPLE = readFileSync(join(import.meta.dirname, "..", "..", "src", "relume", "cli", "sample.jpg"));

// A JPEG with EXIF of two fields, orientation and make.
export function jpegWithExif(jpeg, { orientation, make }) {
  const text = Buffer.from(`${make}\0`);
  const tiff = Buffer.alloc(8 + 2 + 2 * 12 + 4);
  tiff.write("II*\0", "latin1");
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(2, 8);
  const entry = (at, tag, kind, count, value) => {
    tiff.writeUInt16LE(tag, at);
    tiff.writeUInt16LE(kind, at + 2);
    tiff.writeUInt32LE(count, at + 4);
    tiff.writeUInt32LE(value, at + 8);
  };
  entry(10, 0x0112, 3, 1, orientation);
  entry(22, 0x010f, 2, text.length, tiff.length);
  const body = Buffer.concat([Buffer.from("Exif\0\0"), tiff, text]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]);
}

// A PNG that says that it is so large, and holds nothing.
export function pngHeader(width, height) {
  const png = Buffer.from("89504e470d0a1a0a0000000d4948445200000000000000000802000000deadbeef", "hex");
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  return png;
}

const bytes = (text) => Buffer.from(text, "base64");

// Three grey pictures one after the other, 6 x 4, and one alone.
export const ANIMATIONS = {
  "dance.gif": {
    mimeType: "image/gif",
    moving: bytes("R0lGODdhBgAEAIEAAAAAADMzMwAAAAAAACwAAAAABgAEAAAIEAABBAAgkGBBgQMTGhwoMCAAIfkEAQAAAwAsAAAAAAYABACBMzMzZjMzZmZmAAAACBQAAQwAIJBgQQEDBiAsSHBggAEBAQAh+QQBAAABACwAAAAABgAEAIFmZmYAAAAAAAAAAAAIDQABCBxIMIBAgwQTBgQAOw=="),
    still: bytes("R0lGODdhBgAEAIEAAAAAADMzMwAAAAAAACwAAAAABgAEAAAIEAABBAAgkGBBgQMTGhwoMCAAOw=="),
  },
  "dance.png": {
    mimeType: "image/png",
    moving: bytes("iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAACGFjVEwAAAADAAAAAM7tusAAAAAaZmNUTAAAAAAAAAAGAAAABAAAAAAAAAAAAAAAAQAAEvPDQQAAABRJREFUeJxjFBERYUAFTAwYgDghABLUAESklM+3AAAAGmZjVEwAAAABAAAABgAAAAQAAAAAAAAAAAAAAAEAAImAKZUAAAAYZmRBVAAAAAJ4nGO0sbFhQAVMDBiAOCEANYQAvIK+XQYAAAAaZmNUTAAAAAMAAAAGAAAABAAAAAAAAAAAAAAAAQAAZBb6fAAAABhmZEFUAAAABHicY0xJSWFABUwMGIA4IQBYNAE0zRveagAAAABJRU5ErkJggg=="),
    still: bytes("iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAAFElEQVR4nGMUERFhQAVMDBiAOCEAEtQARKSUz7cAAAAASUVORK5CYII="),
  },
  "dance.webp": {
    mimeType: "image/webp",
    moving: bytes("UklGRroAAABXRUJQVlA4WAoAAAACAAAABQAAAwAAQU5JTQYAAAAAAAAAAABBTk1GKgAAAAAAAAAAAAUAAAMAAAAAAAJWUDhMEQAAAC8FwAAAB1CKUpSi/4GI6H8AAEFOTUYqAAAAAAAAAAAABQAAAwAAAAAAAFZQOEwRAAAALwXAAAAHUJ7ylKf/gYjofwAAQU5NRioAAAAAAAAAAAAFAAADAAAAAAAAVlA4TBEAAAAvBcAAAAdQspKVrP+BiOh/AAA="),
    still: bytes("UklGRh4AAABXRUJQVlA4TBEAAAAvBcAAAAdQilKUov+BiOh/AAA="),
  },
};
