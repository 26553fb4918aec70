"""The fast network: what the picture network does, for cameras and clips, at an eighth of its work.

It works at a quarter of the size. A patch of 4 x 4 pixels is one position there, so nothing is
thrown away; what comes out is a clean patch and, for each of its values, how much of the photo's
own is kept in it: fine detail is carried over where there is more of it than noise.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from relume.nets.picture import Block, Context, grey_level, views
from relume.nets.sizes import DARKEST, THUMBNAIL_PX

SHRINK = 4
"""The network works at one over this of the photo's size."""
PATCH = 3 * SHRINK**2
"""Values of a position: red, green and blue of its patch."""


class FastNet(nn.Module):
    """Inputs and result as of :class:`relume.nets.picture.PictureNet`, H and W multiples of 16.

    A U-Net at 1/4, 1/8 and 1/16 of the size, of ``widths`` channels; ``down`` and ``up`` count its
    residual blocks on the way there and back.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (24, 32, 64),
        down: tuple[int, ...] = (0, 1, 1),
        up: tuple[int, ...] = (1, 1, 1),
        context: int = 32,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.context = Context(context, dropout)
        self.stem = nn.Conv2d(2 * PATCH, widths[0], 1)
        self.down = nn.ModuleList(
            nn.ModuleList(Block(w, context) for _ in range(n))
            for w, n in zip(widths, down, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(
            nn.ModuleList(Block(w, context) for _ in range(n))
            for w, n in zip(widths, up, strict=True)
        )
        self.clean = nn.Conv2d(widths[0], PATCH, 1)
        self.kept = nn.Conv2d(widths[0], PATCH, 1)

    def forward(self, image: Tensor, thumbnail: Tensor, brightness: Tensor, gain: Tensor) -> Tensor:
        """The photo as it would look at the wanted mean grey level, times the gain."""
        level = grey_level(thumbnail).clamp_min(DARKEST)  # (B, 1)
        overall = (brightness / level)[:, :, None, None]  # (B, 1, 1, 1)
        context = self.context(
            torch.cat(views(thumbnail, overall), dim=1), brightness.log(), level.log()
        )
        # (B, 3, H, W) -> (B, 48, H/4, W/4)
        exposed = F.pixel_unshuffle((image * (gain * overall)).clamp(0, 1), SHRINK)
        x = self._begin(exposed)
        skips = []
        for number, blocks in enumerate(self.down):
            if number:
                skips.append(x)
                x = self.shrink[number - 1](x)  # (B, 32, H/8, W/8), (B, 64, H/16, W/16)
            for block in blocks:
                x = block(x, context)
        for number in reversed(range(len(self.up))):
            for block in self.up[number]:
                x = block(x, context)
            if number:
                x = F.pixel_shuffle(self.grow[number - 1](x), 2) + skips.pop()
        # (B, 48, H/4, W/4) -> (B, 3, H, W)
        return F.pixel_shuffle(self.clean(x) + self.kept(x) * exposed, SHRINK)

    def _begin(self, exposed: Tensor) -> Tensor:
        """The stem's convolution of the exposed photo and of its root, one after the other."""
        first, second = self.stem.weight.split(PATCH, dim=1)
        root = (exposed + 1e-6).sqrt()
        return F.conv2d(exposed, first, self.stem.bias) + F.conv2d(root, second)


def multiply_adds_a_pixel(net: nn.Module) -> float:
    """Multiplications with an addition, for each pixel of a photo of 864 x 480."""
    height, width = 480, 864
    image, thumbnail = torch.zeros(1, 3, height, width), torch.zeros(1, 3, *(THUMBNAIL_PX,) * 2)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(image, thumbnail, torch.full((1, 1), 0.4), torch.ones(1, 1, height, width))
    return counter.get_total_flops() / 2 / (height * width)
