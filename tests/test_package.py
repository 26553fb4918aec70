"""The package as ``import relume`` shows it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import relume

PACKAGES = ("engine", "enhancers", "errors", "faces", "frames", "io")


@pytest.mark.parametrize("name", PACKAGES)
def test_its_packages_need_no_import_of_their_own(name: str) -> None:
    code = f"import relume; print(relume.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"relume.{name}\n"


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in relume.__all__:
        assert getattr(relume, name).__doc__
    assert dir(relume) == sorted(relume.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'enhanse'"):
        _ = relume.enhanse  # type: ignore[attr-defined]
