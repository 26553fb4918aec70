"""Files that are no pictures, or not whole, or not to be trusted: one line, and nothing else."""

import os
import socket
import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relume.errors import InputError, TooLarge, UnreadableInput
from relume.io import decode, encode, format_in, read, special_file
from relume.io.png import SIGNATURE, chunk
from relume.io.raster import open_header
from relume.photo import Photo, to_image

KINDS = ("jpeg", "png", "webp", "tiff", "avif")


def photo(bits: int = 8) -> Photo:
    y, x = np.mgrid[0:1:90j, 0:1:120j].astype(np.float32)
    grain = np.random.default_rng(0).random((90, 120, 3), np.float32)
    return Photo(np.dstack([x, y, 1 - x]) * np.float32(0.9) + grain / 10, depth_bits=bits)


WHOLE = {kind: encode(photo(), kind) for kind in KINDS}
BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"this is no picture, whatever its name says",
    "nul.jpg": bytes(1000),
    "header-only.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "signature-only.png": b"\x89PNG\r\n\x1a\n",
    "cut16.png": encode(photo(16), "png")[:-100],
    "no-end.png": WHOLE["png"][:-16],
    "cut16.tif": encode(photo(16), "tiff")[:20000],
    "cut-float.tif": encode(photo(32), "tiff")[:20000],
    "no-end.jpg": WHOLE["jpeg"][:-30],
    "zero-tail.jpg": WHOLE["jpeg"][:3000] + bytes(len(WHOLE["jpeg"]) - 3000),
    "noise": np.random.default_rng(0).bytes(500),
    "loop.tif": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "broken.nef": b"II*\0 this is no raw file",
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_one_line_that_names_the_file(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    if name.endswith(".nef"):
        pytest.importorskip("rawpy", reason="needs the extra raw")
    with pytest.raises(UnreadableInput) as caught:
        decode(BROKEN[name], name=name)
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert len(message) < 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("keep", [0, 1, 9, 20, 40, 60, 80, 95, 99])
@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_anywhere_are_errors(
    kind: str, keep: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = WHOLE[kind]
    with pytest.raises(UnreadableInput):
        decode(data[: len(data) * keep // 100])
    assert capfd.readouterr() == ("", "")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damaged_headers_never_crash(kind: str, at: int, junk: bytes) -> None:
    data = bytearray(WHOLE[kind])
    data[at : at + len(junk)] = junk
    message = ""
    try:
        decode(bytes(data), max_megapixels=1)
    except InputError as error:
        message = str(error)
    assert "\n" not in message


def png_bomb(side: int) -> bytes:
    """A PNG whose header promises far more pixels than there are."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return SIGNATURE + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def jpeg_bomb(side: int) -> bytes:
    data = bytearray(WHOLE["jpeg"])
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, side, side)
    return bytes(data)


def tiff_bomb(side: int, bits: int) -> bytes:
    data = bytearray(encode(photo(bits), "tiff"))
    directory = struct.unpack_from("<I", data, 4)[0]
    for place in range(2):  # width and height come first
        struct.pack_into("<I", data, directory + 2 + 12 * place + 8, side)
    return bytes(data)


def bmp_bomb(side: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + header + bytes(900)


@pytest.mark.parametrize(
    "data",
    [
        png_bomb(60_000),
        png_bomb(15_000),
        jpeg_bomb(65_000),
        tiff_bomb(60_000, 8),
        tiff_bomb(60_000, 16),
        tiff_bomb(60_000, 32),
        bmp_bomb(20_000),
    ],
    ids=["png", "png small", "jpeg", "tiff", "tiff16", "tiff float", "bmp"],
)
def test_header_bombs_are_refused_by_the_header_alone(data: bytes) -> None:
    with pytest.raises(TooLarge, match=r"megapixels.*--max-megapixels"):
        decode(data)


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_is_the_callers(kind: str) -> None:
    with pytest.raises(TooLarge, match=r"limit of 0\.01"):
        decode(WHOLE[kind], max_megapixels=0.01)
    assert decode(WHOLE[kind], max_megapixels=0.0108).pixels.shape == (90, 120, 3)


def test_pillows_own_limit_stays_out_of_it() -> None:
    """144 megapixels: enough for Pillow's warning, which is an error in these tests."""
    assert open_header(bmp_bomb(12_000)).size == (12_000, 12_000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 7.0])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_float_tiffs_must_be_finite_and_in_range(bad: float, shape: tuple[int, ...]) -> None:
    array = np.full(shape, 0.25, np.float32)
    good = decode(bytes(cv2.imencode(".tiff", array)[1]))
    assert good.depth_bits == 32
    assert good.pixels.max() == pytest.approx(0.25)
    array[0, 0] = bad
    with pytest.raises(InputError, match=r"expected (finite|floating point) values") as caught:
        decode(bytes(cv2.imencode(".tiff", array)[1]), name="a.tif")
    assert str(caught.value).startswith("a.tif")


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_floats_of_64_bits_become_32(shape: tuple[int, ...]) -> None:
    decoded = decode(bytes(cv2.imencode(".tiff", np.full(shape, 0.1))[1]))
    assert decoded.depth_bits == 32
    np.testing.assert_allclose(decoded.pixels, 0.1, rtol=1e-6)


def test_depths_that_are_not_supported() -> None:
    for shape in ((4, 5), (4, 5, 3)):
        data = bytes(cv2.imencode(".tiff", np.ones(shape, np.int32))[1])
        with pytest.raises(UnreadableInput, match="not supported"):
            decode(data)


def test_paths_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableInput, match=r"none\.jpg does not exist"):
        read(tmp_path / "none.jpg")
    with pytest.raises(UnreadableInput, match="is a folder"):
        read(tmp_path)
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read(tmp_path / "a\0.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(UnreadableInput, match=r"empty\.jpg is empty"):
        read(tmp_path / "empty.jpg")

    def forbidden(_: Path) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "read_bytes", forbidden)  # root may read anything
    with pytest.raises(UnreadableInput, match="may not be read"):
        read(tmp_path / "empty.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes and sockets with names")
def test_only_files_are_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for, and /dev/zero never ends."""
    pipe, name = tmp_path / "pipe.jpg", tmp_path / "socket.jpg"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(name))
        for path, what in ((pipe, "a pipe"), (name, "a socket"), (Path("/dev/zero"), "a device")):
            assert special_file(path) == what
            assert format_in(path) is None
            with pytest.raises(UnreadableInput, match=f"is {what}; expected a picture's file"):
                read(path)
    (tmp_path / "link.jpg").symlink_to(pipe)
    with pytest.raises(UnreadableInput, match="is a pipe"):
        read(tmp_path / "link.jpg")
    assert special_file(tmp_path) is None


@pytest.mark.parametrize("address", ["https://example.com/a.jpg", "http://a/b.png"])
def test_addresses_are_not_fetched(address: str) -> None:
    with pytest.raises(UnreadableInput, match=r"https?:/.*not fetched; download the picture"):
        read(address)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"P6\n2 2\n255\n" + bytes(12), "PPM; convert it to PNG"),
        (b"P2\n2 2\n255\n1 2 3 4\n", "PPM; convert it to PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x18ftypisom", "a video"),
        (b"Dear photograph", "holds text"),
        (b"\0\1\2\3", "of no known format"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableInput, match=f"a: not a picture that is read: it .*{words}"):
        decode(data, name="a")


def test_the_format_goes_by_content(tmp_path: Path) -> None:
    for name, kind in (("noext", "jpeg"), ("wrong.png", "webp"), ("a.nef", "jpeg")):
        (tmp_path / name).write_bytes(WHOLE[kind])
        assert format_in(tmp_path / name) == kind
        assert read(tmp_path / name).meta.format == kind
    (tmp_path / "a.nef").write_bytes(WHOLE["tiff"])
    assert format_in(tmp_path / "a.nef") == "raw"
    (tmp_path / "text.jpg").write_bytes(b"text")
    assert format_in(tmp_path / "text.jpg") is None
    assert format_in(tmp_path / "none.jpg") is None
    assert format_in(tmp_path) is None


def test_a_name_does_not_decide() -> None:
    assert decode(WHOLE["png"], name="photo.jpg").meta.format == "png"
    assert decode(WHOLE["jpeg"], name="photo.png").meta.format == "jpeg"


def test_many_threads_read_at_once() -> None:
    results: list[bool] = []

    def work() -> None:
        for kind in KINDS:
            shape = decode(WHOLE[kind]).pixels.shape
            results.append(shape == (90, 120, 3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4 * len(KINDS)


def test_junk_in_metadata_is_no_reason_to_fail() -> None:
    for junk in (b"", b"Exif\0\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"):
        source = photo()
        meta = type(source.meta)(exif=junk, icc=b"no profile", xmp=b"\xff")
        odd = Photo(source.pixels, meta=meta)
        for kind in KINDS:
            back = decode(encode(odd, kind))
            assert back.pixels.shape == (90, 120, 3)


def test_arrays_of_the_wrong_kind_are_not_read() -> None:
    with pytest.raises(InputError):
        to_image(np.zeros((2, 2), np.int64))
