"""JPEG XL: read and written whole, refused by its header alone where it is too large."""

import io
import struct

import numpy as np
import PIL.Image
import pytest

from relume.errors import InputError, TooLarge, UnreadableInput
from relume.io import decode, encode, losses
from relume.io.encoding import PRIMARIES, Encoding, converted
from relume.io.jxl import _size
from relume.photo import Meta, Photo

pytest.importorskip("pillow_jxl", reason="needs the extra jxl")
EXIF = b"II*\0\x08\0\0\0\1\0\x0f\1\2\0\4\0\0\0Dra\0\0\0\0\0"


def photo(**meta: object) -> Photo:
    y, x = np.mgrid[0:1:40j, 0:1:56j].astype(np.float32)
    return Photo(np.rint(np.dstack([x, y, 1 - x]) * 255) / np.float32(255), meta=Meta(**meta))  # type: ignore[arg-type]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_without_loss_at_100(grey: bool, alpha: bool) -> None:
    pixels = photo().pixels
    pixels = np.repeat(pixels[:, :, :1], 3, axis=2) if grey else pixels
    given = Photo(pixels, pixels[:, :, 0] if alpha else None, meta=Meta(grey=grey))
    back = decode(encode(given, "jxl", quality=100))
    np.testing.assert_array_equal(back.pixels, given.pixels)
    assert (back.alpha is not None) == alpha
    assert (back.meta.format, back.meta.grey, back.meta.icc, back.meta.notes) == (
        "jxl",
        grey,
        None,
        (),
    )
    lossy = decode(encode(given, "jxl"))
    assert np.abs(lossy.pixels - given.pixels).mean() < 0.02


def test_exif_and_xmp_stay() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    back = decode(encode(photo(exif=EXIF, xmp=packet), "jxl"))
    assert (back.meta.exif, back.meta.xmp) == (EXIF, packet)


def test_a_wide_gamut_is_shown_alike() -> None:
    wide = converted(photo().pixels, Encoding(PRIMARIES[12]), None)[1]
    given = Photo(np.full((8, 8, 3), (200, 100, 50), np.float32) / 255, meta=Meta(icc=wide))
    assert losses(given, "jxl") == ["JXL is written without a profile: its colours become sRGB's"]
    back = decode(encode(given, "jxl", quality=100))
    np.testing.assert_allclose(back.pixels[0, 0] * 255, (215, 93, 31), atol=1)


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (56, 40), (1, 300), (4000, 3000), (640, 360)])
def test_the_size_is_known_from_the_header(size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("L", size).save(buffer, "JXL", effort=1)
    assert _size(buffer.getvalue()) == size
    boxed = io.BytesIO()
    PIL.Image.new("L", size).save(boxed, "JXL", effort=1, use_container=True, exif=EXIF)
    assert _size(boxed.getvalue()) == size
    with pytest.raises(TooLarge):
        decode(buffer.getvalue(), max_megapixels=size[0] * size[1] / 1e6 * 0.99)


def test_damaged_files_are_one_line() -> None:
    whole = encode(photo(exif=EXIF), "jxl")
    for data in (
        whole[:40],
        whole[: len(whole) // 2],
        b"\xff\x0a",
        b"\xff\x0a\xff\xff\xff\xff",
        b"\0\0\0\x0cJXL \r\n\x87\n",
    ):
        with pytest.raises(InputError) as caught:
            decode(data)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableInput, match="ends before its picture"):
        decode(b"\0\0\0\x0cJXL \r\n\x87\n" + struct.pack(">I", 20) + b"ftypjxl " + bytes(8))


def test_a_jpeg_inside_is_given_back() -> None:
    pillow_jxl = pytest.importorskip("pillow_jxl")
    jpeg = encode(photo(), "jpeg", quality=80)
    encoder = pillow_jxl.Encoder(
        mode="RGB",
        lossless=True,
        quality=100,
        decoding_speed=0,
        effort=3,
        use_container=True,
        use_original_profile=False,
        num_threads=1,
    )
    data = encoder(jpeg, 56, 40, jpeg_encode=True)
    back = decode(data)
    np.testing.assert_array_equal(back.pixels, decode(jpeg).pixels)
    assert (back.meta.format, back.meta.jpeg_quality) == ("jxl", 80)
