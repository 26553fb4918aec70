"""Sound files that are unusual: read, with a note where something had to be left out or mended."""

import hashlib
import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile

from relume.errors import UnreadableInput
from relume.io import decode, encode
from relume.io.jpeg import layout
from relume.io.png import SIGNATURE, chunk
from relume.io.xmp import EXTENSION_PREFIX, PREFIX, plain
from relume.photo import Array, Photo

GOOGLE = "http://ns.google.com/photos/1.0"


def scene() -> Array:
    y, x = np.mgrid[0:1:60j, 0:1:80j]
    grain = np.random.default_rng(0).integers(0, 40, (60, 80, 3))
    return np.uint8(np.dstack([x, y, 1 - x]) * 200 + grain)


def saved(kind: str, pixels: Array | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(scene() if pixels is None else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def xmp(attributes: str, inside: str = "") -> bytes:
    spaces = {
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "GCamera": f"{GOOGLE}/camera/",
        "Container": f"{GOOGLE}/container/",
        "Item": f"{GOOGLE}/container/item/",
        "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
        "xmpNote": "http://ns.adobe.com/xmp/note/",
        "dc": "http://purl.org/dc/elements/1.1/",
    }
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        f'syntax-ns#"><rdf:Description rdf:about="" {names} {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def with_xmp(jpeg: bytes, packet: bytes) -> bytes:
    return jpeg[:2] + segment(0xE1, PREFIX + packet) + jpeg[2:]


JPEG = saved("JPEG", quality=90)
PIXELS = decode(JPEG).pixels


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (JPEG[:20] + b"\x12\x34\x56\0" * 4 + JPEG[20:], "bytes that belong to nothing"),
        (JPEG[:-2], "its end marker is missing"),
        (JPEG[:-1], "its end marker is missing"),
        (JPEG[:-2] + bytes(64), "its end marker is missing"),
        (JPEG[:-2] + b"CCTV 2026", "its end marker is missing"),
        (JPEG[:-2] + bytes(300) + JPEG[-2:], "bytes that belong to nothing"),
        (JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], ""),
        (JPEG + bytes(500), ""),
    ],
    ids=[
        "junk",
        "no end",
        "half an end",
        "zeros behind",
        "words behind",
        "padded",
        "fill",
        "tail",
    ],
)
def test_jpegs_whose_pixels_are_all_there(
    data: bytes, note: str, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = decode(data)
    np.testing.assert_array_equal(photo.pixels, PIXELS)
    assert len(photo.meta.notes) == bool(note)
    assert note in "".join(photo.meta.notes)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_hole_is_told(options: dict[str, object], capfd: pytest.CaptureFixture[str]) -> None:
    data = saved("JPEG", quality=90, **options)
    middle, quarter = len(data) // 2, len(data) // 4
    photo = decode(data[:middle] + bytes(quarter) + data[middle + quarter :])
    assert photo.meta.notes[0].startswith("damaged inside")
    # what lies before the hole is right
    sound = decode(data).pixels
    if not options.get("progressive"):
        np.testing.assert_array_equal(photo.pixels[:15], sound[:15])
    assert capfd.readouterr() == ("", "")


def test_grey_and_cmyk_jpegs_tell_it_too(capfd: pytest.CaptureFixture[str]) -> None:
    for pixels in (scene()[:, :, 0], PIL.Image.fromarray(scene()).convert("CMYK")):
        data = saved("JPEG", np.asarray(pixels)) if isinstance(pixels, np.ndarray) else b""
        if not data:
            buffer = io.BytesIO()
            pixels.save(buffer, "JPEG", quality=90)
            data = buffer.getvalue()
        whole = decode(data)
        np.testing.assert_array_equal(decode(data[:-2]).pixels, whole.pixels)
        hole = decode(data[: len(data) * 2 // 3] + bytes(200) + data[len(data) * 2 // 3 + 200 :])
        assert any(note.startswith("damaged inside") for note in hole.meta.notes)
    assert capfd.readouterr() == ("", "")


def test_damaged_metadata_do_not_take_the_picture_along() -> None:
    broken = segment(0xED, b"Photoshop 3.0\x008BIM\x04") + segment(
        0xE2, b"MPF\0II*\0\xff\xff\xff\xff"
    )
    photo = decode(JPEG[:2] + broken + JPEG[2:])
    np.testing.assert_array_equal(photo.pixels, PIXELS)


def test_the_parts_of_a_jpeg() -> None:
    parts = layout(JPEG)
    assert parts is not None
    assert parts.mended() == JPEG
    assert (parts.has_end, parts.has_junk) == (True, False)
    for nothing in (
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff" * 1000,
        bytes(100),
    ):
        assert layout(nothing) is None


def test_motion_photos_and_gain_maps_are_said_and_struck() -> None:
    items = "".join(
        f'<rdf:li><Container:Item Item:Mime="a/b" Item:Semantic="{kind}"/></rdf:li>'
        for kind in ("Primary", "GainMap", "MotionPhoto")
    )
    packet = xmp(
        'GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" GCamera:MicroVideo="1" '
        'GCamera:MicroVideoOffset=\'1089\' hdrgm:Version="1.0" GCamera:SpecialTypeID="night"',
        f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"
        "<dc:title>Night</dc:title>",
    )
    clip = struct.pack(">I", 24) + b"ftypmp42" + bytes(12)
    photo = decode(with_xmp(JPEG, packet) + clip)
    assert photo.meta.notes == ("its clip and its HDR gain map are left out",)
    for name in ("jpeg", "png", "webp", "tiff"):
        out = encode(photo, name)
        for gone in (
            b"MotionPhoto",
            b"MicroVideo",
            b"hdrgm",
            b"GainMap",
            b"Container:",
            b"ftypmp42",
        ):
            assert gone not in out
        for kept in (b'SpecialTypeID="night"', b"<dc:title>Night</dc:title>"):
            assert kept in out or name == "png"


@pytest.mark.parametrize(
    ("packet", "left_out"),
    [
        (xmp('GCamera:MotionPhoto="0"'), ("its clip",)),
        (xmp("", "<GCamera:MicroVideo>1</GCamera:MicroVideo>"), ("its clip",)),
        (
            xmp("", '<hdrgm:GainMapMax rdf:parseType="Resource"><rdf:Seq/></hdrgm:GainMapMax>'),
            ("its HDR gain map",),
        ),
        (xmp('hdrgm:Version="1.0"').replace(b"hdrgm", b"x"), ("its HDR gain map",)),
        (xmp('xmpNote:HasExtendedXMP="0123"'), ("the part of its XMP beyond 64 KB",)),
        (xmp('dc:source="MotionPhoto"'), ()),
        (b"no XML at all", ()),
    ],
)
def test_properties_are_struck_in_any_form(packet: bytes, left_out: tuple[str, ...]) -> None:
    found = plain(packet)
    assert found.left_out == left_out
    assert plain(found.packet).left_out == ()
    assert (found.packet == packet) == (not left_out)


def test_a_clip_without_a_word_of_xmp_is_said() -> None:
    photo = decode(JPEG + b"MotionPhoto_Data" + struct.pack(">I", 24) + b"ftypmp42" + bytes(12))
    assert photo.meta.notes == ("its clip is left out",)


def test_extended_xmp_is_said_and_not_named_any_more() -> None:
    big = xmp("", "a" * 100_000)
    name = hashlib.md5(big, usedforsecurity=False).hexdigest().upper().encode()
    packet = xmp(f'xmpNote:HasExtendedXMP="{name.decode()}" dc:format="image/jpeg"')
    parts = b"".join(
        segment(
            0xE1, EXTENSION_PREFIX + name + struct.pack(">II", len(big), at) + big[at : at + 60_000]
        )
        for at in range(0, len(big), 60_000)
    )
    photo = decode(JPEG[:2] + segment(0xE1, PREFIX + packet) + parts + JPEG[2:])
    assert photo.meta.notes == ("the part of its XMP beyond 64 KB is left out",)
    assert b"HasExtendedXMP" not in encode(photo, "jpeg")
    assert b'dc:format="image/jpeg"' in encode(photo, "jpeg")


@pytest.mark.parametrize("form", ['tiff:Orientation="6"', "<tiff:Orientation>6</tiff:Orientation>"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_orientation_in_xmp_alone_counts(kind: str, form: str) -> None:
    packet = xmp(form) if "=" in form else xmp("", form)
    bare = decode(saved(kind))
    photo = Photo(bare.pixels, meta=bare.meta)
    data = with_xmp(JPEG, packet) if kind == "JPEG" else b""
    if kind == "PNG":
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
        whole = saved("PNG")
        data = whole[:33] + text + whole[33:]
    elif kind == "WEBP":
        data = saved("WEBP", xmp=packet, lossless=True)
        photo = decode(saved("WEBP", lossless=True))
    elif kind == "TIFF":
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer,
            scene(),
            photometric="rgb",
            extratags=[(700, 1, len(packet), packet, True)],
            metadata=None,
        )
        data = buffer.getvalue()
    expected = PIXELS if kind == "JPEG" else photo.pixels
    turned = decode(data)
    np.testing.assert_array_equal(turned.pixels, np.rot90(expected, -1))
    assert b'Orientation="1"' in (turned.meta.xmp or b"") or b">1<" in (turned.meta.xmp or b"")


def test_the_orientation_of_exif_goes_before_xmps() -> None:
    exif = PIL.Image.Exif()
    exif[274] = 1
    data = with_xmp(saved("JPEG", quality=90, exif=exif), xmp('tiff:Orientation="6"'))
    assert decode(data).pixels.shape == (60, 80, 3)


def png_with(*chunks: bytes, pixels: Array | None = None) -> bytes:
    data = saved("PNG", pixels)
    return data[:33] + b"".join(chunks) + data[33:]


def raw_profile(name: str, body: bytes) -> bytes:
    lines = b"\n".join(body.hex().encode()[at : at + 72] for at in range(0, 2 * len(body), 72))
    return b"\n%s\n%8d\n%s\n" % (name.encode(), len(body), lines)


@pytest.mark.parametrize("prefix", [b"Exif\0\0", b""])
@pytest.mark.parametrize("keyword", ["exif", "APP1"])
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_exif_in_the_text_of_a_png(prefix: bytes, keyword: str, kind: bytes) -> None:
    exif = PIL.Image.Exif()
    exif[274], exif[271] = 6, "Drawn"
    text = raw_profile("exif", prefix + exif.tobytes().removeprefix(b"Exif\0\0"))
    begin = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": b"\0\0\0\0\0"}[kind]
    body = zlib.compress(text) if kind == b"zTXt" else text
    photo = decode(png_with(chunk(kind, b"Raw profile type " + keyword.encode() + begin + body)))
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), np.rot90(scene(), -1))
    assert b"Drawn" in (photo.meta.exif or b"")


def test_other_raw_profiles() -> None:
    packet, iptc = xmp('dc:format="image/png"'), b"\x1c\x02\x19\0\x05night"
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0"
    icc = decode(png_with(chunk(b"cICP", bytes((12, 13, 0, 1))))).meta.icc or b""
    for name, body in (
        ("xmp", packet),
        ("APP1", PREFIX + packet),
        ("iptc", resources),
        ("icc", icc),
    ):
        keyword = b"Raw profile type " + name.encode() + b"\0"
        meta = decode(png_with(chunk(b"tEXt", keyword + raw_profile(name, body)))).meta
        assert {
            "xmp": meta.xmp == packet,
            "APP1": meta.xmp == packet,
            "iptc": meta.iptc == iptc,
            "icc": meta.icc == icc,
        }[name]
        assert meta.text == ()
    broken = decode(png_with(chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nzz\n")))
    assert broken.meta.notes == ("its exif (a raw profile) is damaged and left out",)


def test_large_text_and_profiles_in_png() -> None:
    text = chunk(b"zTXt", b"notes\0\0" + zlib.compress(b"a line of notes\n" * 80_000))
    photo = decode(png_with(text, chunk(b"tEXt", b"Author\0Ann")))
    assert photo.meta.notes == ("its text notes is too large and is left out",)
    assert photo.meta.text == (("Author", "Ann"),)
    icc = bytes(16) + b"RGB " + bytes(1_300_000)
    photo = decode(png_with(chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))))
    assert photo.meta.icc == icc
    photo = decode(png_with(chunk(b"iCCP", b"icc\0\0damaged")))
    assert photo.meta.notes == ("its colour profile is damaged and left out",)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "I;16"])
def test_a_png_without_its_end_whose_pixels_are_there(mode: str) -> None:
    data = saved(
        "PNG",
        np.uint16(scene()[:, :, 0]) * 257
        if mode == "I;16"
        else scene()[:, :, 0]
        if mode == "L"
        else None,
    )
    if mode == "P":
        buffer = io.BytesIO()
        PIL.Image.fromarray(scene()).quantize(16).save(buffer, "PNG")
        data = buffer.getvalue()
    photo = decode(data[:-12])
    np.testing.assert_array_equal(photo.pixels, decode(data).pixels)
    assert photo.meta.notes == ("its end is missing; the picture is all there",)
    with pytest.raises(UnreadableInput, match="truncated PNG"):
        decode(data[:-40])


def control(number: int, width: int, height: int) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_animations(mode: str) -> None:
    picture = PIL.Image.fromarray(scene())
    buffer = io.BytesIO()
    (picture if mode == "RGB" else picture.quantize(16)).save(buffer, "PNG")
    data = buffer.getvalue()
    still = decode(data).pixels
    empty = data[:33] + chunk(b"acTL", struct.pack(">II", 0, 0)) + data[33:]
    one = data[:33] + chunk(b"acTL", struct.pack(">II", 1, 0)) + control(0, 80, 60) + data[33:]
    wrong = data[:33] + chunk(b"acTL", b"\0") + data[33:]
    for odd in (empty, one, wrong):
        np.testing.assert_array_equal(decode(odd).pixels, still)
        assert decode(odd).meta.notes == ()


def test_the_first_frame_is_the_picture() -> None:
    """Where the default picture is none of the frames browsers show the first frame."""
    data, other = saved("PNG"), saved("PNG", 255 - scene())
    at = other.index(b"IDAT")
    size = struct.unpack(">I", other[at - 4 : at])[0]
    frame = chunk(b"fdAT", struct.pack(">I", 1) + other[at + 4 : at + 4 + size])
    moving = data[:33] + chunk(b"acTL", struct.pack(">II", 2, 0)) + data[33:-12]
    second = control(2, 80, 60) + chunk(
        b"fdAT", struct.pack(">I", 3) + other[at + 4 : at + 4 + size]
    )
    photo = decode(moving + control(0, 80, 60) + frame + second + data[-12:])
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), 255 - scene())


def bmp(words: Array, masks: tuple[int, ...], *, header: int = 40) -> bytes:
    """Rows from the bottom up, each of whole words of 32 bits."""
    height, width = words.shape
    row = np.zeros((height, (words.nbytes // height + 3) // 4 * 4), np.uint8)
    row[:, : words.nbytes // height] = words[::-1].copy().view(np.uint8)
    bits = 8 * words.dtype.itemsize
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, 3, row.nbytes, 0, 0, 0, 0)
    body = (
        info + struct.pack(f"<{len(masks)}I", *masks) + bytes(max(0, header - 40 - 4 * len(masks)))
    )
    return (
        b"BM"
        + struct.pack("<IHHI", 14 + len(body) + row.nbytes, 0, 0, 14 + len(body))
        + body
        + row.tobytes()
    )


@pytest.mark.parametrize(
    ("bits", "widths"),
    [(32, (10, 10, 10)), (32, (8, 8, 8)), (16, (4, 4, 4)), (16, (5, 6, 5)), (32, (12, 11, 9))],
)
def test_bmps_of_any_masks(bits: int, widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    values = [rng.integers(0, 1 << width, (7, 5)) for width in widths]
    values[0][0, 0], values[1][0, 0], values[2][0, 0] = ((1 << width) - 1 for width in widths)
    shifts = (0, widths[0], widths[0] + widths[1])
    words = sum(v << s for v, s in zip(values, shifts, strict=True)).astype(f"<u{bits // 8}")
    masks = tuple(((1 << w) - 1) << s for w, s in zip(widths, shifts, strict=True))
    photo = decode(bmp(words, masks))
    assert photo.depth_bits == (16 if max(widths) > 8 else 8)
    for channel, (value, width) in enumerate(zip(values, widths, strict=True)):
        step = 0.5 / (1 << photo.depth_bits)
        np.testing.assert_allclose(
            photo.pixels[:, :, channel], value / ((1 << width) - 1), atol=1.1 * step
        )
    with pytest.raises(UnreadableInput):
        decode(bmp(words, masks)[:-60])


def test_bmp_with_alpha_and_one_with_a_profile() -> None:
    words = np.uint32([[0x80FF0000, 0xFF00FF00]])
    photo = decode(bmp(words, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=56))
    np.testing.assert_allclose(photo.pixels[0], [[1, 0, 0], [0, 1, 0]])
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha[0], [128 / 255, 1])
    icc = decode(png_with(chunk(b"cICP", bytes((12, 13, 0, 1))))).meta.icc or b""
    whole = bytearray(bmp(np.uint32([[0xFF0000]]), (0xFF0000, 0xFF00, 0xFF), header=124))
    whole[14 + 56 : 14 + 60] = b"DEBM"
    struct.pack_into("<II", whole, 14 + 112, len(whole) - 14, len(icc))
    assert decode(bytes(whole) + icc).meta.icc == icc


def tiff(pixels: Array, **options: object) -> bytes:
    buffer = io.BytesIO()
    options = {"photometric": "rgb", "metadata": None} | options
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiffs_of_colour_planes(
    dtype: type, channels: int, tile: tuple[int, int] | None, byteorder: str
) -> None:
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    pixels = (
        np.dstack([scene(), scene()[:, ::-1, :1]])[:, :, :channels].astype(np.float64) * scale
    ).astype(dtype)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    data = tiff(
        np.moveaxis(pixels, 2, 0),
        planarconfig="separate",
        tile=tile,
        byteorder=byteorder,
        compression="zlib",
        **extra,
    )
    photo = decode(data)
    np.testing.assert_allclose(photo.pixels, scene() / 255, atol=1e-6)
    assert photo.depth_bits == 8 * np.dtype(dtype).itemsize
    assert (photo.alpha is not None) == (channels == 4)
    if photo.alpha is not None:
        np.testing.assert_allclose(photo.alpha, scene()[:, ::-1, 0] / 255, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_fourth_channel_is_what_the_tiff_says(dtype: type) -> None:
    most = np.iinfo(dtype).max
    alpha = np.broadcast_to(np.linspace(most // 4, most, 80).astype(dtype), (60, 80))
    colour = scene().astype(dtype) * (most // 255)
    multiplied = np.rint(colour * (alpha[:, :, None] / most)).astype(dtype)
    associated = decode(tiff(np.dstack([multiplied, alpha]), extrasamples=["assocalpha"]))
    assert associated.alpha is not None
    np.testing.assert_allclose(associated.alpha, alpha / most, atol=1e-6)
    np.testing.assert_allclose(
        associated.pixels, scene() / 255, atol=4 / 255 if most == 255 else 1e-4
    )
    plain_alpha = decode(tiff(np.dstack([colour, alpha]), extrasamples=["unassalpha"]))
    np.testing.assert_allclose(plain_alpha.pixels, scene() / 255, atol=1e-6)
    for unspecified in (decode(tiff(np.dstack([colour, alpha]), extrasamples=["unspecified"])),):
        assert unspecified.alpha is None
        assert unspecified.meta.notes == (
            "it has a further channel that is no transparency, which is left out",
        )
        np.testing.assert_allclose(unspecified.pixels, scene() / 255, atol=1e-6)
    # OpenCV writes alpha without a word about it
    told = decode(cv2.imencode(".tiff", np.dstack([colour, alpha]))[1].tobytes())
    assert told.alpha is not None
    np.testing.assert_allclose(told.alpha, alpha / most, atol=1e-6)


def test_signed_tiffs() -> None:
    values = np.int16([[0, 1, 16_384, 32_767]])
    for pixels in (values, np.repeat(values[:, :, None], 3, axis=2)):
        data = cv2.imencode(".tiff", pixels)[1].tobytes()
        photo = decode(data)
        assert photo.depth_bits == 16
        np.testing.assert_allclose(photo.pixels[0, :, 0], values[0] / 32_767, atol=2e-5)
    with pytest.raises(UnreadableInput, match=r"from 0 \(black\) to 32767, got -1"):
        decode(cv2.imencode(".tiff", values - np.int16(1))[1].tobytes())


def directory_of_words(at: int) -> bytes:
    return struct.pack("<HHHI4sI", 1, 270, 2, 4, b"abc\0", at)


def test_directories_that_are_no_pictures() -> None:
    data = bytearray(tiff(scene()))
    first = struct.unpack_from("<I", data, 4)[0]
    next_at = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    data += bytes(len(data) % 2)
    behind = bytearray(data)
    struct.pack_into("<I", behind, next_at, len(data))
    outside = bytearray(data)
    struct.pack_into("<I", outside, next_at, 1 << 30)
    before = bytearray(data)
    struct.pack_into("<I", before, 4, len(data))
    for odd in (behind + directory_of_words(0), outside, before + directory_of_words(first)):
        photo = decode(bytes(odd))
        np.testing.assert_array_equal(np.rint(photo.pixels * 255), scene())
        assert photo.meta.notes == ()


def test_a_gif_whose_second_frame_is_damaged() -> None:
    second = PIL.Image.fromarray(255 - scene())
    data = saved("GIF", save_all=True, append_images=[second])
    first = decode(data)
    assert any("2 pictures" in note for note in first.meta.notes)
    cut = decode(data[: len(data) * 2 // 3])
    np.testing.assert_array_equal(cut.pixels, first.pixels)


def test_heic_with_premultiplied_alpha() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
    alpha = np.full((60, 80, 1), 128, np.uint8)
    multiplied = np.uint8(np.rint(np.full((60, 80, 3), 100) * (128 / 255)))
    buffer = io.BytesIO()
    heif.encode(
        "RGBa", (80, 60), np.dstack([multiplied, alpha]).tobytes(), buffer, quality=100, chroma=444
    )
    photo = decode(buffer.getvalue())
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.pixels, 100 / 255, atol=4 / 255)


def test_the_signature_alone_is_damaged() -> None:
    with pytest.raises(UnreadableInput):
        decode(SIGNATURE)


def test_a_damaged_profile_is_no_damage_of_the_picture() -> None:
    icc = decode(png_with(chunk(b"cICP", bytes((12, 13, 0, 1))))).meta.icc or b""
    half = segment(0xE2, b"ICC_PROFILE\0\1\2" + icc)
    photo = decode(JPEG[:2] + half + JPEG[2:])
    np.testing.assert_array_equal(photo.pixels, PIXELS)
    assert photo.meta.notes == ("its colour profile is damaged and left out",)


def test_a_webp_whose_header_names_too_many_bytes() -> None:
    data = saved("WEBP")
    odd = data[:4] + struct.pack("<I", len(data)) + data[8:]
    np.testing.assert_array_equal(decode(odd).pixels, decode(data).pixels)
    with pytest.raises(UnreadableInput):
        decode(data[:-100])


@pytest.mark.parametrize("dtype", [np.int8, np.float16])
def test_tiffs_that_are_not_read_are_told_by_their_kind(dtype: type) -> None:
    with pytest.raises(UnreadableInput, match=r"a TIFF of .* is not supported"):
        decode(tiff((scene() // 2).astype(dtype)))


def test_what_of_a_deep_bigtiff_is_read_is_said() -> None:
    photo = decode(tiff(scene().astype(np.uint16) * 257, bigtiff=True))
    np.testing.assert_allclose(photo.pixels, scene() / 255, atol=1e-6)
    assert any("8 of them" in note for note in photo.meta.notes)
