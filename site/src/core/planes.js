// Planes { width, height, data } of float values, and the filters that metering and fine detail
// need. Resizing and borders follow OpenCV, as the package's own filters do (image/filters.py).

export const plane = (width, height, data = new Float32Array(width * height)) => ({ width, height, data });

// Half up, but ties to even: Python's round().
export function roundEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
}

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// 0 up to low, 1 from high on, smooth between.
export function smoothstep(x, low, high) {
  const t = clamp((x - low) / (high - low), 0, 1);
  return t * t * (3 - 2 * t);
}

// What each of `to` places takes from `from`: [start, weights ...] each, by area when it gets
// smaller; `soft` is linear, with the places' middles in line.
function taps(from, to, { soft = false, shrinks = true } = {}) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    if (!soft && shrinks) return areaTaps(place * scale, scale, from);
    let start = Math.floor(place * scale);
    let share;
    if (soft) {
      const middle = (place + 0.5) * scale - 0.5;
      start = Math.floor(middle);
      share = middle - start;
    } else { // OpenCV's area where it enlarges
      share = place + 1 - (start + 1) / scale;
      share = share <= 0 ? 0 : share - Math.floor(share);
    }
    if (start < 0) return [0, 1];
    return start >= from - 1 ? [from - 1, 1] : [start, 1 - share, share];
  });
}

function areaTaps(low, scale, from) {
  const high = low + scale;
  const width = Math.min(scale, from - low);
  const last = Math.min(Math.floor(high), from - 1);
  const first = Math.min(Math.ceil(low), last);
  const weights = [];
  let start = first;
  if (first - low > 1e-3) {
    start = first - 1;
    weights.push((first - low) / width);
  }
  for (let at = first; at < last; at += 1) weights.push(1 / width);
  if (high - last > 1e-3) weights.push(Math.min(high - last, 1, width) / width);
  return [start, ...weights];
}

function resample(source, across, down) {
  const [width, height] = [across.length, down.length];
  const out = plane(width, height);
  const rows = new Map(); // resized across already; as far as the next row down needs them
  const row = (y) => {
    if (!rows.has(y)) rows.set(y, acrossRow(source, y, across));
    return rows.get(y);
  };
  for (let y = 0; y < height; y += 1) {
    const [start, ...weights] = down[y];
    for (const known of rows.keys()) if (known < start) rows.delete(known);
    const into = out.data.subarray(y * width, (y + 1) * width);
    weights.forEach((weight, n) => {
      const from = row(start + n);
      for (let x = 0; x < width; x += 1) into[x] += weight * from[x];
    });
  }
  return out;
}

function acrossRow(source, y, across) {
  const at = y * source.width;
  const out = new Float32Array(across.length);
  for (let x = 0; x < out.length; x += 1) {
    const tap = across[x];
    let total = 0;
    for (let n = 1; n < tap.length; n += 1) total += tap[n] * source.data[at + tap[0] + n - 1];
    out[x] = total;
  }
  return out;
}

// OpenCV's INTER_AREA.
export function areaResize(source, width, height) {
  const shrinks = width <= source.width && height <= source.height;
  return resample(source, taps(source.width, width, { shrinks }), taps(source.height, height, { shrinks }));
}

// OpenCV's INTER_LINEAR.
export function linearResize(source, width, height) {
  if (width === source.width && height === source.height) return source;
  return resample(source, taps(source.width, width, { soft: true }), taps(source.height, height, { soft: true }));
}

// As the package's downscale: by whole factors first where much is left out.
export function downscale(source, width, height) {
  const factor = Math.min(Math.floor(source.height / (4 * height)), Math.floor(source.width / (4 * width)));
  if (factor <= 1) return areaResize(source, width, height);
  const [across, down] = [source.width, source.height].map((side) => Math.floor(side / factor));
  // what does not fill a block is left out
  return areaResize(resample(source, taps(factor * across, across), taps(factor * down, down)), width, height);
}

// 0 1 2 | 2 1 0 | 0 1 ...: the place that stands for one beyond the border.
export function reflected(at, size) {
  const phase = ((at % (2 * size)) + 2 * size) % (2 * size);
  return phase < size ? phase : 2 * size - 1 - phase;
}

// The mean over a square of side 2 radius + 1, borders reflected.
export function boxFilter(source, radius) {
  const { width, height, data } = source;
  const across = plane(width, height);
  for (let y = 0; y < height; y += 1) {
    slideRow(data.subarray(y * width, (y + 1) * width), across.data.subarray(y * width, (y + 1) * width), radius);
  }
  const out = plane(width, height);
  const sums = new Float64Array(width);
  const add = (y, sign) => {
    const at = reflected(y, height) * width;
    for (let x = 0; x < width; x += 1) sums[x] += sign * across.data[at + x];
  };
  for (let y = -radius; y <= radius; y += 1) add(y, 1);
  const share = 1 / ((2 * radius + 1) ** 2);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0, at = y * width; x < width; x += 1, at += 1) out.data[at] = sums[x] * share;
    add(y - radius, -1);
    add(y + radius + 1, 1);
  }
  return out;
}

function slideRow(from, to, radius) {
  const size = from.length;
  let total = 0;
  for (let x = -radius; x <= radius; x += 1) total += from[reflected(x, size)];
  const inner = size - radius - 1;
  for (let x = 0; x < size; x += 1) {
    to[x] = total;
    if (x >= radius && x < inner) total += from[x + radius + 1] - from[x - radius];
    else total += from[reflected(x + radius + 1, size)] - from[reflected(x - radius, size)];
  }
}

// The least (Math.min) or largest (Math.max) value of windows of side x side, as OpenCV erodes and
// dilates: beyond the border nothing counts, and an even window reaches one further to the left.
export function extremes({ width, height, data }, side, pick) {
  const sign = pick === Math.max ? 1 : -1; // the least is the largest of the negatives
  const [before, after] = [side >> 1, side - 1 - (side >> 1)];
  const across = new Float32Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = y * width;
    for (let x = 0; x < width; x += 1, at += 1) {
      const end = row + Math.min(width - 1, x + after);
      let best = sign * data[at];
      for (let n = row + Math.max(0, x - before); n <= end; n += 1) {
        const value = sign * data[n];
        if (value > best) best = value;
      }
      across[at] = best;
    }
  }
  const out = plane(width, height, across.slice());
  for (let y = 0; y < height; y += 1) {
    const end = Math.min(height - 1, y + after);
    for (let v = Math.max(0, y - before); v <= end; v += 1) {
      for (let to = y * width, from = v * width, stop = to + width; to < stop; to += 1, from += 1) {
        if (across[from] > out.data[to]) out.data[to] = across[from];
      }
    }
  }
  if (sign < 0) for (let i = 0; i < out.data.length; i += 1) out.data[i] = -out.data[i];
  return out;
}

const times = (a, b) => map2(a, b, (x, y) => x * y);

// The line { slope, offset } that leads from `from` to `to` around each place (He, Sun, Tang's guided filter).
export function guide(from, to, radius, eps) {
  const [mean, meanTo, own, both] = [from, to, times(from, from), times(from, to)].map((one) => boxFilter(one, radius));
  const [slope, offset] = [plane(from.width, from.height), plane(from.width, from.height)];
  for (let i = 0; i < slope.data.length; i += 1) {
    const variance = Math.max(own.data[i] - mean.data[i] ** 2, 0);
    slope.data[i] = (both.data[i] - mean.data[i] * meanTo.data[i]) / (variance + eps);
    offset.data[i] = meanTo.data[i] - slope.data[i] * mean.data[i];
  }
  return { slope, offset };
}

// `source` smoothed along the edges of `image`, whose lines are found at 1 / subsample of the size.
export function guidedFilter(image, source, { radius, eps, subsample = 1 }) {
  const { width, height } = source;
  const step = Math.max(1, Math.min(subsample, radius, Math.floor(Math.min(height, width) / 4)));
  const [small, reach] = [[Math.ceil(width / step), Math.ceil(height / step)], Math.max(1, Math.floor(radius / step))];
  const { slope, offset } = guide(downscale(image, ...small), downscale(source, ...small), reach, eps);
  const [a, b] = [slope, offset].map((one) => linearResize(boxFilter(one, reach), width, height));
  return map2(times(a, image), b, (x, y) => x + y);
}

export function map(one, f) {
  const out = plane(one.width, one.height);
  for (let i = 0; i < out.data.length; i += 1) out.data[i] = f(one.data[i]);
  return out;
}

export function map2(one, other, f) {
  const out = plane(one.width, one.height);
  for (let i = 0; i < out.data.length; i += 1) out.data[i] = f(one.data[i], other.data[i]);
  return out;
}

export function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += values[i];
  return total;
}

export function most(values) {
  let best = -Infinity;
  for (let i = 0; i < values.length; i += 1) if (values[i] > best) best = values[i];
  return best;
}

// NumPy's percentile of sorted values: linear between neighbours.
export function percentile(sorted, percent) {
  const at = ((sorted.length - 1) * percent) / 100;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}
