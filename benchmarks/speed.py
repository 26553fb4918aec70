"""Speed of the networks and of whole photos, as ratios within this one run.

    python benchmarks/speed.py

The yardstick is Retinex-Net at 600x400 in torch fp32 with two allocator settings that take the
page faults out of it (see ``relume.train.distributed.keep_freed_memory``); plain torch's time moves
with them from run to run. torch runs in processes of its own, one for each setting.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys

import cv2
import numpy as np
from PIL import Image as PillowImage
from skimage import data
from timing import median_s

from relume import weights
from relume.engine import Runtime, load
from relume.engine.cpu import cpu_flags
from relume.enhancers import describe, methods
from relume.image.darken import darken
from relume.photo import to_image

TORCH = """
import sys, time, statistics, torch
from relume.nets.retinexnet import RetinexNet
from relume.train.distributed import keep_freed_memory
if sys.argv[1] == "kept": keep_freed_memory()
torch.set_num_threads(int(sys.argv[2]))
net, image = RetinexNet().eval(), torch.rand(1, 3, 400, 600)
times = []
with torch.no_grad():
    for _ in range(int(sys.argv[3]) + 2):
        start = time.perf_counter(); net(image); times.append(time.perf_counter() - start)
print(statistics.median(times[2:]))
"""
PHOTO = """
import sys, json, time, statistics
from pathlib import Path
from relume.enhancers import enhance
from relume.io import decode, encode
times = []
for _ in range(int(sys.argv[3]) + 1):
    start = time.perf_counter()
    photo = decode(open(sys.argv[1], "rb").read())
    encode(enhance(photo, method=sys.argv[2]), "jpeg")
    times.append(time.perf_counter() - start)
    if len(times) == 1:
        # not ru_maxrss: that one remembers the process which started this one
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.exists() else []
        peak = next((int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM")), 0)
print(json.dumps({"first": times[0], "later": statistics.median(times[1:]), "peak_bytes": peak}))
"""


def torch_s(setting: str, threads: int, runs: int) -> float:
    command = [sys.executable, "-c", TORCH, setting, str(threads), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def network_inputs(name: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = {"image": rng.random((1, 3, 400, 600), np.float32) * np.float32(0.3)}
    if name == "relume":
        inputs["image"] = inputs["image"][:, :, :, :592]  # both are multiples of 16
        inputs["thumbnail"] = rng.random((1, 3, 96, 96), np.float32)
        inputs["brightness"] = np.array([[0.42]], np.float32)
        inputs["gain"] = np.ones((1, 1, 400, 592), np.float32)
    return inputs


def networks(yardstick_s: float, runs: int) -> None:
    for name in ("retinexnet", "relume"):
        inputs = network_inputs(name)
        for precision in ("f32", "bf16"):
            try:
                network = load(weights.path(name), runtime=Runtime(precision=precision))
            except Exception as error:
                print(f"  {name} {precision}: {error}")
                continue
            seconds = median_s(lambda: network(inputs), runs)  # noqa: B023
            print(f"  {name:16} {precision:5} {seconds:7.3f} s  {yardstick_s / seconds:6.1f} x")


def photographs(folder: str, method: str, runs: int) -> None:
    rng = np.random.default_rng(0)
    # a dark photograph: a lit one, and one that shows nothing, need no network
    scene = darken(to_image(data.astronaut()), 0.1, rng)
    for name, size in (("0.24 MP", (600, 400)), ("12 MP", (4000, 3000))):
        # with a sensor's noise: smooth pictures are smaller and faster to decode than photographs
        pixels = cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC) * 255
        pixels = np.rint(pixels + rng.normal(0, 3, pixels.shape))
        buffer = io.BytesIO()
        PillowImage.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
        path = f"{folder}/{size[0]}.jpg"
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(buffer.getvalue())
        encoded = buffer.getvalue()

        def plain(encoded: bytes = encoded) -> None:
            array = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
            cv2.imencode(".jpg", array, [cv2.IMWRITE_JPEG_QUALITY, 92])

        base = median_s(plain, 5)
        command = [
            sys.executable,
            "-c",
            PHOTO,
            path,
            method,
            str(runs if method == "relume" else 1),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took = json.loads(done.stdout)
        first, later = took["first"], took["later"]
        print(
            f"  {method} {name}: decode-enhance-encode {later:.2f} s "
            f"({later / base:.1f} x OpenCV's decode + encode), "
            f"first photo of a process {first:.2f} s ({first / base:.1f} x), "
            f"peak {took['peak_bytes'] / 2**30:.2f} GiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--methods", default="retinexnet,relume")
    options = parser.parse_args()
    threads = os.cpu_count() or 1
    print(f"CPU flags: {' '.join(cpu_flags()) or 'unknown'}; {threads} threads")
    plain, kept = (torch_s(s, threads, options.runs) for s in ("plain", "kept"))
    print(f"Retinex-Net 600x400, torch fp32: plain {plain:.3f} s, yardstick {kept:.3f} s")
    print("networks at 600x400, times faster than the yardstick:")
    networks(kept, options.runs)
    import tempfile

    print("whole photos (the first of a process also loads the network):")
    with tempfile.TemporaryDirectory() as folder:
        for method in options.methods.split(","):
            if method in methods():
                print(f"  {describe(method)}")
                photographs(folder, method, options.runs)


if __name__ == "__main__":
    main()
