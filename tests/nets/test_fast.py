import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from relume.nets.fast import FastNet  # noqa: E402
from relume.nets.picture import PictureNet  # noqa: E402
from relume.nets.sizes import PICTURE_HALO_PX, THUMBNAIL_PX  # noqa: E402


@pytest.fixture
def net() -> FastNet:
    torch.manual_seed(0)
    net = FastNet().eval()
    for name, weight in net.named_parameters():
        if "second.weight" in name or "modulation.weight" in name:  # they start at zero
            torch.nn.init.normal_(weight, 0, 0.05)
    return net


def inputs(height: int = 32, width: int = 48) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, height, width, generator=generator) * 0.2
    small = torch.rand(2, 3, THUMBNAIL_PX, THUMBNAIL_PX, generator=generator) * 0.2
    return image, small, torch.tensor([[0.4], [0.5]]), torch.ones(2, 1, height, width)


def multiply_adds_a_pixel(net: torch.nn.Module) -> float:
    """Multiplications with an addition, for each pixel of a photo of 864 x 480."""
    height, width = 480, 864
    image, thumbnail = torch.zeros(1, 3, height, width), torch.zeros(1, 3, *(THUMBNAIL_PX,) * 2)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(image, thumbnail, torch.full((1, 1), 0.4), torch.ones(1, 1, height, width))
    return counter.get_total_flops() / 2 / (height * width)


def test_it_is_as_small_as_cameras_need(net: FastNet) -> None:
    assert sum(p.numel() for p in net.parameters()) <= 300_000
    assert multiply_adds_a_pixel(net) <= 2_500


def test_multiply_adds_are_counted_as_by_hand() -> None:
    """One convolution 3 -> 8 of 3 x 3 at a quarter of the pixels."""

    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.only = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)

        def forward(self, image, thumbnail, brightness, gain):
            return self.only(image)

    assert multiply_adds_a_pixel(One()) == 3 * 8 * 9 / 4


def test_the_large_network_does_seven_times_its_work(net: FastNet) -> None:
    assert multiply_adds_a_pixel(PictureNet().eval()) > 7 * multiply_adds_a_pixel(net)


def test_sizes_are_kept(net: FastNet) -> None:
    with torch.no_grad():
        assert net(*inputs(32, 48)).shape == (2, 3, 32, 48)
        assert net(*inputs(16, 16)).shape == (2, 3, 16, 16)


def test_brightness_and_gain_are_told_as_one_product(
    net: FastNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the gain at one brightness: the pixels see what half of the gain at twice shows."""
    image, small, level, gain = inputs()
    seen = []
    begin = net._begin
    monkeypatch.setattr(net, "_begin", lambda exposed: [seen.append(exposed), begin(exposed)][1])
    with torch.no_grad():
        net(image, small, level, 2 * gain)
        net(image, small, 2 * level, gain)
    torch.testing.assert_close(seen[0], seen[1])


def test_the_gain_of_a_place_reaches_no_further_than_its_halo(net: FastNet) -> None:
    image, small, level, gain = inputs(32, 512)
    lifted = gain.clone()
    lifted[:, :, :, 448:] = 2
    with torch.no_grad():
        before, after = net(image, small, level, gain), net(image, small, level, lifted)
    changed = (before - after).abs().amax(dim=(0, 1, 2))
    assert changed[448:].min() > 0
    assert changed[: 448 - PICTURE_HALO_PX].max() == 0


def test_detail_of_the_photo_can_be_carried_over(net: FastNet) -> None:
    """With nothing clean and all kept, the photo is only exposed: every pixel, unblurred."""
    image, small, level, gain = inputs()
    for layer, bias in ((net.clean, 0.0), (net.kept, 1.0)):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, bias)
    grey = (small.mean(dim=(2, 3)) * torch.tensor([0.299, 0.587, 0.114])).sum(dim=1)
    factor = (level[:, 0] / grey)[:, None, None, None]
    with torch.no_grad():
        torch.testing.assert_close(net(image, small, level, gain), (image * factor).clamp(0, 1))
