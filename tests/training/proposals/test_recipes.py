"""The shipped recipes: on the real annotations that they are for, with features of a few of the videos."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from formats.temporal.annotations import read_annotations
from training.proposals.recipe import ProposalRecipe
from training.proposals.task import ProposalTask
from training.recipe import check_recipe, read_recipe

RECIPES = Path(__file__).resolve().parents[3] / "configs" / "training"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("bcgnn-*.yaml")), ids=lambda path: path.stem)
def test_they_are_recipes(path):
    recipe = check_recipe(read_recipe(path, []), ProposalRecipe, path)
    assert recipe.family == "bcgnn"


@pytest.mark.parametrize(
    ("recipe_name", "annotations", "snippets"),
    [
        ("bcgnn-activitynet", "activitynet/anet_anno_action.json", 100),
        ("bcgnn-thumos", "thumos14/thumos_gt.json", 300),
    ],
)
def test_on_real_annotations(shared_data, tmp_path, recipe_name, annotations, snippets):
    path = RECIPES / f"{recipe_name}.yaml"
    file = shared_data / "temporal" / annotations
    recipe = check_recipe(read_recipe(path, [f"data.annotations={file}"]), ProposalRecipe, path)
    videos, rng = read_annotations(file), np.random.default_rng(0)
    (tmp_path / "features").mkdir()
    for subset in (recipe.data.training, recipe.data.validation):
        for name in islice((name for name, video in videos.items() if video.subset == subset), 3):
            np.save(tmp_path / "features" / f"{name}.npy", rng.normal(size=(snippets, 400)).astype(np.float32))
    task = ProposalTask(recipe, [tmp_path])
    assert len(task.notes) == 2
    assert task.validation_samples == 3
    assert task.samples == (3 if recipe.windows.style == "rescaled" else 12)
    truths = [task.sample(i, np.random.default_rng(0)) for i in range(task.samples)]
    assert all(sample[0].shape == (400, recipe.windows.length) for sample in truths)
    assert sum(sample[3].any() for sample in truths) >= 2  # some windows of THUMOS hold no whole action
