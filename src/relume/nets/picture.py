"""relume's own network: a dark photo, a look at the whole of it, and the wanted brightness.

The target brightness is an input, so it learns structure, noise and colour instead of
the taste of whoever exposed its training pictures. A thumbnail of the *whole* photo gives it the
tone and colour statistics, so that crops in training and tiles at run time see the same context.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relume.image.color import REC601
from relume.image.exposure import FRAME_TOLERANCE, MOST_FACTOR, SCALE_STEPS
from relume.nets.sizes import (
    DARKEST,
    PICTURE_STRIDE_PX,
    THUMBNAIL_PX,
)

CELLS = 8
"""Rows and columns of cells that the exposure estimator sees of a thumbnail."""


def grey_level(image: Tensor) -> Tensor:
    """Mean Rec. 601 grey level ``(B, 1)`` of ``(B, 3, H, W)``."""
    weights = torch.tensor(REC601, dtype=image.dtype, device=image.device)  # (3,)
    return (image.mean(dim=(2, 3)) * weights).sum(dim=1, keepdim=True)  # (B, 3) -> (B, 1)


def views(image: Tensor, gain: Tensor) -> tuple[Tensor, ...]:
    """Four views of ``(B, C, H, W)``: at the wanted brightness (clipped), its root, two roots.

    ``gain`` is ``(B, 1, 1, 1)``, or has one factor for each value. Roots open up the dark end,
    where one step of 8 bit is a lot; the clipped view shows the result's own scale.
    """
    exposed = (image * gain).clamp(0, 1)
    # a root has no finite slope at 0; nothing needs one, but gradients must stay finite
    root = (image + 1e-6).sqrt()
    return exposed, (exposed + 1e-6).sqrt(), root, root.sqrt()


class Context(nn.Module):
    """A vector ``(B, size)`` of what the whole photo is like, from its thumbnail's views."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        widths = (12, 24, 32, 48, 64)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Sequential(nn.Linear(2 * 64 + 2, size), nn.GELU(), nn.Linear(size, size))

    def forward(self, thumbnail_views: Tensor, log_brightness: Tensor, log_level: Tensor) -> Tensor:
        """The context of a batch; ``log_*`` are ``(B, 1)``."""
        x = thumbnail_views  # (B, 12, 96, 96)
        for layer in self.layers:
            x = F.gelu(layer(x))  # (B, 24, 48, 48), (B, 32, 24, 24), (B, 48, 12, 12), (B, 64, 6, 6)
        pooled = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)  # (B, 128)
        # (B, 130) -> (B, size)
        return self.mix(torch.cat([self.dropout(pooled), log_brightness, log_level], dim=1))


class Block(nn.Module):
    """A residual block whose features are scaled and shifted by the context.

    The second convolution starts at zero, so that a fresh block is the identity.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(context, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """``x`` (B, width, H, W) with what the block adds to it."""
        # (B, 2 width, 1, 1) -> twice (B, width, 1, 1)
        scale, shift = self.modulation(context)[:, :, None, None].chunk(2, dim=1)
        return x + self.second(F.gelu(self.first(x) * (1 + scale) + shift))


class UNet(nn.Module):
    """What relume's networks share: a context, a stem, and blocks at falling and rising sizes.

    At the stem's size, half of it, and so on, it has ``widths`` channels; ``down`` and ``up`` count
    the residual blocks on the way there and back. The stem is a convolution of ``channels``, of
    ``kernel`` x ``kernel`` positions.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        *,
        widths: tuple[int, ...],
        down: tuple[int, ...],
        up: tuple[int, ...],
        context: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.context = Context(context, dropout)
        self.stem = nn.Conv2d(channels, widths[0], kernel, padding=kernel // 2)

        def blocks(counts: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.ModuleList(Block(w, context) for _ in range(n))
                for w, n in zip(widths, counts, strict=True)
            )

        self.down = blocks(down)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.up = blocks(up)

    def look(self, thumbnail: Tensor, brightness: Tensor) -> tuple[Tensor, Tensor]:
        """The context, and what brings the whole photo to the brightness, (B, 1, 1, 1)."""
        level = grey_level(thumbnail).clamp_min(DARKEST)  # (B, 1)
        overall = (brightness / level)[:, :, None, None]  # (B, 1, 1, 1)
        seen = torch.cat(views(thumbnail, overall), dim=1)  # (B, 12, 96, 96)
        return self.context(seen, brightness.log(), level.log()), overall

    def through(self, x: Tensor, context: Tensor) -> Tensor:
        """What the blocks make of the stem's features, (B, widths[0], h, w)."""
        skips = []
        for number, blocks in enumerate(self.down):
            if number:
                skips.append(x)
                x = self.shrink[number - 1](x)  # (B, widths[number], h / 2 ** number, ...)
            for block in blocks:
                x = block(x, context)
        for number in reversed(range(len(self.up))):
            for block in self.up[number]:
                x = block(x, context)
            if number:
                # four times the channels, then twice the height and width
                x = F.pixel_shuffle(self.grow[number - 1](x), 2) + skips.pop()
        return x


class PictureNet(UNet):
    """Photo ``(B, 3, H, W)``, thumbnail ``(B, 3, 96, 96)``, brightness ``(B, 1)`` to a photo.

    The exposure of every place is an input, too: ``gain`` ``(B, 1, H, W)`` multiplies encoded
    values beside what the brightness asks for; 1 everywhere is one exposure for the whole photo.

    H and W are multiples of 16: a U-Net on the pixel-unshuffled views, at 1/2, 1/4, 1/8 and 1/16
    of the size. The result is predicted outright and not clamped.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (16, 48, 96, 128),
        down: tuple[int, ...] = (0, 1, 1, 2),
        up: tuple[int, ...] = (1, 1, 1, 0),
        context: int = 96,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(48, 3, widths=widths, down=down, up=up, context=context, dropout=dropout)
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1)

    def forward(self, image: Tensor, thumbnail: Tensor, brightness: Tensor, gain: Tensor) -> Tensor:
        """The photo as it would look at the wanted mean grey level, times the gain."""
        context, overall = self.look(thumbnail, brightness)
        # (B, 1, H, W) -> (B, 4, H / 2, W / 2), the same for red, green and blue
        local = F.pixel_unshuffle(overall * gain, 2).repeat(1, 3, 1, 1)
        x = self.through(self._begin(F.pixel_unshuffle(image, 2), local), context)
        return F.pixel_shuffle(self.head(x), 2)  # (B, 12, H/2, W/2) -> (B, 3, H, W)

    def _begin(self, image: Tensor, gain: Tensor) -> Tensor:
        """The stem's convolution of all views, one view at a time.

        The same as of the views side by side, which would be the largest tensor of the network.
        """
        # four views (B, 12, h, w), each with its (16, 12, 3, 3) of the stem's weights
        parts = zip(views(image, gain), self.stem.weight.split(image.shape[1], dim=1), strict=True)
        results = [F.conv2d(view, weight, padding=1) for view, weight in parts]
        return sum(results[1:], results[0]) + self.stem.bias[:, None, None]


class PhotoNet(nn.Module):
    """A whole photo ``(1, 3, H, W)`` of any size and a brightness ``(1, 1)`` to the relit photo.

    For other programs: what surrounds the picture network - thumbnail, padding, the last percent
    of brightness - is part of the graph. One exposure for the whole photo, in [0, 1].
    """

    def __init__(self, picture: PictureNet) -> None:
        super().__init__()
        self.picture = picture

    def forward(self, image: Tensor, brightness: Tensor) -> Tensor:
        """The photo at the wanted mean grey level."""
        height, width = image.shape[2], image.shape[3]
        rows, columns = _area_weights(height), _area_weights(width)  # (96, H), (96, W)
        thumbnail = rows @ image @ columns.transpose(0, 1)  # (1, 3, 96, 96)
        padded = image[:, :, _mirrored(height)][:, :, :, _mirrored(width)]  # multiples of 16
        relit = self.picture(padded, thumbnail, brightness, torch.ones_like(padded[:, :1]))
        relit = relit[:, :, :height, :width].clamp(0, 1)
        factor = torch.ones_like(brightness)  # (1, 1)
        for _ in range(SCALE_STEPS):
            mean = grey_level((relit * factor[:, :, None, None]).clamp(max=1)).clamp_min(DARKEST)
            nearer = (factor * brightness / mean).clamp(1 / MOST_FACTOR, MOST_FACTOR)
            factor = torch.where((mean / brightness - 1).abs() < FRAME_TOLERANCE, factor, nearer)
        return (relit * factor[:, :, None, None]).clamp(max=1)


def _area_weights(size: int) -> Tensor:
    """``(96, size)``: what each pixel of a side adds to each of the thumbnail's."""
    edges = torch.arange(THUMBNAIL_PX + 1) * size / THUMBNAIL_PX
    pixels = torch.arange(size)[None]
    upper = torch.minimum(pixels + 1, edges[1:, None])
    lower = torch.maximum(pixels, edges[:-1, None])
    return (upper - lower).clamp_min(0) * THUMBNAIL_PX / size


def _mirrored(size: int) -> Tensor:
    """Indices 0 ... size - 1, mirrored at the end to a multiple of 16, as often as it takes."""
    stride = PICTURE_STRIDE_PX
    phase = torch.arange((size + stride - 1) // stride * stride) % (2 * size)
    return torch.minimum(phase, 2 * size - 1 - phase)


class ExposureNet(nn.Module):
    """The brightness a photographer would have chosen ``(B, 1)``, guessed from a thumbnail.

    ``members`` small networks of different beginnings each guess the logarithm of its ratio to
    ``usual``, about the mean grey level of their training pictures; the guesses are averaged.
    """

    def __init__(self, *, members: int = 5, usual: float = 0.42, dropout: float = 0.4) -> None:
        super().__init__()
        self.usual = usual
        self.members = nn.ModuleList(_guesser(dropout) for _ in range(members))

    def forward(self, thumbnail: Tensor) -> Tensor:
        """Wanted mean grey level of each thumbnail ``(B, 3, 96, 96)``.

        The mean over the eight ways to hold a camera, so that turning a photo changes nothing.
        """
        ways = [thumbnail, thumbnail.transpose(2, 3)]
        for axis in (2, 3):
            ways += [x.flip(axis) for x in ways]
        guesses = [self.guesses(x) for x in ways]
        guess = torch.cat(guesses, dim=1).mean(dim=1, keepdim=True)
        return (self.usual * guess.exp()).clamp(0.05, 0.95)

    def guesses(self, thumbnail: Tensor) -> Tensor:
        """Each member's log of wanted over usual brightness, ``(B, members)``, within +-1."""
        features = layout(thumbnail)  # (B, 193)
        return torch.tanh(torch.cat([member(features) for member in self.members], dim=1))


def layout(thumbnail: Tensor) -> Tensor:
    """What of a thumbnail ``(B, 3, 96, 96)`` tells the exposure: ``(B, 193)``, about unit spread.

    The light and two colours of 8 x 8 cells, in logarithms, the light without its mean (a photo
    with half of the light is the same scene); the mean comes last.
    """
    cells = F.avg_pool2d((thumbnail + 0.01).log(), THUMBNAIL_PX // CELLS)  # (B, 3, 8, 8)
    red, green, blue = cells.flatten(2).unbind(dim=1)  # (B, 64) each
    light = REC601[0] * red + REC601[1] * green + REC601[2] * blue
    mean = light.mean(dim=1, keepdim=True)  # (B, 1)
    parts = [2 * (light - mean), 4 * (red - light), 4 * (blue - light), (mean + 2.5) / 1.5]
    return torch.cat(parts, dim=1)  # (B, 3 * 64 + 1)


def _guesser(dropout: float, width: int = 96) -> nn.Module:
    last = nn.Linear(width, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(3 * CELLS**2 + 1, width),
        nn.GELU(),
        nn.Linear(width, width),
        nn.GELU(),
        last,
    )
