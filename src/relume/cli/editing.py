"""``relume enhance`` with edits as data: made and saved, followed, or given to other editors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

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
        from relume.io.atomic import write_atomic

        edit = self.edit or self._made(photo)
        result, row = replace(self, edit=edit).relit(photo, job, format)
        if result is None:
            return result, row
        if self.save_to is not None:
            write_atomic(self.save_to, edit.to_json().encode(), overwrite=self.overwrite)
        if self.cube_to is not None:
            text, note = _cube(edit, photo, result, Path(job.name).name)
            write_atomic(self.cube_to, text.encode(), overwrite=self.overwrite)
            row = replace(row, notes=(*row.notes, f"{self.cube_to}: {note}"))
        return result, row

    def relit(self, photo: Photo, job: Job, format: str) -> tuple[Photo | None, Row]:
        """The photo by the edit, and its row."""
        return super().photo(photo, job, format)

    def __call__(self, photo: Photo) -> Photo:
        """The photo as the edit says."""
        from relume.faces.front_door import face_finder

        assert self.edit is not None
        pixels = self.edit(photo.pixels, finder=face_finder, runtime=self.runtime)
        return photo.with_pixels(pixels)

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


def editing(
    work: Relighting,
    given: Mapping[str, Any],
    *,
    edit: Path | None,
    save_to: Path | None,
    cube_to: Path | None,
    overwrite: bool,
) -> Relighting:
    """``work``, or where one of the three files is named, that with an edit.

    ``given`` are the options that an edit answers by itself, by their names on the command line.

    Raises:
        ParameterError: options that do not go together.
        InputError: a file that is no edit.
    """
    if edit is None and save_to is None and cube_to is None:
        return work
    from relume.enhancers import methods
    from relume.enhancers.edit import Edit
    from relume.enhancers.options import check_options
    from relume.io.atomic import check_writable

    if type(work) is not Relighting:
        raise ParameterError("--edit, --save-edit and --cube are for one brightness of a photo")
    for target in (save_to, cube_to):
        if target is not None:
            check_writable(target, overwrite=overwrite)
    followed = None
    if edit is not None:
        asked = [name for name, value in given.items() if value is not None]
        if asked:
            raise ParameterError(f"{asked[0]} is part of an edit: leave it out beside --edit")
        try:
            followed = Edit.from_json(edit.read_text("utf-8"), str(edit))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise InputError(f"cannot read the edit {edit}: {reason}") from error
        info = methods().info(followed.method)
        work = replace(
            work,
            method=followed.method,
            parameters=info.check_parameters(followed.parameters),
            options={"strength": 1.0, "protect_lit": True} | check_options(info, followed.options),
        )
    if cube_to is not None and not methods().info(work.method).takes_local:
        raise ParameterError(f"--cube: {work.method} plans no exposure; relume and machine do")
    own = {field.name: getattr(work, field.name) for field in fields(work)}
    return Editing(**own, edit=followed, save_to=save_to, cube_to=cube_to, overwrite=overwrite)


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
