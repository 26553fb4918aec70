"""Loss terms against values computed by hand on tiny tensors."""

import math

import pytest

torch = pytest.importorskip("torch")

from relume.train import losses  # noqa: E402


def rgb(values: list[list[float]]) -> torch.Tensor:
    return torch.tensor(values).expand(1, 3, -1, -1)


def one(values: list[list[float]]) -> torch.Tensor:
    return torch.tensor(values)[None, None]


def test_gradients_are_absolute_forward_differences() -> None:
    horizontal, vertical = losses.gradients(one([[1.0, 3.0], [0.0, -4.0]]))
    assert horizontal.flatten().tolist() == [2.0, 4.0]
    assert vertical.flatten().tolist() == [1.0, 7.0]


def test_reconstruction() -> None:
    reflectance, illumination = rgb([[0.5, 1.0]]), one([[0.4, 0.5]])
    photo = rgb([[0.3, 0.1]])
    # |0.2 - 0.3| = 0.1, |0.5 - 0.1| = 0.4
    assert losses.reconstruction(reflectance, illumination, photo).item() == pytest.approx(0.25)


def test_reconstruction_weighs_the_crossed_terms() -> None:
    r_low, r_high = rgb([[0.5]]), rgb([[0.8]])
    i_low, i_high = one([[0.2]]), one([[1.0]])
    s_low, s_high = rgb([[0.2]]), rgb([[0.7]])
    expected = (
        1.0 * abs(0.5 * 0.2 - 0.2)  # low, low
        + 0.001 * abs(0.5 * 1.0 - 0.7)  # low reflectance in the bright light
        + 0.001 * abs(0.8 * 0.2 - 0.2)
        + 1.0 * abs(0.8 * 1.0 - 0.7)
    )
    total = losses.reconstruction_all((r_low, r_high), (i_low, i_high), (s_low, s_high))
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_reflectance_consistency() -> None:
    assert losses.reflectance_consistency(
        rgb([[0.1, 0.9]]), rgb([[0.4, 0.7]])
    ).item() == pytest.approx(0.25)


def test_smoothness_forgives_gradients_where_the_reflectance_has_them() -> None:
    illumination = one([[0.0, 0.4], [0.0, 0.4]])
    flat = rgb([[0.5, 0.5], [0.5, 0.5]])
    edge = rgb([[0.2, 0.5], [0.2, 0.5]])
    # horizontal mean 0.4, vertical 0
    assert losses.smoothness(illumination, flat).item() == pytest.approx(0.4)
    assert losses.smoothness(illumination, edge).item() == pytest.approx(0.4 * math.exp(-3.0))
    assert losses.smoothness(illumination, edge, 1.0).item() == pytest.approx(0.4 * math.exp(-0.3))


def test_smoothness_sums_both_directions() -> None:
    illumination = one([[0.0, 0.2], [0.6, 0.8]])
    flat = rgb([[0.5, 0.5], [0.5, 0.5]])
    assert losses.smoothness(illumination, flat).item() == pytest.approx(0.2 + 0.6)


def test_grey_uses_rec_601() -> None:
    image = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    expected = 0.299 + 0.587 * 0.5 + 0.114 * 0.25
    assert losses.grey(image).item() == pytest.approx(expected)


def test_ssim_is_one_for_equal_pictures_and_known_for_flat_ones() -> None:
    image = torch.rand(1, 3, 16, 16)
    assert losses.ssim(image, image).item() == pytest.approx(1.0, abs=1e-5)
    a, b = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert losses.ssim(a, b).item() == pytest.approx(expected, abs=1e-4)


def test_log_error_is_minus_a_tenth_of_psnr_for_each_picture() -> None:
    image = torch.zeros(2, 1, 4, 4)
    reference = torch.stack([torch.full((1, 4, 4), 0.1), torch.full((1, 4, 4), 0.3)])
    expected = (math.log10(0.01 + 1e-5) + math.log10(0.09 + 1e-5)) / 2
    assert losses.log_error(image, reference).item() == pytest.approx(expected, abs=1e-5)
