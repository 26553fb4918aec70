import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relume.errors import ParameterError
from relume.image.tiles import run_tiled
from relume.photo import Image


def picture(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def blurred(radius_px: int, multiple: int, border: int):
    """A convolution of that radius and two outputs, which insists on its multiple."""
    side = 2 * radius_px + 1
    kernel = np.random.default_rng(1).random((side, side)).astype(np.float32)

    def fn(image: Image) -> Image:
        assert image.shape[0] % multiple == 0
        assert image.shape[1] % multiple == 0
        assert image.flags.c_contiguous
        both = [cv2.filter2D(image[:, :, c], -1, kernel, borderType=border) for c in (0, 2)]
        return np.dstack(both)

    return fn


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    radius_px=st.integers(0, 5),
    extra_px=st.integers(0, 5),
    multiple=st.sampled_from([1, 2, 4, 8, 16]),
    tiles=st.integers(1, 3),
    border=st.sampled_from([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE]),
)
def test_tiled_is_whole(height, width, radius_px, extra_px, multiple, tiles, border) -> None:
    image = picture(height, width)
    fn = blurred(radius_px, multiple, border)
    whole = run_tiled(fn, image, tile_px=1024, halo_px=0, multiple=multiple)
    tiled = run_tiled(
        fn, image, tile_px=tiles * multiple, halo_px=radius_px + extra_px, multiple=multiple
    )
    assert tiled.shape == (height, width, 2)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    tiles=st.integers(1, 3),
    halo_px=st.integers(0, 20),
)
def test_past_the_border_lies_the_mirror_picture(height, width, tiles, halo_px) -> None:
    """0 1 2 2 1 0 0 1 ..., also of pictures smaller than what is added; of the plane, too."""
    multiple = 16
    image = picture(height, width)
    plane = np.ascontiguousarray(image[:, :, 1])
    sizes = (-(-side // multiple) * multiple for side in (height, width))
    y, x = (
        np.minimum(np.arange(full) % (2 * side), 2 * side - 1 - np.arange(full) % (2 * side))
        for full, side in zip(sizes, (height, width), strict=True)
    )
    mirrored = image[np.ix_(y, x)]
    seen = []

    def fn(tile: Image, part: Image) -> Image:
        np.testing.assert_array_equal(tile[:, :, 1], part)
        assert part.flags.c_contiguous
        seen.append(tile)
        return tile

    run_tiled(fn, image, plane=plane, tile_px=1024, halo_px=halo_px, multiple=multiple)
    np.testing.assert_array_equal(seen.pop(), mirrored)
    out = run_tiled(
        fn, image, plane=plane, tile_px=tiles * multiple, halo_px=halo_px, multiple=multiple
    )
    np.testing.assert_array_equal(out, image)
    np.testing.assert_array_equal(seen[-1], mirrored[-seen[-1].shape[0] :, -seen[-1].shape[1] :])


def test_strides_fall_on_the_same_pixels() -> None:
    """Every eighth pixel, repeated: right only if tiles begin at multiples of eight."""

    def stride(image: Image) -> Image:
        return np.repeat(np.repeat(image[::8, ::8], 8, 0), 8, 1)

    image = picture(61, 45)
    whole = run_tiled(stride, image, tile_px=64, halo_px=0, multiple=8)
    tiled = run_tiled(stride, image, tile_px=16, halo_px=3, multiple=8)
    np.testing.assert_array_equal(tiled, whole)


def test_a_small_halo_is_seen() -> None:
    """The test above can fail: with less halo than the function sees, results differ."""
    fn = blurred(5, 1, cv2.BORDER_CONSTANT)
    image = picture(40, 40)
    whole = run_tiled(fn, image, tile_px=64, halo_px=0)
    assert np.abs(run_tiled(fn, image, tile_px=8, halo_px=2) - whole).max() > 0.1


def test_the_border_is_mirrored_and_the_image_is_left_alone() -> None:
    image = picture(3, 5)
    kept = image.copy()
    seen: list[Image] = []

    def fn(part: Image) -> Image:
        seen.append(part.copy())
        part[...] = -1
        return part

    run_tiled(lambda part: fn(part.copy()), image, tile_px=16, halo_px=0, multiple=8)
    expected = np.pad(image, ((0, 5), (0, 3), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(seen[0], expected)
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3)])
def test_extreme_sizes(shape: tuple[int, int]) -> None:
    image = picture(*shape)
    out = run_tiled(lambda part: part * 2, image, tile_px=512, halo_px=40, multiple=8)
    np.testing.assert_array_equal(out, image * 2)


@pytest.mark.parametrize(("tile_px", "halo_px", "multiple"), [(0, 0, 1), (12, 0, 8), (8, -1, 8)])
def test_bad_options(tile_px: int, halo_px: int, multiple: int) -> None:
    with pytest.raises(ParameterError):
        run_tiled(lambda x: x, picture(4, 4), tile_px=tile_px, halo_px=halo_px, multiple=multiple)
