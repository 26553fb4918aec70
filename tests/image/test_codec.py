"""Photos as people have them: formats, depth, alpha, metadata, and files that are none."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow
from PIL import ImageCms

from relume.errors import InputError, MissingExtra, OutputError, TooLarge, UnreadableInput
from relume.image import codec, exif
from relume.photo import Array, Meta, Photo, from_image, to_image

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>'
LOSSLESS = ("png", "tiff")
LOSSY = ("jpeg", "webp", "avif")


def exif_with(orientation: int = 1) -> bytes:
    block = Pillow.Exif()
    block[0x010F] = "Acme"
    block[exif.ORIENTATION] = orientation
    block.get_ifd(exif.EXIF_IFD)[0x829A] = 0.25  # exposure time
    return block.tobytes()


def smooth(height: int = 40, width: int = 56) -> Array:
    y, x = np.mgrid[0:1 : height * 1j, 0:1 : width * 1j]
    return np.rint(np.dstack([x, y, 1 - x]) * 255).astype(np.uint8)


def saved(array: Array, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def photo_of(array: Array, **meta: object) -> Photo:
    alpha = None
    if array.ndim == 3 and array.shape[2] == 4:
        alpha = array[:, :, 3].astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    depth_bits = 8 * array.dtype.itemsize
    return Photo(to_image(array), alpha, depth_bits, Meta(grey=array.ndim == 2, **meta))


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY])
def test_metadata_survives_every_format(kind: str) -> None:
    photo = photo_of(smooth(), exif=exif_with(), icc=ICC, xmp=XMP)
    back = codec.decode(codec.encode(photo, kind))
    assert back.meta.format == kind
    assert back.meta.icc == ICC
    assert (back.meta.xmp or b"").rstrip(b"\0") == XMP
    block = Pillow.Exif()
    block.load(back.meta.exif)
    assert block[0x010F] == "Acme"
    assert float(block.get_ifd(exif.EXIF_IFD)[0x829A]) == 0.25


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.sampled_from([(5, 7), (1, 1), (6, 3, 3), (4, 9, 4), (1, 8, 3)]),
    ),
    st.sampled_from(LOSSLESS),
)
def test_lossless_round_trips_are_bit_exact(array: Array, kind: str) -> None:
    photo = codec.decode(codec.encode(photo_of(array), kind))
    assert photo.depth_bits == 8 * array.dtype.itemsize
    np.testing.assert_array_equal(from_image(photo.pixels, array[..., :3]), array[..., :3])
    if array.ndim == 3 and array.shape[2] == 4:
        alpha = np.rint(photo.alpha * np.iinfo(array.dtype).max).astype(array.dtype)
        np.testing.assert_array_equal(alpha, array[:, :, 3])
    assert photo.meta.grey == (array.ndim == 2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once_and_reset(orientation: int, kind: str) -> None:
    options: dict[str, object] = {"exif": exif_with(orientation)}
    if kind in ("JPEG", "WEBP"):
        options["quality"] = 95
    photo = codec.decode(saved(smooth(), kind, **options))
    expected = exif.turn(smooth(), orientation)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels * 255 - expected).mean() < 4
    assert exif.orientation(photo.meta.exif) == 1
    again = codec.decode(codec.encode(photo, kind.lower()))
    assert again.pixels.shape == expected.shape


@pytest.mark.parametrize("order", [b"II", b"MM"])
def test_orientation_is_patched_in_either_byte_order(order: bytes) -> None:
    mark = "<" if order == b"II" else ">"
    block = order + struct.pack(mark + "HI", 42, 8) + struct.pack(mark + "H", 1)
    block += struct.pack(mark + "HHIHH", exif.ORIENTATION, 3, 1, 6, 0)
    block += struct.pack(mark + "I", 0)
    assert exif.orientation(block) == 6
    patched = exif.upright(block)
    assert exif.orientation(patched) == 1
    assert len(patched) == len(block)
    assert sum(a != b for a, b in zip(patched, block, strict=True)) == 1


@pytest.mark.parametrize("junk", [b"", b"Exif\0\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_is_no_orientation(junk: bytes) -> None:
    assert exif.orientation(junk) == 1
    assert exif.upright(junk) == junk


def test_16_bit_tiffs_are_turned_once() -> None:
    array = np.random.default_rng(0).integers(0, 65536, (4, 6, 3)).astype(np.uint16)
    plain = codec.encode(photo_of(array), "tiff")
    tag = {exif.ORIENTATION: (3, 1, struct.pack("<H", 6))}
    out = bytearray(plain)
    own = {t.number: (t.kind, t.count, t.value) for t in exif.tags(plain)}
    out[4:8] = struct.pack("<I", exif._append(out, {**own, **tag}))
    photo = codec.decode(bytes(out))
    np.testing.assert_array_equal(from_image(photo.pixels, array), exif.turn(array, 6))


def test_a_dark_16_bit_file_is_still_16_bit() -> None:
    array = np.full((4, 4, 3), 200, np.uint16)
    photo = codec.decode(codec.encode(photo_of(array), "png"))
    assert photo.pixels.max() == pytest.approx(200 / 65535)


def test_alpha_is_kept_untouched_or_dropped_where_there_is_none() -> None:
    array = np.dstack([smooth(), smooth()[:, :, 0]])
    for kind in ("png", "tiff", "webp"):
        photo = codec.decode(codec.encode(photo_of(array), kind))
        np.testing.assert_array_equal(np.rint(photo.alpha * 255), array[:, :, 3])
    assert codec.decode(codec.encode(photo_of(array), "jpeg")).alpha is None


def test_palettes_bilevel_and_transparency() -> None:
    colour = Pillow.fromarray(smooth()).quantize(16)
    buffer = io.BytesIO()
    colour.save(buffer, "PNG", transparency=3)
    photo = codec.decode(buffer.getvalue())
    assert photo.pixels.shape[2] == 3
    assert photo.alpha is not None
    buffer = io.BytesIO()
    Pillow.fromarray(smooth()[:, :, 0] > 100).save(buffer, "PNG")
    photo = codec.decode(buffer.getvalue())
    assert photo.meta.grey
    assert set(np.unique(photo.pixels)) == {0.0, 1.0}


def test_cmyk_is_converted_and_says_so() -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(smooth()).convert("CMYK").save(buffer, "JPEG", quality=95)
    photo = codec.decode(buffer.getvalue())
    assert any("CMYK" in note for note in photo.meta.notes)
    assert np.abs(photo.pixels * 255 - smooth()).mean() < 6


def test_only_the_first_frame_is_used_and_it_says_so() -> None:
    frames = [Pillow.fromarray(smooth()), Pillow.fromarray(255 - smooth())]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    photo = codec.decode(buffer.getvalue())
    assert any("first of 2" in note for note in photo.meta.notes)


@pytest.mark.parametrize("quality", [50, 75, 85, 95])
def test_jpeg_keeps_quality_and_subsampling(quality: int) -> None:
    data = saved(smooth(), "JPEG", quality=quality, subsampling=0)
    photo = codec.decode(data)
    assert abs(photo.meta.jpeg_quality - quality) <= 1
    assert photo.meta.jpeg_subsampling == "4:4:4"
    out = codec.encode(photo, "jpeg")
    assert len(out) < 1.5 * len(data) + 1000


def test_a_brighter_jpeg_does_not_explode() -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    dark = saved(noisy // 12, "JPEG", quality=95)
    photo = codec.decode(dark)
    brighter = photo.with_pixels(np.clip(photo.pixels * 5, 0, 1))
    data = codec.encode(brighter, "jpeg")
    assert len(data) < len(codec.encode(brighter, "jpeg", quality=95))
    assert codec.decode(data).meta.jpeg_quality >= 74


def test_quality_is_obeyed_and_checked() -> None:
    photo = photo_of(smooth())
    assert abs(codec.decode(codec.encode(photo, "jpeg", quality=60)).meta.jpeg_quality - 60) <= 1
    with pytest.raises(ValueError, match="quality must be 1 to 100"):
        codec.encode(photo, "jpeg", quality=0)


def broken() -> dict[str, bytes]:
    return {
        "empty": b"",
        "text.jpg": b"this is no picture, whatever its name says",
        "header-only.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
        "cut.jpg": saved(smooth(200, 300), "JPEG")[:-400],
        "cut.png": saved(smooth(200, 300), "PNG")[:-100],
        "cut.webp": saved(smooth(200, 300), "WEBP")[:-100],
        "cut.tif": saved(smooth(200, 300), "TIFF")[:-100],
        "cut16.png": codec.encode(photo_of(smooth(90, 90).astype(np.uint16) * 257), "png")[:-100],
        "noise": np.random.default_rng(0).bytes(500),
    }


@pytest.mark.parametrize("name", list(broken()))
def test_broken_files_are_one_line_errors(name: str) -> None:
    with pytest.raises(UnreadableInput) as caught:
        codec.decode(broken()[name], name=name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", range(0, 100, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_files_cut_anywhere_never_crash(kind: str, keep: int) -> None:
    data = saved(smooth(), kind)
    with pytest.raises(InputError):
        codec.decode(data[: len(data) * keep // 100])


def bomb(side: int) -> bytes:
    """A PNG whose header promises far more pixels than there are."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def test_header_bombs_are_refused_by_the_header_alone() -> None:
    with pytest.raises(TooLarge, match="--max-megapixels"):
        codec.decode(bomb(60_000))
    with pytest.raises(TooLarge):
        codec.decode(saved(smooth(), "PNG"), max_megapixels=0.001)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 7.0])
def test_float_tiffs_must_be_finite_and_in_range(bad: float) -> None:
    array = np.full((4, 5, 3), 0.25, np.float32)
    good = bytes(cv2.imencode(".tiff", array)[1])
    photo = codec.decode(good)
    assert photo.depth_bits == 32
    assert photo.pixels.max() == pytest.approx(0.25)
    array[0, 0, 0] = bad
    with pytest.raises(InputError, match="expected (finite values|floats in)"):
        codec.decode(bytes(cv2.imencode(".tiff", array)[1]))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no such file"):
        codec.read(tmp_path / "none.jpg")
    with pytest.raises(UnreadableInput, match="it is a folder"):
        codec.read(tmp_path)


def test_read_takes_paths_bytes_and_open_files(tmp_path: Path) -> None:
    data = saved(smooth(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    with (tmp_path / "a.png").open("rb") as file:
        photos = [codec.read(s) for s in (tmp_path / "a.png", str(tmp_path / "a.png"), data, file)]
    assert all((p.pixels == photos[0].pixels).all() for p in photos)


def test_write_goes_by_the_ending(tmp_path: Path) -> None:
    path = codec.write(photo_of(smooth()), tmp_path / "a.webp")
    assert codec.read(path).meta.format == "webp"
    with pytest.raises(OutputError, match="expected one of"):
        codec.write(photo_of(smooth()), tmp_path / "a.xyz")


def test_raw_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MissingExtra, match=r"relume\[raw\]"):
        codec.decode(b"II*\0 raw", name="a.nef")


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_odd_sizes(shape: tuple[int, int], kind: str) -> None:
    photo = codec.decode(codec.encode(photo_of(smooth(*shape)), kind))
    assert photo.pixels.shape == (*shape, 3)
