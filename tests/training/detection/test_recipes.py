"""Every shipped recipe of a detector is one: its keys are known, its network is made, its loss fits the network."""

from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch")

from models.detection import losses  # noqa: E402
from models.detection.build import make_detector  # noqa: E402
from models.detection.one_stage import OneStage  # noqa: E402
from training.detection.recipe import DetectionRecipe, check  # noqa: E402
from training.recipe import check_recipe, read_recipe  # noqa: E402

FOLDER = Path(__file__).resolve().parents[3] / "configs" / "training"
RECIPES = [path for path in sorted(FOLDER.glob("*.yaml")) if yaml.safe_load(path.read_text())["family"] == "detector"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_trained(path: Path) -> None:
    recipe = check_recipe(read_recipe(path, ["model.imagenet=as-said-in-the-recipe.pth"]), DetectionRecipe, path)
    check(recipe)
    with torch.device("meta"):  # shapes without weights
        network = make_detector(recipe.model.name, 3, **recipe.model.arguments)
    assert isinstance(network, OneStage) == (recipe.loss.matching is not None)
    if recipe.loss.matching is not None:
        losses.make(recipe.loss.matching, **recipe.loss.numbers)
        assert not (recipe.loss.matching == "ltm_af" and network.arguments["centerness"])
