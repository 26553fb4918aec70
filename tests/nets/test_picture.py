import math

import pytest

torch = pytest.importorskip("torch")

from relume.nets.picture import (  # noqa: E402
    ExposureNet,
    PictureNet,
    grey_level,
    layout,
    views,
)
from relume.nets.sizes import THUMBNAIL_PX  # noqa: E402


@pytest.fixture
def net() -> PictureNet:
    torch.manual_seed(0)
    return PictureNet().eval()


def inputs(height: int = 32, width: int = 48) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, height, width, generator=generator) * 0.2
    small = torch.rand(2, 3, THUMBNAIL_PX, THUMBNAIL_PX, generator=generator) * 0.2
    return image, small, torch.tensor([[0.4], [0.5]])


def test_it_is_small_enough(net: PictureNet) -> None:
    count = sum(p.numel() for p in net.parameters())
    count += sum(p.numel() for p in ExposureNet().parameters())
    assert count < 2_000_000


def test_sizes_are_kept(net: PictureNet) -> None:
    with torch.no_grad():
        assert net(*inputs(32, 48)).shape == (2, 3, 32, 48)
        assert net(*inputs(16, 16)).shape == (2, 3, 16, 16)


def test_the_wanted_brightness_reaches_the_features(net: PictureNet) -> None:
    image, small, level = inputs()
    with torch.no_grad():
        assert not torch.equal(net(image, small, level), net(image, small, level * 1.2))


def test_the_context_comes_from_the_thumbnail_alone(net: PictureNet) -> None:
    image, small, level = inputs()
    seen = []
    net.context.register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.no_grad():
        net(image, small, level)
        net(image * 0.3, small, level)
    torch.testing.assert_close(seen[0], seen[1])


def test_views_are_bounded_even_in_black() -> None:
    image, small, level = inputs()
    black = torch.zeros_like(image)
    stack = torch.cat(views(black, level / grey_level(small)), dim=1)
    assert stack.shape[1] == 12
    assert torch.isfinite(stack).all()
    assert stack.min() >= 0
    bright = torch.stack(views(torch.ones_like(image), torch.full((2, 1), 400.0)))
    assert bright.max() <= 1.001


def test_the_stem_sees_all_views_side_by_side(net: PictureNet) -> None:
    image, small, level = inputs()
    gain = level / grey_level(small)
    whole = net.stem(torch.nn.functional.pixel_unshuffle(torch.cat(views(image, gain), dim=1), 2))
    torch.testing.assert_close(
        net._begin(torch.nn.functional.pixel_unshuffle(image, 2), gain), whole
    )


def test_grey_level_is_rec_601() -> None:
    image = torch.zeros(1, 3, 4, 4)
    image[:, 1] = 1
    assert grey_level(image).item() == pytest.approx(0.587)


def test_exposure_starts_at_the_usual_and_stays_in_range() -> None:
    net = ExposureNet(usual=0.4).eval()
    with torch.no_grad():
        guess = net(inputs()[1])
        black = net(torch.zeros(1, 3, THUMBNAIL_PX, THUMBNAIL_PX))
    torch.testing.assert_close(guess, torch.full((2, 1), 0.4))
    assert 0.05 <= black.item() <= 0.95


def test_the_guesses_are_averaged() -> None:
    net = ExposureNet(members=2, usual=0.4).eval()
    for member, said in zip(net.members, (0.1, 0.5), strict=True):
        torch.nn.init.constant_(member[-1].bias, said)
    with torch.no_grad():
        guess = net(inputs()[1])[0].item()
    assert guess == pytest.approx(0.4 * math.exp((math.tanh(0.1) + math.tanh(0.5)) / 2), rel=1e-5)


def test_the_layout_tells_the_light_apart_from_its_amount() -> None:
    small = inputs()[1] + 0.2
    seen = layout(small)
    assert seen.shape == (2, 193)
    dimmer = layout((small + 0.01) / 2 - 0.01)
    torch.testing.assert_close(seen[:, :-1], dimmer[:, :-1], atol=1e-4, rtol=0)
    assert (dimmer[:, -1] < seen[:, -1]).all()
    other = layout(small.flip(3))
    assert (other[:, :-1] - seen[:, :-1]).abs().max() > 1e-3
