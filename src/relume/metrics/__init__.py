"""Pure numbers: what is measured of pictures, detections and landmarks, and what it shows.

>>> from relume.metrics import METRICS, wilson_interval
>>> METRICS["nme"].direction
'lower'
>>> low, high = wilson_interval(118, 124)
>>> f"{low:.1%} to {high:.1%}"
'89.8% to 97.8%'
"""

from __future__ import annotations

from relume.metrics.catalogue import METRICS, Metric
from relume.metrics.color_difference import ciede2000, color_difference, srgb_to_lab
from relume.metrics.detection import (
    DetectionRates,
    Matches,
    average_precision,
    detection_rates,
    ellipse_bounds,
    ellipse_box_iou,
    iou_matrix,
    match_detections,
)
from relume.metrics.landmarks import (
    cumulative_errors,
    error_curve_area,
    failure_rate,
    mean_error,
    nme,
    outer_eye_distance_px,
)
from relume.metrics.quality import psnr, psnr_gt_mean, ssim, with_mean_of
from relume.metrics.statistics import (
    Estimate,
    Power,
    gain_power,
    holm,
    least_discordant,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_mean,
    smallest_showable,
    wilson_interval,
)

__all__ = [
    "METRICS",
    "DetectionRates",
    "Estimate",
    "Matches",
    "Metric",
    "Power",
    "average_precision",
    "ciede2000",
    "color_difference",
    "cumulative_errors",
    "detection_rates",
    "ellipse_bounds",
    "ellipse_box_iou",
    "error_curve_area",
    "failure_rate",
    "gain_power",
    "holm",
    "iou_matrix",
    "least_discordant",
    "match_detections",
    "mcnemar_exact",
    "mean_error",
    "nme",
    "outer_eye_distance_px",
    "paired_bootstrap",
    "paired_bootstrap_mean",
    "psnr",
    "psnr_gt_mean",
    "smallest_showable",
    "srgb_to_lab",
    "ssim",
    "wilson_interval",
    "with_mean_of",
]
