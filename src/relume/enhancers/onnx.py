"""Anybody's picture-to-picture network: ``onnx:FILE``, run by relume's own engine.

What the graph says about itself is read from it: the layout, the type, the sizes it takes. What it
cannot say (the order of channels, the range of values) is a parameter.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from relume.catalog import Info, Parameter
from relume.engine import Network, Runtime, load
from relume.enhancers.base import own_network
from relume.errors import InputError, ParameterError, RelumeError, WeightsError
from relume.image.tiles import run_tiled
from relume.photo import Image

if TYPE_CHECKING:
    import openvino

HALO_PX = 128
"""What a tile shows around itself: what such a network sees is not known."""

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""What heights and widths may have to be multiples of, tried in this order."""

PROBE_PX = 128
"""The least side of a picture that a graph is tried with: smaller than its kernels, it fails."""

SCALES: dict[str, tuple[float, float]] = {
    "1": (1.0, 0.0),
    "255": (255.0, 0.0),
    "-1..1": (2.0, -1.0),
}
"""How values in [0, 1] become the network's: times the first, plus the second."""


@dataclass(frozen=True)
class Interface:
    """What a graph takes and gives: one picture each, (1, 3, H, W) or (1, H, W, 3).

    ``height`` and ``width`` are those it is fixed to, None where they are free; ``multiple`` is
    what they must be multiples of.
    """

    input: str
    output: str
    layout: str
    dtype: npt.DTypeLike
    height: int | None
    width: int | None
    multiple: int


@dataclass(frozen=True)
class OnnxEnhancer:
    """A network of the user's own, a photo in and a photo of the same size out."""

    file: str = ""
    order: str = "rgb"
    range: str = "auto"
    layout: str = "auto"
    multiple: int = 0
    output: str = ""
    tile_px: int = 2048
    runtime: Runtime = field(default_factory=Runtime)

    info: ClassVar[Info] = Info(
        name="onnx",
        summary="a network of your own: picture in, picture of the same size out",
        licence="your network's",
        source="an .onnx file that you name, as in onnx:net.onnx",
        parameters=(
            Parameter("file", "the .onnx file", ""),
            Parameter("order", "how it orders the channels", "rgb", choices=("rgb", "bgr")),
            Parameter(
                "range",
                "its values: 0 to 1, 0 to 255 or -1 to 1; auto is 255 for bytes, else 1",
                "auto",
                choices=("auto", *SCALES),
            ),
            Parameter(
                "layout", "channels before or behind", "auto", choices=("auto", "nchw", "nhwc")
            ),
            Parameter(
                "multiple",
                "heights and widths must be multiples of it; 0 reads it from the graph",
                0,
                0,
                1024,
            ),
            Parameter("output", "the output that is the picture, if there are several", ""),
            Parameter(
                "tile_px",
                "longest side done in one go; a longer one is done in tiles of half of that",
                2048,
                128,
                16384,
            ),
        ),
        needs_file=True,
    )

    def with_runtime(self, runtime: Runtime) -> OnnxEnhancer:
        """The same method, run as ``runtime`` says."""
        return replace(self, runtime=runtime)

    def describe(self) -> str:
        """One line: what runs, on what, in which precision, and how pictures are handed to it."""
        network, interface = self._loaded()
        return (
            f"{network.describe()}; {self.order}, {interface.layout}, values "
            f"{self._range(interface)}, sizes in multiples of {interface.multiple}"
        )

    def __call__(self, image: Image) -> Image:
        """What the network makes of the photo, not clamped."""
        network, interface = self._loaded()
        height, width = image.shape[:2]
        self._check_size(interface, height, width)
        if interface.height or interface.width:
            return self._infer(network, interface, image)
        multiple = interface.multiple
        tile_px = max(self.tile_px // multiple, 1) * multiple
        tiled = max(height, width) > tile_px
        if tiled:
            tile_px = max(tile_px // 2 // multiple, 1) * multiple

        def enhance(tile: Image) -> Image:
            result = self._infer(network, interface, tile)
            if tiled:
                network.release_memory()  # each size of tile would keep its own
            return result

        return run_tiled(enhance, image, tile_px=tile_px, halo_px=HALO_PX, multiple=multiple)

    def _loaded(self) -> tuple[Network, Interface]:
        """The network, loaded once a process, and how it wants its pictures."""
        if not self.file:
            raise ParameterError("onnx needs a network: name its file, as in onnx:net.onnx")
        model = own_network(self.file, "the network")
        network = load(model, runtime=self.runtime)
        stamp = model.stat().st_mtime_ns
        interface = read_interface(model, stamp, self.layout, self.output, self.multiple)
        return network, interface

    def _check_size(self, interface: Interface, height: int, width: int) -> None:
        fixed = (interface.height or height, interface.width or width)
        if fixed != (height, width):
            raise InputError(
                f"{Path(self.file).name} takes pictures of {fixed[1]}x{fixed[0]} only, this one is "
                f"{width}x{height}; export it with free height and width (dynamic_axes)"
            )

    def _range(self, interface: Interface) -> str:
        if self.range != "auto":
            return self.range
        return "255" if np.dtype(interface.dtype).kind == "u" else "1"

    def _infer(self, network: Network, interface: Interface, tile: Image) -> Image:
        """One picture (H, W, 3) through the network, any values out."""
        scale, shift = SCALES[self._range(interface)]
        values = tile[:, :, ::-1] if self.order == "bgr" else tile
        if (scale, shift) != (1, 0):
            values = values * np.float32(scale) + np.float32(shift)
        if np.dtype(interface.dtype).kind in "ui":
            values = np.rint(values)
        batch = values.transpose(2, 0, 1) if interface.layout == "nchw" else values
        batch = np.ascontiguousarray(batch[None], interface.dtype)
        result = network({interface.input: batch})[interface.output]
        if result.shape != batch.shape:
            raise RelumeError(
                f"{Path(self.file).name} gave {result.shape} for a picture of {batch.shape}; "
                "expected the same shape (is 'multiple' right?)"
            )
        picture = np.asarray(result[0], np.float32)
        if interface.layout == "nchw":
            picture = picture.transpose(1, 2, 0)
        if self.order == "bgr":
            picture = picture[:, :, ::-1]
        if (scale, shift) != (1, 0):
            picture = (picture - np.float32(shift)) / np.float32(scale)
        return np.ascontiguousarray(picture)


@functools.lru_cache(maxsize=16)
def read_interface(
    model: Path, stamp_ns: int, layout: str, output: str, multiple: int
) -> Interface:
    """How the graph in ``model`` wants its pictures; ``stamp_ns`` tells a file written anew.

    Raises:
        WeightsError: not one picture in and out, or of other channels than three.
        ParameterError: what the graph cannot say must be given, or is given and wrong.
    """
    del stamp_ns
    from relume.engine.openvino import read_graph

    graph, name = read_graph(model), model.name
    if len(graph.inputs) != 1:
        names = ", ".join(port.any_name for port in graph.inputs) or "nothing"
        raise WeightsError(f"{name}: expected one input, a picture; it takes {names}")
    port = graph.inputs[0]
    dims = _dims(port)
    if len(dims) != 4 or dims[0] not in (1, None):
        raise WeightsError(
            f"{name}: expected an input of shape (1, 3, H, W) or (1, H, W, 3), got {_show(dims)}"
        )
    layout = _layout(name, dims, layout)
    rows = 2 if layout == "nchw" else 1
    height, width = dims[rows : rows + 2]
    chosen = _output(name, graph, output, layout)
    if not multiple:
        free = height is None and width is None
        multiple = _multiple(model, layout, chosen) if free else 1
    dtype = port.get_element_type().to_dtype()
    return Interface(port.any_name, chosen, layout, dtype, height, width, multiple)


def _layout(name: str, dims: Sequence[int | None], asked: str) -> str:
    """Where the three channels are: as asked, else where the graph has a three."""
    three = {layout: dims[at] == 3 for layout, at in (("nchw", 1), ("nhwc", 3))}
    other = {layout: dims[at] not in (3, None) for layout, at in (("nchw", 1), ("nhwc", 3))}
    if other.get(asked, any(other.values()) and not any(three.values())):
        raise WeightsError(f"{name}: expected a picture of 3 channels, it takes {_show(dims)}")
    if asked != "auto":
        return asked
    if not any(three.values()):
        raise ParameterError(
            f"{name} does not say where its channels are: give layout=nchw or layout=nhwc"
        )
    return "nchw" if three["nchw"] else "nhwc"


def _output(name: str, graph: openvino.Model, asked: str, layout: str) -> str:
    """The output that is a picture: the one asked for, else the only one that can be."""
    names = [port.any_name for port in graph.outputs]
    if asked:
        if not any(asked in port.names for port in graph.outputs):
            raise ParameterError(f"{name} has no output {asked!r}; it has: {', '.join(names)}")
        names = [port.any_name for port in graph.outputs if asked in port.names]
    at = 1 if layout == "nchw" else 3
    pictures: list[str] = [
        port.any_name
        for port in graph.outputs
        if port.any_name in names and len(_dims(port)) == 4 and _dims(port)[at] in (3, None)
    ]
    if not pictures:
        shapes = ", ".join(f"{p.any_name} {_show(_dims(p))}" for p in graph.outputs)
        raise WeightsError(f"{name}: expected a picture of 3 channels out, it gives {shapes}")
    if len(pictures) > 1:
        raise ParameterError(
            f"{name} gives several pictures: say which, as in output={pictures[0]} "
            f"(it has: {', '.join(pictures)})"
        )
    return pictures[0]


def _multiple(model: Path, layout: str, output: str) -> int:
    """The least multiple at whose sizes the graph gives a picture of the size it got."""
    from relume.engine.openvino import read_graph

    for multiple in MULTIPLES:
        # odd times the multiple, and two sides that differ: no larger power of two divides them
        least = -(-PROBE_PX // multiple) | 1
        height, width = least * multiple, (least + 2) * multiple
        shape = [1, 3, height, width] if layout == "nchw" else [1, height, width, 3]
        graph = read_graph(model)
        try:
            graph.reshape(shape)
            given = _dims(graph.output(output))
        except RuntimeError:
            continue
        if list(given) == shape:
            return multiple
    raise ParameterError(
        f"{model.name}: no multiple of {', '.join(map(str, MULTIPLES))} px gives a picture of the "
        "size that went in; give multiple=N if it is another"
    )


def _dims(port: Any) -> tuple[int | None, ...]:
    """The port's dimensions, None where they are free; empty if not even their number is known."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(d.get_length() if d.is_static else None for d in shape)


def _show(dims: Sequence[int | None]) -> str:
    return f"({', '.join('?' if d is None else str(d) for d in dims)})"
