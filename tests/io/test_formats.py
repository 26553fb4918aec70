"""Photos as people have them: formats, depth, alpha, metadata."""

import io
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ImageCms

from relume.errors import InputError, MissingExtra, OutputError, ParameterError, UnreadableInput
from relume.io import READABLE_SUFFIXES, decode, encode, format_of, read, write
from relume.io.exif import directories, upright
from relume.photo import Array, Meta, Photo, from_image, to_image

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE_ICC = ICC.replace(b"sRGB", b"wide")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="%d"/></x:xmpmeta>'
LOSSLESS = ("png", "tiff")
LOSSY = ("jpeg", "webp", "avif")
ORIENTATION, MAKE, EXIF_IFD, EXPOSURE_TIME, MAKER_NOTE = 0x0112, 0x010F, 0x8769, 0x829A, 0x927C


def exif_with(orientation: int = 1) -> bytes:
    block = PIL.Image.Exif()
    block[MAKE] = "Acme"
    block[ORIENTATION] = orientation
    block.get_ifd(EXIF_IFD)[EXPOSURE_TIME] = 0.25
    return block.tobytes()


def smooth(height: int = 40, width: int = 56) -> Array:
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.rint(np.dstack([x, y, 1 - x]) * 255).astype(np.uint8)


def noise(*shape: int, dtype: type = np.uint8) -> Array:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def saved(picture: Array | PIL.Image.Image, kind: str, **options: object) -> bytes:
    if not isinstance(picture, PIL.Image.Image):
        picture = PIL.Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def photo_of(array: Array, **meta: object) -> Photo:
    alpha = None
    if array.ndim == 3 and array.shape[2] == 4:
        alpha = array[:, :, 3].astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    depth_bits = 8 * array.dtype.itemsize
    return Photo(to_image(array), alpha, depth_bits, Meta(grey=array.ndim == 2, **meta))


def levels(photo: Photo) -> Array:
    return np.rint(photo.pixels * 255).astype(np.uint8)


def is_upright(exif: bytes | None) -> bool:
    block = PIL.Image.Exif()
    block.load(exif)
    return block.get(ORIENTATION, 1) == 1


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.sampled_from([(5, 7), (1, 1), (6, 3, 3), (4, 9, 4), (1, 8, 3), (8, 1)]),
    ),
    st.sampled_from(LOSSLESS),
)
def test_lossless_round_trips_are_bit_exact(array: Array, kind: str) -> None:
    photo = decode(encode(photo_of(array), kind))
    assert photo.depth_bits == 8 * array.dtype.itemsize
    assert photo.meta.grey == (array.ndim == 2)
    colour = array if array.ndim == 2 else array[:, :, :3]
    np.testing.assert_array_equal(from_image(photo.pixels, colour), colour)
    if array.ndim == 3 and array.shape[2] == 4:
        alpha = np.rint(photo.alpha * np.iinfo(array.dtype).max).astype(array.dtype)
        np.testing.assert_array_equal(alpha, array[:, :, 3])
    again = decode(encode(photo, kind))
    np.testing.assert_array_equal(again.pixels, photo.pixels)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_grey_with_alpha_round_trips(kind: str, bits: int) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    grey = to_image(noise(9, 7, dtype=dtype))
    alpha = to_image(noise(9, 7, 2, dtype=dtype)[:, :, 1])[:, :, 0]
    photo = decode(encode(Photo(grey, alpha, bits, Meta(grey=True)), kind))
    np.testing.assert_array_equal(photo.pixels, grey)
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert photo.depth_bits == bits
    # deep grey with alpha is RGBA in TIFF: nothing common reads the other
    assert photo.meta.grey == (kind == "png" or bits == 8)


def test_float_tiffs_round_trip() -> None:
    pixels = np.random.default_rng(0).random((6, 5, 3), np.float32)
    photo = Photo(pixels, pixels[:, :, 0].copy(), 32)
    back = decode(encode(photo, "tiff"))
    np.testing.assert_array_equal(back.pixels, pixels)
    np.testing.assert_array_equal(back.alpha, pixels[:, :, 0])
    assert back.depth_bits == 32
    assert decode(encode(photo, "png")).depth_bits == 16


def test_other_programs_read_what_is_written() -> None:
    for array in (noise(40, 30), noise(40, 30, 3), noise(40, 30, 4)):
        for kind in LOSSLESS:
            with PIL.Image.open(io.BytesIO(encode(photo_of(array), kind))) as picture:
                np.testing.assert_array_equal(np.asarray(picture), array)
    deep = noise(400, 900, 3, dtype=np.uint16)  # several strips
    for kind in LOSSLESS:
        data = np.frombuffer(encode(photo_of(deep), kind), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(decoded[:, :, ::-1], deep)


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY])
def test_metadata_survives_every_format(kind: str) -> None:
    photo = photo_of(smooth(), exif=exif_with()[6:], icc=WIDE_ICC, xmp=XMP % 1)
    back = decode(encode(photo, kind))
    assert back.meta.format == kind
    assert back.meta.icc == WIDE_ICC
    assert (back.meta.xmp or b"").rstrip(b"\0") == XMP % 1
    block = PIL.Image.Exif()
    block.load(back.meta.exif)
    assert block[MAKE] == "Acme"
    assert float(block.get_ifd(EXIF_IFD)[EXPOSURE_TIME]) == 0.25


def test_a_profile_of_64_kb_and_more_is_split_in_jpeg() -> None:
    icc = ICC[:128] + np.random.default_rng(0).bytes(200_000)
    data = encode(photo_of(smooth(), icc=icc), "jpeg")
    assert decode(data).meta.icc == icc


def test_wide_gamut_pixels_do_not_shift() -> None:
    data = saved(smooth(), "PNG", icc_profile=WIDE_ICC)
    np.testing.assert_array_equal(levels(decode(data)), smooth())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_dots_per_inch_are_kept(kind: str) -> None:
    photo = decode(saved(smooth(), kind, dpi=(300, 150)))
    assert photo.meta.dpi == pytest.approx((300, 150), abs=0.1)
    back = decode(encode(photo, kind.lower()))
    assert back.meta.dpi == pytest.approx((300, 150), abs=0.1)
    turned = decode(saved(smooth(), "JPEG", dpi=(300, 150), exif=exif_with(6)))
    assert turned.meta.dpi == (150, 300)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once_and_reset(orientation: int, kind: str) -> None:
    options: dict[str, object] = {"exif": exif_with(orientation)}
    if kind == "JPEG":
        options |= {"quality": 100, "subsampling": 0, "xmp": XMP % orientation}
    if kind == "WEBP":
        options["lossless"] = True
    photo = decode(saved(smooth(), kind, **options))
    expected = upright(smooth(), orientation)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels * 255 - expected).max() <= (6 if kind == "JPEG" else 0.01)
    assert is_upright(photo.meta.exif)
    assert kind != "JPEG" or photo.meta.xmp == XMP % 1
    for target in (*LOSSLESS, *LOSSY):
        again = decode(encode(photo, target))
        assert again.pixels.shape == expected.shape
        assert is_upright(again.meta.exif)


def test_each_orientation_is_the_standards() -> None:
    """Pillow's transpositions are an independent reading of the EXIF standard."""
    from PIL import ImageOps

    array = noise(3, 5, 3)
    for orientation in range(1, 9):
        picture = PIL.Image.fromarray(array)
        picture.getexif()[ORIENTATION] = orientation
        expected = np.asarray(ImageOps.exif_transpose(picture))
        np.testing.assert_array_equal(upright(array, orientation), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiffs_of_any_depth_are_turned_once(dtype: type, orientation: int) -> None:
    array = noise(4, 6, 4, dtype=dtype)
    data = bytearray(encode(photo_of(array), "tiff"))
    entry = next(directories(bytes(data))).entries[ORIENTATION]
    struct.pack_into("<H", data, entry.at + 8, orientation)
    photo = decode(bytes(data))
    expected = upright(array, orientation)
    np.testing.assert_array_equal(from_image(photo.pixels, expected[..., :3]), expected[..., :3])
    top = np.iinfo(dtype).max
    np.testing.assert_array_equal(np.rint(photo.alpha * top).astype(dtype), expected[..., 3])


def test_a_dark_16_bit_file_is_still_16_bit() -> None:
    array = np.full((4, 4, 3), 200, np.uint16)
    photo = decode(encode(photo_of(array), "png"))
    assert photo.pixels.max() == pytest.approx(200 / 65535)


def test_alpha_is_kept_untouched_and_laid_on_white_in_jpeg() -> None:
    array = np.dstack([smooth(), noise(40, 56)])
    for kind in ("png", "tiff"):
        photo = decode(encode(photo_of(array), kind))
        np.testing.assert_array_equal(np.rint(photo.alpha * 255), array[:, :, 3])
        np.testing.assert_array_equal(levels(photo), array[:, :, :3])
    photo = decode(encode(photo_of(array), "webp", quality=100))
    np.testing.assert_array_equal(levels(photo), array[:, :, :3])
    array[:, :, 3] = 0
    photo = decode(encode(photo_of(array), "jpeg"))
    assert photo.alpha is None
    assert photo.pixels.min() > 0.98


def test_palettes_bilevel_and_transparent_colours() -> None:
    colour = PIL.Image.fromarray(smooth()).quantize(16)
    photo = decode(saved(colour, "PNG"))
    np.testing.assert_array_equal(levels(photo), np.asarray(colour.convert("RGB")))
    assert photo.alpha is None
    assert not photo.meta.grey
    photo = decode(saved(colour, "PNG", transparency=3))
    np.testing.assert_array_equal(photo.alpha == 0, np.asarray(colour) == 3)
    grey = smooth()[:, :, 0]
    photo = decode(saved(grey, "PNG", transparency=int(grey[0, 5])))
    np.testing.assert_array_equal(photo.alpha == 0, grey == grey[0, 5])
    assert photo.meta.grey
    photo = decode(saved(PIL.Image.fromarray(smooth()), "PNG", transparency=(0, 0, 255)))
    assert photo.alpha[0, 0] == 0
    assert photo.alpha[1:, 1:].min() == 1
    photo = decode(saved(grey > 100, "PNG"))
    assert photo.meta.grey
    np.testing.assert_array_equal(photo.pixels[:, :, 0], grey > 100)
    photo = decode(saved(PIL.Image.fromarray(grey), "GIF"))
    assert photo.meta.grey
    np.testing.assert_array_equal(levels(photo)[:, :, 0], grey)


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_grey_stays_grey_while_its_pixels_are(kind: str) -> None:
    photo = decode(encode(photo_of(smooth()[:, :, 0]), kind))
    assert photo.meta.grey
    with PIL.Image.open(io.BytesIO(encode(photo, kind))) as picture:
        assert picture.mode == "L"
    drawn = photo.with_pixels(photo.pixels * np.array([1, 0.5, 0.2], np.float32))
    with PIL.Image.open(io.BytesIO(encode(drawn, kind))) as picture:
        assert picture.mode == "RGB"


def test_a_grey_profile_does_not_follow_colour() -> None:
    grey_icc = ICC[:16] + b"GRAY" + ICC[20:]
    photo = photo_of(smooth(), icc=grey_icc)
    for kind in (*LOSSLESS, *LOSSY):
        assert decode(encode(photo, kind)).meta.icc is None


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("icc", [None, b"no profile at all", ICC])
def test_cmyk_is_converted_and_says_so(kind: str, icc: bytes | None) -> None:
    options: dict[str, object] = {"quality": 95} if kind == "JPEG" else {}
    if icc:
        options["icc_profile"] = icc
    photo = decode(saved(PIL.Image.fromarray(smooth()).convert("CMYK"), kind, **options))
    assert any("CMYK" in note for note in photo.meta.notes)
    assert np.abs(photo.pixels * 255 - smooth()).mean() < 6
    assert photo.meta.icc is None


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "MPO", "PNG"])
def test_only_the_first_picture_is_used_and_it_says_so(kind: str) -> None:
    first, second = PIL.Image.fromarray(smooth()), PIL.Image.fromarray(255 - smooth())
    data = saved(first, kind, save_all=True, append_images=[second])
    photo = decode(data)
    assert np.abs(photo.pixels * 255 - smooth()).mean() < 12
    assert any("2 pictures" in note for note in photo.meta.notes)
    assert photo.meta.format == {"MPO": "jpeg"}.get(kind, kind.lower())


def test_white_is_zero_in_some_grey_tiffs() -> None:
    grey = noise(5, 6, dtype=np.uint16)
    data = bytearray(encode(photo_of(grey), "tiff"))
    struct.pack_into("<H", data, next(directories(bytes(data))).entries[262].at + 8, 0)
    photo = decode(bytes(data))
    np.testing.assert_array_equal(from_image(photo.pixels, grey), 65535 - grey)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpegs_of_all_kinds(options: dict[str, object]) -> None:
    data = saved(smooth(), "JPEG", quality=95, **options)
    assert np.abs(decode(data).pixels * 255 - smooth()).mean() < 4
    # cameras append previews and films
    assert decode(data + b"\0trailing" * 50).pixels.shape == (40, 56, 3)


def test_quality_is_obeyed_and_checked() -> None:
    photo = photo_of(smooth())
    assert decode(encode(photo, "jpeg", quality=60)).meta.jpeg_quality == 60
    for kind in LOSSY:
        sizes = [len(encode(photo_of(noise(64, 64, 3)), kind, quality=q)) for q in (20, 90)]
        assert sizes[0] < sizes[1]
    for quality in (0, 101):
        with pytest.raises(ParameterError, match="quality must be 1 to 100"):
            encode(photo, "jpeg", quality=quality)


def test_values_are_clamped_before_the_cast() -> None:
    pixels = np.array([[[-0.5, 1.004, 7.0]]], np.float32)
    for bits, kind in ((8, "png"), (16, "png"), (16, "tiff"), (32, "tiff")):
        photo = decode(encode(Photo(pixels, depth_bits=bits), kind))
        np.testing.assert_array_equal(photo.pixels, [[[0, 1, 1]]])


def test_pixels_outside_the_contract_are_refused() -> None:
    with pytest.raises(InputError):
        encode(Photo(np.full((2, 2, 3), np.nan, np.float32)), "png")
    with pytest.raises(OutputError, match="expected jpeg, png"):
        encode(photo_of(smooth()), "bmp")


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_sides_that_a_format_cannot_hold(kind: str) -> None:
    with pytest.raises(OutputError, match="write PNG or TIFF"):
        encode(Photo(np.zeros((1, 70_000, 3), np.float32)), kind)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3), (1, 2)])
@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY])
def test_extreme_sizes(shape: tuple[int, int], kind: str) -> None:
    height, width = shape
    ramp = np.linspace(0, 255, height)[:, None] * np.ones((1, width))
    if width > height:
        ramp = np.linspace(0, 255, width)[None, :] * np.ones((height, 1))
    grey = np.repeat(ramp[:, :, None], 3, axis=2).astype(np.uint8)
    photo = decode(encode(photo_of(grey), kind))
    assert photo.pixels.shape == (*shape, 3)
    assert np.abs(photo.pixels * 255 - grey).max() < 12


def test_read_takes_paths_bytes_and_open_files(tmp_path: Path) -> None:
    data = saved(smooth(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        photos = [read(s) for s in (path, str(path), data, file, io.BytesIO(data))]
    assert all((p.pixels == photos[0].pixels).all() for p in photos)
    with path.open("r", encoding="latin1") as file, pytest.raises(UnreadableInput, match="text"):
        read(file)  # type: ignore[arg-type]


def test_write_goes_by_the_ending_and_never_replaces_unasked(tmp_path: Path) -> None:
    photo = photo_of(smooth())
    path = write(photo, tmp_path / "a.webp")
    assert read(path).meta.format == "webp"
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write(photo, path)
    assert path.read_bytes() == before
    photo.save(path, overwrite=True, quality=30)
    assert path.read_bytes() != before
    for name in ("a.xyz", "a"):
        with pytest.raises(OutputError, match=r"expected \.jpg, \.png"):
            write(photo, tmp_path / name)


def test_endings() -> None:
    assert format_of("a/NIGHT.JPG") == "jpeg"
    assert format_of(Path("b.tif")) == "tiff"
    assert {".heic", ".nef", ".avif", ".gif", ".jpeg"} <= READABLE_SUFFIXES
    assert all(s == s.lower() and s.startswith(".") for s in READABLE_SUFFIXES)


def test_heic_and_back() -> None:
    pytest.importorskip("pillow_heif", reason="needs the extra heif")
    photo = photo_of(smooth(64, 80), exif=exif_with()[6:], icc=WIDE_ICC)
    data = encode(photo, "heif", quality=95)
    back = decode(data)
    assert back.meta.format == "heif"
    assert back.depth_bits == 8
    assert back.meta.icc == WIDE_ICC
    assert is_upright(back.meta.exif)
    assert np.abs(back.pixels * 255 - smooth(64, 80)).mean() < 4
    with pytest.raises(UnreadableInput):
        decode(data[: len(data) // 2])


def test_a_turned_heic_is_turned_once() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    heif.register_heif_opener()
    photo = decode(saved(smooth(64, 80), "HEIF", quality=95, exif=exif_with(6)))
    assert np.abs(photo.pixels * 255 - upright(smooth(64, 80), 6)).mean() < 4
    assert is_upright(photo.meta.exif)


@pytest.mark.parametrize(
    ("module", "extra", "name", "data"),
    [
        ("rawpy", "raw", "a.nef", b"II*\0 raw"),
        ("pillow_heif", "heif", "a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ],
)
def test_missing_packages_name_their_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, name: str, data: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"relume\[{extra}\]"):
        decode(data, name=name)
