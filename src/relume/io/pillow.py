"""What Pillow reads and writes: WebP, AVIF, GIF, BMP, CMYK, palettes, and most metadata."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
from PIL import ImageCms, ImageFile

from relume.errors import UnreadableInput
from relume.io.boxes import encoding_of, is_deep, left_out
from relume.io.exif import sanitized_exif
from relume.io.raster import Raster, check_size, open_header
from relume.photo import Meta

WEBP_QUALITY = 92
AVIF_QUALITY = 85
LOSSLESS_EFFORT = 75
MOST_CHUNKS = 100
"""Before a WebP's first picture."""

IPTC_RESOURCE = 0x0404


def read(data: bytes, max_megapixels: float) -> Raster:
    """Any picture that Pillow decodes, its first frame.

    Raises:
        UnreadableInput: a damaged file, or 32 bit whole numbers.
        TooLarge: more pixels than allowed.
    """
    if data[8:12] == b"WEBP" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        # libwebp refuses a header that names more bytes than there are, all the same what they are
        data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    picture = open_header(data)
    check_size(*picture.size, max_megapixels)
    raster = load(picture)
    if picture.format == "WEBP":
        raster.describe(lossless=is_lossless(data))
    if picture.format == "AVIF":
        if is_deep(data):
            raster.note("the picture had more than 8 bits a channel; Pillow reads 8 of them")
        raster.encoding, raster.left_out = encoding_of(data), left_out(data)
        # by the container's own properties, which Pillow gives as EXIF; none of XMP's counts
        raster.orientation = sanitized_exif(raster.meta.exif)[0] or 1
    note_frames(raster, picture)
    return raster


def load(picture: ImageFile.ImageFile) -> Raster:
    """The picture decoded, with the metadata that Pillow finds.

    Raises:
        UnreadableInput: 32 bit whole numbers.
    """
    picture.load()
    raster = _from_pillow(picture)
    raster.describe(**metadata(picture))
    return raster


def metadata(picture: PIL.Image.Image) -> dict[str, object]:
    """What Pillow found beside the pixels, as fields of :class:`Meta`."""
    info = picture.info
    xmp, comment = info.get("xmp"), info.get("comment")
    dpi = [float(value) for value in info.get("dpi") or ()]
    return {
        "exif": info.get("exif"),
        "xmp": xmp.encode() if isinstance(xmp, str) else xmp,
        # a profile of CMYK does not describe the pixels that were made of it
        "icc": None if picture.mode == "CMYK" else info.get("icc_profile"),
        "dpi": tuple(dpi) if len(dpi) == 2 and min(dpi) > 0 and np.isfinite(dpi).all() else None,
        "iptc": info.get("photoshop", {}).get(IPTC_RESOURCE),
        "text": (("Comment", _text(comment)),) if isinstance(comment, bytes) else (),
    }


def iptc_of(resources: bytes) -> bytes | None:
    """The IPTC records in Photoshop's image resources, or in a profile that is just them."""
    if resources.startswith(b"\x1c"):
        return resources
    at = 0
    while resources[at : at + 4] == b"8BIM":
        kind = int.from_bytes(resources[at + 4 : at + 6], "big")
        name_bytes = 1 + int.from_bytes(resources[at + 6 : at + 7], "big")
        at += 6 + name_bytes + name_bytes % 2
        size = int.from_bytes(resources[at : at + 4], "big")
        if kind == IPTC_RESOURCE:
            return resources[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return None


def _text(data: bytes) -> str:
    """Text of an unknown encoding."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def note_frames(raster: Raster, frames: PIL.Image.Image | int) -> None:
    """Note that a file holds more pictures than are used, if it does."""
    if not isinstance(frames, int):
        try:
            frames = int(getattr(frames, "n_frames", 1))
        except Exception:  # a second picture may be damaged in any way, and is not used
            raster.note("the file holds more than one picture; only the first could be read")
            return
    if frames > 1:
        raster.note(
            f"the file holds {frames} pictures (frames, pages or previews); only the first was used"
        )


def write_webp(raster: Raster) -> bytes:
    """uint8 pixels as WebP; without loss at 100, and if it was read so and no quality is given."""
    quality = WEBP_QUALITY if raster.quality is None else raster.quality
    lossless = quality == 100
    if raster.quality is None and raster.meta.lossless:
        quality, lossless = LOSSLESS_EFFORT, True
    # exact: what lies below transparent places stays too
    return _save(raster, "WEBP", quality=quality, lossless=lossless, exact=True, method=4)


def write_avif(raster: Raster) -> bytes:
    """uint8 pixels as AVIF."""
    return _save(raster, "AVIF", quality=AVIF_QUALITY if raster.quality is None else raster.quality)


def _save(raster: Raster, format: str, **options: int | bool) -> bytes:
    out = BytesIO()
    PIL.Image.fromarray(raster.channels()).save(out, format, **options, **packets(raster.meta))
    return out.getvalue()


def packets(meta: Meta) -> dict[str, bytes]:
    """EXIF, ICC and XMP by the names that Pillow and pillow-heif have for them."""
    given = {"exif": meta.exif, "icc_profile": meta.icc, "xmp": meta.xmp}
    return {key: value for key, value in given.items() if value}


def is_lossless(webp: bytes) -> bool:
    """Whether the first picture of a WebP is in a chunk "VP8L"."""
    at = 12
    for _ in range(MOST_CHUNKS):
        kind, size = webp[at : at + 4], int.from_bytes(webp[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
        # a frame holds its chunks behind 16 bytes of its own
        at += 24 if kind == b"ANMF" else 8 + size + size % 2
    return False


def _from_pillow(picture: PIL.Image.Image) -> Raster:
    """Any of Pillow's modes as grey or RGB, 8 or 16 bit or float, and alpha."""
    mode = picture.mode
    if mode in ("P", "PA", "LA", "La", "RGBa", "1") or "transparency" in picture.info:
        has_alpha = mode in ("PA", "LA", "La", "RGBa") or "transparency" in picture.info
        is_grey = mode in ("1", "L", "LA", "La") or _has_grey_palette(picture)
        target = ("LA" if has_alpha else "L") if is_grey else ("RGBA" if has_alpha else "RGB")
        picture = picture.convert(target) if mode != "1" or has_alpha else picture.convert("L")
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
            note = f"{note}, converted by its colour profile"
            return Raster(np.array(converted), meta=Meta(notes=(note,)))
    note = f"{note}; it had no usable profile"
    return Raster(np.array(picture.convert("RGB")), meta=Meta(notes=(note,)))
