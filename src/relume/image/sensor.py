"""The noise of real sensors: shot, read, row and quantisation noise, as calibrated in the dark.

Wei, Fu, Yang and Huang, *A Physics-based Noise Formation Model for Extreme Low-light Raw Denoising*
(CVPR 2020; PAMI 2021): for a system gain K (levels an electron) shot noise is Poisson, read noise
has the long tails of a Tukey lambda distribution, rows are shifted as a whole, and the black level
of each colour is off by a constant. The scales follow K, log scale = slope log K + bias + N(0, s).
The figures below are theirs for five cameras (github.com/Vandermode/ELD, MIT), typed as means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relume.photo import Image

WHITE_LEVELS = 15583.0
"""What a raw file of 14 bits spans above its black level, in the calibration."""


@dataclass(frozen=True)
class Scale:
    """How a noise's scale, in levels of the raw file, follows the system gain."""

    slope: float
    bias: float
    spread: float

    def draw(self, log_gain: float, rng: np.random.Generator) -> float:
        """The scale of one photograph."""
        return float(np.exp(self.slope * log_gain + self.bias + rng.normal(0, self.spread)))


@dataclass(frozen=True)
class Sensor:
    """One camera's calibration.

    ``gains`` are the lowest and the highest system gain, ``shape`` the lambda of the read noise
    (negative: longer tails than a logistic distribution), ``bias`` the error of the black level of
    red, green and blue in raw levels.
    """

    name: str
    gains: tuple[float, float]
    read: Scale
    row: Scale
    shape: float
    bias: tuple[float, float, float]


SENSORS = (
    Sensor(
        "Canon EOS 5D Mark IV",
        (0.218, 13.96),
        Scale(0.656, 1.093, 0.286),
        Scale(0.471, -0.808, 0.244),
        0.093,
        (0.29, 0.44, 0.22),
    ),
    Sensor(
        "Canon EOS 70D",
        (0.408, 26.08),
        Scale(0.487, 1.464, 0.382),
        Scale(0.729, -0.937, 0.250),
        -0.031,
        (1.52, 1.19, 0.15),
    ),
    Sensor(
        "Canon EOS 700D",
        (0.448, 28.65),
        Scale(0.598, 1.537, 0.389),
        Scale(0.622, -0.776, 0.248),
        -0.018,
        (0.88, 0.29, -0.30),
    ),
    Sensor(
        "Nikon D850",
        (0.415, 26.56),
        Scale(0.477, -0.090, 0.239),
        Scale(0.448, -1.798, 0.232),
        -0.177,
        (0.01, 0.31, -0.12),
    ),
    Sensor(
        "Sony A7S II",
        (0.094, 6.01),
        Scale(0.462, 0.566, 0.263),
        Scale(0.528, -0.592, 0.294),
        -0.049,
        (0.58, 0.59, 0.60),
    ),
)


def tukey_lambda(
    shape: float, size: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draws of the Tukey lambda distribution: its quantiles (u^l - (1 - u)^l) / l of uniform u."""
    u = np.clip(rng.random(size, dtype=np.float32), 1e-6, 1 - 1e-6)
    if abs(shape) < 1e-3:  # its limit: the logistic distribution
        return np.asarray(np.log(u / (1 - u)), np.float32)
    power = np.float32(shape)
    return np.asarray((u**power - (1 - u) ** power) / power, np.float32)


def expose_sensor(raw: Image, sensor: int, rng: np.random.Generator) -> Image:
    """``raw`` (H, W, 3), linear, 1 is its white, as :data:`SENSORS` ``[sensor]`` records it.

    The system gain is drawn from the upper half of the camera's range (on a log scale), as
    photographs in the dark are taken. Not clipped: what lies below black is below 0.
    """
    camera = SENSORS[sensor]
    low, high = np.log(camera.gains)
    log_gain = float(rng.uniform((low + high) / 2, high))
    gain = np.float32(np.exp(log_gain))
    levels = np.maximum(raw, 0) * np.float32(WHITE_LEVELS)
    shot = rng.poisson(levels / gain).astype(np.float32) * gain
    read = tukey_lambda(camera.shape, raw.shape, rng)
    shot += read * np.float32(camera.read.draw(log_gain, rng))
    rows = rng.standard_normal((raw.shape[0], 1, 1), dtype=np.float32)
    shot += rows * np.float32(camera.row.draw(log_gain, rng))
    shot += np.array(camera.bias, np.float32)
    return np.asarray(shot / np.float32(WHITE_LEVELS), np.float32)
