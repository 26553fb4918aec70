// Speed and memory of the built site in Chromium on this machine, as a table of docs/browser.md:
// node measure.js [--rounds 3]. About three minutes on two idle cores.

import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isRelit, launch, openPage, serveSite, skip } from "./test/browser.js";
import { SAMPLE } from "./test/files.js";

const SIZES = [[608, 400], [1224, 816], [4000, 3000]];
const { values } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
const middle = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

// Peak resident memory of the renderer with the most of it, in MB, until stop() is called.
function watchMemory() {
  let peak = 0;
  const timer = setInterval(() => {
    for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        if (!readFileSync(join("/proc", id, "cmdline"), "latin1").includes("--type=renderer")) continue;
        const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(join("/proc", id, "status"), "latin1")) ?? [0, 0];
        peak = Math.max(peak, Number(kilobytes) / 1000);
      } catch { /* it has ended */ }
    }
  }, 100);
  return () => { clearInterval(timer); return Math.round(peak); };
}

// A photo of that size from the sample, as a JPEG.
const photo = (page, [width, height]) => page.evaluate(async ([bytes, w, h]) => {
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
  const board = new OffscreenCanvas(w, h);
  board.getContext("2d").drawImage(bitmap, 0, 0, w, h);
  const blob = await board.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  const reader = new FileReader();
  await new Promise((resolve) => { reader.onload = resolve; reader.readAsDataURL(blob); });
  return reader.result.split(",")[1];
}, [Array.from(SAMPLE), width, height]).then((text) => Buffer.from(text, "base64"));

async function start(url) {
  const browser = await launch();
  const context = await browser.newContext();
  const page = await context.newPage();
  const began = performance.now();
  await page.goto(url);
  await page.waitForSelector("html[data-network]", { timeout: 60_000 });
  const ready = performance.now() - began;
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
  const version = browser.version();
  await browser.close();
  return { ready, paint, version };
}

async function relight(url, threads, size, rounds) {
  const browser = await launch();
  const { page } = await openPage(browser, url, { query: `?engine=wasm&threads=${threads}` });
  const buffer = await photo(page, size);
  const stop = watchMemory();
  const seconds = [];
  for (let n = 0; n <= rounds; n += 1) { // the first one warms up
    await page.setInputFiles("#file", { name: `${n}.jpg`, mimeType: "image/jpeg", buffer });
    await page.waitForFunction((name) => document.getElementById("facts").textContent.startsWith(`${name} · `), `${n}.jpg`, { timeout: 120_000 });
    await isRelit(page);
    seconds.push(Number(/ in ([\d.]+) s/.exec(await page.textContent("#facts"))[1]));
    await page.waitForFunction(() => document.querySelectorAll("#levels img").length === 3, null, { timeout: 120_000 });
  }
  const used = await page.getAttribute("html", "data-threads");
  await browser.close();
  return { threads: used, seconds: middle(seconds.slice(1)), memory: stop() };
}

async function main() {
  if (skip) throw new Error(skip);
  const rounds = Number(values.rounds);
  const isolated = await serveSite({ isolated: true });
  const starts = [];
  for (let n = 0; n < rounds; n += 1) starts.push(await start(isolated.url));
  const first = (name) => (middle(starts.map((one) => one[name])) / 1000).toFixed(2);
  console.log(`Chromium ${starts[0].version}, ${cpus().length} cores (${cpus()[0].model}); median of ${rounds}\n`);
  console.log(`first paint ${first("paint")} s, ready ${first("ready")} s, on loopback with nothing kept\n`);
  console.log("| photo | threads | seconds | renderer's memory at most, MB |\n|---|---|---|---|");
  for (const size of SIZES) {
    for (const threads of [1, 2]) {
      const found = await relight(isolated.url, threads, size, rounds);
      console.log(`| ${size.join(" x ")} | ${found.threads} | ${found.seconds.toFixed(2)} | ${found.memory} |`);
    }
  }
  isolated.server.close();
}

await main();
