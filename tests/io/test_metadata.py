"""What a photo carries beside its pixels: kept where the format can, and said where it cannot."""

import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import PngImagePlugin

from relume.io import decode, encode, losses, read, write
from relume.io.formats import WRITABLE
from relume.photo import Array, Meta, Photo

IPTC = b"\x1c\x02\x19\x00\x05night" + b"\x1c\x02\x78\x00\x07caption"
TEXT = (("Author", "Ann"), ("Title", "Zürich at night"), ("Comment", "東京"))


def wedge(dtype: type = np.uint8) -> Array:
    y, x = np.mgrid[0:1:40j, 0:1:56j]
    return np.rint(np.dstack([x, y, 1 - x]) * np.iinfo(dtype).max).astype(dtype)


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(wedge()).save(buffer, kind, **options)
    return buffer.getvalue()


def photo_with(**meta: object) -> Photo:
    return Photo(wedge().astype(np.float32) / 255, meta=Meta(**meta))  # type: ignore[arg-type]


@pytest.mark.parametrize("iptc", [IPTC, IPTC + b"\0"], ids=["even", "odd"])
@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_iptc_is_kept(kind: str, iptc: bytes) -> None:
    data = encode(photo_with(iptc=iptc), kind)
    assert decode(data).meta.iptc == iptc
    with PIL.Image.open(io.BytesIO(data)) as picture:
        if kind == "jpeg":
            assert picture.info["photoshop"] == {0x0404: iptc}
        else:
            assert bytes(picture.getexif()[33723]) == iptc
    assert losses(decode(data), kind) == []


def test_iptc_of_a_tiff_is_found_in_its_long_words() -> None:
    """As Photoshop writes it: whole numbers of four bytes."""
    buffer, packed = io.BytesIO(), IPTC + bytes(-len(IPTC) % 4)
    tags = [(33723, 4, len(packed) // 4, packed, True)]
    tifffile.imwrite(buffer, wedge(), photometric="rgb", extratags=tags, metadata=None)
    assert decode(buffer.getvalue()).meta.iptc == packed


def test_a_comment_stays_in_a_jpeg() -> None:
    for comment in ("a night", "東京"):
        photo = decode(saved("JPEG", comment=comment))
        assert photo.meta.text == (("Comment", comment),)
        with PIL.Image.open(io.BytesIO(encode(photo, "jpeg"))) as picture:
            assert picture.info["comment"] == comment.encode()
        assert decode(encode(photo, "png")).meta.text == photo.meta.text
    assert decode(saved("JPEG", comment=b"caf\xe9")).meta.text == (("Comment", "café"),)


def test_the_text_of_a_png_stays() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Ann")
    info.add_text("Title", "Zürich at night", zip=True)
    info.add_itxt("Comment", "東京", zip=True)
    photo = decode(saved("PNG", pnginfo=info))
    assert photo.meta.text == TEXT
    with PIL.Image.open(io.BytesIO(encode(photo, "png"))) as picture:
        assert tuple(picture.text.items()) == TEXT
    assert losses(photo, "jpeg") == ["JPEG has no place for this text: Author, Title"]
    assert losses(photo, "webp") == ["WEBP has no place for this text: Author, Title, Comment"]


def test_text_is_bounded() -> None:
    """Thirty texts of 1 MB each, in 30 KB."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Ann")
    for _ in range(30):
        info.add_text("Bomb", "0" * (1 << 20), zip=True)
    info.add_text("Raw profile type exif", "\nexif\n 4\n00000000\n")
    text = decode(saved("PNG", pnginfo=info)).meta.text
    assert text == (("Author", "Ann"),)


@pytest.mark.parametrize("progressive", [True, False])
def test_a_progressive_jpeg_stays_so(progressive: bool) -> None:
    photo = decode(saved("JPEG", progressive=progressive))
    with PIL.Image.open(io.BytesIO(encode(photo, "jpeg"))) as picture:
        assert bool(picture.info.get("progressive")) == progressive


@pytest.mark.parametrize("options", [{}, {"exif": b"Exif\0\0II*\0" + bytes(10)}])
def test_a_lossless_webp_stays_so(options: dict[str, object]) -> None:
    photo = decode(saved("WEBP", lossless=True, **options))
    np.testing.assert_array_equal(decode(encode(photo, "webp")).pixels, photo.pixels)
    assert (decode(encode(photo, "webp", quality=90)).pixels != photo.pixels).any()
    lossy = decode(saved("WEBP", quality=80, **options))
    assert (decode(encode(lossy, "webp")).pixels != lossy.pixels).any()


@pytest.mark.parametrize("lossless", [True, False])
def test_the_first_frame_of_an_animated_webp_counts(lossless: bool) -> None:
    second = PIL.Image.fromarray(255 - wedge())
    data = saved("WEBP", save_all=True, append_images=[second], lossless=lossless)
    assert decode(data).meta.lossless == lossless


def test_a_heic_of_10_bits_stays_so() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    for mode, array in (("RGB;16", wedge(np.uint16)), ("L;16", wedge(np.uint16)[:, :, 0])):
        buffer = io.BytesIO()
        heif.encode(mode, (56, 40), array.tobytes(), buffer, quality=100, chroma=444)
        photo = decode(buffer.getvalue())
        assert photo.depth_bits == 16
        assert photo.pixels.max() == 1
        back = encode(photo, "heif", quality=100)
        assert heif.open_heif(back)[0].info["bit_depth"] == 10
        assert np.abs(decode(back).pixels - photo.pixels).mean() < 0.02
    assert losses(photo, "heif") == []  # it came from there
    other = Photo(photo.pixels, None, 16, Meta(format="png"))
    assert losses(other, "heif") == ["HEIF has 10 bits a channel, the photo 16"]


def test_alpha_of_any_kind_in_heic() -> None:
    pytest.importorskip("pillow_heif", reason="needs the extra heif")
    for bits, grey in ((8, False), (8, True), (16, False), (16, True)):
        pixels = np.full((16, 24, 3), 0.5, np.float32)
        photo = Photo(pixels, np.full((16, 24), 0.25, np.float32), bits, Meta(grey=grey))
        back = decode(encode(photo, "heif", quality=100))
        assert back.depth_bits == bits
        assert back.alpha is not None
        assert np.abs(back.alpha - 0.25).max() < 0.02
        assert np.abs(back.pixels - 0.5).max() < 0.02


def test_an_avif_of_more_bits_says_so() -> None:
    assert decode(saved("AVIF")).meta.notes == ()
    deep = cv2.imencode(".avif", wedge(np.uint16) >> 6, [cv2.IMWRITE_AVIF_DEPTH, 10])[1]
    assert any("more than 8 bits" in note for note in decode(deep.tobytes()).meta.notes)


def test_what_a_format_cannot_hold_is_said() -> None:
    photo = photo_with(iptc=IPTC)
    deep = Photo(photo.pixels, photo.pixels[:, :, 0], 16, photo.meta)
    assert losses(deep, "jpeg") == [
        "JPEG has no transparency: the picture is laid on white",
        "JPEG has 8 bits a channel, the photo 16",
    ]
    place = "has no place for IPTC: its keywords and captions are left out"
    assert losses(deep, "png") == [f"PNG {place}"]
    assert losses(deep, "avif") == ["AVIF has 8 bits a channel, the photo 16", f"AVIF {place}"]
    assert losses(deep, "tiff") == []
    assert losses(Photo(photo.pixels, depth_bits=16, meta=Meta(format="raw")), "jpeg") == []
    large = photo_with(exif=bytes(70_000), xmp=bytes(70_000))
    assert losses(large, "jpeg") == [
        f"its {kind} is too large for a JPEG (64 KB) and is left out" for kind in ("EXIF", "XMP")
    ]
    assert all(losses(photo_with(), name) == [] for name in WRITABLE)


def test_a_private_photo_stays_private(tmp_path: Path) -> None:
    source = tmp_path / "night.png"
    source.write_bytes(bytes(cv2.imencode(".png", wedge())[1]))
    source.chmod(0o600)
    photo = read(source)
    assert write(photo, tmp_path / "a.jpg").stat().st_mode & 0o777 == 0o600
    relit = photo.with_pixels(photo.pixels * np.float32(0.5))
    assert relit.save(tmp_path / "b.jpg").stat().st_mode & 0o777 == 0o600
