// The camera, live, with Chromium's fake one: a dark film in its place.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, openPage, servePython, serveSite, skip, skipPython } from "./browser.js";

const [WIDTH, HEIGHT] = [320, 176];
const folder = mkdtempSync(join(tmpdir(), "relume-camera-"));
const film = join(folder, "dark.y4m");
let [site, browser] = [];

// Ten dark frames: a grey card before a wall, with noise.
function darkFilm() {
  let state = 1;
  const noise = () => { state = (state * 48271) % 2147483647; return (state / 2147483647 - 0.5) * 12; };
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F15:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < 10; frame += 1) {
    const luma = Buffer.alloc(WIDTH * HEIGHT);
    for (let y = 0, at = 0; y < HEIGHT; y += 1) {
      for (let x = 0; x < WIDTH; x += 1, at += 1) {
        const card = x > 100 && x < 220 && y > 40 && y < 130;
        luma[at] = Math.max(0, (card ? 48 : 24 + 8 * (x / WIDTH)) + noise());
      }
    }
    parts.push(Buffer.from("FRAME\n"), luma, Buffer.alloc((WIDTH * HEIGHT) / 2, 128));
  }
  return Buffer.concat(parts);
}

before(async () => {
  if (skip) return;
  writeFileSync(film, darkFilm());
  site = await serveSite({ isolated: true });
  browser = await launch([`--use-file-for-fake-video-capture=${film}`]);
});
after(async () => {
  await browser?.close();
  site?.server.close();
  rmSync(folder, { recursive: true });
});

// A page that remembers the stream it was given.
async function openCamera(by = browser, { url = site.url, query = "", click = true, granted = true, ready } = {}) {
  const opened = await openPage(by, url, { query, ready, permissions: granted ? ["camera"] : [] });
  await opened.page.evaluate(() => {
    const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => { self.asked = (self.asked ?? 0) + 1; return (self.given = await own(wanted)); };
  });
  if (click) await opened.page.click("#use-camera");
  return opened;
}

const frames = (page, count) => page.waitForFunction((n) => Number(document.getElementById("camera-view").dataset.frames) >= n, count);
const note = async (page) => {
  await page.waitForFunction(() => /\.$/.test(document.getElementById("camera-note").textContent));
  return page.textContent("#camera-note");
};
const tracks = (page) => page.evaluate(() => self.given.getTracks().map((track) => track.readyState));

// Mean levels of what is shown, and of what the camera sees.
const shown = (page) => page.evaluate(() => ["camera-view", "camera-video"].map((id) => {
  const context = new OffscreenCanvas(64, 36).getContext("2d");
  context.drawImage(document.getElementById(id), 0, 0, 64, 36);
  return context.getImageData(0, 0, 64, 36).data.reduce((sum, value, n) => sum + (n % 4 < 3 ? value : 0), 0) / (3 * 64 * 36);
}));

async function isQuiet({ context, told }) {
  assert.deepEqual(told.outside, [], "a request left the origin");
  assert.deepEqual(told.complaints, []);
  await context.close();
}

test("frames flow, are bright, and nothing leaves the device; closing frees the camera", { skip }, async () => {
  const opened = await openCamera();
  const { page } = opened;
  await frames(page, 8);
  const [relit, dark] = await shown(page);
  assert.ok(dark < 30, `the film is at ${dark}`);
  assert.ok(relit > 3 * dark, `${dark} became ${relit}`);
  assert.match(await page.textContent("#camera-rate"), /^[\d.]+ frames\/s$/);
  assert.ok(await page.isHidden("#camera-note"));

  await page.$eval("#camera-brightness", (slider) => {
    slider.value = "0.7";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const now = await page.$eval("#camera-view", (view) => Number(view.dataset.frames));
  await frames(page, now + 3);
  const [brighter] = await shown(page);
  assert.ok(brighter > 150 && brighter > 1.2 * relit, `0.7 was asked for: ${relit} became ${brighter}`);

  await page.hover("#camera-hold");
  await page.mouse.down();
  assert.ok(await page.isVisible("#camera-video"));
  assert.ok(!(await page.isVisible("#camera-view")));
  await page.mouse.up();
  assert.ok(await page.isVisible("#camera-view"));

  await page.click("#camera-close");
  await page.waitForFunction(() => document.getElementById("camera-video").srcObject === null); // a dialog's "close" comes after the click
  assert.deepEqual(await tracks(page), ["ended"]);
  assert.equal(await page.$eval("#camera-video", (video) => video.srcObject), null);
  await isQuiet(opened);
});

test("a still is relit by the large network and saved; a picture that is taken opens", { skip }, async () => {
  const opened = await openCamera();
  const { page } = opened;
  await frames(page, 2);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#camera-save")]);
  assert.match(download.suggestedFilename(), /^camera [\dT-]+\.relume\.png$/);
  await page.click("#camera-shoot");
  await page.waitForFunction(() => document.getElementById("after").getAttribute("src"));
  assert.deepEqual(await tracks(page), ["ended"]);
  await isQuiet(opened);
});

test("a hidden page does not film, and goes on when it is seen", { skip }, async () => {
  const opened = await openCamera();
  const { page } = opened;
  await frames(page, 2);
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  assert.deepEqual(await tracks(page), ["ended"]);
  await hide(false);
  const so_far = await page.$eval("#camera-view", (view) => Number(view.dataset.frames));
  await frames(page, so_far + 2);
  assert.deepEqual(await tracks(page), ["live"]);
  await isQuiet(opened);
});

test("a camera that is unplugged is a sentence, and can be tried again", { skip }, async () => {
  const opened = await openCamera();
  const { page } = opened;
  await frames(page, 2);
  await page.evaluate(() => self.given.getTracks()[0].dispatchEvent(new Event("ended")));
  assert.equal(await note(page), "The camera was unplugged, or taken away.");
  const so_far = await page.$eval("#camera-view", (view) => Number(view.dataset.frames));
  await page.click("#camera-start");
  await frames(page, so_far + 2);
  await isQuiet(opened);
});

for (const [what, flag, said] of [
  ["a refused permission", "--use-fake-ui-for-media-stream=deny", /does not let this page use the camera/],
  ["no camera", "--use-fake-device-for-media-stream=device-count=0", /There is no camera/],
]) {
  test(`${what} is a sentence`, { skip }, async () => {
    const other = await launch([flag]);
    const opened = await openCamera(other, { granted: false });
    assert.match(await note(opened.page), said);
    assert.ok(await opened.page.isVisible("#camera-start"));
    await isQuiet(opened);
    await other.close();
  });
}

test("for other programs: the picture alone, by its address; without permission a click comes first", { skip }, async () => {
  const opened = await openCamera(browser, { query: "?camera=1&clean=1", click: false });
  await frames(opened.page, 2);
  for (const id of ["camera-close", "camera-brightness", "camera-rate", "choose"]) assert.ok(!(await opened.page.isVisible(`#${id}`)), id);
  const view = await opened.page.locator("#camera-view").boundingBox();
  assert.ok(view.height >= 700, `the picture is ${view.height} high`);
  await isQuiet(opened);

  const waiting = await openCamera(browser, { query: "?camera=1", click: false, granted: false });
  await waiting.page.waitForSelector("#camera-start:visible");
  assert.equal(await waiting.page.evaluate(() => self.asked), undefined);
  await waiting.page.click("#camera-start");
  await frames(waiting.page, 1);
  await isQuiet(waiting);
});

test("the same by relume serve, whose engine is the service", { skip: skipPython() }, async () => {
  const service = await servePython({ onDevice: false });
  const opened = await openCamera(browser, { url: service.url, ready: "#use-camera" });
  await frames(opened.page, 3);
  const [relit, dark] = await shown(opened.page);
  assert.ok(relit > 3 * dark, `${dark} became ${relit}`);
  await isQuiet(opened);
  service.stop();
});
