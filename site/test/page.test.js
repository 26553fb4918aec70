// The page on the visitor's own device, in a real browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, isRelit, launch, openPage, servePython, serveSite, skip, skipPython } from "./browser.js";
import { ANIMATIONS, jpegWithExif, pngHeader, SAMPLE } from "./files.js";

const AXE = join(import.meta.dirname, "..", "node_modules", "axe-core", "axe.min.js");
let [site, browser] = [];

before(async () => {
  if (skip) return;
  site = await serveSite();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.server.close();
});

const give = (page, name, buffer, mimeType = "image/jpeg", id = "#file") => page.setInputFiles(id, { name, mimeType, buffer });
const alertText = async (page) => {
  await page.waitForSelector("#alert:not([hidden])");
  return page.textContent("#alert-text");
};

// What no page may do, whatever it was asked for.
async function isQuiet({ page, context, told }) {
  assert.deepEqual(told.outside, [], "a request left the origin");
  assert.deepEqual(told.complaints, []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), "it scrolls sideways");
  await context.close();
}

for (const [name, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  test(`${name}: a photo is relit, painted on, searched and saved, and nothing leaves the device`, { skip }, async () => {
    const opened = await openPage(browser, site.url, { viewport, hasTouch: viewport === PHONE });
    const { page } = opened;
    assert.match(await page.innerText(".promise"), /stays on this device/);
    await give(page, "our night.jpg", jpegWithExif(SAMPLE, { orientation: 1, make: "a camera" }));
    await isRelit(page);
    assert.match(await page.textContent("#facts"), /^our night\.jpg · brightness 0\.\d+ → 0\.\d+ · relume in /);
    await page.waitForFunction(() => document.querySelectorAll("#levels img").length === 3);
    if (process.env.RELUME_DOCS_IMAGES && viewport === DESKTOP) {
      await page.screenshot({ path: join(process.env.RELUME_DOCS_IMAGES, "browser.jpg"), type: "jpeg", quality: 88 });
    }

    await page.click("#paint");
    await page.focus("#paint-layer");
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.querySelector(".paint-layer").classList.contains("answered"));
    await isRelit(page);
    await page.click("#paint");

    await page.check("#faces");
    await page.waitForFunction(() => /1 face/.test(document.getElementById("faces-summary").textContent)
      && document.querySelectorAll("#boxes-after .face").length === 1);

    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    assert.equal(download.suggestedFilename(), "our night.relume.jpg");
    const saved = readFileSync(await download.path());
    assert.ok(saved.includes("a camera"), "its EXIF is lost");
    await isQuiet(opened);
  });

  test(`${name}: no violations by axe, in both themes`, { skip }, async () => {
    const opened = await openPage(browser, site.url, { viewport, bypassCSP: true, reducedMotion: "reduce" });
    const { page } = opened;
    const check = async (state) => {
      await page.addScriptTag({ path: AXE });
      const found = await page.evaluate(async () => (await self.axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html)}`));
      assert.deepEqual(found, [], state);
    };
    await check("welcome");
    await give(page, "a.jpg", SAMPLE);
    await isRelit(page);
    await check("photo");
    await page.click("#tuning summary");
    if (await page.isEnabled("#faces")) {
      await page.check("#faces");
      await page.waitForFunction(() => /face/.test(document.getElementById("faces-summary").textContent) && document.getElementById("working").hidden);
    }
    await check("fine tuning and faces");
    await page.click("#theme");
    await check("light theme");
    await isQuiet(opened);
  });
}

// The demo's dark portrait between two bright windows.
const againstTheLight = (page) => page.evaluate(async (bytes) => {
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
  const board = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = board.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const daylight = context.createLinearGradient(0, 0, 0, 512);
  daylight.addColorStop(0, "#3c3c3c");
  daylight.addColorStop(1, "#c8c8c8");
  context.fillStyle = daylight;
  context.fillRect(0, 0, 170, 512);
  context.fillRect(400, 0, 112, 512);
  return Array.from(new Uint8Array(await (await board.convertToBlob()).arrayBuffer()));
}, Array.from(SAMPLE));

// The result's address, and the mean levels of its face and of a window.
const levels = (page) => page.evaluate(async () => {
  const image = document.getElementById("after");
  await image.decode();
  const context = new OffscreenCanvas(512, 512).getContext("2d");
  context.drawImage(image, 0, 0);
  const mean = (...box) => context.getImageData(...box).data.reduce((sum, value, n, all) => sum + (n % 4 < 3 ? value / (0.75 * all.length) : 0), 0);
  return { src: image.src, face: mean(195, 85, 60, 80), window: mean(20, 20, 100, 400) };
});

test("a face against the light comes first, or not", { skip }, async () => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  await give(page, "window.png", Buffer.from(await againstTheLight(page)), "image/png");
  await isRelit(page);
  const first = await levels(page);
  await page.click("#tuning summary");
  await page.focus("[name=expose_for][value=faces]");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((src) => document.getElementById("after").src !== src, first.src);
  await isRelit(page);
  const scene = await levels(page);
  assert.ok(await page.isChecked("[name=expose_for][value=scene]"));
  assert.ok(first.face > scene.face + 60, `the face: ${first.face} and ${scene.face}`);
  assert.ok(Math.abs(first.window - scene.window) < 20, `the window: ${first.window} and ${scene.window}`);
  await isQuiet(opened);
});

test("where it is too dark to be sure, the count of faces says so", { skip }, async () => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  const black = await page.evaluate(async () => {
    const board = new OffscreenCanvas(300, 200);
    const context2d = board.getContext("2d");
    const picture = new ImageData(300, 200);
    for (let i = 0; i < picture.data.length; i += 1) picture.data[i] = i % 4 === 3 ? 255 : (i * 7919) % 8;
    context2d.putImageData(picture, 0, 0);
    return Array.from(new Uint8Array(await (await board.convertToBlob()).arrayBuffer()));
  });
  await give(page, "black.png", Buffer.from(black), "image/png");
  await isRelit(page);
  await page.check("#faces");
  await page.waitForFunction(() => document.getElementById("faces-summary").textContent
    === "No faces foundToo dark to be sure: in photographs like this half of the faces or more stay hidden.");
  await isQuiet(opened);
});

test("a photo that lies on its side is turned once, and says so", { skip }, async () => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  await give(page, "a.jpg", jpegWithExif(SAMPLE, { orientation: 6, make: "a camera" }));
  await isRelit(page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const saved = readFileSync(await download.path());
  assert.equal(saved.readUInt16LE(saved.indexOf("II*\0") + 18), 1);
  await isQuiet(opened);
});

test("offline after the first visit", { skip }, async () => {
  const own = await serveSite();
  const { page, context } = await openPage(browser, own.url);
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active.state === "activated");
  own.server.closeAllConnections();
  await new Promise((resolve) => { own.server.close(resolve); });
  await page.goto(own.url);
  await page.waitForSelector("html[data-network]");
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  await context.close();
});

test("without service workers it works on one thread, and says nothing about it", { skip }, async () => {
  const opened = await openPage(browser, site.url, { serviceWorkers: "block" });
  const { page } = opened;
  assert.equal(await page.getAttribute("html", "data-threads"), "1");
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  opened.told.complaints.splice(0); // the browser's own word about blocking them
  await isQuiet(opened);
});

test("weights that are damaged on the way are fetched again; those that stay so are not used", { skip }, async () => {
  let [damaged, always] = [0, false];
  const change = async (file, bytes) => {
    if (!file.startsWith("/picture-") || (damaged && !always)) return bytes;
    damaged += 1;
    return Buffer.from(bytes).fill(7, 1000, 1100);
  };
  const own = await serveSite({ change });
  const opened = await openPage(browser, own.url);
  assert.equal(damaged, 1);
  await isQuiet(opened);
  always = true;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(own.url);
  assert.match(await alertText(page), /did not arrive .*damaged on the way/);
  always = false; // and the next photo tries again
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  await context.close();
  own.server.close();
});

test("a full storage is no error", { skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: site.url.slice(0, -1), quotaSize: 100_000 });
  await page.goto(site.url);
  await page.waitForSelector("html[data-network]");
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  await context.close();
});

test("a new version is offered, and taken only when it is asked for", { skip }, async () => {
  let news = "";
  const change = async (file, bytes) => (file === "/sw.js" ? `${bytes}//${news}`.replace("relume-page-", `relume-page-${news}`) : bytes);
  const own = await serveSite({ change });
  const opened = await openPage(browser, own.url);
  const { page } = opened;
  assert.equal(await page.isHidden("#update"), true);
  news = "next-";
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await page.waitForSelector("#update:not([hidden])");
  await Promise.all([page.waitForEvent("load"), page.click("#update-now")]);
  await page.waitForSelector("html[data-network]");
  assert.ok((await page.evaluate(() => caches.keys())).some((key) => key.startsWith("relume-page-next-")));
  await isQuiet(opened);
  own.server.close();
});

test("a photo that is put away while the network arrives costs nothing", { skip }, async () => {
  let [asked, letGo] = [0, null];
  const held = new Promise((resolve) => { letGo = resolve; });
  const change = async (file, bytes) => {
    if (!file.startsWith("/picture-")) return bytes;
    asked += 1;
    await held;
    return bytes;
  };
  const own = await serveSite({ change });
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await page.goto(own.url);
  await page.waitForSelector("#loading:not([hidden])");
  await give(page, "a.jpg", SAMPLE);
  await page.waitForSelector("#progress:not([hidden])");
  await page.click("#cancel");
  await give(page, "b.jpg", SAMPLE);
  letGo();
  await isRelit(page);
  assert.match(await page.textContent("#facts"), /^b\.jpg/);
  assert.equal(asked, 1, "it was fetched again");
  await context.close();
  own.server.close();
});

test("relume serve --on-device serves the same", { skip: skipPython() }, async () => {
  const served = await servePython();
  const opened = await openPage(browser, served.url);
  const { page } = opened;
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  await isQuiet(opened);
  served.stop();
});

const HOSTILE = {
  "text.jpg": [Buffer.from("not a picture at all"), /^text\.jpg: not a picture that a browser reads/],
  "empty.jpg": [Buffer.alloc(0), /^empty\.jpg: the file is empty/],
  "huge.png": [pngHeader(20000, 20000), /^huge\.png: 20000 × 20000 are 400 megapixels, too large for this device/],
  "scan.tif": [Buffer.from("II*\0........"), /^scan\.tif: TIFF and camera raw are not read in a browser/],
  "phone.heic": [Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"), /^phone\.heic: this browser cannot read HEIC; save it as JPEG/],
  "clip.jpg": [Buffer.from("\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), /^clip\.jpg: a clip, and this page takes photos; .* relume enhance clip\.jpg/],
};

test("what cannot be relit says why, and leaves the photo before it where it is", { skip }, async (context) => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  for (const [name, [bytes, sentence]] of Object.entries(HOSTILE)) {
    await context.test(name, async () => {
      await give(page, name, bytes);
      assert.match(await alertText(page), sentence);
      assert.match(await page.textContent("#facts"), /^a\.jpg/);
      await page.keyboard.press("Escape");
    });
  }
  await give(page, "cut.jpg", SAMPLE.subarray(0, SAMPLE.length >> 1)); // the browser shows its upper half
  await page.waitForSelector("#refusal:not([hidden])");
  assert.match(await page.textContent("#refusal"), /^cut\.jpg: the file is damaged, or cut off/);
  for (const [name, kind] of [["our clip.mp4", "video/mp4"], ["our clip.webm", "video/webm"], ["our clip.mkv", ""]]) {
    await give(page, name, Buffer.from("...."), kind);
    assert.equal(await alertText(page), `${name} is a clip, and this page takes photos. `
      + `On a computer, relume's command relights clips: relume enhance "${name}"`);
    await page.keyboard.press("Escape");
  }
  await isQuiet(opened);
});

test("of an animation the first picture is relit, and the page says so", { skip }, async (context) => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  for (const [name, { mimeType, moving, still }] of Object.entries(ANIMATIONS)) {
    await context.test(name, async () => {
      await give(page, name, moving, mimeType);
      await page.waitForFunction(() => document.getElementById("note").textContent
        === "This is an animation: its first picture was relit, and the others were left out.");
      await isRelit(page);
      await give(page, `still ${name}`, still, mimeType);
      await page.waitForFunction((file) => document.getElementById("facts").textContent.startsWith(`${file} ·`), `still ${name}`);
      assert.equal(await page.textContent("#note"), "");
    });
  }
  await isQuiet(opened);
});

test("a photo too large for the device is offered smaller", { skip }, async () => {
  const opened = await openPage(browser, site.url, { query: "?most=0.2" });
  const { page } = opened;
  await give(page, "a.jpg", SAMPLE);
  assert.match(await alertText(page), /^a\.jpg: 512 × 512 are 0\.3 megapixels, too large for this device/);
  await page.click("#alert-smaller");
  await isRelit(page);
  assert.match(await page.textContent("#facts"), /31\d × 31\d, 0\.1 MP/);
  await isQuiet(opened);
});

test("a job that is cancelled ends, and the next one starts", { skip }, async () => {
  const opened = await openPage(browser, site.url, { query: "?engine=wasm&threads=1" });
  const { page } = opened;
  const large = await page.evaluate(async (bytes) => { // long enough to be caught at it
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
    const board = new OffscreenCanvas(2400, 1600);
    board.getContext("2d").drawImage(bitmap, 0, 0, 2400, 1600);
    return Array.from(new Uint8Array(await (await board.convertToBlob({ type: "image/jpeg" })).arrayBuffer()));
  }, Array.from(SAMPLE));
  await give(page, "large.jpg", Buffer.from(large));
  await page.waitForSelector("#progress:not([hidden])");
  await page.click("#cancel");
  await page.waitForFunction(() => document.getElementById("progress-text").textContent === "Stopped");
  await give(page, "a.jpg", SAMPLE);
  await isRelit(page);
  assert.match(await page.textContent("#facts"), /^a\.jpg/);
  await isQuiet(opened);
});

test("an album is relit one by one, and saved together", { skip }, async () => {
  const opened = await openPage(browser, site.url);
  const { page } = opened;
  await page.setInputFiles("#file", ["a", "b"].map((name) => ({ name: `${name}.jpg`, mimeType: "image/jpeg", buffer: SAMPLE })));
  await page.click("#album-start");
  await page.waitForFunction(() => document.getElementById("album-status").textContent === "2 of 2 relit");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#album-save")]);
  assert.equal(download.suggestedFilename(), "relume.zip");
  await isQuiet(opened);
});

test("the policy of the page allows no inline script and no other address", { skip }, () => {
  const html = readFileSync(join(import.meta.dirname, "..", "dist", "index.html"), "utf8");
  const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)[1];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval';/);
  assert.match(policy, /connect-src 'self';/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval'? '?unsafe|https?:|\*/);
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|https?:\/\/(?!www\.w3\.org)/);
});
