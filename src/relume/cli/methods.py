"""``relume methods``: the catalogues, for reading or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relume.cli import console, options
from relume.cli.command import Command, opt

if TYPE_CHECKING:
    from relume.catalog import Info, Parameter


@dataclass(frozen=True, kw_only=True)
class Methods(Command):
    """List methods, detectors and landmarkers.

    With their parameters, ranges and defaults, licences, and where their weights come from; with
    -v also what their networks run on here, in which precision and why.
    """

    as_json: bool = opt("--json", "As JSON, for programs.", default=False)
    verbose: options.Verbose = False

    def run(self) -> None:
        """Write the catalogues."""
        from relume import enhancers
        from relume.enhancers import DEFAULT_METHOD
        from relume.faces import detectors, landmarkers

        catalogues: dict[str, Iterable[Info]] = {
            "enhancers": enhancers.methods(),
            "detectors": detectors(),
            "landmarkers": landmarkers(),
        }
        weights = _weights()
        if self.as_json:
            table: dict[str, Any] = {"default": DEFAULT_METHOD}
            for kind, infos in catalogues.items():
                table[kind] = [
                    info.as_json()
                    | {"weights": {w: weights.get(w, "unknown") for w in info.weights}}
                    for info in infos
                ]
            console.out(json.dumps(table, indent=2, ensure_ascii=False))
            return
        sections = (_section(k, i, weights, DEFAULT_METHOD) for k, i in catalogues.items())
        console.out("\n\n".join(sections))


def _section(kind: str, infos: Iterable[Info], weights: dict[str, str], default: str) -> str:
    entries = list(infos)
    width = max(len(info.name) for info in entries) + 2
    lines = [kind]
    for info in entries:
        star = " (default)" if kind == "enhancers" and info.name == default else ""
        lines.append(f"  {info.name:<{width}}{info.summary}{star}")
        indent = " " * (width + 4)
        lines += [f"{indent}{_parameter(p)}" for p in info.parameters]
        if info.takes_brightness:
            lines.append(f"{indent}takes --brightness")
        lines.append(f"{indent}{info.licence}; {info.source}")
        lines += [
            f"{indent}weights {name}: {weights.get(name, 'unknown')}" for name in info.weights
        ]
        if kind == "enhancers" and info.weights and console.is_verbose():
            from relume.enhancers import describe

            lines.append(f"{indent}runs {describe(info.name)}")
        if info.extra:
            lines.append(f"{indent}needs the extra {info.extra} (pip install '.[{info.extra}]')")
    return "\n".join(lines)


def _parameter(parameter: Parameter) -> str:
    return (
        f"{parameter.name}={_value(parameter.default)}  {parameter.summary} ({parameter.allowed()})"
    )


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _weights() -> dict[str, str]:
    """Where each entry of the weights manifest comes from, in words."""
    from relume import weights

    origins = {}
    for name, entry in weights.entries().items():
        where = "shipped" if entry.shipped else f"fetched at first use from {entry.urls[0]}"
        trained = f"; trained on {entry.data}" if entry.data else ""
        origins[name] = f"{where}; {entry.licence}; {entry.source}{trained}"
    return origins
