// Pictures in: dropped, pasted, chosen, from the camera. Files out: downloads.

import { byId, drawn, packed } from "./dom.js";

let readable = []; // endings of what the engine reads
let suffixes = new Map(); // media type -> ending of what it writes

export function useFormats({ readable_suffixes, formats }) {
  readable = readable_suffixes;
  suffixes = new Map(formats.map((format) => [format.media_type, format.suffix]));
  for (const id of ["file", "more"]) byId(id).accept = ["image/*", ...readable].join(",");
  const names = formats.map(({ name }) => ({ webp: "WebP", heif: "HEIC" }[name] ?? name.toUpperCase()));
  if (readable.includes(".dng")) names.push("camera raw");
  byId("kinds").textContent = names.join(", ");
}

export const isPicture = ({ type, name }) =>
  type.startsWith("image/") || readable.some((suffix) => name.toLowerCase().endsWith(suffix));

const CLIPS = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m?2?ts|3gp|wmv|flv|ogv)$/i;
export const isClip = ({ type, name }) => type.startsWith("video/") || CLIPS.test(name);

// Why a file is not taken, and what to do.
export const noPicture = (file) => (isClip(file)
  ? `${file.name} is a clip, and this page takes photos. On a computer, relume's command relights clips: relume enhance "${file.name}"`
  : `${file.name} is not a picture.`);

// night.jpg -> night.relume.png: the original's name, as the command line writes it
export function relitName(name, blob) {
  const stem = name.replace(/\.[^.]+$/, "") || "photo";
  return `${stem}.relume${suffixes.get(blob.type) ?? ".png"}`;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Calls take([{ file, path }], intoAlbum) for whatever comes in, however it comes.
export function takePictures(take) {
  const given = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  for (const id of ["file", "more", "folder", "snapshot"]) {
    byId(id).addEventListener("change", () => {
      take(given(byId(id).files), id === "more");
      byId(id).value = "";
    });
  }
  byId("album-more").addEventListener("click", () => byId("more").click());
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("open").addEventListener("click", () => byId("file").click());
  for (const id of ["choose-folder", "album-add"]) {
    byId(id).addEventListener("click", () => byId("folder").click());
  }
  document.addEventListener("paste", (event) => {
    const files = given(event.clipboardData?.files ?? []);
    if (files.length) take(files);
  });
  listenForDrops(take);
}

function listenForDrops(take) {
  let depth = 0;
  const show = (on) => { byId("dropping").hidden = !on; };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; show(true); } });
  document.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) { depth = 0; show(false); }
  });
  document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    // the list is emptied when this function gives control back: take the entries first
    const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file");
    const entries = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
    const found = [];
    for (const { entry, file } of entries) {
      if (entry?.isDirectory) found.push(...await walk(entry));
      else if (file) found.push({ file, path: file.name });
    }
    take(found);
  });
}

async function walk(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // readEntries gives at most 100 at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const one of some) found.push(...await walk(one));
  }
}

export async function sameBytes(one, other) {
  if (one.size !== other.size) return false;
  const [a, b] = await Promise.all([one, other].map(async (blob) => new Uint8Array(await blob.arrayBuffer())));
  return a.every((value, at) => value === b[at]);
}

// A copy no longer than side_px, for looking at many results at once.
export async function smaller(url, side_px) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const scale = Math.min(1, side_px / Math.max(image.naturalWidth, image.naturalHeight));
  if (scale === 1) return null;
  const sides = [image.naturalWidth, image.naturalHeight].map((side) => Math.round(side * scale));
  return packed(drawn(image, sides[0], sides[1]), "preview.png", "image/png");
}
