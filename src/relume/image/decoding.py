"""Bytes to a :class:`Photo`: every depth, grey, alpha, palette, CMYK, orientation, metadata."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from relume.errors import InputError, MissingExtra, TooLarge, UnreadableInput
from relume.image import exif as exif_bytes
from relume.image import jpeg
from relume.image.formats import RAW
from relume.photo import Array, Meta, Photo

_PILLOW = threading.Lock()
"""Pillow's pixel limit is global; ours replaces it for a moment."""

BITS_PER_SAMPLE, SAMPLE_FORMAT, WIDTH, HEIGHT = 258, 339, 256, 257


@dataclass(frozen=True)
class _Raster:
    """What a decoder gives: colour (H, W, 3) or grey (H, W), alpha of the same dtype or None."""

    colour: Array
    alpha: Array | None = None
    notes: tuple[str, ...] = ()


def decode(data: bytes, *, name: str = "input", max_megapixels: float = 200.0) -> Photo:
    """The photo in a file's bytes; the kind is told by the content, not by the name.

    Only camera raw needs ``name``, which otherwise serves the messages.

    Raises:
        UnreadableInput: empty, truncated, or not a picture.
        InputError: a float picture with values that are not finite or outside [0, 1].
        TooLarge: more than ``max_megapixels``, by the header alone.
        MissingExtra: HEIC or camera raw without the extra for it.
    """
    if not data:
        raise UnreadableInput(f"{name} is empty: expected a picture")
    if "." in name and "." + name.rsplit(".", 1)[1].lower() in RAW:
        return _decode_raw(data, name, max_megapixels)
    if _is_float_tiff(data):
        return _decode_float_tiff(data, name, max_megapixels)
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        _register_heif(name)
    try:
        with _PILLOW, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            limit, PillowImage.MAX_IMAGE_PIXELS = PillowImage.MAX_IMAGE_PIXELS, None
            try:
                picture = PillowImage.open(io.BytesIO(data))
            finally:
                PillowImage.MAX_IMAGE_PIXELS = limit
        _check_size(picture.size, name, max_megapixels)
        meta = _meta(picture, data)
        deep_tiff = picture.format == "TIFF" and _tiff_numbers(data, BITS_PER_SAMPLE)[:1] == [16]
        # both Pillow and OpenCV turn TIFFs by themselves, and nothing else
        turn = 1 if picture.format == "TIFF" else exif_bytes.orientation(meta.exif)
        raster = _by_opencv(data, name) if deep_tiff else _raster(picture, data, name)
    except (UnreadableInput, InputError, MissingExtra):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableInput(
            f"{name} is not a picture that relume reads: {_kind(data)}"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, cv2.error) as error:
        raise UnreadableInput(f"{name} is damaged or cut off: {error}") from error
    return _photo(raster, meta, turn, name)


def _photo(raster: _Raster, meta: Meta, turn: int, name: str) -> Photo:
    colour = exif_bytes.turn(raster.colour, turn)
    depth_bits = {1: 8, 2: 16, 4: 32}[colour.dtype.itemsize]
    grey = colour.ndim == 2
    pixels = _floats(colour)
    if colour.dtype == np.float32:
        if not np.isfinite(pixels).all():
            raise InputError(f"{name}: expected finite values, got NaN or infinity in a float file")
        if pixels.min() < 0 or pixels.max() > 1:
            raise InputError(
                f"{name}: expected floats in [0, 1], got {pixels.min():.3g} to {pixels.max():.3g}"
            )
    if grey:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    alpha = None if raster.alpha is None else _floats(exif_bytes.turn(raster.alpha, turn))
    meta = replace(
        meta,
        exif=exif_bytes.upright(meta.exif),
        grey=grey,
        notes=meta.notes + raster.notes,
    )
    return Photo(pixels, alpha, depth_bits, meta)


def _floats(values: Array) -> Any:
    if values.dtype == np.float32:
        return values
    out = values.astype(np.float32)
    out /= np.float32(255 if values.dtype == np.uint8 else 65535)
    return out


def _meta(picture: PillowImage.Image, data: bytes) -> Meta:
    info = picture.info
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8")
    exif = info.get("exif") or None
    icc = info.get("icc_profile") or None
    if picture.format == "TIFF":
        exif, xmp = _tiff_exif(data), xmp or _tiff_value(data, exif_bytes.XMP)
    if exif and not exif.startswith(exif_bytes.PREFIX):
        exif = exif_bytes.PREFIX + exif
    dpi = info.get("dpi")
    quality = subsampling = None
    if picture.format in ("JPEG", "MPO"):
        quality = jpeg.quality_of(getattr(picture, "quantization", {}))
        subsampling = _subsampling(picture)
    frames = getattr(picture, "n_frames", 1)
    notes: tuple[str, ...] = ()
    if frames > 1 and picture.format != "MPO":
        notes = (f"only the first of {frames} frames is used",)
    return Meta(
        format=_format(picture.format or ""),
        exif=exif,
        icc=icc,
        xmp=xmp,
        dpi=(float(dpi[0]), float(dpi[1])) if isinstance(dpi, tuple) else None,
        jpeg_quality=quality,
        jpeg_subsampling=subsampling,
        size_bytes=len(data),
        notes=notes,
    )


def _format(pillow: str) -> str:
    name = {"MPO": "jpeg", "HEIF": "heif"}.get(pillow, pillow.lower())
    return name if name in ("jpeg", "png", "webp", "tiff", "avif", "heif") else "png"


def _subsampling(picture: PillowImage.Image) -> str | None:
    from PIL import JpegImagePlugin

    sampling = JpegImagePlugin.get_sampling(picture)
    return {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(sampling)


def _raster(picture: PillowImage.Image, data: bytes, name: str) -> _Raster:
    """The pixels: by OpenCV where it is faster or Pillow has no 16-bit colour, else by Pillow."""
    kind, mode = picture.format, picture.mode
    if kind in ("JPEG", "MPO"):
        if not jpeg.is_whole(data):
            raise UnreadableInput(f"{name} is damaged or cut off: the JPEG has no end")
        if mode in ("RGB", "L"):
            return _by_opencv(data, name)
    if kind == "PNG" and data[24] == 16:
        if b"IEND" not in data[-64:]:
            raise UnreadableInput(f"{name} is damaged or cut off: the PNG has no end")
        return _by_opencv(data, name)
    picture.load()
    return _by_pillow(picture)


def _by_opencv(data: bytes, name: str) -> _Raster:
    buffer = np.frombuffer(data, np.uint8)
    array = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if array is None:
        raise UnreadableInput(f"{name} is damaged or cut off: its pixels cannot be decoded")
    array = np.asarray(array)
    if array.ndim == 2:
        return _Raster(array)
    if array.shape[2] == 4:
        return _Raster(
            cv2.cvtColor(array, cv2.COLOR_BGRA2RGB), np.ascontiguousarray(array[:, :, 3])
        )
    return _Raster(cv2.cvtColor(array, cv2.COLOR_BGR2RGB))


def _by_pillow(picture: PillowImage.Image) -> _Raster:
    mode, notes = picture.mode, cast("tuple[str, ...]", ())
    if mode in ("I;16", "I;16B", "I;16L", "I"):
        return _Raster(np.asarray(picture).astype(np.uint16))
    if mode in ("1", "L") and "transparency" not in picture.info:
        return _Raster(np.asarray(picture.convert("L")))
    if mode in ("LA", "L"):
        both = np.asarray(picture.convert("LA"))
        return _Raster(both[:, :, 0].copy(), both[:, :, 1].copy())
    if mode in ("CMYK", "YCCK"):
        notes = (f"{mode} was converted to RGB, without its colour profile",)
        # Adobe writes CMYK inverted; Pillow's JPEG plug-in already turns that around
        picture.info.pop("icc_profile", None)
    if mode in ("RGBA", "PA", "RGBa") or "transparency" in picture.info:
        whole = np.asarray(picture.convert("RGBA"))
        return _Raster(np.ascontiguousarray(whole[:, :, :3]), whole[:, :, 3].copy(), notes)
    if mode == "P" and _is_grey_palette(picture):
        return _Raster(np.asarray(picture.convert("L")), notes=notes)
    return _Raster(np.asarray(picture.convert("RGB")), notes=notes)


def _is_grey_palette(picture: PillowImage.Image) -> bool:
    colours = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _decode_raw(data: bytes, name: str, max_megapixels: float) -> Photo:
    """Camera raw, developed by LibRaw with the camera's white balance to 16 bit sRGB."""
    try:
        import rawpy
    except ImportError:
        raise MissingExtra("reading camera raw", "raw", "rawpy") from None
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            _check_size((raw.sizes.width, raw.sizes.height), name, max_megapixels)
            array = raw.postprocess(use_camera_wb=True, output_bps=16, no_auto_bright=True)
    except rawpy.LibRawError as error:
        raise UnreadableInput(f"{name} is not a raw file that LibRaw reads: {error}") from error
    notes = ("camera raw was developed with the camera's white balance",)
    meta = Meta(format="tiff", size_bytes=len(data), notes=notes)
    return _photo(_Raster(np.asarray(array)), meta, 1, name)


def _decode_float_tiff(data: bytes, name: str, max_megapixels: float) -> Photo:
    size = [(_tiff_numbers(data, tag) or [0])[0] for tag in (WIDTH, HEIGHT)]
    _check_size((size[0], size[1]), name, max_megapixels)
    raster = _by_opencv(data, name)
    raster = replace(raster, colour=raster.colour.astype(np.float32))
    meta = Meta(format="tiff", exif=_tiff_exif(data), icc=_tiff_value(data, exif_bytes.ICC))
    return _photo(raster, replace(meta, size_bytes=len(data)), 1, name)


def _is_float_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*") and _tiff_numbers(data, SAMPLE_FORMAT)[:1] == [3]


def _tiff_numbers(data: bytes, number: int) -> list[int]:
    order = ">" if data[:2] == b"MM" else "<"
    for tag in exif_bytes.tags(data):
        if tag.number == number and tag.kind in (3, 4):
            code = {3: "H", 4: "I"}[tag.kind]
            return list(struct.unpack(f"{order}{tag.count}{code}", tag.value))
    return []


def _tiff_value(data: bytes, number: int) -> bytes | None:
    return next((tag.value for tag in exif_bytes.tags(data) if tag.number == number), None)


def _tiff_exif(data: bytes) -> bytes | None:
    """The descriptive tags of a TIFF's first directory, as EXIF bytes."""
    wanted = exif_bytes.DESCRIPTIVE | {exif_bytes.ORIENTATION}
    if not any(tag.number in wanted for tag in exif_bytes.tags(data)):
        return None
    exif = PillowImage.Exif()
    with PillowImage.open(io.BytesIO(data)) as picture:
        source = picture.getexif()
        for number in wanted & set(source):
            if number in (exif_bytes.EXIF_IFD, exif_bytes.GPS_IFD):
                exif.get_ifd(number).update(source.get_ifd(number))
            else:
                exif[number] = source[number]
    return exif.tobytes()


def _register_heif(name: str) -> None:
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtra(f"reading HEIC ({name})", "heif", "pillow-heif") from None
    pillow_heif.register_heif_opener()


def _check_size(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    megapixels = size[0] * size[1] / 1e6
    if megapixels > max_megapixels:
        raise TooLarge(
            f"{name} has {size[0]} x {size[1]} = {megapixels:.0f} megapixels, more than the limit "
            f"of {max_megapixels:g}; raise --max-megapixels if you trust it"
        )


def _kind(data: bytes) -> str:
    try:
        data[:64].decode("utf-8")
    except UnicodeDecodeError:
        return "its kind is unknown"
    return "it holds text"
