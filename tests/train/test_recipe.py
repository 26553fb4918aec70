from pathlib import Path

import pytest

from relume.errors import RecipeError
from relume.train.recipe import load

RECIPES = Path(__file__).resolve().parents[2] / "recipes"

GOOD = """
name = "x"
network = "retinexnet"
seed = 1
[data]
batch = 2
[[phases]]
name = "decom"
epochs = 3
weights = { cross = 0.1 }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_fills_in_defaults(tmp_path: Path) -> None:
    recipe = load(write(tmp_path, GOOD))
    assert recipe.data.batch == 2
    assert recipe.data.patch_px == 48
    assert recipe.phases[0].epochs == 3
    assert recipe.phases[0].weights == {"cross": 0.1}


def test_the_shipped_recipe_is_the_papers() -> None:
    recipe = load(RECIPES / "retinexnet.toml")
    assert [p.name for p in recipe.phases] == ["decom", "enhance"]
    assert [p.epochs for p in recipe.phases] == [100, 100]
    assert recipe.data.patch_px == 48
    assert "648" in recipe.data.exclude


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("batch = 2", "bach = 2", "did you mean 'batch'"),
        ("seed = 1", "", "'seed' is missing"),
        ("epochs = 3", "epochs = '3'", "expected a whole number"),
        ("batch = 2", "batch = true", "expected a whole number"),
        ('name = "x"', "name = [", "not a TOML file"),
        ("weights = { cross = 0.1 }", "weights = { cross = 'a' }", "expected a number"),
    ],
)
def test_what_does_not_fit_is_an_error(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load(write(tmp_path, GOOD.replace(old, new)))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        load(tmp_path / "none.toml")


def test_the_darkness_of_phones_is_a_recipes_choice() -> None:
    assert load(RECIPES / "relume-5.toml").data.camera == "phone"
    assert load(RECIPES / "relume-4.toml").data.camera == "real"
