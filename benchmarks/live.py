"""Clips by the fast network beside the large one: frames a second from file to file, and by part.

    python benchmarks/live.py [--size 854x480] [--frames 60] [--photo FILE] [--rounds 2]

A clip is made of a bright photograph that a camera pans over, darkened (k = .03) with fresh noise
a frame, and relit as a user would, by each network in turn; the time of a frame by part is CPU
time of one thread, of the same frames. Only ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

import relume
from relume.engine.cpu import cpu_flags, cpu_model
from relume.enhancers.relume import RelumeEnhancer
from relume.frames.clip import ClipRelighter
from relume.frames.steady import Merger
from relume.image.darken import Camera, darken
from relume.io import read
from relume.io.stream import parse_size, stream_frames
from relume.io.video import X264, X264_HURRY
from relume.photo import Array, from_image, quantise, to_image

K, SEED = 0.03, 7


def panned(photo: Path | None, width: int, height: int, count: int) -> Iterator[Array]:
    """Dark frames of a camera that pans over the photograph, or over soft shapes."""
    rng = np.random.default_rng(SEED)
    if photo is None:
        shapes = rng.random((24, 40, 3), np.float32)
        bright = cv2.resize(shapes, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    else:
        bright = cv2.resize(read(photo).pixels, (width + 64, height + 64))
    bright, camera = np.clip(bright, 0, 1), Camera.draw(rng)
    for n in range(count):
        x = round(32 + 31 * np.sin(n / 12))
        part = np.ascontiguousarray(bright[x : x + height, x : x + width])
        yield np.asarray(quantise(darken(part, K, rng, camera=camera), np.uint8))


def write(path: Path, frames: Iterator[Array], width: int, height: int) -> None:
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"crf": "14", "preset": "fast"}
        for frame in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(video.encode(None))


def file_to_file(clip: Path, *, fast: bool) -> float:
    """Frames a second."""
    began = time.perf_counter()
    report = relume.enhance_video(clip, clip.with_name("out.mp4"), fast=fast, overwrite=True)
    return report.frames / (time.perf_counter() - began)


def parts(clip: Path, *, fast: bool) -> dict[str, float]:
    """Milliseconds of CPU time that a frame takes, by part, the first of them left out."""
    taken: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        began = time.process_time()
        result = call(*args, **more)
        taken.setdefault(name, []).append(1000 * (time.process_time() - began))
        return result

    infer, plan, merged = RelumeEnhancer._infer, ClipRelighter._plan, Merger.__call__
    RelumeEnhancer._infer = lambda *a, **m: timed("network", infer, *a, **m)  # type: ignore
    ClipRelighter._plan = lambda *a, **m: timed("plan", plan, *a, **m)  # type: ignore
    Merger.__call__ = lambda *a, **m: timed("merge", merged, *a, **m)  # type: ignore
    try:
        relighter = ClipRelighter(fast=fast)
        frames = stream_frames(str(clip))
        with av.open(str(clip.with_name("parts.mp4")), "w") as out:
            video = out.add_stream("libx264", rate=25)
            video.options = {**(X264_HURRY if fast else X264), "threads": "1"}
            while (frame := timed("decode", next, frames, None)) is not None:
                image = to_image(frame)
                result = from_image(timed("all of relighting", relighter, image), like=frame)
                if "encode" not in taken:
                    video.height, video.width = result.shape[:2]

                def encode(pixels: Array) -> None:
                    out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))

                timed("encode", encode, result)
            timed("encode", lambda: out.mux(video.encode(None)))
    finally:
        RelumeEnhancer._infer, ClipRelighter._plan = infer, plan  # type: ignore
        Merger.__call__ = merged  # type: ignore
    count = len(taken["all of relighting"])
    return {name: sum(times[1:]) / (count - 1) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=parse_size, default=(854, 480))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    width, height = asked.size
    print(f"{cpu_model()} ({' '.join(cpu_flags())}), {width}x{height}, {asked.frames} frames")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "dark.mp4"
        write(clip, panned(asked.photo, width, height, asked.frames), width, height)
        speeds: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(asked.rounds):
            for fast, found in speeds.items():
                found.append(file_to_file(clip, fast=fast))
        large, small = (statistics.median(speeds[fast]) for fast in (False, True))
        print(f"file to file: {large:.1f} -> {small:.1f} frames/s, {small / large:.2f} x")
        cv2.setNumThreads(1)
        both = [parts(clip, fast=fast) for fast in (False, True)]
        for name in both[0]:
            before, after = (found[name] for found in both)
            print(f"{name:18} {before:7.1f} -> {after:6.1f} ms of CPU a frame")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
