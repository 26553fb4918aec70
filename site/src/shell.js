// What an installed page has beside the photo: its own copy for days offline, news of an update,
// and a bar while the network arrives.

import { byId } from "../../src/relume/web/static/dom.js";
import { engine } from "./device.js";

const PATIENCE_MS = 2000; // for the page's own copy to be made; then the engine starts anyway
const TRIED = "relume-isolated";

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

/** @param {string} name @param {(detail: any) => void} act */
const when = (name, act) => engine.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));

when("loading", ({ done, total }) => {
  byId("loading").hidden = false;
  byId("loading-bar", HTMLProgressElement).value = done / total;
  byId("loading-text").textContent = done < total
    ? `Fetching the network: ${megabytes(done)} of ${megabytes(total)} MB` : "Starting the network …";
});
when("ready", (detail) => {
  byId("loading").hidden = true;
  Object.assign(document.documentElement.dataset, { network: detail.engine, threads: detail.threads });
});
when("failed", (detail) => {
  byId("loading").hidden = true;
  byId("alert-text").textContent = detail;
  byId("alert").hidden = false;
});

let asked = null; // the browser's own question whether to install the page
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  asked = event;
  byId("install").hidden = false;
});
byId("install").addEventListener("click", () => {
  asked?.prompt();
  byId("install").hidden = true;
});

// The page's own copy; null where the browser has no such thing, or not here.
async function register() {
  const registration = await navigator.serviceWorker?.register("sw.js").catch(() => null);
  if (!registration) return;
  const offer = () => { byId("update").hidden = !(registration.waiting && navigator.serviceWorker.controller); };
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
  offer();
  byId("update-now").addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    registration.waiting?.postMessage("take over");
  });
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    await new Promise((resolve) => { navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }); });
  }
}

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Threads need a page that is isolated from others. Where the host's headers do not say that it
// is, the page's own copy does, from the next visit on; a page that was only just opened turns
// the first visit into the second.
await Promise.race([register(), wait(PATIENCE_MS)]);
const worthwhile = !self.crossOriginIsolated && navigator.hardwareConcurrency > 1 && navigator.serviceWorker?.controller;
if (worthwhile && !sessionStorage.getItem(TRIED) && !byId("welcome").hidden) {
  sessionStorage.setItem(TRIED, "true");
  location.reload();
} else {
  engine.start();
}
