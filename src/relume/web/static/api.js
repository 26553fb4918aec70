// The service, as functions. Every failure is an Error whose message a person can read.

export const byId = (id) => document.getElementById(id);

let token = sessionStorage.getItem("relume-token") ?? "";

export class Refused extends Error {
  constructor(status, message, retryAfterS) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

async function call(path, { query = [], body, signal } = {}) {
  const address = query.length ? `${path}?${new URLSearchParams(query)}` : path;
  for (let attempt = 0; ; attempt += 1) {
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(address, { method: body ? "POST" : "GET", body, headers, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, "The service does not answer. Is relume serve still running?");
    }
    if (response.ok) return response;
    if (response.status === 401 && attempt < 3) {
      await askForToken();
      continue;
    }
    const told = await response.json().catch(() => ({}));
    const busy = ["Busy", "TooManyRequests"].includes(told.error);
    const wait = Number(response.headers.get("Retry-After"));
    if (busy && attempt < 30) {
      await pause(Math.max(wait, 0.5) * 1000, signal);
      continue;
    }
    throw new Refused(response.status, sentence(told.detail ?? `Error ${response.status}`), wait);
  }
}

// A file's name keeps its case: "our night.jpg: damaged".
const sentence = (text) => (/^[^:;]*\.\w+:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1));

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

let asking = null;
function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token");
    dialog.showModal();
    dialog.addEventListener("close", () => {
      token = byId("token-value").value.trim();
      sessionStorage.setItem("relume-token", token);
      asking = null;
      resolve();
    }, { once: true });
  });
  return asking;
}

function form(file, name = file.name) {
  const data = new FormData();
  data.append("file", file, name || "photo.png");
  return data;
}

export async function menu() {
  return (await call("/v1/methods")).json();
}

// { blob, seconds } of the relit picture; query is a list of [name, value].
export async function enhance(file, query, signal) {
  const response = await call("/v1/enhance", { query, body: form(file), signal });
  const timing = response.headers.get("Server-Timing") ?? "";
  const steps = [...timing.matchAll(/(\w+);dur=([\d.]+)/g)].filter((step) => step[1] !== "queue");
  const seconds = steps.reduce((sum, step) => sum + Number(step[2]) / 1000, 0);
  return { blob: await response.blob(), seconds };
}

export async function detect(file, query, signal) {
  return (await call("/v1/detect", { query, body: form(file, "photo"), signal })).json();
}
