"""The fast network: what the picture network does, for cameras and clips, at an eighth of its work.

It works at a quarter of the size. A patch of 4 x 4 pixels is one position there, so nothing is
thrown away; what comes out is a clean patch and, for each of its values, how much of the photo's
own is kept in it: fine detail is carried over where there is more of it than noise.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from relume.nets.picture import UNet

SHRINK = 4
"""The network works at one over this of the photo's size."""
PATCH = 3 * SHRINK**2
"""Values of a position: red, green and blue of its patch."""


class FastNet(UNet):
    """Inputs and result as of :class:`relume.nets.picture.PictureNet`, H and W multiples of 16.

    A U-Net at 1/4, 1/8 and 1/16 of the size.
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
        super().__init__(
            2 * PATCH, 1, widths=widths, down=down, up=up, context=context, dropout=dropout
        )
        self.clean = nn.Conv2d(widths[0], PATCH, 1)
        self.kept = nn.Conv2d(widths[0], PATCH, 1)

    def forward(self, image: Tensor, thumbnail: Tensor, brightness: Tensor, gain: Tensor) -> Tensor:
        """The photo as it would look at the wanted mean grey level, times the gain."""
        context, overall = self.look(thumbnail, brightness)
        # (B, 3, H, W) -> (B, 48, H/4, W/4)
        exposed = F.pixel_unshuffle((image * (gain * overall)).clamp(0, 1), SHRINK)
        x = self.through(self._begin(exposed), context)
        # (B, 48, H/4, W/4) -> (B, 3, H, W)
        return F.pixel_shuffle(self.clean(x) + self.kept(x) * exposed, SHRINK)

    def _begin(self, exposed: Tensor) -> Tensor:
        """The stem's convolution of the exposed photo and of its root, one after the other."""
        first, second = self.stem.weight.split(PATCH, dim=1)
        root = (exposed + 1e-6).sqrt()
        return F.conv2d(exposed, first, self.stem.bias) + F.conv2d(root, second)
