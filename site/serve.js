// The built site on this machine: node serve.js [--port 8000] [--isolated] [--dir dist]

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
  ".png": "image/png", ".webmanifest": "application/manifest+json", ".bin": "application/octet-stream",
};
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

// An HTTP server of a folder, for tests with a second one under /fixtures/; `change(path, bytes)`
// may give other bytes.
export function serve(dir, { port = 0, isolated = false, fixtures = null, change = async (_, bytes) => bytes } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = normalize(decodeURIComponent(pathname)).replace(/\/$/, "/index.html");
    try {
      const at = fixtures && file.startsWith("/fixtures/") ? join(fixtures, file.slice("/fixtures/".length)) : join(dir, file);
      const bytes = await change(file, await readFile(at));
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache", ...(isolated && ISOLATED) });
      response.end(bytes);
    } catch {
      response.writeHead(404).end("not found");
    }
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string" }, isolated: { type: "boolean" }, dir: { type: "string" } } });
  const dir = values.dir ?? join(import.meta.dirname, "dist");
  const { url } = await serve(dir, { port: Number(values.port ?? 8000), isolated: values.isolated });
  console.log(url);
}
