"""Camera raw: developed by LibRaw, its EXIF read by us. The file is a DNG made by hand."""

import io
import struct
import sys
import types
from collections.abc import Mapping

import numpy as np
import PIL.Image
import pytest

from relume.errors import InputError
from relume.io import decode, encode
from relume.io.exif import extract_exif
from relume.photo import Array, from_image

WIDTH, HEIGHT = 64, 48
KINDS = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 7: "B", 10: "i"}
Fields = Mapping[int, tuple[int, object]]
MAKE, MODEL, ORIENTATION, DATE, SUB_IFDS = 271, 272, 274, 306, 330
EXPOSURE, ISO, MAKER_NOTE, COLOR_SPACE, PIXEL_WIDTH, LENS = 33434, 34855, 37500, 40961, 40962, 42036


def directory(order: str, at: int, fields: Fields) -> bytes:
    entries, values = b"", b""
    values_at = at + 6 + 12 * len(fields)
    for tag, (kind, value) in sorted(fields.items()):
        if isinstance(value, bytes):
            packed, count = value, len(value)
        else:
            numbers = value if isinstance(value, tuple) else (value,)
            packed = struct.pack(f"{order}{len(numbers)}{KINDS[kind]}", *numbers)
            count = len(numbers) // (2 if kind in (5, 10) else 1)
        entries += struct.pack(order + "HHI", tag, kind, count)
        if len(packed) > 4:
            entries += struct.pack(order + "I", values_at + len(values))
            values += packed + b"\0" * (len(packed) % 2)
        else:
            entries += packed.ljust(4, b"\0")
    return struct.pack(order + "H", len(fields)) + entries + bytes(4) + values


def dng(order: str = "<", orientation: int = 1, exif: Fields | None = None) -> bytes:
    """A grey wedge behind a Bayer filter, with what a camera says of a picture."""
    wedge = np.linspace(0, 4000, WIDTH).astype(order.replace(">", ">u2").replace("<", "<u2"))
    pixels = np.tile(wedge, (HEIGHT, 1)).tobytes()
    body = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4) + pixels)
    gps_at = len(body)
    body += directory(order, gps_at, {1: (2, b"N\0"), 2: (5, (48, 1, 51, 1, 0, 1))})
    exif_at = len(body)
    body += directory(
        order,
        exif_at,
        {
            EXPOSURE: (5, (1, 30)),
            ISO: (3, 3200),
            36867: (2, b"2026:01:02 23:59:58\0"),
            MAKER_NOTE: (7, b"offsets into the raw file" * 40),
            COLOR_SPACE: (3, 65535),
            PIXEL_WIDTH: (4, WIDTH),
            LENS: (2, "Objectif à lumière\0".encode("latin-1")),
        }
        if exif is None
        else exif,
    )
    first = {
        254: (4, 0), 256: (4, WIDTH), 257: (4, HEIGHT), 258: (3, 16), 259: (3, 1),
        262: (3, 32803), MAKE: (2, b"Acme\0"), MODEL: (2, b"Nocturne 1\0"), 273: (4, 8),
        ORIENTATION: (3, orientation), 277: (3, 1), 278: (4, HEIGHT), 279: (4, len(pixels)),
        284: (3, 1), DATE: (2, b"2026:01:02 23:59:59\0"), 33421: (3, (2, 2)),
        33422: (1, (0, 1, 1, 2)), 34665: (4, exif_at), 34853: (4, gps_at), 33437: (5, (18, 10)),
        50706: (1, (1, 4, 0, 0)), 50707: (1, (1, 1, 0, 0)), 50708: (2, b"Acme Nocturne 1\0"),
        50717: (4, 4095), 50721: (10, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)),
        50728: (5, (1, 1, 1, 1, 1, 1)), 50778: (3, 21),
    }  # fmt: skip
    struct.pack_into(order + "I", body, 4, len(body))
    return bytes(body + directory(order, len(body), first))


def read_back(exif: bytes | None) -> tuple[PIL.Image.Exif, dict[int, object], dict[int, object]]:
    """By Pillow, an independent reader."""
    block = PIL.Image.Exif()
    block.load(exif)
    return block, block.get_ifd(34665), block.get_ifd(34853)


def check_kept(exif: bytes | None) -> None:
    main, own, gps = read_back(exif)
    assert main[MAKE] == "Acme"
    assert main[MODEL] == "Nocturne 1"
    assert main[DATE] == "2026:01:02 23:59:59"
    assert own[36867] == "2026:01:02 23:59:58"
    assert float(own[EXPOSURE]) == pytest.approx(1 / 30)  # type: ignore[arg-type]
    assert own[ISO] == 3200
    assert own[LENS] == "Objectif à lumière"
    assert float(own[33437]) == 1.8  # type: ignore[arg-type]  # from the first directory
    assert own[COLOR_SPACE] == 1  # the pixels are sRGB now
    assert gps[2] == (48, 51, 0)
    of_the_raw_file = {MAKER_NOTE, PIXEL_WIDTH, 33421, 33422, 254, 256, 257, 258, 262, 273, 279}
    assert not of_the_raw_file & {*main, *own}
    assert main.get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_a_raw_file_is_laid_out_anew(order: str) -> None:
    exif = extract_exif(dng(order), of_raw=True)
    check_kept(exif)
    assert len(exif or b"") < 700


@pytest.mark.parametrize("kind", ["jpeg", "tiff", "png", "webp"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_developed_raw_keeps_its_exif(order: str, kind: str) -> None:
    pytest.importorskip("rawpy", reason="needs the extra raw")
    photo = decode(dng(order, orientation=6), name="shot.dng")
    assert photo.pixels.shape == (WIDTH, HEIGHT, 3)
    assert (
        photo.pixels[:, 20].mean(axis=1)[-4:].mean() > photo.pixels[:, 20].mean(axis=1)[:4].mean()
    )
    assert photo.depth_bits == 16
    check_kept(decode(encode(photo, kind)).meta.exif)


@pytest.mark.parametrize("start", [b"IIU\0", b"IIRO", b"IIRS"])
def test_raw_files_with_marks_of_their_own(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Panasonic's and Olympus' are TIFFs but for their first bytes."""
    stand_in(monkeypatch, preview=False)
    check_kept(decode(start + dng()[4:], name="a.rw2").meta.exif)


@pytest.mark.parametrize(
    "exif",
    [
        {EXPOSURE: (5, (1, 30)), 37510: (7, bytes(200_000))},
        {tag: (7, bytes(60_000)) for tag in (60000, 60001)} | {EXPOSURE: (5, (1, 30))},
    ],
)
def test_very_large_fields_do_not_make_it_large(exif: Fields) -> None:
    found = extract_exif(dng(exif=exif), of_raw=True)
    assert len(found or b"") < 130_000
    assert EXPOSURE in read_back(found)[1]


def test_offsets_to_nowhere_are_no_reason_to_fail() -> None:
    data = bytearray(dng())
    at = data.index(struct.pack("<HHI", 34665, 4, 1))
    struct.pack_into("<I", data, at + 8, 1 << 31)
    assert extract_exif(bytes(data), of_raw=True) is None
    assert extract_exif(b"II*\0\xff\xff\xff\x7f") is None
    assert extract_exif(b"not a TIFF") is None


def stand_in(
    monkeypatch: pytest.MonkeyPatch, *, preview: bool = True
) -> tuple[dict[str, object], Array]:
    """A stand-in for rawpy: what it is asked for, and what it answers."""
    asked: dict[str, object] = {}
    array = np.random.default_rng(0).integers(0, 65536, (6, 8, 3)).astype(np.uint16)

    class Raw:
        sizes = types.SimpleNamespace(width=8, height=6)

        def __enter__(self) -> "Raw":
            return self

        def __exit__(self, *_: object) -> None: ...

        def postprocess(self, **options: object) -> Array:
            asked.update(options)
            return array

        def extract_thumb(self) -> object:
            block, buffer = PIL.Image.Exif(), io.BytesIO()
            block[MAKE], block[ORIENTATION] = "Acme", 6
            PIL.Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=block)
            return types.SimpleNamespace(
                format="jpeg" if preview else "bitmap", data=buffer.getvalue()
            )

    fake = types.ModuleType("rawpy")
    fake.imread = lambda file: Raw()  # type: ignore[attr-defined]
    fake.LibRawError = type("LibRawError", (Exception,), {})  # type: ignore[attr-defined]
    fake.ThumbFormat = types.SimpleNamespace(JPEG="jpeg")  # type: ignore[attr-defined]
    fake.ColorSpace = types.SimpleNamespace(sRGB="sRGB")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rawpy", fake)
    return asked, array


def test_raw_is_developed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, array = stand_in(monkeypatch)
    photo = decode(b"FUJIFILMCCD-RAW", name="a.raf")
    np.testing.assert_array_equal(from_image(photo.pixels, array), array)
    assert photo.depth_bits == 16
    assert asked["output_bps"] == 16
    assert asked["no_auto_bright"] is True
    assert photo.meta.format == "raw"
    main, *_ = read_back(photo.meta.exif)  # from the preview
    assert main[MAKE] == "Acme"
    assert ORIENTATION not in main
    with pytest.raises(InputError, match="megapixels"):
        decode(b"II*\0 raw", name="a.nef", max_megapixels=1e-6)


def test_a_raw_without_exif_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, preview=False)
    photo = decode(b"FUJIFILMCCD-RAW", name="a.raf")
    assert photo.meta.exif is None
    assert any("its metadata stay behind" in note for note in photo.meta.notes)
