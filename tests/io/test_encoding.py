"""Colour that a file tells without an ICC profile: carried along, or converted, and said."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms

from relume.image.color import linear_to_srgb
from relume.image.tonemap import pq_code
from relume.io import decode, encode
from relume.io.boxes import encoding_of, properties
from relume.io.encoding import PRIMARIES, Encoding, by_code_points, converted
from relume.io.png import SIGNATURE, chunk
from relume.photo import Array, Photo

GREYS = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, axis=2)
ADOBE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


def png(pixels: Array, *chunks: bytes) -> bytes:
    height, width = pixels.shape[:2]
    bits = 8 * pixels.dtype.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    packed = zlib.compress(np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes())
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    end = chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(chunks) + end


def gamma(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes((primaries, transfer, 0, 1)))


def shown(photo: Photo) -> Array:
    """The photo's colours in sRGB, as a program that follows profiles shows them."""
    eight = PIL.Image.fromarray(np.rint(photo.pixels * 255).astype(np.uint8))
    if photo.meta.icc is None:
        return np.asarray(eight, np.int32)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(photo.meta.icc))
    return np.asarray(
        ImageCms.profileToProfile(eight, profile, ImageCms.createProfile("sRGB")), np.int32
    )


def test_linear_light_is_relit_as_srgb() -> None:
    photo = decode(png(GREYS.astype(np.uint16) * 257, gamma(100_000)))
    np.testing.assert_allclose(photo.pixels, linear_to_srgb(GREYS / np.float32(255)), atol=1e-5)
    assert photo.meta.icc is None
    assert photo.meta.notes == ("the picture was in linear light; it got the curve of sRGB",)


@pytest.mark.parametrize(
    "chunks",
    [(), (gamma(45455),), (chunk(b"sRGB", b"\0"), gamma(100_000)), (cicp(1, 13),), (cicp(1, 1),)],
)
def test_what_says_srgb_stays_as_it_is(chunks: tuple[bytes, ...]) -> None:
    photo = decode(png(GREYS, *chunks))
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), GREYS)
    assert (photo.meta.icc, photo.meta.notes) == (None, ())


def test_primaries_go_along_as_a_profile() -> None:
    """Adobe RGB's and Display P3's green lie outside of sRGB, and their reds elsewhere."""
    colours = np.uint8([[[200, 100, 50], [100, 150, 120], [90, 90, 90]]])
    adobe = decode(png(colours, gamma(45455), chunk(b"cHRM", ADOBE)))
    p3 = decode(png(colours, cicp(12, 13)))
    for photo in (adobe, p3):
        np.testing.assert_array_equal(np.rint(photo.pixels * 255), colours)
        assert photo.meta.notes == ("its colour space is kept as an ICC profile",)
        back = decode(encode(photo, "jpeg", quality=100))
        assert back.meta.icc == photo.meta.icc
    # by hand: Display P3's (200, 100, 50) is sRGB's (215, 93, 31)
    np.testing.assert_allclose(shown(p3)[0, 0], (215, 93, 31), atol=1)
    assert shown(adobe)[0, 0, 0] > 215  # Adobe RGB's red 200 is sRGB's 226
    for photo in (adobe, p3):
        np.testing.assert_allclose(shown(photo)[0, 2], (90, 90, 90), atol=1)


def test_a_profile_goes_before_gamma_and_cicp_before_a_profile() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = chunk(b"iCCP", b"icc\0\0" + zlib.compress(srgb))
    assert decode(png(GREYS, profile, gamma(100_000))).meta.icc == srgb
    for chunks in ((profile, cicp(12, 13)), (cicp(12, 13), profile)):
        assert decode(png(GREYS, *chunks)).meta.icc == decode(png(GREYS, cicp(12, 13))).meta.icc


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_tone_mapped(transfer: int) -> None:
    """Diffuse white is 58 % of PQ and 75 % of HLG; what is brighter ends below 1."""
    white = 0.5807 if transfer == 16 else 0.75
    values = np.float32([0, white / 2, white * 0.98, (1 + white) / 2, 1])
    pixels = np.repeat(np.rint(values * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
    photo = decode(png(pixels, cicp(9, transfer)))
    row = photo.pixels[0, :, 0]
    assert photo.meta.icc is None
    assert "HDR" in photo.meta.notes[0]
    assert (np.diff(row) > 0).all()  # nothing runs into white
    assert row[0] == 0
    assert 0.6 < row[2] < 0.98
    assert row[-1] <= 1
    np.testing.assert_allclose(photo.pixels, row[None, :, None].repeat(3, axis=2), atol=2e-3)


def test_a_dim_hdr_picture_keeps_its_light() -> None:
    """Below white nothing rolls off: 20.3 cd/m2 are a tenth of white."""
    value = int(np.rint(pq_code(20.3) * 65535))
    photo = decode(png(np.full((2, 2, 3), value, np.uint16), cicp(9, 16)))
    np.testing.assert_allclose(photo.pixels, linear_to_srgb(np.float32([0.1]))[0], atol=1e-3)


def test_a_linear_or_hdr_profile_counts_too() -> None:
    linear = converted(np.zeros((1, 1, 3), np.float32), Encoding(PRIMARIES[12], 2.2), None)[1]
    assert linear is not None
    at = linear.index(b"para") + 12
    flat = linear[:at] + struct.pack(">i", 65536) + linear[at + 4 :]
    pixels, icc, note = converted(np.full((2, 2, 3), 0.2, np.float32), None, flat)
    np.testing.assert_allclose(pixels, linear_to_srgb(np.float32([0.2]))[0], atol=1e-6)
    assert note == "the picture was in linear light; it got the curve of sRGB"
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(icc or b"")).profile
    assert p3.red_primary[1][:2] == pytest.approx((0.682, 0.319), abs=2e-3)  # Display P3 under D50
    # version 4.4: code points in a tag
    tag = b"cicp" + bytes(4) + bytes((9, 16, 0, 1))
    hdr = flat[:128] + struct.pack(">I4sII", 1, b"cicp", 144, 12) + tag
    assert "HDR (PQ)" in str(converted(pixels, None, hdr)[2])


@pytest.mark.parametrize("save", ["avif", "heif"])
@pytest.mark.parametrize(
    ("codes", "told"),
    [((12, 13), "ICC"), ((9, 16), "PQ"), ((9, 18), "HLG"), ((1, 8), "linear"), ((1, 13), "")],
)
def test_heic_and_avif_tell_it_in_a_box(save: str, codes: tuple[int, int], told: str) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    buffer = io.BytesIO()
    primaries, transfer = codes
    picture = PIL.Image.fromarray(np.full((32, 48, 3), 60, np.uint8))
    if save == "heif":
        heif.from_pillow(picture).save(
            buffer,
            quality=95,
            color_primaries=primaries,
            transfer_characteristics=transfer,
            matrix_coefficients=6,
            full_range_flag=1,
        )
        data = buffer.getvalue()
    else:
        picture.save(buffer, "AVIF", quality=95)
        data = bytearray(buffer.getvalue())
        at = data.index(b"nclx")
        data[at + 4 : at + 8] = struct.pack(">HH", primaries, transfer)
    photo = decode(bytes(data))
    assert bool(photo.meta.icc) == (told == "ICC")
    assert len(photo.meta.notes) == bool(told)
    assert told in "".join(photo.meta.notes)
    # 60 of 255: in PQ 4.2 cd/m2 of white's 203, in HLG 8.3; in linear light .235, sRGB's .52
    level = float(photo.pixels.mean()) * 255
    assert level == pytest.approx({"PQ": 39, "HLG": 57, "linear": 133}.get(told, 60), abs=3)


def test_tiffs_tell_it_in_tags() -> None:
    buffer = io.BytesIO()
    red_green_blue = [v for xy in PRIMARIES[9][:3] for c in xy for v in (round(c * 10_000), 10_000)]
    tags = [(319, 5, 6, red_green_blue, True), (318, 5, 2, [3127, 10_000, 3290, 10_000], True)]
    tifffile.imwrite(buffer, GREYS, photometric="rgb", extratags=tags, metadata=None)
    photo = decode(buffer.getvalue())
    assert photo.meta.notes == ("its colour space is kept as an ICC profile",)
    same = converted(photo.pixels, Encoding(PRIMARIES[9], 2.2), None)[1]
    assert photo.meta.icc == same


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(0),),
        (gamma(1),),
        (chunk(b"cHRM", bytes(32)),),
        (chunk(b"cHRM", struct.pack(">8I", *[31270] * 8)),),
        (cicp(200, 200),),
    ],
)
def test_nonsense_is_overlooked(chunks: tuple[bytes, ...]) -> None:
    photo = decode(png(GREYS, *chunks))
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), GREYS)
    assert photo.meta.icc is None


def test_code_points() -> None:
    assert by_code_points(1, 13).is_srgb
    assert by_code_points(2, 2).is_srgb
    assert not by_code_points(12, 13).is_srgb
    assert by_code_points(9, 18).is_hdr


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


@pytest.mark.parametrize("own", [b"\1", b"\1\2"])
def test_the_colour_of_tiles_is_the_picture_s(own: bytes) -> None:
    """Cameras give the colour to each tile, and not to the picture that is made of them."""
    colour = box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 128))
    links = struct.pack(">II", 0, 2) + struct.pack(">HB", 1, len(own)) + own
    links += struct.pack(">HB", 2, 2) + b"\1\2"
    inside = box(b"iprp", box(b"ipco", box(b"ispe", bytes(12)), colour), box(b"ipma", links))
    data = box(b"ftyp", b"heic") + box(b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\1"), inside)
    assert len(properties(data)) == len(own)
    found = encoding_of(data)
    assert found is not None
    assert (found.transfer, found.primaries) == ("PQ", PRIMARIES[9])
