"""Plans: from options, from TOML, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from relume.enhancers import methods
from relume.enhancers.options import OPTIONS, takes
from relume.errors import ParameterError, RecipeError
from relume.study import Plan, split_arms
from relume.study.arms import parse
from relume.study.plan import arm_name, describe

ROOT = Path(__file__).resolve().parents[2]


def make(**options: object) -> Plan:
    return Plan(**({"pictures": Path("in"), "report": Path("out")} | options))  # type: ignore[arg-type]


def test_original_is_always_an_arm_and_levels_are_brightest_first() -> None:
    plan = make(arms=("gamma:0.5",), darken=(0.03, 1.0, 0.1))
    assert plan.arms == ("original", "gamma:0.5")
    assert plan.levels == (1.0, 0.1, 0.03)
    assert make().levels == (None,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": ("gamma", "gamma")}, "given twice"),
        ({"detectors": ()}, "at least one detector"),
        ({"darken": (0.0,)}, r"\(0, 1\], got 0"),
        ({"darken": (2.0,)}, r"\(0, 1\], got 2"),
        ({"darken": (0.1, 0.1)}, "given twice"),
        ({"threshold": 0.0}, "threshold must be"),
        ({"iou": 1.5}, "iou must be"),
        ({"seed": -1}, "0 or more"),
        ({"gt_mean": True}, "reference"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        make(**options)


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_gives_paths_beside_itself_and_options_win(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'pictures = "in"\nreport = "out"\narms = ["clahe:clip=2,grid=8", "theirs=res"]\n'
        "darken = [1, 0.1]\nthreshold = 1\n",
    )
    plan = Plan.load(path, overrides={"seed": 5, "detectors": None, "report": Path("other")})
    assert plan.pictures == tmp_path / "in"
    assert plan.report == Path("other")
    assert plan.arms == ("original", "clahe:clip=2,grid=8", f"theirs={tmp_path / 'res'}")
    assert plan.darken == (1.0, 0.1)
    assert plan.seed == 5
    assert plan.detectors == ("haar",)


@pytest.mark.parametrize(
    ("arm", "read"),
    [
        ("onnx:net.onnx", "onnx:{here}/net.onnx"),
        ("theirs=onnx:sub/net.onnx,order=bgr", "theirs=onnx:{here}/sub/net.onnx,order=bgr"),
        ("onnx:order=bgr,file=net.onnx", "onnx:order=bgr,file={here}/net.onnx"),
        ("onnx:/elsewhere/net.onnx", "onnx:/elsewhere/net.onnx"),
        ("original+onnx:net.onnx", "original+onnx:{here}/net.onnx"),
        ("soft=gamma:0.8", "soft=gamma:0.8"),
    ],
)
def test_networks_lie_beside_the_recipe(tmp_path: Path, arm: str, read: str) -> None:
    path = write(tmp_path, f'pictures = "in"\nreport = "out"\narms = ["{arm}"]\n')
    assert Plan.load(path).arms[-1] == read.format(here=tmp_path)
    path = write(tmp_path, 'pictures = "in"\nreport = "out"\ndetectors = ["centerface:c.onnx"]\n')
    assert Plan.load(path).detectors == (f"centerface:{tmp_path / 'c.onnx'}",)
    path = write(tmp_path, f'pictures = "in"\nreport = "out"\narms = ["{arm}"]\n')
    given = Plan.load(path, overrides={"arms": ("onnx:net.onnx",)})
    assert given.arms[-1] == "onnx:net.onnx", "a command line's are beside whoever types it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('pictres = "in"', "unknown key 'pictres'; did you mean 'pictures'"),
        ('pictures = "in"', "the key 'report' is missing"),
        ('pictures = "in"\nreport = "out"\nseed = "one"', "seed: expected a whole number"),
        ('pictures = "in"\nreport = "out"\narms = "gamma"', "arms: expected a list"),
        ('pictures = "in"\nreport = "out"\ndarken = ["dark"]', r"darken\[0\]: expected a number"),
        ('pictures = "in"\nreport = "out"\nseed = true', "seed: expected a whole number"),
        ("pictures = ", "not a TOML file"),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Plan.load(write(tmp_path, text))


def test_a_missing_recipe_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read"):
        Plan.load(tmp_path / "none.toml")


def test_the_shipped_recipe_has_the_four_arms() -> None:
    plan = Plan.load(ROOT / "recipes" / "study-course.toml")
    assert [arm_name(spec) for spec in plan.arms] == [
        "original",
        "gamma:0.5",
        "retinexnet",
        "authors",
    ]


def test_arms_are_split_around_their_own_options(tmp_path: Path) -> None:
    assert split_arms("original,clahe:clip=2,grid=8,gamma") == (
        "original",
        "clahe:clip=2,grid=8",
        "gamma",
    )
    assert split_arms(f"gamma:0.4,theirs={tmp_path}") == ("gamma:0.4", f"theirs={tmp_path}")
    with pytest.raises(ParameterError, match="empty name"):
        split_arms("gamma,,clahe")


def test_arms_have_names_of_their_own() -> None:
    text = "gamma=gamma:0.8,protect_lit=false,port=retinexnet:strength=0.5,two=original+clahe"
    gamma, port, two = map(parse, split_arms(text))
    assert (gamma.name, gamma.method, gamma.options["protect_lit"]) == ("gamma", "gamma", False)
    assert gamma.parameters["exponent"] == 0.8
    assert (port.name, port.method, port.options["strength"]) == ("port", "retinexnet", 0.5)
    assert (two.name, two.views) == ("two", ("original", "clahe"))
    assert [arm_name(spec) for spec in split_arms(text)] == ["gamma", "port", "two"]


def test_a_name_may_stand_for_a_folder(tmp_path: Path) -> None:
    assert parse("theirs=results").folder == Path("results")
    assert parse("theirs=./gamma").folder == Path("gamma")
    assert parse("theirs=gamma").method == "gamma"
    recipe = tmp_path / "study.toml"
    recipe.write_text('pictures = "p"\nreport = "r"\narms = ["a=results", "b=gamma:0.8"]\n')
    assert Plan.load(recipe).arms == ("original", f"a={tmp_path / 'results'}", "b=gamma:0.8")


@pytest.mark.parametrize(
    "spec", ["original=gamma", "gamma=0.8", "gamma=clahe:clip=2", "=gamma", "a="]
)
def test_names_that_mislead_are_refused(spec: str) -> None:
    with pytest.raises(ParameterError, match="name of your own"):
        parse(spec)


def test_levels_in_words() -> None:
    assert describe([1.0, 0.3, 0.1]) == "k = 1, 0.3 and 0.1"
    assert describe([0.1]) == "k = 0.1"
    assert describe([None]) == ""


def test_an_arm_takes_every_option_that_its_method_does() -> None:
    """Taken and handed on, or refused in a line: none is ignored."""
    values: dict[str, object] = {"strength": 0.5, "brightness": 0.3, "local": 0.25}
    values |= {"expose_for": "faces", "black": "14/3/14", "cast": 0.25, "protect_lit": False}
    assert values.keys() == {option.name for option in OPTIONS}
    for info in methods():
        if info.needs_file:
            continue
        for option in OPTIONS:
            spec = f"{info.name}:{option.name}={values[option.name]}"
            if takes(info, option):
                assert parse(spec).options[option.name] == option.check(values[option.name])
            else:
                with pytest.raises(ParameterError, match=f"takes no {option.name}"):
                    parse(spec)
    assert parse("relume").options == {"expose_for": "scene"}, "whatever weights are here"
