"""What each metric is, which way is better and between which values it lies, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A metric's name, meaning, better direction and range.

    ``unit`` is "" for a plain number, "fraction" for a share of 1 (shown in percent), or a unit
    such as "dB". ``label`` is its heading in a table.
    """

    name: str
    label: str
    summary: str
    direction: Direction
    low: float
    high: float
    unit: str = ""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "psnr", "PSNR", "peak signal-to-noise ratio over all pixels and channels, raw",
            "higher", 0.0, math.inf, "dB",
        ),
        Metric(
            "psnr_gt_mean", "PSNR (GT mean)",
            "PSNR after the picture is given the mean grey level of the reference: it forgives "
            "wrong brightness and is not comparable with raw PSNR",
            "higher", 0.0, math.inf, "dB",
        ),
        Metric(
            "ssim", "SSIM",
            "structural similarity, 11x11 Gaussian window, mean over RGB (Wang et al. 2004)",
            "higher", -1.0, 1.0,
        ),
        Metric(
            "found_rate", "found", "pictures with at least one face at the threshold",
            "higher", 0.0, 1.0, "fraction",
        ),
        Metric(
            "recall", "recall", "labelled faces found at the threshold, IoU > 0.5",
            "higher", 0.0, 1.0, "fraction",
        ),
        Metric(
            "precision", "precision", "detections at the threshold that are labelled faces",
            "higher", 0.0, 1.0, "fraction",
        ),
        Metric(
            "fp_per_image", "FP/image", "false detections at the threshold per picture",
            "lower", 0.0, math.inf,
        ),
        Metric(
            "recall_at", "recall at equal false alarms",
            "labelled faces found (IoU >= 0.4) at 0.1, 0.25 and 0.5 false detections (IoU < 0.25) "
            "per picture, at whatever threshold from 0.3 on that takes",
            "higher", 0.0, 1.0, "fraction",
        ),
        Metric(
            "average_precision", "AP",
            "area under the precision-recall curve at IoU 0.5, all points",
            "higher", 0.0, 1.0, "fraction",
        ),
        Metric(
            "score", "score", "mean score of the faces found", "higher", 0.0, 1.0,
        ),
        Metric(
            "nme", "NME",
            "mean distance of 68 points to the labelled ones over the distance of the outer eye "
            "corners",
            "lower", 0.0, math.inf, "fraction",
        ),
        Metric(
            "failure_rate_8", "failures at 8 %", "faces with an NME above 8 %, or missed",
            "lower", 0.0, 1.0, "fraction",
        ),
        Metric(
            "failure_rate_10", "failures at 10 %", "faces with an NME above 10 %, or missed",
            "lower", 0.0, 1.0, "fraction",
        ),
        Metric(
            "auc_8", "AUC at 8 %", "area under the cumulative error curve up to an NME of 8 %",
            "higher", 0.0, 1.0, "fraction",
        ),
    )
}  # fmt: skip
"""All metrics by name."""
