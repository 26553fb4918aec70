"""Clips and bursts in the dark: what more frames give, and how steady the light is.

    python benchmarks/video.py --clips DAVIS --size 0.5 --frames 20 -n 20 --step 1 --sheets SHEETS
    python benchmarks/video.py --portraits LFPW/test -n 28 --step 4 --frames 4 8 -k .1 .03 .01 .003
    python benchmarks/video.py --cost

``--clips`` holds a folder of pictures for each bright clip. Each is darkened by our recipe with one
camera and fresh noise a frame, and relit with the bright clip's mean grey level as the brightness:
frame by frame, as a clip, and by ffmpeg (``hqdn3d,deflicker`` and the gamma that gives the
first frame that brightness), if it is installed. ``--sheets`` is a folder for a picture of each.
``--portraits`` holds photographs with one labelled face (``x,y`` CSV of 68 points): bursts of each
are relit at its mean grey level; recall is YuNet's on the result. ``--cost`` relights clips of
noise as a user would: frames a second, the share of everything beside the network, memory.

Measures: PSNR of 8-bit frames; the warping error, in levels, of each frame against the one before,
moved along the bright clip's flow where that fits; the fluctuation of the mean luma (standard
deviation of its frame-to-frame differences, in levels); the variance over time of a clip that
stands still, from its fifth frame on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

import relume
from faces import OVERLAP, THRESHOLD, portraits
from relume.engine.cpu import cpu_flags
from relume.faces import detectors
from relume.faces.base import Box
from relume.faces.search import iou
from relume.image.color import luma
from relume.image.darken import Camera, darken
from relume.image.draw import panels
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr
from relume.photo import Array, Image, quantise, to_image

FITS = 8.0
"""Levels up to which the bright clip's flow is believed."""
FLICKER = 0.05
Relit = Callable[[Sequence[Array], float], list[Array]]


def frame_by_frame(frames: Sequence[Array], level: float) -> list[Array]:
    return [relume.enhance(frame, brightness=level) for frame in frames]


def as_a_clip(frames: Sequence[Array], level: float) -> list[Array]:
    return list(relume.enhance_frames(frames, brightness=level))


def by_ffmpeg(frames: Sequence[Array], level: float) -> list[Array]:
    grey = luma(to_image(frames[0]))
    low, high = 0.1, 10.0
    for _ in range(30):
        gamma = (low * high) ** 0.5
        low, high = (gamma, high) if float((grey ** (1 / gamma)).mean()) < level else (low, gamma)
    height, width = frames[0].shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "24")
    curve = f"'255*pow(val/255,{1 / gamma:.4f})'"  # eq would lift the black of limited range, too
    filters = f"hqdn3d,deflicker,format=rgb24,lutrgb=r={curve}:g={curve}:b={curve}"
    command = ("ffmpeg", "-v", "error", *raw, "-i", "-", "-vf", filters, *raw, "-")
    out = subprocess.run(command, input=np.stack(frames).tobytes(), capture_output=True, check=True)
    return list(np.frombuffer(out.stdout, np.uint8).reshape(-1, height, width, 3))


ARMS: dict[str, Relit] = {"frame by frame": frame_by_frame, "clip": as_a_clip}
if shutil.which("ffmpeg"):
    ARMS["ffmpeg"] = by_ffmpeg


def read_clip(folder: Path, frames: int, size: float) -> list[Array]:
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png"))[:frames]
    pictures = [quantise(relume.read(path).pixels, np.uint8) for path in paths]
    if size == 1:
        return pictures
    return [cv2.resize(p, None, fx=size, fy=size, interpolation=cv2.INTER_AREA) for p in pictures]


def dark_clip(bright: Sequence[Array], k: float, seed: int, flicker: float = 0.0) -> list[Array]:
    rng = np.random.default_rng((seed, round(1000 * k)))
    camera = Camera.draw(rng)
    exposures = k * (1 + flicker * rng.standard_normal(len(bright)))
    return [
        quantise(darken(to_image(frame), float(e), rng, camera=camera), np.uint8)
        for frame, e in zip(bright, exposures, strict=True)
    ]


def warping_error(frames: Sequence[Array], bright: Sequence[Array]) -> float:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in bright]
    y, x = np.mgrid[: grey[0].shape[0], : grey[0].shape[1]].astype(np.float32)
    errors = []
    for (before, now), (grey_before, grey_now) in zip(
        pairwise(frames), pairwise(grey), strict=True
    ):
        motion = flow.calc(grey_now, grey_before, None)
        to = (x + motion[..., 0], y + motion[..., 1])

        def warped(picture: Array, to: tuple[Array, Array] = to) -> Image:
            moved = cv2.remap(
                picture.astype(np.float32), *to, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
            return np.asarray(moved, np.float32)

        fits = np.abs(warped(grey_before) - grey_now) < FITS
        errors.append(np.abs(warped(before) - now).mean(axis=2)[fits].mean())
    return float(np.mean(errors))


def fluctuation(frames: Sequence[Array]) -> float:
    return float(np.std(np.diff([255 * luma(to_image(frame)).mean() for frame in frames])))


def sheet(path: Path, rows: dict[str, Sequence[Array]]) -> None:
    """Three frames of each arm below one another."""
    count = len(next(iter(rows.values())))
    shown = [count // 4, count // 2, count - 1]
    columns = [to_image(np.vstack([frames[n] for n in shown])) for frames in rows.values()]
    picture = panels(columns, list(rows), height_px=min(columns[0].shape[0], 900))
    relume.Photo(picture).save(path, overwrite=True, quality=90)


def clips(
    folders: Sequence[Path],
    exposures: Sequence[float],
    frames: int,
    size: float,
    sheets: Path | None,
) -> None:
    print(f"n = {len(folders)} clips of {frames} frames, size {size:g}, seed: the clip's number")
    columns = "PSNR, warping error, fluctuation, with flicker, static variance, ms a frame"
    print(f"  arm: {columns}")
    for k in exposures:
        rows: dict[str, list[list[float]]] = {"bright": [], **{arm: [] for arm in ARMS}}
        for number, folder in enumerate(folders):
            bright = read_clip(folder, frames, size)
            level = float(np.mean([mean_level(to_image(frame)) for frame in bright]))
            dark, still = (dark_clip(b, k, number) for b in (bright, [bright[0]] * min(frames, 12)))
            flickering = dark_clip(bright, k, number, FLICKER)
            steady = fluctuation(bright)
            rows["bright"].append([np.inf, warping_error(bright, bright), steady, steady, 0, 0])
            shown: dict[str, Sequence[Array]] = {"bright": bright, "dark": dark}
            for arm, relight in ARMS.items():
                began = time.process_time()
                result = shown[arm] = relight(dark, level)
                spent = 1000 * (time.process_time() - began) / len(dark)
                signal = [
                    psnr(to_image(a), to_image(b)) for a, b in zip(result, bright, strict=True)
                ]
                rest = np.stack(relight(still, level)[4:]).astype(np.float32)
                rows[arm].append(
                    [
                        float(np.mean(signal)),
                        warping_error(result, bright),
                        fluctuation(result),
                        fluctuation(relight(flickering, level)),
                        float(np.var(rest, axis=0).mean()),
                        spent,
                    ]
                )
            ours, alone = rows["clip"][-1][0], rows["frame by frame"][-1][0]
            print(f"    {folder.name}: k = {k:g}: {alone:.2f} {ours - alone:+.2f} dB", flush=True)
            if sheets is not None:
                sheets.mkdir(parents=True, exist_ok=True)
                sheet(sheets / f"{folder.name}-{k:g}.jpg", shown)
        for arm, measured in rows.items():
            mean = np.mean(measured, axis=0)
            print(f"  k = {k:<5g} {arm:15}" + "".join(f"{value:9.2f}" for value in mean))


def handheld(photo: Image, frames: int, rng: np.random.Generator) -> Iterator[Image]:
    """The photo as a handheld camera sees it: 4 px and 0.4 degrees, the first one unmoved."""
    height, width = photo.shape[:2]
    for n in range(frames):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 0.4) if n else 0, 1)
        turn[:, 2] += rng.normal(0, 4, 2) if n else 0
        moved = cv2.warpAffine(
            photo, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        yield np.asarray(np.clip(moved, 0, 1), np.float32)


def bursts(faces: Sequence[tuple[Image, Box]], exposures: Sequence[float], frames: int) -> None:
    detector = detectors().create("yunet", {"threshold": THRESHOLD})
    print(f"n = {len(faces)} photographs, bursts of {frames}: faces found / PSNR, brightness given")
    for k in exposures:
        results: dict[str, list[tuple[bool, float]]] = {}
        for number, (photo, box) in enumerate(faces):
            level = mean_level(photo)

            def note(
                arm: str,
                picture: Image,
                results: dict[str, list[tuple[bool, float]]] = results,
                photo: Image = photo,
                box: Box = box,
            ) -> None:
                hit = any(iou(box, face.box) >= OVERLAP for face in detector(picture))
                results.setdefault(arm, []).append((hit, psnr(picture, photo)))

            for kind in ("still", "handheld"):
                rng = np.random.default_rng((number, round(1000 * k)))
                camera = Camera.draw(rng)
                seen = [photo] * frames if kind == "still" else handheld(photo, frames, rng)
                dark = [darken(frame, k, rng, camera=camera) for frame in seen]
                if kind == "still":
                    note("one frame", relume.enhance(dark[0], brightness=level))
                    first = np.asarray(np.mean(dark, axis=0), np.float32)
                    note("averaged, then relit", relume.enhance(first, brightness=level))
                merged = relume.enhance_burst(dark, brightness=level, reference=0)
                note(f"burst, {kind}", merged)
        for arm, rows in results.items():
            found, signal = np.mean(rows, axis=0)
            print(f"  k = {k:<6g} {arm:21} {found:.2f} / {signal:.2f} dB", flush=True)


COST = """
import resource, sys, time
from pathlib import Path
import cv2, numpy as np, relume
from relume.enhancers.relume import RelumeEnhancer
spent = 0.0
infer = RelumeEnhancer._infer
def timed(*given, **named):
    global spent
    began = time.perf_counter()
    try:
        return infer(*given, **named)
    finally:
        spent += time.perf_counter() - began
RelumeEnhancer._infer = timed
began, first = 0.0, 0.0
def count(done, total):
    global began, first
    if done == 3:
        began, first = time.perf_counter(), spent
report = relume.enhance_video(sys.argv[1], sys.argv[2], progress=count)
seconds, frames = time.perf_counter() - began, report.frames - 3
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{frames / seconds:.1f} frames/s, network {1000 * (spent - first) / frames:.0f} ms of "
      f"{1000 * seconds / frames:.0f} ms a frame, at most {memory:.0f} MB")
"""


def cost(sizes: Sequence[tuple[int, int]], frames: int) -> None:
    """Relight a panning dark clip of noise and edges from file to file, in a process of its own."""
    import av

    for width, height in sizes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "dark.mp4", Path(folder) / "relit.mp4"
            rng = np.random.default_rng(0)
            cells = rng.random((height // 60, 2 * width // 60, 3), np.float32) ** 3
            scene = cv2.resize(cells, (2 * width, height), interpolation=cv2.INTER_NEAREST)
            with av.open(str(source), "w") as clip:
                video = clip.add_stream("libx264", rate=25)
                video.width, video.height, video.pix_fmt = width, height, "yuv420p"
                for n in range(frames):
                    light = 0.08 * scene[:, 2 * n : 2 * n + width]
                    noise = 0.01 * rng.standard_normal(light.shape, np.float32)
                    dark = quantise(np.clip(light + noise, 0, 1), np.uint8)
                    clip.mux(video.encode(av.VideoFrame.from_ndarray(dark, format="rgb24")))
                clip.mux(video.encode(None))
            command = (sys.executable, "-c", COST, str(source), str(target))
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"  {width}x{height}, {frames} frames: {out.stdout.strip()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("-n", type=int, default=5, help="clips or photographs")
    parser.add_argument("--step", type=int, default=4, help="take every so-manyeth")
    parser.add_argument("--frames", type=int, nargs="+", help="of a clip (20) or bursts (4)")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets of the clips")
    parser.add_argument("--cost", action="store_true", help="speed and memory, file to file")
    parser.add_argument("--size", type=float, default=1.0, help="of the clips' frames")
    parser.add_argument("-k", type=float, nargs="+", help="linear exposures")
    options = parser.parse_args()
    print(f"CPU flags: {' '.join(cpu_flags())}")
    if options.clips:
        folders = sorted(p for p in options.clips.iterdir() if p.is_dir())
        chosen = folders[:: options.step][: options.n]
        frames = (options.frames or [20])[0]
        clips(chosen, options.k or [0.03, 0.01], frames, options.size, options.sheets)
    if options.portraits:
        faces = portraits(options.portraits, options.n, options.step)
        for frames in options.frames or [4]:
            bursts(faces, options.k or [0.01, 0.003], frames)
    if options.cost:
        cost([(854, 480), (1920, 1080)], (options.frames or [60])[0])


if __name__ == "__main__":
    main()
