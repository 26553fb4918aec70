"""A command as a record: its fields are what may be asked for, its docstring is the help.

So arguments are parsed once, and nothing is handed on name by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from relume.catalog import Parameter
from relume.cli import console
from relume.cli.console import PIPE
from relume.enhancers.options import ALWAYS
from relume.errors import ParameterError
from relume.io.places import is_address

LOOKS = {
    "strength": "--strength -s SHARE",
    "brightness": "--brightness -b LEVEL",
    "local": "--local SHARE",
    "black": "--black R,G,B",
    "cast": "--cast SHARE",
}
"""Short names of options of ``enhance``, and what stands for their values."""

USUAL = {"local": "the method's own"}
"""Their defaults in words, where a command leaves them to the method."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What somebody asks for."""

    def run(self) -> None:
        """Do it."""
        raise NotImplementedError


def info(
    words: str,
    help: str,
    *,
    shown: str | bool = True,
    local: bool = False,
    names: str = "",
    **more: Any,
) -> Any:
    """An option: its names (none: its field's own), and last what stands for its value.

    ``shown`` is its default in words, if it is not its field's; ``local`` says that it is a path
    of this machine, ``names`` which names the Tab key completes: ``methods``, ``detectors``,
    ``landmarkers``, or with a comma behind it a list of them.
    """
    if names:
        more["autocompletion"] = _completing(names)
    if local:
        more["parser"] = local_path
    own = [word for word in words.split() if word.startswith("-") and word != PIPE]
    metavar = next((word for word in words.split() if word not in own), None)
    return typer.Option(*own, metavar=metavar, help=help, show_default=shown, **more)


def opt(words: str, help: str, *, default: Any = None, **more: Any) -> Any:
    """A command's field that is an option, as :func:`info` has it."""
    return field(default=default, metadata={"info": info(words, help, **more)})


def arg(metavar: str, help: str, *, default: Any = MISSING, **more: Any) -> Any:
    """A command's field that is an argument; it must be given unless it has a ``default``."""
    shown = typer.Argument(metavar=metavar, help=help, show_default=False, **more)
    return field(default=default, metadata={"info": shown})


def of_enhance(*options: Parameter, more: str = "") -> Any:
    """A command's field that holds options of ``enhance`` by name; None is what nobody asked for.

    ``more`` is added to the brightness's help.
    """
    return field(default_factory=dict, metadata={"options": options, "more": more})


def as_function(command: type[Command]) -> Callable[..., None]:
    """The command as typer takes it."""
    groups = {f.name: f.metadata["options"] for f in fields(command) if "options" in f.metadata}

    def run(**given: Any) -> None:
        console.be_verbose(given.get("verbose", False))
        for name, options in groups.items():
            given[name] = {option.name: given.pop(option.name) for option in options}
        command(**given).run()

    run.__name__, run.__doc__ = command.__name__.lower(), command.__doc__
    vars(run)["__signature__"] = inspect.Signature(list(_parameters(command)))
    return run


def _parameters(command: type[Command]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(command, include_extras=True)
    for one in fields(command):
        for option in one.metadata.get("options", ()):
            yield _of_enhance(option, one.metadata["more"])
        if "options" not in one.metadata:
            hint = hints[one.name]
            if "info" in one.metadata:
                hint = Annotated[hint, one.metadata["info"]]
            default = inspect.Parameter.empty if one.default is MISSING else one.default
            yield _parameter(one.name, hint, default)


def _of_enhance(option: Parameter, more: str) -> inspect.Parameter:
    """An option of ``enhance``, None unless it is there whether somebody asks for it or not."""
    help = option.summary[:1].upper() + option.summary[1:]
    if isinstance(option.default, bool):
        shape, help = "", f"{help}."
    else:
        shape, help = LOOKS.get(option.name, ""), f"{help}: {option.allowed()}."
    help += more if option.name == "brightness" else ""
    kind: Any = Literal[option.choices] if option.choices else type(option.default)
    if option.name not in ALWAYS:
        shown = USUAL.get(option.name, str(option.default))
        return _parameter(option.name, Annotated[kind | None, info(shape, help, shown=shown)], None)
    return _parameter(option.name, Annotated[kind, info(shape, help)], option.default)


def _parameter(name: str, hint: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _completing(names: str) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        """The names that begin with what is typed, or with what stands behind its last comma."""
        from relume import enhancers, faces

        if names.startswith("methods"):
            known = enhancers.methods().names()
        else:
            known = (faces.detectors if names.startswith("d") else faces.landmarkers)().names()
        before, comma, typed = incomplete.rpartition(",") if "," in names else ("", "", incomplete)
        return [before + comma + name for name in known if name.startswith(typed)]

    return complete


def local_path(name: str | Path) -> Path:
    """A path of this machine, where nothing else will do.

    Raises:
        ParameterError: an address of an object store.
    """
    if is_address(str(name)):
        raise ParameterError(f"{name} is in an object store; here expected a path of this machine")
    return Path(name)
