"""The pictures of a study, and other folders' files matched to them by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from relume.errors import InputError, UnreadableInput
from relume.io import READABLE_SUFFIXES, read
from relume.photo import Image
from relume.study.dataset import name_some


def find_pictures(folder: Path) -> tuple[str, ...]:
    """The names of all pictures in a folder and below, sorted, as paths inside it with ``/``.

    Raises:
        UnreadableInput: no such folder.
        InputError: no picture in it, or two that differ in their ending only.
    """
    if not folder.is_dir():
        raise UnreadableInput(f"the pictures' folder {folder} is not there, or not a folder")
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.suffix.lower() in READABLE_SUFFIXES and file.is_file() and _visible(file, folder)
    )
    if not names:
        raise InputError(f"no picture in {folder}; expected files ending in .jpg, .png and so on")
    stems: dict[str, str] = {}
    for name in names:
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in stems:
            raise InputError(
                f"{folder} holds {stems[stem]} and {name}: files are matched by name without "
                "the ending, so keep one of them"
            )
        stems[stem] = name
    return tuple(names)


def match(folder: Path, names: Sequence[str], what: str) -> dict[str, Path]:
    """The file in ``folder`` for each picture name: same path inside it, any picture ending.

    Raises:
        InputError: pictures without a file, by name; ``what`` says whose folder it is.
    """
    if not folder.is_dir():
        raise UnreadableInput(f"{what}: the folder {folder} is not there")
    held = {
        str(file.relative_to(folder).with_suffix("").as_posix()): file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in READABLE_SUFFIXES
    }
    stems = {name: str(PurePosixPath(name).with_suffix("")) for name in names}
    missing = [name for name, stem in stems.items() if stem not in held]
    if missing:
        raise InputError(
            f"{what}: {len(missing)} of {len(names)} pictures have no file in {folder}: "
            f"{name_some(missing)}"
        )
    return {name: held[stem] for name, stem in stems.items()}


def check_sizes(pictures: Path, files: dict[str, Path], what: str) -> None:
    """Hold every matched file to the size of its picture.

    Raises:
        InputError: files of another size, each by name with both sizes.
    """
    wrong = []
    for name, file in files.items():
        wanted, got = size_px(pictures / name), size_px(file)
        if wanted != got:
            wrong.append(f"{name} ({got[0]}x{got[1]} instead of {wanted[0]}x{wanted[1]})")
    if wrong:
        raise InputError(
            f"{what}: {len(wrong)} of {len(files)} files differ in size from their picture: "
            f"{name_some(wrong)}"
        )


def size_px(file: Path) -> tuple[int, int]:
    """Width and height as shown (orientation applied), from the header where Pillow reads it."""
    import PIL.Image

    try:
        with PIL.Image.open(file) as picture:
            turned = picture.getexif().get(0x0112, 1) >= 5
            width, height = picture.size
            return (height, width) if turned else (width, height)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        # raw files, damaged headers: read() takes them, or says what is wrong
        pixels = read(file).pixels
        return (pixels.shape[1], pixels.shape[0])


def load(file: Path) -> Image:
    """A picture's pixels."""
    image: Image = read(file).pixels
    return image


def _visible(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)
