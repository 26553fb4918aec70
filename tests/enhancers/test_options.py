"""The options that every method shares."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from relume.enhancers import methods
from relume.enhancers.options import OPTIONS, STRENGTH, check_options
from relume.errors import ParameterError
from relume.faces import enhance

AUTO_EXPOSURE, GAMMA = methods().info("auto-exposure"), methods().info("gamma")


def test_text_is_parsed_and_what_is_not_given_is_left_out() -> None:
    given = {"strength": "0.5", "brightness": "0.4", "protect_lit": "no"}
    checked = {"strength": 0.5, "brightness": 0.4, "protect_lit": False}
    assert check_options(AUTO_EXPOSURE, given) == checked
    assert check_options(GAMMA, {"strength": 1, "brightness": None}) == {"strength": 1.0}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"strength": 1.1}, "strength must be 0 to 1, got 1.1"),
        ({"brightness": 0}, "brightness must be above 0 and at most 1, or 'auto', got 0"),
        ({"brightness": "bright"}, "brightness must be above 0"),
        ({"protect_lit": "perhaps"}, "protect_lit must be true or false"),
        ({"loudness": 1}, "unknown option 'loudness'; expected one of strength, brightness"),
    ],
)
def test_what_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        check_options(AUTO_EXPOSURE, given)


def test_an_option_that_the_method_does_not_take_names_those_that_do() -> None:
    with pytest.raises(ParameterError, match=r"gamma takes no brightness; these do: relume, .*"):
        check_options(GAMMA, {"brightness": "auto"})


def test_every_option_is_a_keyword_of_enhance_with_the_same_default() -> None:
    keywords = inspect.signature(enhance).parameters
    for option in OPTIONS:
        # None: not asked for, so that methods without it can be called
        assert keywords[option.name].default in (option.default, None), option.name


def test_the_options_are_read_without_opencv() -> None:
    code = (
        "from relume.enhancers.options import STRENGTH; import sys; "
        "print(STRENGTH.default, 'cv2' in sys.modules, 'openvino' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(STRENGTH.default), "False", "False"]
