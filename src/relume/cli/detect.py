"""``relume detect`` and ``relume landmarks``: faces in photos and clips, as text, JSON, drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from relume.catalog import split_specs
from relume.cli import options
from relume.cli.command import Command, arg, local_path, opt
from relume.cli.console import PIPE
from relume.errors import InputError, OutputError, ParameterError
from relume.io.formats import MAX_MEGAPIXELS

if TYPE_CHECKING:
    from relume.cli.finding import Found
    from relume.cli.jobs import Job

DRAWN = ".faces"


@dataclass(frozen=True, kw_only=True)
class Detect(Command):
    """Find faces in photographs and clips, also dark ones.

    Dark photographs are searched as they are and relit. In a clip, faces have track numbers.
    """

    inputs: list[str] = arg(
        "PHOTO|DIR|CLIP|-", "Photos, clips, or folders of both; - is standard input."
    )
    detector: str | None = opt(
        "--detector -d NAME[:PARAMS]",
        "What finds faces; 'relume methods' lists them.",
        shown="yunet if it is here, else relume",
        names="detectors",
    )
    landmarker: str | None = opt(
        "--landmarks --landmarker -l NAME",
        "Also find 68 points in every face, by relume (as relume landmarks), peppa or fan.",
        names="landmarkers",
    )
    threshold: float | None = opt(
        "--threshold SCORE",
        "Lowest score of a face that is reported: 0 to 1.",
        shown="the detector's own, 0.6",
    )
    views: str | None = opt(
        "--views NAME,...",
        "What is searched: the photo as it is (original), relit by a method, or both.",
        shown="original, with yunet machine too; more where it is nearly black",
        names="methods,",
    )
    draw: str | None = opt(
        "--draw FILE|DIR", "Write the photos, or the clip, with boxes drawn around the faces."
    )
    draw_on: Literal["original", "relit"] | None = opt(
        "--draw-on", "Draw on the photo as it is, or relit.", shown="relit if the photo is dark"
    )
    as_json: str | None = opt("--json FILE|-", "Write one JSON document; - is standard output.")
    output: str | None = opt(
        "--output -o FILE|-",
        "Write JSON lines, one a photo or frame, or a .parquet table, a row a face.",
    )
    every: int | None = opt(
        "--every N", "Of a clip: search every Nth frame, follow faces between.", shown="5"
    )
    on: options.On = "local"
    processes: options.Processes = None
    overwrite: options.Overwrite = False
    skip_existing: options.SkipExisting = False
    max_megapixels: options.Megapixels = MAX_MEGAPIXELS
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Find the photos, refuse what does not go together, search them."""
        given = self._given()
        from relume.cli import tracks
        from relume.cli.search import Search, Searched
        from relume.cli.tables import FACES, Rows
        from relume.cli.work import Worker

        if len(self.inputs) == 1 and tracks.takes(self.inputs[0]):
            for_photos = {
                "--json": self.as_json, "--views": self.views, "--on": self.on != "local",
                "--jobs": self.processes, "--skip-existing": self.skip_existing,
            }  # fmt: skip
            options.refuse(for_photos, "is for photos: a clip's faces go to -o faces.jsonl")
            tracks.track(self, given)
            return
        as_json, output = self.as_json, self.output
        if as_json is not None and output is not None:
            raise ParameterError(
                "--json and --output are two forms of one result: give one of them"
            )
        if as_json not in (None, PIPE) and local_path(as_json).exists() and not self.overwrite:
            raise OutputError(f"{as_json} exists already; give --overwrite to replace it")
        rows = None
        if output not in (None, PIPE):
            rows = Rows(output, FACES, overwrite=self.overwrite, go_on=self.skip_existing)
        if self.skip_existing and (self.overwrite or rows is None):
            raise ParameterError("--skip-existing goes on with a file of -o, without --overwrite")
        if PIPE in self.inputs and self.on != "local":
            raise ParameterError("a pipe is read here: --on takes files")
        found, todo = self._jobs()
        if self.every is not None and not any(job.is_clip for job in todo):
            raise ParameterError("--every is for a clip")
        search = Search(options.with_detector(given), self.draw_on, self.every)
        worker = Worker(search, None, self.overwrite, max_megapixels=self.max_megapixels)
        Searched(self, worker, todo, found, rows).go()

    @property
    def points(self) -> str | None:
        """What finds the 68 points."""
        return self.landmarker

    def _given(self) -> dict[str, Any]:
        """The options of :func:`relume.faces.detect` that were asked for, names checked."""
        options.check_range("--threshold", self.threshold, 0, 1)
        from relume import faces

        catalogues = (faces.detectors(), self.detector), (faces.landmarkers(), self.points)
        for catalogue, spec in catalogues:
            if spec is not None:
                catalogue.parse(spec)
        chosen = {
            "detector": self.detector,
            "landmarks": self.points,
            "threshold": self.threshold,
            "views": None if self.views is None else split_specs(self.views),
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def _jobs(self) -> tuple[Found, list[Job]]:
        """Each photo and clip (or what comes from a pipe), and where its drawing goes.

        Raises:
            OutputError: a drawing may not be written; said before any photo is searched.
        """
        from relume.cli import finding, jobs, lists
        from relume.io.places import place

        inputs, draw = self.inputs, self.draw
        if not all(inputs):
            raise InputError("expected the name of a photo or a folder, got an empty one")
        if PIPE in inputs:
            if len(inputs) > 1:
                raise ParameterError("- stands for one photo: name no other input beside it")
            job = jobs.from_pipe()
            return finding.Found(), [replace(job, target=None if draw is None else place(draw))]
        found = lists.find(inputs, exclude=draw, clips=True)
        if draw is None:
            return found, [jobs.Job(picture.source) for picture in found.pictures]
        planned = jobs.plan(found.pictures, output=draw, several=found.several, mark=DRAWN)
        for job in planned:
            if job.replaces_input:
                raise OutputError(f"the drawing would replace the input {job.source}; name another")
        # going on, a drawing may be there already whose row was not written
        overwrite = self.overwrite or self.skip_existing
        refusals = [said for job in planned if (said := job.refusal(overwrite=overwrite))]
        if refusals:
            more = f" ({len(refusals) - 1} more like this)" if len(refusals) > 1 else ""
            raise OutputError(refusals[0] + more)
        return found, planned


class Landmarks(Detect):
    """Find 68 points in every face, too: detect --landmarks relume."""

    @property
    def points(self) -> str:
        """What finds the 68 points."""
        from relume.faces import USUAL_LANDMARKER

        return self.landmarker or USUAL_LANDMARKER
