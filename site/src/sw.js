// The page's own copy: it opens without a network, and is isolated from others, which lets the
// engine use threads. The weights are not kept here but by the worker, which checks them.

/* global FILES, VERSION -- put in by the build */
const worker = /** @type {any} */ (self); // of the kind that serves pages
const CACHE = `relume-page-${VERSION}`;
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

worker.addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "reload" }));
  const first = !worker.registration.active; // an update waits until it is let in
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => first && worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("relume-page-") && name !== CACHE;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
    .then(() => worker.clients.claim()));
});

worker.addEventListener("message", ({ data }) => { if (data === "take over") worker.skipWaiting(); });

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const at = new URL(request.url);
  const scope = new URL(worker.registration.scope);
  if (request.method !== "GET" || at.origin !== scope.origin || !at.pathname.startsWith(scope.pathname)) return;
  const file = at.pathname.slice(scope.pathname.length) || "index.html";
  if (FILES.includes(file)) event.respondWith(answer(file, request));
});

async function answer(file, request) {
  const kept = await (await caches.open(CACHE)).match(new URL(file, worker.registration.scope));
  const response = kept ?? await fetch(request);
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATED)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
