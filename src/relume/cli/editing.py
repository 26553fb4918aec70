"""``relume enhance`` with edits as data: made and saved, followed, or given to other editors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from relume.cli.relighting import Relighting
from relume.cli.work import Row
from relume.errors import InputError, ParameterError

if TYPE_CHECKING:
    from relume.cli.jobs import Job
    from relume.enhancers.edit import Edit
    from relume.photo import Photo


@dataclass(frozen=True, kw_only=True)
class Editing(Relighting):
    """A photo relit by ``edit``, or by one that is made for it; and what of that is written.

    ``save_to`` is a file for the edit, ``cube_to`` one for its global part.
    """

    edit: Edit | None = None
    save_to: Path | None = None
    cube_to: Path | None = None
    overwrite: bool = False

    takes_shards: ClassVar[bool] = False

    def photo(self, photo: Photo, job: Job, format: str) -> tuple[Photo | None, Row]:
        """As of :class:`Relighting`, the edit and its cube written."""
        from relume.faces.front_door import face_finder
        from relume.io.atomic import write_atomic

        edit = self.edit or self._made(photo)

        def followed(photo: Photo) -> Photo:
            pixels = edit(photo.pixels, finder=face_finder, runtime=self.runtime)
            return photo.with_pixels(pixels)

        result, row = self.done(followed, photo, job, format)
        if result is None:
            return result, row
        if self.save_to is not None:
            write_atomic(self.save_to, edit.to_json().encode(), overwrite=self.overwrite)
        if self.cube_to is not None:
            text, note = _cube(edit, photo, result, Path(job.name).name)
            write_atomic(self.cube_to, text.encode(), overwrite=self.overwrite)
            row = replace(row, notes=(*row.notes, f"{self.cube_to}: {note}"))
        return result, row

    def check_clips(self) -> None:
        """Raise ParameterError: this is for photos only."""
        raise ParameterError("--edit, --save-edit and --cube are for photos")

    def _made(self, photo: Photo) -> Edit:
        from relume.enhancers.edit import Edit
        from relume.faces.front_door import face_finder

        return Edit.of(
            photo.pixels,
            self.method,
            parameters=self.parameters,
            options=self.options,
            exposure=self.exposure and self.exposure[0],
            runtime=self.runtime,
            finder=face_finder,
        )


def read_edit(path: Path) -> Edit:
    """The edit in a file.

    Raises:
        InputError: it cannot be read, or is no edit.
    """
    from relume.enhancers.edit import Edit

    try:
        return Edit.from_json(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot read the edit {path}: {reason}") from error


def _cube(edit: Edit, photo: Photo, result: Photo, name: str) -> tuple[str, str]:
    """The text of the .cube file, and how far it is from the result."""
    from relume.exposure.cube import as_cube, look_up_table, looked_up
    from relume.image.exposure import subsample
    from relume.metrics.quality import psnr

    assert edit.plan is not None, "of a method that plans"
    table = look_up_table(edit.plan, photo.pixels)
    before, after = (subsample(x.pixels, 250_000) for x in (photo, result))
    apart = psnr(looked_up(table, before), after)
    left_out = "noise removal" if edit.plan.is_even else "noise removal and light by place"
    return as_cube(table, f"relume: {name}"), (
        f"colours only, {left_out} left out: {apart:.1f} dB from the result"
    )
