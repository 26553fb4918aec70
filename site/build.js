// Builds the site into dist/: node build.js [--yunet FILE] [--without-yunet]

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const HERE = import.meta.dirname;
const PACKAGE = join(HERE, "..", "src", "relume");
const STATIC = join(PACKAGE, "web", "static");
const WEIGHTS = join(PACKAGE, "weights");
const ORT = join(HERE, "node_modules", "onnxruntime-web", "dist");
const OUT = join(HERE, "dist");
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
  + "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; "
  + "form-action 'none'; base-uri 'none'";
const MOST_MB = 10; // that one visitor fetches, compressed

const { values: options } = parseArgs({ options: { yunet: { type: "string" }, "without-yunet": { type: "boolean" } } });
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function main() {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(join(OUT, "ort"), { recursive: true });
  const assets = await writeAssets();
  await writePage(assets);
  await writeShell();
  await report(assets);
}

// The large files, compressed, under names that hold their hash.
async function writeAssets() {
  const engine = (name) => readFile(join(ORT, `ort-wasm-simd-threaded${name}.wasm`));
  const files = {
    picture: inHalves("relume.onnx"),
    fast: inHalves("relume-fast.onnx"),
    estimator: inHalves("relume-exposure.onnx"),
    faces: inHalves("relume-faces.onnx"),
    plain: await engine(""),
    jspi: await engine(".jspi"),
  };
  const yunet = await findYunet();
  if (yunet) files.yunet = yunet;
  const assets = {};
  for (const [name, bytes] of Object.entries(files)) {
    const packed = gzipSync(bytes, { level: 9 });
    const hash = sha256(packed);
    const file = `${name}-${hash.slice(0, 12)}.bin`;
    await writeFile(join(OUT, file), packed);
    assets[name] = { file, bytes: packed.length, sha256: hash };
  }
  return assets;
}

// A shipped network with its weights as halves, by the Python that is here, or that $PYTHON names.
function inHalves(name) {
  const python = process.env.PYTHON ?? "python3";
  return execFileSync(python, [join(HERE, "halves.py"), join(WEIGHTS, name)], { maxBuffer: 1e8, stdio: ["ignore", "pipe", "inherit"] });
}

// YuNet, a second detector, is not ours to ship in the repository: from a path, relume's cache, or its own address.
async function findYunet() {
  if (options["without-yunet"]) return null;
  const manifest = await readFile(join(WEIGHTS, "manifest.toml"), "utf8");
  const section = manifest.split(/^\[/m).find((part) => part.startsWith("yunet]"));
  const value = (name) => new RegExp(`^${name} = \\[?"([^"]+)"`, "m").exec(section)[1];
  const cache = process.env.RELUME_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "relume");
  const checked = (bytes, from) => {
    if (sha256(bytes) !== value("sha256")) throw new Error(`${from} is not the YuNet of manifest.toml (its sha256 differs)`);
    return bytes;
  };
  if (options.yunet) return checked(await readFile(options.yunet), options.yunet);
  const kept = await readFile(join(cache, value("file"))).catch(() => null);
  if (kept && sha256(kept) === value("sha256")) return kept;
  try {
    const response = await fetch(value("urls"));
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    return checked(Buffer.from(await response.arrayBuffer()), value("urls"));
  } catch (error) {
    console.warn(`YuNet could not be fetched (${error.message}); the site will have relume's own detector alone. Give it with --yunet FILE`);
    return null;
  }
}

// One page, two engines: the package's own page with engine.js pointing at this device.
async function writePage(assets) {
  const define = {
    ASSETS: JSON.stringify(assets),
    MENU: await readFile(join(HERE, "menu.json"), "utf8"),
    YUNET: String(Boolean(assets.yunet)),
  };
  const ownEngine = {
    name: "own-engine",
    setup(bundler) {
      bundler.onResolve({ filter: /^\.\/engine\.js$/ }, () => ({ path: join(HERE, "src", "device.js") }));
    },
  };
  const common = { bundle: true, format: "esm", minify: true, target: "es2022", define, outdir: OUT, logLevel: "warning" };
  await build({ ...common, entryPoints: { app: join(HERE, "src", "main.js") }, plugins: [ownEngine] });
  await build({ ...common, entryPoints: { worker: join(HERE, "src", "worker.js") } });
  for (const kind of ["", ".jspi"]) await cp(join(ORT, `ort-wasm-simd-threaded${kind}.mjs`), join(OUT, "ort", `ort-wasm-simd-threaded${kind}.mjs`));
  for (const kind of ["wasm", "jspi"]) await cp(join(ORT, `ort.${kind}.min.mjs`), join(OUT, "ort", `ort.${kind}.min.mjs`));
  for (const file of ["style.css", "clip.css", "camera.css", "theme.js", "icon.svg", "night.svg"]) await cp(join(STATIC, file), join(OUT, file));
  await cp(join(HERE, "manifest.webmanifest"), join(OUT, "manifest.webmanifest"));
  await cp(join(HERE, "icon.png"), join(OUT, "icon.png"));
  await writeFile(join(OUT, "licences.txt"), await licences(Boolean(assets.yunet)));
  const html = await readFile(join(STATIC, "index.html"), "utf8");
  await writeFile(join(OUT, "index.html"), onDevice(html));
}

async function licences(hasYunet) {
  const own = await readFile(join(HERE, "..", "LICENSE"), "utf8");
  const { version } = JSON.parse(await readFile(join(HERE, "node_modules", "onnxruntime-web", "package.json"), "utf8"));
  const parts = [`relume, its page and its weights:\n\n${own}`,
    `ONNX Runtime Web ${version}, in ort/ and plain-*.bin, jspi-*.bin: MIT, Copyright (c) Microsoft Corporation.\n`
    + "https://github.com/microsoft/onnxruntime/blob/main/LICENSE and ThirdPartyNotices.txt beside it\n"];
  const yunet = "YuNet (Shiqi Yu et al., libfacedetection.train), in yunet-*.bin: Apache-2.0,\nhttps://github.com/ShiqiYu/libfacedetection.train\n";
  return [...parts, ...(hasYunet ? [yunet] : [])].join(`\n${"-".repeat(72)}\n\n`);
}

function onDevice(html) {
  const head = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">\n  <link rel="manifest" href="manifest.webmanifest">\n`
    + '  <meta name="theme-color" content="#0d0e11">\n  <link rel="apple-touch-icon" href="icon.png">\n';
  return html
    .replace("<html ", '<html data-engine="device" ')
    .replace('<meta charset="utf-8">\n', `<meta charset="utf-8">\n  ${head}`)
    .replaceAll('="static/', '="');
}

// The service worker, last: it names every file of the page, and its version is their hash.
async function writeShell() {
  const all = (await readdir(OUT, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = all.map((entry) => join(entry.parentPath, entry.name).slice(OUT.length + 1).replaceAll("\\", "/"))
    .filter((file) => !file.endsWith(".bin")).sort();
  const hashes = await Promise.all(files.map(async (file) => sha256(await readFile(join(OUT, file)))));
  await build({
    bundle: true, minify: true, format: "iife", outdir: OUT, logLevel: "warning",
    entryPoints: { sw: join(HERE, "src", "sw.js") },
    define: { FILES: JSON.stringify(files), VERSION: JSON.stringify(sha256(hashes.join()).slice(0, 12)) },
  });
}

// What one visitor fetches: the page, the weights and one of the two engines.
async function report({ plain, jspi, ...weights }) {
  let page = 0;
  for (const entry of await readdir(OUT, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !entry.name.endsWith(".bin")) page += gzipSync(await readFile(join(entry.parentPath, entry.name))).length;
  }
  const sizes = { page, ...Object.fromEntries(Object.entries(weights).map(([name, { bytes }]) => [name, bytes])), engine: plain.bytes };
  const total = (engine) => page + engine + Object.values(weights).reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [name, bytes] of Object.entries(sizes)) console.log(`${name.padEnd(10)} ${(bytes / 1e6).toFixed(2)} MB`);
  console.log(`in all     ${(total(plain.bytes) / 1e6).toFixed(2)} MB compressed; ${(total(jspi.bytes) / 1e6).toFixed(2)} MB where there is WebGPU`);
  if (total(jspi.bytes) > MOST_MB * 1e6) throw new Error(`the site is larger than ${MOST_MB} MB`);
}

await main();
