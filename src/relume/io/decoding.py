"""Bytes to a photo: which decoder takes which file, and what is done about odd pixels.

OpenCV decodes what it decodes faster (JPEG) or in more bits (PNG and TIFF of 16 bits and float);
Pillow reads every header, and decodes the rest.
"""

from __future__ import annotations

import struct
from io import BytesIO

import cv2
import numpy as np
import PIL.Image
from PIL import ImageCms, ImageFile, JpegImagePlugin, TiffImagePlugin

from relume.errors import InputError, RelumeError, UnreadableInput
from relume.io import extras
from relume.io.exif import Directory, directories, packet, split_orientation
from relume.io.formats import sniff
from relume.io.jpeg import estimate_quality, is_complete
from relume.io.opening import check_size, open_header
from relume.io.png import GREY, PALETTE, PngHeader, read_header
from relume.io.raster import Raster, split
from relume.photo import Array, Photo

OPENCV_LOG_LEVEL = cv2.utils.logging.getLogLevel()
SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
# what describes the picture, not its pixels: names, makers, times, ratings, captions
EXIF_OF_TIFF = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33723, *range(40091, 40096)}
)
EXIF_POINTERS = (34665, 34853)
# dtype, bits a sample, sample format (1 whole numbers, 3 floats)
DEEP = ((np.uint16, {16}, {1}), (np.float32, {32}, {3}), (np.float64, {64}, {3}))


def decode(data: bytes, *, name: str = "input", max_megapixels: float = 200.0) -> Photo:
    """The photo in ``data``; ``name`` stands for it in errors, and its ending names camera raw.

    The pixels are upright, in the depth and colour space of the file (a wide-gamut profile is
    carried along, not converted from). What had to be changed stands in ``meta.notes``.

    Raises:
        UnreadableInput: empty, truncated, damaged, or no picture.
        TooLarge: more pixels than ``max_megapixels`` million; found before any is decoded.
        InputError: floating point pixels that are not finite or outside [0, 1].
        MissingExtra: HEIC or camera raw without the package that reads it.
    """
    if not data:
        raise UnreadableInput(f"{name} is empty (0 bytes)")
    try:
        format = sniff(data, name)
        if format is None:
            raise UnreadableInput(_what_it_looks_like(data))
        return _raster(data, format, max_megapixels).to_photo(format, len(data))
    except RelumeError as error:
        if isinstance(error, InputError):
            raise type(error)(f"{name}: {error}") from error
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableInput(f"{name}: damaged or truncated: {reason}") from error


def _what_it_looks_like(data: bytes) -> str:
    head = data[:512]
    if b"\0" not in head and head.isascii():
        return "not a picture: it holds text"
    return "not a picture of a known format (JPEG, PNG, WebP, TIFF, AVIF, HEIC, camera raw)"


def _raster(data: bytes, format: str, max_megapixels: float) -> Raster:
    if format == "raw":
        return extras.read_raw(data, max_megapixels)
    if format == "heif":
        return extras.read_heif(data, max_megapixels)
    if format == "png":
        return _read_png(data, max_megapixels)
    if format == "tiff":
        return _read_tiff(data, max_megapixels)
    picture = open_header(data)
    check_size(*picture.size, max_megapixels)
    if format == "jpeg":
        return _read_jpeg(data, picture)
    return _with_frames_noted(_read_with_pillow(picture), picture)


def _opencv(data: bytes, how: int = cv2.IMREAD_UNCHANGED) -> Array | None:
    """The pixels, as they are stored if not told otherwise, or None.

    Quiet, for what is wrong is said by us, once.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(OPENCV_LOG_LEVEL)
    return None if pixels is None else np.asarray(pixels)


def _read_jpeg(data: bytes, picture: ImageFile.ImageFile) -> Raster:
    if not is_complete(data):
        raise UnreadableInput("truncated JPEG: the end is missing")
    how = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR_RGB}.get(picture.mode)
    pixels = None if how is None else _opencv(data, how | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is not None:
        raster = Raster(pixels)
        _take_metadata(raster, picture)
    else:
        # CMYK, and what OpenCV refuses: Pillow knows why
        raster = _read_with_pillow(picture)
    raster.jpeg_quality = estimate_quality(getattr(picture, "quantization", {}))
    if picture.mode == "RGB" and isinstance(picture, JpegImagePlugin.JpegImageFile):
        raster.jpeg_subsampling = SAMPLINGS.get(JpegImagePlugin.get_sampling(picture))
    return _with_frames_noted(raster, picture)


def _read_png(data: bytes, max_megapixels: float) -> Raster:
    header = read_header(data)
    check_size(header.width, header.height, max_megapixels)
    picture = open_header(data)
    # tRNS with grey, palettes and 1 to 4 bits: Pillow expands them all
    is_plain = header.depth_bits >= 8 and header.colour_type != PALETTE
    if header.depth_bits == 8 and header.has_transparent_colour:
        is_plain = False
    raster = _read_plain_png(data, header) if is_plain else _read_with_pillow(picture)
    raster.icc, raster.xmp, raster.dpi = header.icc, header.xmp, header.dpi
    raster.exif = header.exif or raster.exif or picture.info.get("exif")
    return _with_frames_noted(raster, picture)


def _read_plain_png(data: bytes, header: PngHeader) -> Raster:
    pixels = _opencv(data)
    if pixels is None:
        raise UnreadableInput("damaged or truncated PNG")
    colour, alpha = split(pixels)
    if header.colour_type in (GREY, 4) and colour.ndim == 3:
        colour = np.ascontiguousarray(colour[:, :, 0])
    return Raster(colour, alpha)


def _read_tiff(data: bytes, max_megapixels: float) -> Raster:
    # both decoders would turn the pixels themselves, each in its own cases
    orientation, data = split_orientation(data)
    found = next(directories(data), None)
    if found is not None:
        size = (found.number(data, 256), found.number(data, 257))
        check_size(*size, max_megapixels)
    if found is not None and _needs_opencv(found, data):
        raster = _read_deep_tiff(data, found)
    else:
        picture = open_header(data)
        check_size(*picture.size, max_megapixels)
        raster = _read_with_pillow(picture)
        _take_tiff_metadata(raster, picture)
        _with_frames_noted(raster, picture)
        if found is not None and found.number(data, 262) == 0 and raster.colour.dtype == np.uint16:
            raster.colour = 65535 - raster.colour  # white is zero, which Pillow sees to in 8 bits
    raster.orientation = orientation
    return raster


def _needs_opencv(found: Directory, data: bytes) -> bool:
    """Whether there are several channels of more than 8 bits, which Pillow would cut to 8.

    Or more than 32, which it does not open at all.
    """
    bits = found.numbers(data, 258) or (1,)
    is_separated = found.number(data, 262) == 5  # CMYK
    return max(bits) > 32 or (len(bits) > 1 and max(bits) > 8 and not is_separated)


def _read_deep_tiff(data: bytes, found: Directory) -> Raster:
    bits = set(found.numbers(data, 258))
    formats = set(found.numbers(data, 339)) or {1}
    expected = next((d for d, *kinds in DEEP if kinds == [bits, formats]), None)
    if expected is None:
        raise UnreadableInput(
            f"a TIFF of {'/'.join(map(str, sorted(bits)))} bits and sample format "
            f"{'/'.join(map(str, sorted(formats)))} is not supported; expected whole numbers of 8 "
            "or 16 bits, or floats of 32 or 64"
        )
    if found.number(data, 284, 1) != 1:
        raise UnreadableInput("a TIFF of separate colour planes is not supported; interleave them")
    pixels = _opencv(data)
    if pixels is None or pixels.dtype != expected:
        raise UnreadableInput(f"damaged, truncated or unusual TIFF of {max(bits)} bits a channel")
    if expected == np.float64:
        pixels = pixels.astype(np.float32)
    raster = Raster(*split(pixels))
    pages = sum(1 for _ in directories(data))
    if pages > 1:
        raster.notes.append(_frames_note(pages))
    try:
        _take_tiff_metadata(raster, open_header(data))
    except UnreadableInput:  # Pillow cannot open RGB floats at all
        raster.icc, raster.xmp = (packet(data, found, tag) for tag in (34675, 700))
        raster.dpi = _resolution(data, found)
    return raster


def _resolution(data: bytes, found: Directory) -> tuple[float, float] | None:
    """Dots per inch in both directions, where both are given in inches."""
    ratios = [
        struct.unpack(found.order + "II", packet(data, found, tag) or bytes(8))
        for tag in (282, 283)
    ]
    if found.number(data, 296, 2) != 2 or not all(n and d for n, d in ratios):
        return None
    (x, per_x), (y, per_y) = ratios
    return x / per_x, y / per_y


def _read_with_pillow(picture: ImageFile.ImageFile) -> Raster:
    picture.load()
    raster = _from_pillow(picture)
    _take_metadata(raster, picture)
    return raster


def _from_pillow(picture: PIL.Image.Image) -> Raster:
    """Any of Pillow's modes as grey or RGB, 8 or 16 bit or float, and alpha."""
    mode = picture.mode
    if mode in ("P", "PA", "LA", "La", "RGBa", "1") or "transparency" in picture.info:
        has_alpha = mode in ("PA", "LA", "La", "RGBa") or "transparency" in picture.info
        is_grey = mode in ("1", "L", "LA", "La") or _has_grey_palette(picture)
        wanted = ("LA" if has_alpha else "L") if is_grey else ("RGBA" if has_alpha else "RGB")
        picture = picture.convert(wanted) if mode != "1" or has_alpha else picture.convert("L")
    if picture.mode == "CMYK":
        return _from_cmyk(picture)
    if picture.mode.startswith("I;16"):
        return Raster(np.asarray(picture, np.uint16))
    if picture.mode == "F":
        return Raster(np.asarray(picture, np.float32))
    if picture.mode == "I":
        raise UnreadableInput("32 bit whole numbers are not supported; save it with 16 bits")
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        picture = picture.convert("RGB")  # YCbCr, RGBX, HSV; what Pillow cannot convert, it says
    pixels = np.array(picture)
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return Raster(pixels)
    colour = pixels[:, :, 0] if pixels.shape[2] == 2 else pixels[:, :, :3]
    return Raster(np.ascontiguousarray(colour), np.ascontiguousarray(pixels[:, :, -1]))


def _has_grey_palette(picture: PIL.Image.Image) -> bool:
    if picture.mode != "P":
        return False
    colours = np.array(picture.getpalette("RGB") or [0, 0, 0], np.uint8).reshape(-1, 3)
    used = colours[np.unique(np.asarray(picture)).clip(0, len(colours) - 1)]
    return bool((used == used[:, :1]).all())


def _from_cmyk(picture: PIL.Image.Image) -> Raster:
    """CMYK as sRGB, by the file's profile if it has one that works."""
    icc = picture.info.get("icc_profile")
    note = "the picture was CMYK and is now sRGB"
    if icc:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(icc))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return Raster(np.array(converted), notes=[f"{note}, converted by its colour profile"])
    return Raster(np.array(picture.convert("RGB")), notes=[f"{note}; it had no usable profile"])


def _take_metadata(raster: Raster, picture: PIL.Image.Image) -> None:
    info = picture.info
    raster.exif = info.get("exif")
    xmp = info.get("xmp")
    raster.xmp = xmp.encode() if isinstance(xmp, str) else xmp
    # a profile of CMYK does not describe the pixels that were made of it
    raster.icc = None if picture.mode == "CMYK" else info.get("icc_profile")
    dpi = [float(value) for value in info.get("dpi") or ()]
    if len(dpi) == 2 and min(dpi) > 0 and np.isfinite(dpi).all():
        raster.dpi = (dpi[0], dpi[1])


def _take_tiff_metadata(raster: Raster, picture: ImageFile.ImageFile) -> None:
    """A TIFF's own tags that an EXIF would hold, as an EXIF; its XMP and ICC."""
    if raster.icc is None and raster.xmp is None:
        _take_metadata(raster, picture)
    raster.exif = None
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    found = picture.getexif()
    kept = PIL.Image.Exif()
    for tag in EXIF_OF_TIFF & set(found):
        kept[tag] = found[tag]
    for pointer in EXIF_POINTERS:
        if pointer in found:
            kept[pointer] = found.get_ifd(pointer)
    if len(kept):
        raster.exif = kept.tobytes()


def _with_frames_noted(raster: Raster, picture: PIL.Image.Image) -> Raster:
    frames = int(getattr(picture, "n_frames", 1))
    if frames > 1:
        raster.notes.append(_frames_note(frames))
    return raster


def _frames_note(frames: int) -> str:
    return f"the file holds {frames} pictures (frames, pages or previews); only the first was used"
