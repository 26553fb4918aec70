"""Everything relume raises on purpose, as one tree.

::

    RelumeError                  a message fit to show a person; exit code 1
    ├── InputError               a file or array that cannot be used
    │   ├── UnreadableInput      missing, no permission, empty, truncated, not a picture
    │   └── TooLarge             more pixels than the limit allows
    ├── OutputError              the result cannot be written (read-only, disk full)
    │   └── OutputExists         something is there already, and may not be replaced
    ├── ParameterError           an option outside its range or of the wrong type; exit code 2
    │   └── UnknownName          no such method, detector, ...; names the nearest one
    ├── RecipeError              a training or study recipe that does not hold together
    ├── WeightsError             weights missing, truncated or with the wrong sha256
    ├── DeviceError              the device asked for is not there (never a silent fallback)
    ├── WorkerLost               the process that did an item ended: a decoder crashed, or memory
    └── MissingExtra             an optional dependency is not installed; says which extra

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class RelumeError(Exception):
    """Base of every error that relume raises on purpose."""

    exit_code = 1


class InputError(RelumeError):
    """A file or an array that cannot be used as it is."""


class UnreadableInput(InputError):
    """A file that is missing, empty, truncated, forbidden, or not a picture."""


class TooLarge(InputError):
    """A picture with more pixels than the limit allows."""


class OutputError(RelumeError):
    """The result cannot be written where it was asked for."""


class OutputExists(OutputError):
    """There is a file already, and it may not be replaced; its path is the only argument."""

    def __str__(self) -> str:
        return f"{self.args[0]} exists already: name another output, or pass overwrite=True"


class ParameterError(RelumeError, ValueError):
    """An option outside its range, or of the wrong type."""

    exit_code = 2


class UnknownName(ParameterError):
    """A name that a catalogue does not hold."""


class RecipeError(RelumeError):
    """A recipe with unknown keys, missing keys or values that do not fit together."""

    exit_code = 2


class WeightsError(RelumeError):
    """Weights that are missing, truncated or not the ones the manifest names."""


class DeviceError(RelumeError):
    """A device or precision that this machine cannot give."""


class WorkerLost(RelumeError):
    """The process that did an item ended over it, again when it did nothing else."""


CPU_ONLY = " (without a GPU, --extra-index-url https://download.pytorch.org/whl/cpu saves 5 GB)"


class MissingExtra(RelumeError):
    """An optional dependency that is not installed."""

    def __init__(self, what: str, extra: str, package: str) -> None:
        super().__init__(
            f"the package {package!r} is not installed; for {what}, "
            f"install it with: pip install 'relume[{extra}]' "
            f"(in a checkout of relume: '.[{extra}]')" + (CPU_ONLY if extra == "train" else "")
        )
        self.extra = extra
        self._given = (what, extra, package)

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        # an exception is pickled by its message alone: it would not come back from a process
        return MissingExtra, self._given


def extra_module(name: str, what: str, extra: str, package: str = "") -> Any:
    """A module of an optional package, which is installed as ``package`` if not by its own name.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtra(what, extra, package or name.partition(".")[0]) from None
