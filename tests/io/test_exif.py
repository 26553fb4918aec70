import struct

import numpy as np
import pytest

from relume.io import jpeg, tiff
from relume.io.exif import (
    directories,
    icc_for_mode,
    sanitized_exif,
    split_orientation,
    upright,
    without_thumbnail,
)
from relume.io.jpeg import estimate_quality
from relume.io.raster import Raster
from relume.photo import Meta

ORIENTATION = 0x0112


def block(order: str, orientation: int = 6, *, kind: int = 3, thumbnail: bytes = b"") -> bytes:
    """An EXIF with a maker's name, an orientation, and a thumbnail behind them."""
    value = struct.pack(
        order + {3: "HH", 4: "I", 1: "BBH"}[kind], *([orientation] + [0] * {3: 1, 4: 0, 1: 2}[kind])
    )
    name, first_end = b"Acme Camera\0", 8 + 2 + 2 * 12 + 4
    second_at = first_end + len(name) if thumbnail else 0
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    out += struct.pack(order + "H", 2)
    out += struct.pack(order + "HHII", 0x010F, 2, len(name), first_end)
    out += struct.pack(order + "HHI", ORIENTATION, kind, 1) + value
    out += struct.pack(order + "I", second_at) + name
    if thumbnail:
        data_at = second_at + 2 + 2 * 12 + 4
        out += struct.pack(order + "H", 2)
        out += struct.pack(order + "HHII", 0x0201, 4, 1, data_at)
        out += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
        out += struct.pack(order + "I", 0) + thumbnail
    return out


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4, 1])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_one_value_is_changed_and_nothing_else(order: str, kind: int, orientation: int) -> None:
    before = block(order, orientation, kind=kind)
    found, after = split_orientation(before)
    assert found == orientation
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) == 1
    assert split_orientation(after) == (1, after)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_impossible_orientations_count_as_upright(orientation: int) -> None:
    found, after = split_orientation(block("<", orientation))
    assert found == 0  # as if it said none
    assert split_orientation(after) == (1, after)
    with pytest.raises(ValueError, match="1 to 8"):
        upright(np.zeros((2, 2)), orientation)


@pytest.mark.parametrize(
    "junk", [b"", b"Exif\0\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"II*\0"]
)
def test_junk_is_left_alone(junk: bytes) -> None:
    assert split_orientation(junk) == (0, junk)
    assert without_thumbnail(junk) == junk


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_thumbnail_goes_and_the_rest_stays(order: str) -> None:
    thumbnail = b"the dark picture, lying on its side" * 20
    orientation, exif = sanitized_exif(b"Exif\0\0" + block(order, 6, thumbnail=thumbnail))
    assert orientation == 6
    assert exif is not None
    assert b"the dark picture" not in exif
    assert b"Acme Camera\0" in exif
    assert len(exif) < len(block(order)) + 40
    (only,) = directories(exif)
    assert set(only.entries) == {0x010F, ORIENTATION}
    assert sanitized_exif(None) == (0, None)


def test_profiles_fit_their_pixels() -> None:
    rgb, grey, cmyk = (bytes(16) + kind for kind in (b"RGB ", b"GRAY", b"CMYK"))
    assert icc_for_mode(rgb, grey=False) == rgb
    assert icc_for_mode(grey, grey=True) == grey
    assert icc_for_mode(rgb, grey=True) == rgb
    assert icc_for_mode(grey, grey=False) is None
    assert icc_for_mode(cmyk, grey=False) is None
    assert icc_for_mode(None, grey=False) is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_keeps_the_offsets_of_its_exif(order: str) -> None:
    """A maker note counts from the EXIF's first byte: all of it stays where it was."""
    exif = block(order, 1)
    data = tiff.write(Raster(np.zeros((3, 4, 3), np.uint8), meta=Meta(exif=exif, dpi=(72, 72))))
    assert data[8 : len(exif)] == exif[8:]
    (found,) = directories(data)
    entry = found.entries[0x010F]
    (at,) = struct.unpack_from(order + "I", data, entry.at + 8)
    assert data[at : at + 12] == b"Acme Camera\0"
    assert list(found.entries) == sorted(found.entries)


def standard(quality: int) -> dict[int, list[int]]:
    """Tables as libjpeg's jpeg_quality_scaling makes them, for the first luma and chroma value."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as picture:
        return picture.quantization  # type: ignore[attr-defined]


def test_quality_is_read_from_the_tables() -> None:
    found = [estimate_quality(standard(q)) for q in range(1, 101)]
    # the lowest qualities share tables that are cut off at 255
    assert found[10:] == list(range(11, 101))
    assert estimate_quality({}) is None
    louder = {i: [min(255, v + 1) for v in t] for i, t in standard(80).items()}
    assert abs((estimate_quality(louder) or 0) - 80) <= 4


def encode_jpeg(pixels: np.ndarray, meta: Meta, quality: int | None) -> bytes:
    return jpeg.write(Raster(pixels, meta=meta, quality=quality))


def picture(dark: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:1:200j, 0:1:300j]
    scene = 0.5 + 0.3 * np.sin(12 * x) * np.cos(9 * y)
    grain = rng.normal(0, 0.05, (200, 300, 3))
    return np.rint(np.clip(scene[:, :, None] + grain, 0, 1) * 255 * dark).astype(np.uint8)


@pytest.mark.parametrize("quality", [50, 75, 85, 95, 100])
def test_the_same_picture_keeps_its_size(quality: int) -> None:
    first = encode_jpeg(picture(1), Meta(jpeg_subsampling="4:4:4"), quality)
    meta = Meta(jpeg_quality=quality, jpeg_subsampling="4:4:4", size_bytes=len(first))
    assert encode_jpeg(picture(1), meta, None) == first


def test_a_brighter_picture_is_held_to_half_as_much_again() -> None:
    dark = encode_jpeg(picture(0.4), Meta(), 95)
    meta = Meta(jpeg_quality=95, size_bytes=len(dark))
    free = encode_jpeg(picture(1), Meta(), 95)
    held = encode_jpeg(picture(1), meta, None)
    assert len(free) > 1.5 * len(dark)
    assert 1.2 * len(dark) < len(held) <= 1.5 * len(dark)
    assert len(encode_jpeg(picture(1), meta, 95)) == len(free)


def test_quality_is_never_traded_below_75() -> None:
    nearly_black = encode_jpeg(picture(0.01), Meta(), 95)
    meta = Meta(jpeg_quality=95, size_bytes=len(nearly_black))
    assert encode_jpeg(picture(1), meta, None) == encode_jpeg(picture(1), Meta(), 75)
    poor = Meta(jpeg_quality=60, size_bytes=len(nearly_black))
    assert encode_jpeg(picture(1), poor, None) == encode_jpeg(picture(1), Meta(), 60)
