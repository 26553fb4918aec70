// The engines: WebGPU gives what wasm gives, wasm takes a megapixel, and a browser without either
// is told so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isRelit, launch, openPage, serveSite, skip, TIMEOUT_MS } from "./browser.js";
import { SAMPLE } from "./files.js";

// Chromium's own GPU in software: slow, so the picture is tiny.
const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
const MOST_LEVELS = 2; // a GPU adds in another order
const PATIENCE_MS = 150_000; // its shaders are compiled on the CPU
let site;

before(async () => { if (!skip) site = await serveSite({ isolated: true }); });
after(() => site?.server.close());

// A photo of that size from the sample, relit: { width, height, mean, some } of its values.
async function relit(page, side) {
  const small = await page.evaluate(async ([bytes, to]) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(bytes)]), { resizeWidth: to, resizeHeight: to });
    const board = new OffscreenCanvas(to, to);
    board.getContext("2d").drawImage(bitmap, 0, 0);
    return Array.from(new Uint8Array(await (await board.convertToBlob()).arrayBuffer()));
  }, [Array.from(SAMPLE), side]);
  await page.setInputFiles("#file", { name: `${side}.png`, mimeType: "image/png", buffer: Buffer.from(small) });
  await isRelit(page);
  return page.evaluate(async () => {
    const image = document.getElementById("after");
    await image.decode();
    const context = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    return { width: image.naturalWidth, height: image.naturalHeight, mean, some: Array.from(data.subarray(0, 4 * 64 * 64)) };
  });
}

test("WebGPU gives what wasm gives", { skip, timeout: 3 * PATIENCE_MS }, async (context) => {
  const browser = await launch(WEBGPU);
  context.after(() => browser.close());
  const results = {};
  for (const engine of ["webgpu", "wasm"]) {
    const { page, told } = await openPage(browser, site.url, { query: `?engine=${engine}&threads=1`, patience: PATIENCE_MS });
    const used = await page.getAttribute("html", "data-network");
    if (used !== engine) {
      context.skip("this Chromium has no WebGPU in software");
      return;
    }
    results[engine] = await relit(page, 64);
    assert.deepEqual(told.outside, []);
    await page.close();
  }
  const worst = results.wasm.some.reduce((most, value, n) => Math.max(most, Math.abs(value - results.webgpu.some[n])), 0);
  assert.equal(results.wasm.some.length, 4 * 64 * 64);
  assert.ok(worst <= MOST_LEVELS, `${worst} levels apart`);
});

test("a megapixel on wasm", { skip }, async (context) => {
  const browser = await launch();
  context.after(() => browser.close());
  const { page, told } = await openPage(browser, site.url, { query: "?engine=wasm" });
  const { width, height, mean } = await relit(page, 1000);
  assert.deepEqual([width, height], [1000, 1000]);
  assert.ok(mean > 90, `still dark: ${mean}`); // alpha is a quarter of it
  context.diagnostic(await page.textContent("#facts"));
  assert.deepEqual(told, { outside: [], complaints: [] });
});

test("without WebAssembly a sentence says what is missing", { skip }, async (context) => {
  const browser = await launch();
  context.after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.addInitScript(() => { delete self.WebAssembly; });
  await page.goto(site.url);
  await page.waitForSelector("#alert:not([hidden])");
  assert.match(await page.textContent("#alert-text"), /This browser lacks what relume needs .*: WebAssembly\./);
});
