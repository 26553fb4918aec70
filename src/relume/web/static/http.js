// The engine behind the page, over HTTP. Whatever implements these three functions can take its
// place: methods(), enhance(file, query, options), detect(file, query, signal); the rest it may lack.
// A query is a list of [name, value]. Every failure is an Error whose message a person can read; one
// whose `smaller` is a number of megapixels offers a copy of that size, by smaller(file, megapixels).

import { byId, drawn, packed } from "./dom.js";

let token = sessionStorage.getItem("relume-token") ?? "";
const given = new URLSearchParams(location.hash.slice(1)).get("token"); // relume serve's own link
if (given) {
  token = given;
  sessionStorage.setItem("relume-token", token);
  history.replaceState(null, "", location.pathname);
}

const [CHOOSE_EVERY, FOLLOW] = [10, 0.3]; // frames of a camera, and the share of a new level that is followed
const frames = { asked: /** @type {number | null} */ (null), level: /** @type {number | null} */ (null), count: 0 };
let megapixels = 0; // the most of a photo, once the service has said so

class Refused extends Error {
  /** @type {number | undefined} megapixels of a copy that would be taken */ smaller;

  constructor(status, message, retryAfterS) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/**
 * @typedef {[string, string][]} Query
 * @typedef {{ query?: Query, body?: BodyInit, signal?: AbortSignal, method?: string }} Call
 * @param {string} path below the page's own
 * @param {Call} [options]
 * @returns {Promise<Response>}
 */
async function call(path, { query = [], body, signal, method = body ? "POST" : "GET" } = {}) {
  const address = query.length ? `${path}?${new URLSearchParams(query)}` : path;
  for (let attempt = 0; ; attempt += 1) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(address, { method, body, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "The service does not answer. Is relume serve still running?");
    }
    if (response.ok) return response;
    if (response.status === 401 && attempt < 3) {
      await askForToken();
      continue;
    }
    const answer = await response.json().catch(() => ({}));
    const busy = ["Busy", "TooManyRequests"].includes(answer.error);
    const wait = Number(response.headers.get("Retry-After"));
    if (busy && attempt < 30) {
      await pause(Math.max(wait, 0.5) * 1000, signal);
      continue;
    }
    const refused = new Refused(response.status, sentence(answer.detail ?? `Error ${response.status}`), wait);
    if (response.status === 413) refused.smaller = Math.floor(0.9 * megapixels);
    throw refused;
  }
}

// A file's name keeps its case: "our night.jpg: damaged", "our night.jpg is empty".
const sentence = (text) => (/^[^:;]*\.\w{2,5}(:| is )/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1));

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

/** @type {Promise<void> | null} */
let asking = null;
function askForToken() {
  asking ??= /** @type {Promise<void>} */ (new Promise((resolve) => {
    const dialog = byId("token", HTMLDialogElement);
    dialog.showModal();
    dialog.addEventListener("close", () => {
      token = byId("token-value").value.trim();
      sessionStorage.setItem("relume-token", token);
      asking = null;
      resolve();
    }, { once: true });
  }));
  return asking;
}

function form(file, exposure = null) {
  const data = new FormData();
  data.append("file", file, file.name || "photo.png");
  if (exposure) data.append("exposure", JSON.stringify(exposure));
  return data;
}

const level = (response, name) => Number(response.headers.get(`X-Relume-Brightness-${name}`) ?? NaN);

export const engine = {
  // What can be asked for: entries with their parameters, options, formats, limits.
  async methods() {
    const menu = await (await call("v1/methods")).json();
    megapixels = menu.limits.megapixels;
    return menu;
  },

  // { blob, seconds, before, after, note }: the picture relit, how long that took, the mean grey
  // levels, and what there is to say about its file, if anything.
  // exposure: a map { width, height, stops } of light to add or to take, row by row, or null.
  /**
   * @param {File} file
   * @param {Query} query
   * @param {{ signal?: AbortSignal, exposure?: object | null }} [options]
   */
  async enhance(file, query, { signal, exposure } = {}) {
    const response = await call("v1/enhance", { query, body: form(file, exposure), signal });
    const timing = response.headers.get("Server-Timing") ?? "";
    const steps = [...timing.matchAll(/(\w+);dur=([\d.]+)/g)].filter((step) => step[1] !== "queue");
    const seconds = steps.reduce((sum, step) => sum + Number(step[2]) / 1000, 0);
    const [before, after] = [level(response, "Before"), level(response, "After")];
    return { blob: await response.blob(), seconds, before, after, note: response.headers.get("X-Relume-Note") };
  },

  // { width, height, faces: [{ box, score, view, landmarks }], warning }
  async detect(file, query, signal) {
    return (await call("v1/detect", { query, body: form(file), signal })).json();
  },

  // One frame of a camera, relit, as a bitmap; `first` begins anew. Only some frames choose how bright
  // they become, and what they choose is followed slowly: else light would flicker.
  async frame(bitmap, { brightness, first, signal }) {
    if (first || brightness !== frames.asked) Object.assign(frames, { asked: brightness, level: brightness, count: 0 });
    const chooses = brightness === null && frames.count % CHOOSE_EVERY === 0;
    frames.count += 1;
    const file = await packed(drawn(bitmap, bitmap.width, bitmap.height), "frame.jpg", "image/jpeg", 0.92);
    if (!file) throw new Error("This browser cannot pack a frame of the camera.");
    const query = /** @type {[string, string][]} */ ([["method", "relume-fast"], ["format", "jpeg"], ["quality", "90"]]);
    if (!chooses && frames.level !== null) query.push(["brightness", frames.level.toFixed(4)]);
    const { blob, after } = await this.enhance(file, query, { signal });
    if (chooses && after > 0) frames.level = frames.level === null ? after : frames.level + FOLLOW * (after - frames.level);
    return createImageBitmap(blob);
  },

  // A copy of a photo that is too large, as a JPEG of the same name.
  async smaller(file, most) {
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (!bitmap) throw new Error(`${file.name}: this browser cannot make a smaller copy of it.`);
    const scale = Math.min(1, Math.sqrt((most * 1e6) / (bitmap.width * bitmap.height)));
    const name = `${file.name.replace(/\.[^.]+$/, "")}.jpg`;
    const board = drawn(bitmap, Math.floor(bitmap.width * scale), Math.floor(bitmap.height * scale));
    bitmap.close();
    const copy = await packed(board, name, "image/jpeg", 0.95);
    if (!copy) throw new Error(`${file.name}: this browser cannot make a smaller copy of it.`);
    return copy;
  },

  // { blob, leftOut }: photos of one scene as one; leftOut are the numbers, from 1, that do not fit.
  async burst(files, query, signal) {
    const data = new FormData();
    for (const file of files) data.append("file", file, file.name || "photo.png");
    const response = await call("v1/burst", { query, body: data, signal });
    const leftOut = (response.headers.get("X-Relume-Left-Out") ?? "").split(",").filter(Boolean).map(Number);
    return { blob: await response.blob(), leftOut };
  },

  // { name, ... }: a clip becomes a job; clipState tells { state, frames, total, notes, error }.
  async sendClip(file, query, signal) {
    const body = file.type.startsWith("video/") ? file : new Blob([file], { type: "application/octet-stream" });
    return (await call("v1/videos", { query, body, signal })).json();
  },
  async clipState(name, signal) { return (await call(`v1/videos/${name}`, { signal })).json(); },
  async clipFile(name, signal) { return (await call(`v1/videos/${name}/file`, { signal })).blob(); },
  async deleteClip(name) { await call(`v1/videos/${name}`, { method: "DELETE" }); },
};
