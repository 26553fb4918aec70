// What the tests share: the built site on loopback, Debian's Chromium, and pictures by Python.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "../serve.js";

export const DIST = join(import.meta.dirname, "..", "dist");
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];
const PROGRAM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const PYTHON = process.env.PYTHON ?? "python3";
export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export const TIMEOUT_MS = 60_000; // a busy machine is no error

// Why the tests cannot run here, or false.
export const skip = !PROGRAM ? "needs Chromium (apt-get install chromium)"
  : !existsSync(join(DIST, "index.html")) ? "needs the built site (npm run build)" : false;

export function skipPython() {
  if (skip) return skip;
  const found = spawnSync(PYTHON, ["-c", "import relume.web.site, PIL"]);
  return found.status === 0 ? false : `needs the package in ${PYTHON} (set PYTHON)`;
}

export const launch = (flags = []) => chromium.launch({ executablePath: PROGRAM, args: [...FLAGS, ...flags] });

// A folder that is gone after the tests, with what Python's relume makes of pictures.
export function makeFixtures() {
  const folder = mkdtempSync(join(tmpdir(), "relume-site-"));
  execFileSync(PYTHON, [join(import.meta.dirname, "fixtures.py"), folder], { stdio: ["ignore", "inherit", "inherit"] });
  return { folder, cases: JSON.parse(readFileSync(join(folder, "cases.json"))), remove: () => rmSync(folder, { recursive: true }) };
}

// The same by relume serve --on-device; or the service's own page.
export async function servePython({ onDevice = true } = {}) {
  const page = onDevice ? ["--on-device", DIST] : [];
  const process = spawn(PYTHON, ["-m", "relume", "serve", ...page, "--no-browser", "--port", "0"]);
  const address = await new Promise((resolve, reject) => {
    process.stdout.once("data", (line) => resolve(String(line).trim()));
    process.once("exit", () => reject(new Error("relume serve did not start")));
  });
  return { url: `${address}/`, stop: () => process.kill() };
}

// The site on loopback; `folder`, if given, is under /fixtures/.
export function serveSite({ folder, change = async (_, bytes) => bytes, ...options } = {}) {
  return serve(DIST, { ...options, fixtures: folder, change });
}

// A page of the site. What leaves the origin, and what the page complains of, is told.
export async function openPage(browser, url, { viewport = DESKTOP, query = "", patience = TIMEOUT_MS, ready = "html[data-network]", ...options } = {}) {
  const context = await browser.newContext({ viewport, acceptDownloads: true, ...options });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const told = { outside: [], complaints: [] };
  context.on("request", (request) => {
    if (![url, "blob:", "data:"].some((own) => request.url().startsWith(own))) told.outside.push(request.url());
  });
  page.on("pageerror", (error) => told.complaints.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") told.complaints.push(message.text()); });
  await page.goto(url + query);
  await page.waitForSelector(ready); // the page may have turned itself into its second visit
  return { page, context, told };
}

// Wait until the photo is relit, and nothing is being worked on any more.
export const isRelit = (page) => page.waitForFunction(() => document.getElementById("after-label").textContent === "After"
  && document.getElementById("working").hidden && document.getElementById("after").getAttribute("src"));
