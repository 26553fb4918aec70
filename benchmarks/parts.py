"""Where the time of one photo goes: the least of many calls of each part, in milliseconds.

    python benchmarks/parts.py [--calls 100] [--precision bf16] [--threads 0]

A dark photo of 600x400, and the same with a lamp, which is exposed locally. With one thread (the
default) it is the processor's time, which other work on the machine hardly changes; else the wall
clock's. Parts contain others: the indent says which.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from skimage import data

import relume
from relume.engine import Runtime
from relume.engine.cpu import limit_threads
from relume.engine.openvino import OpenVinoNetwork
from relume.enhancers import api
from relume.enhancers import relume as method
from relume.exposure import curve, plan
from relume.exposure import meter as reading
from relume.faces import yunet
from relume.image.darken import darken
from relume.photo import to_image

PARTS: tuple[tuple[str, object, str], ...] = (
    ("from 8 bits", api, "to_image"),
    ("thumbnail", method, "thumbnail"),
    ("metering", method, "meter"),
    ("  flat pixels", reading, "_flat_share"),
    ("wanted brightness", method.RelumeEnhancer, "estimate_brightness"),
    ("plan", method, "plan"),
    ("  gain of the shadows", reading.Reading, "shadow_gain"),
    ("  one gain for all", reading.Reading, "overall_gain"),
    ("  faces that stay dark", plan, "face_stops"),
    ("    search", yunet, "search"),
    ("factor of every place", curve.Curve, "factor"),
    ("network and tiles", method.RelumeEnhancer, "_infer"),
    ("exact brightness", reading.Reading, "match"),
    ("lit detail", plan, "keep_lit_detail"),
    ("to 8 bits", api, "from_image"),
)


def photos() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    scene = darken(to_image(data.astronaut()), 0.1, rng)
    pixels = cv2.resize(scene, (600, 400), interpolation=cv2.INTER_CUBIC) * 255
    dark = np.rint(pixels + rng.normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8)
    lamp = dark.copy()
    lamp[50:120, 400:480] = (lamp[50:120, 400:480].astype(int) * 6 + 100).clip(0, 255)
    return {"dark all over": dark, "with a lamp": lamp}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    limit_threads(options.threads)
    if options.threads:
        cv2.setNumThreads(options.threads)
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            start = clock()
            try:
                return work(*args, **more)
            finally:
                label = name or f"  {args[0].name}"
                took[label] = took.get(label, 0.0) + clock() - start

        return call

    for name, owner, attribute in PARTS:
        setattr(owner, attribute, timed(name, getattr(owner, attribute)))
    OpenVinoNetwork.__call__ = timed("", OpenVinoNetwork.__call__)  # type: ignore[method-assign]
    whole = timed("whole call", relume.enhance)
    for title, photo in photos().items():
        best: dict[str, float] = defaultdict(lambda: float("inf"))
        for _ in range(options.calls):
            took.clear()
            whole(photo, runtime=Runtime(precision=options.precision))
            networks = sum(value for name, value in took.items() if name.endswith(".onnx"))
            took["outside the networks"] = took["whole call"] - networks
            for name, value in took.items():
                best[name] = min(best[name], value)
        print(title)
        for name, value in best.items():
            print(f"  {name:24} {1000 * value:7.2f} ms")


if __name__ == "__main__":
    main()
