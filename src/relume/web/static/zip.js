// Files into one ZIP, stored as they are: pictures are packed already.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// entries: [{ path, blob }]; sizes beyond 4 GiB would need ZIP64, which this does not write.
export async function zip(entries) {
  const pieces = [];
  const directory = [];
  let offset = 0;
  for (const { path, blob } of entries) {
    const name = new TextEncoder().encode(path);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    const shared = [20, 0x800, 0, 0, 0x21, crc, blob.size, blob.size, name.length, 0];
    const sizes = [2, 2, 2, 2, 2, 4, 4, 4, 2, 2];
    const local = record(0x04034b50, shared, sizes);
    directory.push(
      record(0x02014b50, [20, ...shared, 0, 0, 0, 0, offset], [2, ...sizes, 2, 2, 2, 4, 4]), name);
    pieces.push(local, name, blob);
    offset += local.length + name.length + blob.size;
    if (offset > 0xffffffff) throw new Error("More than 4 GiB do not fit into one archive; save the pictures one by one.");
  }
  const length = directory.reduce((sum, piece) => sum + piece.length, 0);
  const end = record(0x06054b50, [0, 0, entries.length, entries.length, length, offset, 0], [2, 2, 2, 2, 4, 4, 2]);
  return new Blob([...pieces, ...directory, end], { type: "application/zip" });
}

function record(signature, values, sizes) {
  const bytes = new Uint8Array(4 + sizes.reduce((a, b) => a + b, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  let at = 4;
  values.forEach((value, i) => {
    if (sizes[i] === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += sizes[i];
  });
  return bytes;
}
