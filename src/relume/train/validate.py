"""Watching a training run: validation figures, decomposition panels, loss curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from relume.enhancers.relume import thumbnail
from relume.errors import MissingExtra
from relume.image import draw
from relume.io import write
from relume.metrics.quality import psnr, ssim
from relume.nets.picture import MULTIPLE
from relume.nets.retinexnet import RetinexNet
from relume.photo import Image, Photo
from relume.train.pairs import Pair, Pixels
from relume.train.picture import RelumeNet
from relume.train.sampler import sample_of

CAPTIONS = ("input", "R", "I", "relit I", "result", "reference")


def planes(net: RetinexNet, low: Pixels) -> tuple[Image, Image, Image, Image]:
    """R, I, I_hat (grey as three channels) and the clamped result of one whole photo."""
    device = next(net.parameters()).device
    height, width = low.shape[:2]
    padded = np.pad(low, ((0, -height % 8), (0, -width % 8), (0, 0)), mode="reflect")
    batch = torch.from_numpy(padded).to(device).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        reflectance, illumination, relit = net(batch)
        result = (reflectance * relit).clamp(0, 1)
    parts = (reflectance, illumination, relit.clamp(0, 1), result)
    arrays = [p[0].permute(1, 2, 0).float().cpu().numpy()[:height, :width] for p in parts]
    r, i, i_hat, out = (np.repeat(a, 3, 2) if a.shape[2] == 1 else a for a in arrays)
    return r, i, i_hat, out


def validate(net: RetinexNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean raw PSNR and SSIM of the relit validation photos, not denoised.

    Beside them what judges the *decomposition* (from Decom-Net alone): ``reconstruction``, the
    mean of |R I - S| in levels of 255, and ``consistency``, that of |R_low - R_normal|.
    """
    rows = []
    for pair in pairs:
        r_low, i_low, _, result = planes(net, pair.low)
        r_high = planes(net, pair.high)[0]
        low, high = (s.astype(np.float32) / np.float32(255) for s in (pair.low, pair.high))
        rows.append(
            (
                psnr(result, high),
                ssim(result, high),
                255 * float(np.abs(r_low * i_low - low).mean()),
                255 * float(np.abs(r_low - r_high).mean()),
            )
        )
    means = np.mean(rows, axis=0)
    names = ("psnr_db", "ssim", "reconstruction_levels", "consistency_levels")
    return {name: round(float(m), 4) for name, m in zip(names, means, strict=True)}


def write_panels(net: RetinexNet, pairs: Sequence[Pair], path: Path) -> None:
    """One row a photo: input | R | I | relit I | result | reference."""
    rows = []
    for pair in pairs:
        low, high = (s.astype(np.float32) / np.float32(255) for s in (pair.low, pair.high))
        rows.append(draw.panels([low, *planes(net, pair.low), high], CAPTIONS, height_px=220))
    _write_rows(rows, path)


def relit(net: RelumeNet, low: Pixels, brightness: float | None) -> tuple[Image, float]:
    """The clamped result of relume's network on a whole photo, and the brightness it was told.

    Without a brightness the exposure estimator's is used.
    """
    device = next(net.parameters()).device
    height, width = low.shape[:2]
    pads = ((0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0))
    padded = torch.from_numpy(np.pad(low, pads, mode="reflect")).to(device)
    image = padded.permute(2, 0, 1)[None].float() / 255
    whole = thumbnail(low.astype(np.float32) / np.float32(255))
    small = torch.from_numpy(whole).to(device).permute(2, 0, 1)[None]
    with torch.no_grad():
        told = net.exposure(small) if brightness is None else image.new_full((1, 1), brightness)
        result = net.picture(image, small, told).clamp(0, 1)
    array = result[0].permute(1, 2, 0).float().cpu().numpy()[:height, :width]
    return np.ascontiguousarray(array), float(told)


def validate_relume(net: RelumeNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean raw PSNR and SSIM, told the reference's brightness and with the estimated one.

    ``exposure_rms`` is the error of the log brightness, ``constant_rms`` that of the best
    constant, which an estimator has to beat.
    """
    rows, errors, levels = [], [], []
    for pair in pairs:
        high = pair.high.astype(np.float32) / np.float32(255)
        wanted = sample_of(pair.low, pair.high).brightness
        told, _ = relit(net, pair.low, wanted)
        guessed, guess = relit(net, pair.low, None)
        rows.append((psnr(told, high), ssim(told, high), psnr(guessed, high), ssim(guessed, high)))
        errors.append(np.log(guess / wanted))
        levels.append(np.log(wanted))
    names = ("told_psnr_db", "told_ssim", "psnr_db", "ssim")
    figures = {n: round(float(v), 4) for n, v in zip(names, np.mean(rows, axis=0), strict=True)}
    figures["exposure_rms"] = round(float(np.sqrt(np.mean(np.square(errors)))), 4)
    figures["constant_rms"] = round(float(np.std(levels)), 4)
    return figures


def write_relume_panels(net: RelumeNet, pairs: Sequence[Pair], path: Path) -> None:
    """One row a photo: input | told the reference's brightness | estimated | reference."""
    rows = []
    for pair in pairs:
        low, high = (s.astype(np.float32) / np.float32(255) for s in (pair.low, pair.high))
        told, _ = relit(net, pair.low, sample_of(pair.low, pair.high).brightness)
        guessed, _ = relit(net, pair.low, None)
        captions = ("input", "brightness told", "brightness estimated", "reference")
        rows.append(draw.panels([low, told, guessed, high], captions, height_px=260))
    _write_rows(rows, path)


def _write_rows(rows: Sequence[Image], path: Path) -> None:
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    write(Photo(np.concatenate(padded)), path, overwrite=True)


def write_curves(log: Path, path: Path) -> None:
    """Loss terms against steps, one plot a phase, with validation PSNR where it was measured."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("drawing loss curves", "train", "matplotlib") from None
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    names = list(dict.fromkeys(row["phase"] for row in rows))
    figure = Figure(figsize=(6 * max(1, len(names)), 4), layout="constrained")
    for number, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), number + 1)
        lines = [r for r in rows if r["phase"] == name and "loss" in r]
        for term in lines[0]["loss"] if lines else ():
            axes.plot([r["step"] for r in lines], [r["loss"][term] for r in lines], label=term)
        axes.set(title=name, xlabel="step", ylabel="loss", yscale="log")
        figures = [r for r in rows if r["phase"] == name and "validation" in r]
        if figures:
            right = axes.twinx()
            values = [r["validation"]["psnr_db"] for r in figures]
            right.plot([r["step"] for r in figures], values, "k.--", label="validation PSNR")
            right.set_ylabel("PSNR, dB")
        axes.legend(loc="upper right", fontsize="small")
        axes.grid(alpha=0.3)
    partial = path.with_name(path.stem + ".part.png")
    figure.savefig(partial, dpi=110)
    partial.replace(path)
