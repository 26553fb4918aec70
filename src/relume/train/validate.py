"""Validation of a net under training: figures, panels, loss curves.

Whole photos go through the enhancers of ``relume.enhancers``, with the net in place of the
shipped one; so the figures are those of what users will get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from relume.engine import Array, Inference
from relume.enhancers.relume import RelumeEnhancer
from relume.enhancers.retinexnet import OUTPUTS, Decomposition, RetinexNetEnhancer
from relume.errors import extra_module
from relume.faces.base import Face
from relume.image import draw
from relume.image.darken import Camera, darken
from relume.image.exposure import mean_level
from relume.image.opening import Opening
from relume.io import write
from relume.metrics.quality import psnr, ssim
from relume.nets.fast import FastNet
from relume.nets.retinexnet import RetinexNet
from relume.photo import Image, Photo, as_float
from relume.train.data import Pair, Pixels
from relume.train.phases import RelumeNet


def inference(module: torch.nn.Module, *outputs: str) -> Inference:
    """A torch module as enhancers call networks: NumPy arrays by name in and out."""
    device = next(module.parameters()).device

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        with torch.inference_mode():
            results = module(**{k: torch.from_numpy(v).to(device) for k, v in inputs.items()})
        results = results if isinstance(results, tuple) else (results,)
        arrays = (result.float().cpu().numpy() for result in results)
        return dict(zip(outputs, arrays, strict=True))

    return call


def decompose(net: RetinexNet, low: Pixels) -> Decomposition:
    """One photo taken apart by a net under training, its reflectance not denoised."""
    enhancer = RetinexNetEnhancer(denoise="none", inference=inference(net, *OUTPUTS))
    return enhancer.decompose(as_float(low))


def relight(net: RelumeNet, low: Pixels, brightness: float | None) -> tuple[Image, float]:
    """One photo relit by a net under training, in [0, 1], and the brightness that was aimed at.

    Without a brightness the net's own exposure estimator chooses it.
    """
    enhancer = RelumeEnhancer(
        brightness="auto" if brightness is None else brightness,
        picture=inference(net.picture, "photo"),
        estimator=inference(net.exposure, "brightness"),
    )
    image = as_float(low)
    return np.clip(enhancer(image), 0, 1), enhancer.aim_for(image).level


def relight_fast(net: FastNet, low: Pixels, brightness: float) -> Image:
    """One photo relit by a fast network under training at a brightness, in [0, 1]."""
    enhancer = RelumeEnhancer(brightness=brightness, picture=inference(net, "photo"))
    return np.clip(enhancer(as_float(low)), 0, 1)


def validate_fast(net: FastNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean raw PSNR and SSIM of the validation photos at the reference's brightness."""
    rows = []
    for pair in pairs:
        high = as_float(pair.high)
        relit = relight_fast(net, pair.low, max(mean_level(high), 1 / 255))
        rows.append((psnr(relit, high), ssim(relit, high)))
    return _means(("psnr_db", "ssim"), rows)


def validate_retinexnet(net: RetinexNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean raw PSNR and SSIM of the relit validation photos, not denoised.

    Beside them what judges the *decomposition* (from Decom-Net alone): ``reconstruction``, the
    mean of |R I - S| in levels of 255, and ``consistency``, that of |R_low - R_normal|.
    """
    rows = []
    for pair in pairs:
        low, high = decompose(net, pair.low), decompose(net, pair.high)
        result = np.clip(low.enhanced, 0, 1)
        relit_as_it_was = low.reflectance * low.illumination[:, :, None]
        rows.append(
            (
                psnr(result, high.image),
                ssim(result, high.image),
                255 * float(np.abs(relit_as_it_was - low.image).mean()),
                255 * float(np.abs(low.reflectance - high.reflectance).mean()),
            )
        )
    return _means(("psnr_db", "ssim", "reconstruction_levels", "consistency_levels"), rows)


def validate_relume(net: RelumeNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean raw PSNR and SSIM with the estimated brightness, and with the reference's given.

    ``exposure_rms`` is the error of the log brightness, ``constant_rms`` that of the best
    constant, which an estimator has to beat.
    """
    rows, errors, logs = [], [], []
    for pair in pairs:
        high = as_float(pair.high)
        target = max(mean_level(high), 1 / 255)
        given, _ = relight(net, pair.low, target)
        estimated, guess = relight(net, pair.low, None)
        rows.append(
            (psnr(given, high), ssim(given, high), psnr(estimated, high), ssim(estimated, high))
        )
        errors.append(np.log(guess / target))
        logs.append(np.log(target))
    figures = _means(("given_psnr_db", "given_ssim", "psnr_db", "ssim"), rows)
    figures["exposure_rms"] = round(float(np.sqrt(np.mean(np.square(errors)))), 4)
    figures["constant_rms"] = round(float(np.std(logs)), 4)
    return figures


def write_retinexnet_panels(net: RetinexNet, pairs: Sequence[Pair], path: Path) -> None:
    """One row a photo: input | R | I | relit I | result | reference."""
    captions = ("input", "R", "I", "relit I", "result", "reference")
    shown = ([*decompose(net, p.low).panels(), as_float(p.high)] for p in pairs)
    write_rows([draw.panels(row, captions, height_px=220) for row in shown], path)


def write_fast_panels(net: FastNet, pairs: Sequence[Pair], path: Path) -> None:
    """One row a photo: input | at the reference's brightness | reference."""
    rows = []
    for low, high in ((pair.low, as_float(pair.high)) for pair in pairs):
        shown = [as_float(low), relight_fast(net, low, mean_level(high)), high]
        rows.append(draw.panels(shown, ("input", "result", "reference"), height_px=260))
    write_rows(rows, path)


def write_relume_panels(net: RelumeNet, pairs: Sequence[Pair], path: Path) -> None:
    """One row a photo: input | at the reference's brightness | at the estimated one | reference."""
    captions = ("input", "brightness given", "brightness estimated", "reference")
    rows = []
    for low, high in ((pair.low, as_float(pair.high)) for pair in pairs):
        relit = [relight(net, low, level)[0] for level in (mean_level(high), None)]
        rows.append(draw.panels([as_float(low), *relit, high], captions, height_px=260))
    write_rows(rows, path)


def write_curves(log: Path, path: Path) -> None:
    """Draw the curves of a run's log into a PNG.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure = draw_curves([json.loads(line) for line in log.read_text("utf-8").splitlines()])
    partial = path.with_name(path.stem + ".part.png")
    figure.savefig(partial, dpi=110)
    partial.replace(path)


def draw_curves(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Loss terms against steps, one plot a phase, with validation PSNR where it was measured."""
    figures = extra_module("matplotlib.figure", "drawing loss curves", "train")
    phases = list(dict.fromkeys((row["number"], row["phase"]) for row in rows))
    figure = figures.Figure(figsize=(6 * max(1, len(phases)), 4.5), layout="constrained")
    for column, (number, name) in enumerate(phases):
        axes = figure.add_subplot(1, len(phases), column + 1)
        own = [r for r in rows if r["number"] == number]
        losses = [r for r in own if "loss" in r]
        for term in losses[0]["loss"] if losses else ():
            axes.plot([r["step"] for r in losses], [r["loss"][term] for r in losses], label=term)
        axes.set(title=name, xlabel="step", ylabel="loss", yscale="log")
        _label_log_axis(axes)
        lines = axes.get_lines()
        figures = [r for r in own if "validation" in r]
        if figures:
            right = axes.twinx()
            first = figures[0]["validation"]
            figure_name = "psnr_db" if "psnr_db" in first else next(iter(first))
            values = [r["validation"][figure_name] for r in figures]
            shown = {"psnr_db": "PSNR, dB"}.get(figure_name, figure_name)
            right.plot([r["step"] for r in figures], values, "k.--", label=f"{shown} (right)")
            right.set_ylabel(f"validation {shown}")
            lines = [*lines, *right.get_lines()]
        # below the axes, where it covers nothing
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 4}
        axes.legend(handles=lines, fontsize="small", **below)
        axes.grid(alpha=0.3)
    return figure


def _label_log_axis(axes: Any) -> None:
    """Plain numbers (0.02, 0.05, 0.1) on a logarithmic axis, at least three of them."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

    low, high = axes.get_ylim()
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [d * 10.0**e for e in exponents for d in (1, 2, 5) if low <= d * 10.0**e <= high]
    if len(ticks) < 3:
        ticks = [t for t in MaxNLocator(5).tick_values(low, high) if low <= t <= high]
    elif len(ticks) > 9:
        ticks = [10.0**e for e in exponents]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(low, high)


def _means(names: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, float]:
    means = np.mean(rows, axis=0)
    return {name: round(float(m), 4) for name, m in zip(names, means, strict=True)}


def darkened(photo: Pixels, k: float, number: int) -> Image:
    """A validation photograph at the share ``k`` of its light, the same in every run."""
    image = as_float(photo)
    if k == 1:
        return image
    rng = np.random.default_rng([number, round(1e6 * k)])
    return darken(image, k, rng, camera=Camera.draw(rng))


def write_ladder(
    photos: Iterable[Pixels],
    find: Callable[[int, Image], Sequence[Face]],
    ladder: Sequence[float],
    path: Path,
) -> None:
    """One row a photograph: at each light, opened up as the net sees it, with what it finds.

    ``find`` is handed the photograph's number and the photograph at that light.
    """
    rows = []
    for number, photo in enumerate(photos):
        panels = []
        for k in ladder:
            image = darkened(photo, k, number)
            panels.append(draw.draw_faces(Opening.of(image)(image), find(number, image)))
        rows.append(draw.panels(panels, [f"{k:g} of the light" for k in ladder], height_px=260))
    write_rows(rows, path)


def write_rows(rows: Sequence[Image], path: Path) -> None:
    """Write rows of panels, one below the other, as one picture."""
    write(Photo(draw.stacked(rows)), path, overwrite=True)
