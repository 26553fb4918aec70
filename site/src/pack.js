// An ONNX file in half the bytes: its float32 tensors as float16, all else as it is. `pack` is for
// the build, `unpack` for the browser, which gives the network its float32 again: computing stays
// as it was. Layout: "R16\0", the number of ranges, (offset, floats) of each; then the file with
// those ranges as halves. All numbers are little-endian uint32.

const MAGIC = 0x00363152;
const LEAST_FLOATS = 64; // smaller tensors stay exact: thresholds, scales, shapes

export function pack(onnx) {
  const ranges = floatRanges(onnx);
  const [head, pieces] = [[MAGIC, ranges.length], []];
  let at = 0;
  for (const [offset, floats] of ranges) {
    head.push(offset, floats);
    const halves = new Uint16Array(floats);
    const view = new DataView(onnx.buffer, onnx.byteOffset + offset);
    for (let n = 0; n < floats; n += 1) halves[n] = toHalf(view.getFloat32(4 * n, true));
    pieces.push(onnx.subarray(at, offset), new Uint8Array(halves.buffer));
    at = offset + 4 * floats;
  }
  return Buffer.concat([new Uint8Array(Uint32Array.from(head).buffer), ...pieces, onnx.subarray(at)]);
}

export function unpack(packed) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("not packed weights");
  const ranges = Array.from({ length: view.getUint32(4, true) }, (_, n) =>
    [view.getUint32(8 + 8 * n, true), view.getUint32(12 + 8 * n, true)]);
  let from = 8 + 8 * ranges.length;
  const more = ranges.reduce((sum, [, floats]) => sum + 2 * floats, 0);
  const out = new Uint8Array(packed.byteLength - from + more);
  const into = new DataView(out.buffer);
  const copy = (at, length) => {
    out.set(packed.subarray(from, from + length), at);
    from += length;
  };
  let at = 0;
  for (const [offset, floats] of ranges) {
    copy(at, offset - at);
    for (let n = 0; n < floats; n += 1, from += 2) into.setFloat32(offset + 4 * n, fromHalf(view.getUint16(from, true)), true);
    at = offset + 4 * floats;
  }
  copy(at, out.length - at);
  return out;
}

// Where the initializers of a graph hold their floats: ModelProto.graph is field 7,
// GraphProto.initializer 5; of TensorProto data_type is 2 (1: float) and raw_data 9.
function floatRanges(onnx) {
  const ranges = [];
  for (const graph of fields(onnx, 0, onnx.length).filter(({ number }) => number === 7)) {
    for (const tensor of fields(onnx, graph.start, graph.end).filter(({ number }) => number === 5)) {
      const inside = fields(onnx, tensor.start, tensor.end);
      const raw = inside.find(({ number }) => number === 9);
      const floats = raw ? (raw.end - raw.start) / 4 : 0;
      if (inside.find(({ number }) => number === 2)?.value === 1 && floats >= LEAST_FLOATS) ranges.push([raw.start, floats]);
    }
  }
  return ranges;
}

// The fields of a protobuf message: { number, value } or { number, start, end }.
function fields(bytes, start, end) {
  const found = [];
  let at = start;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const key = varint();
    const number = Math.floor(key / 8);
    const kind = key % 8;
    if (kind === 0) {
      found.push({ number, value: varint() });
    } else if (kind === 2) {
      const length = varint();
      found.push({ number, start: at, end: at + length });
      at += length;
    } else {
      at += kind === 5 ? 4 : 8;
    }
  }
  return found;
}

// IEEE 754 halves, rounded to the nearest even, subnormals kept.
function toHalf(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const size = Math.abs(value);
  if (!(size < 65520)) throw new Error(`a weight of ${value} does not fit into a half`);
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const whole = roundEven((size / 2 ** exponent - 1) * 1024); // 1024 carries into the exponent
  return sign | (((exponent + 15) << 10) + whole);
}

function roundEven(x) {
  const low = Math.floor(x);
  return low + (x - low > 0.5 || (x - low === 0.5 && low % 2) ? 1 : 0);
}

function fromHalf(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}
