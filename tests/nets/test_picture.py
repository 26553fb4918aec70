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
from relume.nets.sizes import PICTURE_HALO_PX, THUMBNAIL_PX  # noqa: E402


@pytest.fixture
def net() -> PictureNet:
    torch.manual_seed(0)
    return PictureNet().eval()


def inputs(height: int = 32, width: int = 48) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, height, width, generator=generator) * 0.2
    small = torch.rand(2, 3, THUMBNAIL_PX, THUMBNAIL_PX, generator=generator) * 0.2
    return image, small, torch.tensor([[0.4], [0.5]]), torch.ones(2, 1, height, width)


def test_it_is_small_enough(net: PictureNet) -> None:
    count = sum(p.numel() for p in net.parameters())
    count += sum(p.numel() for p in ExposureNet().parameters())
    assert count < 2_000_000


def test_sizes_are_kept(net: PictureNet) -> None:
    with torch.no_grad():
        assert net(*inputs(32, 48)).shape == (2, 3, 32, 48)
        assert net(*inputs(16, 16)).shape == (2, 3, 16, 16)


def test_the_wanted_brightness_reaches_the_features(net: PictureNet) -> None:
    image, small, level, gain = inputs()
    with torch.no_grad():
        assert not torch.equal(net(image, small, level, gain), net(image, small, level * 1.2, gain))


def test_the_gain_of_a_place_reaches_its_features_alone(net: PictureNet) -> None:
    """What is asked of the right end changes nothing beyond what the network sees of it."""
    image, small, level, gain = inputs(32, 512)
    lifted = gain.clone()
    lifted[:, :, :, 448:] = 2
    with torch.no_grad():
        before, after = net(image, small, level, gain), net(image, small, level, lifted)
    changed = (before - after).abs().amax(dim=(0, 1, 2))
    assert changed[448:].min() > 0
    assert changed[: 448 - PICTURE_HALO_PX].max() == 0


def test_a_gain_everywhere_is_more_brightness_to_the_pixels(net: PictureNet) -> None:
    image, small, level, gain = inputs()
    overall = (level / grey_level(small))[:, :, None, None]
    whole = torch.nn.functional.pixel_unshuffle(image, 2)
    twice = torch.nn.functional.pixel_unshuffle(overall * gain * 2, 2).repeat(1, 3, 1, 1)
    torch.testing.assert_close(net._begin(whole, twice), net._begin(whole, overall * 2))


def test_the_context_comes_from_the_thumbnail_alone(net: PictureNet) -> None:
    image, small, level, gain = inputs()
    seen = []
    net.context.register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.no_grad():
        net(image, small, level, gain)
        net(image * 0.3, small, level, gain * 2)
    torch.testing.assert_close(seen[0], seen[1])


def test_views_are_bounded_even_in_black() -> None:
    image, small, level, _ = inputs()
    black = torch.zeros_like(image)
    stack = torch.cat(views(black, (level / grey_level(small))[:, :, None, None]), dim=1)
    assert stack.shape[1] == 12
    assert torch.isfinite(stack).all()
    assert stack.min() >= 0
    bright = torch.stack(views(torch.ones_like(image), torch.full((2, 1, 1, 1), 400.0)))
    assert bright.max() <= 1.001


def test_the_stem_sees_all_views_side_by_side(net: PictureNet) -> None:
    image, small, level, _ = inputs()
    gain = (level / grey_level(small))[:, :, None, None]
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


def test_a_turned_photo_has_the_same_exposure() -> None:
    torch.manual_seed(3)
    net = ExposureNet(usual=0.4).eval()
    for member in net.members:
        torch.nn.init.normal_(member[-1].weight, std=0.3)
    small = inputs()[1]
    with torch.no_grad():
        upright = net(small)
        for turned in (small.rot90(1, (2, 3)), small.rot90(2, (2, 3)), small.flip(3), small.mT):
            torch.testing.assert_close(net(turned), upright)
        assert not torch.equal(net.guesses(small), net.guesses(small.flip(3)))


def test_the_layout_tells_the_light_apart_from_its_amount() -> None:
    small = inputs()[1] + 0.2
    seen = layout(small)
    assert seen.shape == (2, 193)
    dimmer = layout((small + 0.01) / 2 - 0.01)
    torch.testing.assert_close(seen[:, :-1], dimmer[:, :-1], atol=1e-4, rtol=0)
    assert (dimmer[:, -1] < seen[:, -1]).all()
    other = layout(small.flip(3))
    assert (other[:, :-1] - seen[:, :-1]).abs().max() > 1e-3
