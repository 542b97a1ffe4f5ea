"""Recipes: what is shipped is right, what is wrong is named with the nearest right key."""

from pathlib import Path

import pytest

from errors import UserError
from training.optimisation import rate_at
from training.recipe import ScheduleSettings, check_recipe, first_difference, read_recipe, steps_in

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "configs" / "training").glob("squeezesegv3-*.yaml"))


@pytest.fixture(scope="module")
def kind():
    pytest.importorskip("torch")
    from training.segmentation import SegmentationRecipe

    return SegmentationRecipe


def read(kind, *overrides, path=SHIPPED[0]):
    return check_recipe(read_recipe(path, overrides), kind, path)


def test_what_is_shipped(kind):
    assert {path.stem for path in SHIPPED} >= {"squeezesegv3-21", "squeezesegv3-53", "squeezesegv3-21-64x512-demo"}
    for path in SHIPPED:
        recipe = read(kind, path=path)
        assert f"-{recipe.model.layers}" in path.stem


def test_overrides(kind):
    recipe = read(kind, "batch=3", "model.sac=none", "data.validation=['07', '0*']", "ema=0.99")
    assert (recipe.batch, recipe.model.sac, recipe.data.validation, recipe.ema) == (3, "none", ("07", "0*"), 0.99)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("optimiser.learnig_rate=1", r"optimiser\.learnig_rate: no such key; did you mean 'optimiser\.learning_rate'"),
        ("colour=1", "colour: no such key; choose one of family, "),
        ("batch=0", "batch: expected `int` >= 1"),
        ("batch=many", "batch: expected `int`, got `str`"),
        ("model.sac=xx", r"model\.sac: invalid enum value 'xx'"),
        ("length=12", "length: expected `str`, got `int`"),
        ("length=12 hours", "length: expected `str` such as '500 steps' or '2 epochs'"),
        ("image.width=100", r"image\.width: expected `int` that's a multiple of 8"),
        ("batch.size=1", "batch is a value, not a group"),
        ("batch", "give key=value"),
        ("batch=[", "cannot be read as a value"),
    ],
)
def test_what_is_wrong_is_named(kind, override, problem):
    with pytest.raises(UserError, match=problem):
        read(kind, override)


def test_no_recipe(tmp_path):
    with pytest.raises(UserError, match="no such recipe"):
        read_recipe(tmp_path / "none.yaml", ())
    (tmp_path / "list.yaml").write_text("[1, 2]")
    with pytest.raises(UserError, match="not a recipe"):
        read_recipe(tmp_path / "list.yaml", ())
    (tmp_path / "torn.yaml").write_text("a: [")
    with pytest.raises(UserError, match="cannot be read as a recipe"):
        read_recipe(tmp_path / "torn.yaml", ())


def test_durations():
    assert steps_in("12 steps", 7.5) == 12
    assert steps_in("2 epochs", 7.5) == 15
    assert steps_in("1 epoch", 7.5) == 8
    assert steps_in("0.1 epochs", 30) == 3


def test_differences():
    before = {"batch": 2, "model": {"sac": "isk", "layers": 21}, "threads": 1}
    assert first_difference(before, before | {"threads": 2}) is None  # as fast as the machine is
    assert first_difference(before, before | {"model": {"sac": "s", "layers": 21}}) == ("model.sac", "isk", "s")
    assert first_difference(before, before | {"ema": 0.9}) == ("ema", None, 0.9)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (ScheduleSettings(decay="constant", warm_up="4 steps"), {0: 0.25, 3: 1, 50: 1, 99: 1}),
        (
            ScheduleSettings(decay="exponential", warm_up="1 epoch", factor=0.5),
            {0: 0.1, 10: 1, 19: 1, 20: 0.5, 99: 2**-8},
        ),
        (ScheduleSettings(decay="cosine"), {0: 1, 50: 0.5, 99: 0.000247}),
        (ScheduleSettings(decay="wsd", final_share=0.2), {0: 1, 80: 1, 90: 0.5, 99: 0.05}),
    ],
)
def test_learning_rates(schedule, expected):
    pytest.importorskip("torch")
    found = {step: rate_at(step, 100, 10, schedule) for step in expected}
    assert found == pytest.approx(expected, rel=1e-2)
