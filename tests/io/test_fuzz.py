"""Damaged and hostile bytes: an error of ours or a photo, soon, in bounded memory.

RELUME_FUZZ=100000 pytest tests/io/test_fuzz.py looks for longer.
"""

import io
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relume.errors import RelumeError
from relume.io import decode, encode
from relume.io.boxes import encoding_of, left_out, properties
from relume.io.exif import extract_exif, sanitized_exif
from relume.io.formats import FORMATS, describe, sniff
from relume.io.jpeg import END, layout
from relume.io.pillow import iptc_of, is_lossless
from relume.io.png import chunk, read_header
from relume.io.xmp import plain
from relume.photo import Meta, Photo

EXAMPLES = int(os.environ.get("RELUME_FUZZ", "100"))
LARGEST_BYTES = 64 << 20
THOROUGH = settings(
    max_examples=EXAMPLES,
    deadline=20_000,
    derandomize="RELUME_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


def exif() -> bytes:
    block, buffer = PIL.Image.Exif(), io.BytesIO()
    block[271], block[274], block[306] = "Acme", 6, "2026:01:02 03:04:05"
    block.get_ifd(34665)[33434] = 0.25
    block.get_ifd(34853)[2] = (48.0, 51.0, 0.0)
    PIL.Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=block)
    return block.tobytes()[6:]


def seeds() -> list[bytes]:
    """A small file of every format, with all the metadata it can hold."""
    rng = np.random.default_rng(0)
    meta = Meta(
        exif=exif(),
        icc=bytes(16) + b"RGB " + bytes(200),
        xmp=b'<x:xmpmeta><a tiff:Orientation="6"/></x:xmpmeta>',
        iptc=b"\x1c\x02\x19\x00\x05night",
        text=(("Author", "Ann"), ("Comment", "東京")),
        dpi=(300, 300),
        jpeg_progressive=True,
    )
    found = []
    for bits in (8, 16, 32):
        photo = Photo(rng.random((12, 16, 3), np.float32), depth_bits=bits, meta=meta)
        for name in ("jpeg", "png", "tiff", "webp", "avif", "heif"):
            if bits <= FORMATS[name].bits or bits == 8:
                found.append(encode(photo, name))
    picture = PIL.Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8))
    for kind, options in (
        ("GIF", {"comment": b"night"}),
        ("BMP", {}),
        ("WEBP", {"lossless": True, "exif": exif()}),
        ("JPEG", {"comment": b"night", "exif": exif()}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        found.append(buffer.getvalue())
    buffer = io.BytesIO()
    picture.quantize(16).save(buffer, "PNG", transparency=3)
    return [*found, buffer.getvalue()]


SEEDS = seeds()
NUMBERS = [
    struct.pack(order + code, value)
    for order in "<>"
    for code, values in (("H", (0, 1, 255, 65535)), ("I", (0, 8, 1 << 16, 1 << 31, (1 << 32) - 1)))
    for value in values
]
PATCHES = st.lists(
    st.tuples(
        st.floats(0, 1),  # where
        st.one_of(st.sampled_from(NUMBERS), st.binary(max_size=12)),
        st.sampled_from(("replace", "insert", "remove", "cut", "repeat")),
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes] = SEEDS) -> bytes:
    """A seed with a few numbers changed, bytes inserted, removed or repeated, or its end cut."""
    data = draw(st.sampled_from(seeds))
    for where, patch, what in draw(PATCHES):
        # most of what decides is near the front
        at = int(len(data) * where**3)
        if what == "replace":
            data = data[:at] + patch + data[at + len(patch) :]
        elif what == "insert":
            data = data[:at] + patch + data[at:]
        elif what == "remove":
            data = data[:at] + data[at + len(patch) :]
        elif what == "repeat":
            data = data[:at] + data[at : at + 40] * 3 + data[at:]
        else:
            data = data[: max(at, 1)]
    return data


def result(call: Callable[[], Photo | object]) -> Photo | object | None:
    """What the call gives, or None if it raises an error of ours, of one line."""
    message = ""
    try:
        return call()
    except RelumeError as error:
        message = str(error)
    assert message
    assert "\n" not in message
    return None


@THOROUGH
@given(damaged(), st.sampled_from(("a.jpg", "a.dng")))
def test_damaged_files_are_a_photo_or_one_line(data: bytes, name: str) -> None:
    photo = result(lambda: decode(data, name=name, max_megapixels=1))
    if not isinstance(photo, Photo):
        return
    assert photo.pixels.dtype == np.float32
    assert photo.pixels.min() >= 0
    assert photo.pixels.max() <= 1
    for kind in ("jpeg", "png", "tiff"):
        assert decode(encode(photo, kind)).pixels.shape == photo.pixels.shape


def parse(data: bytes) -> None:
    """All that we parse ourselves: it says something of any bytes, or an error of ours."""
    assert sniff(data, "a.jpg") in {None, *FORMATS}
    assert describe(data)
    assert is_lossless(data) in {True, False}
    parts = layout(data)
    assert parts is None or parts.mended().endswith(parts.scans if parts.has_end else END)
    assert len(plain(data).packet or b"") <= len(data)
    assert not plain(plain(data).packet).left_out
    for kind, _ in properties(data):
        assert len(kind) == 4
    assert len(left_out(data)) <= 2
    found_encoding = encoding_of(data)
    assert found_encoding is None or len(found_encoding.primaries) == 4
    assert len(iptc_of(data) or b"") <= len(data)
    for of_raw in (False, True):
        found = extract_exif(data, of_raw=of_raw)
        assert found is None or sanitized_exif(found)[1] is not None
        assert len(found or b"") < LARGEST_BYTES
    orientation, bare = sanitized_exif(data)
    assert 0 <= orientation <= 8
    assert bare is None or sanitized_exif(bare)[0] in (0, 1)
    result(lambda: read_header(data))


@THOROUGH
@given(st.one_of(damaged(), damaged([exif()]), st.binary(max_size=300)))
def test_metadata_is_read_or_left(data: bytes) -> None:
    parse(data)


@THOROUGH
@given(damaged([exif()]), st.binary(max_size=300), st.text(max_size=100))
def test_any_metadata_is_written_as_a_picture(packet: bytes, other: bytes, text: str) -> None:
    """A caller's own may be anything."""
    meta = Meta(exif=packet, icc=other, xmp=other, iptc=other, text=((text, text),))
    photo = Photo(np.full((4, 5, 3), 0.5, np.float32), meta=meta)
    for kind in ("jpeg", "png", "tiff", "webp"):
        assert decode(encode(photo, kind)).pixels.shape == (4, 5, 3)


def chain(count: int, entries: int) -> bytes:
    """Directories that overlap and lead on, two bytes further each."""
    size = 2 + 12 * entries
    body = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(2 * count + size + 4))
    for number in range(count):
        at = 8 + 2 * number
        struct.pack_into("<H", body, at, entries)
        struct.pack_into("<I", body, min(at + size, len(body) - 4), at + 2)
    return bytes(body)


@pytest.mark.parametrize(
    "data",
    [
        chain(20_000, 40),
        b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 271, 2, 1 << 16, 0) * 65535 + bytes(4),
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 34665, 4, 1, 8) + bytes(4),
        b"\xff\xd8" + b"\xff" * 3_000_000,
        b"RIFF\0\0\0\0WEBP" + bytes(3_000_000),
        b"\0\0\0\x18ftyp" + b"avif" * 500_000,
        SEEDS[1][:33] + (bytes(4) + b"tEXt" + bytes(4)) * 250_000 + SEEDS[1][33:],
    ],
    ids=["chained", "copies", "itself", "markers", "chunks", "brands", "texts"],
)
def test_files_made_to_take_long_do_not(data: bytes) -> None:
    began = time.process_time()
    parse(data)
    result(lambda: decode(data))
    assert time.process_time() - began < 10


def test_what_the_fuzz_found() -> None:
    """Each was an exception once."""
    # a directory whose last entry ends in the middle
    data = b"MM\0*\0\0\0\x08\0\1\1\x0f\0\2\0\0\0\5"
    assert extract_exif(data) is None
    assert sanitized_exif(data) == (0, None)
    # a resolution that no file of ours can hold
    for dpi in ((1e9, 1e9), (float("nan"), 72.0), (1e300, 1.0)):
        photo = Photo(np.full((4, 5, 3), 0.5, np.float32), meta=Meta(dpi=dpi))
        for kind in ("jpeg", "png", "tiff"):
            assert max(decode(encode(photo, kind)).meta.dpi or (0,)) < 1000
    # libheif's messages end in a new line
    heic = next((seed for seed in SEEDS if seed[4:12] == b"ftypheic"), b"")
    assert result(lambda: decode(heic[:-50] or b"no pillow-heif")) is None


def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(20 << 20))
    plain = SEEDS[1]
    at = 33
    for kind, body in (
        (b"iCCP", b"icc\0\0" + bomb),
        (b"zTXt", b"Title\0\0" + bomb),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb),
    ):
        tracemalloc.start()
        header = read_header(plain[:at] + chunk(kind, body) * 3 + plain[at:])
        assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST_BYTES
        tracemalloc.stop()
        assert [keyword for keyword, _ in header.text] == ["Author", "Comment"]
