"""Every variant of the ablation can be trained, is what it is called, and the table has differences seed by seed."""

import pytest

pytest.importorskip("torch")

from models.detection.build import make_detector
from models.detection.intertwiner.network import InterNet
from training.detection.gains import table
from training.detection.intertwiner_ablation import RECIPE, VARIANTS
from training.detection.recipe import DetectionRecipe
from training.recipe import check_recipe, read_recipe


def test_variants_differ_in_the_intertwiner_alone() -> None:
    networks, rest = {}, []
    for name, variant in VARIANTS.items():
        recipe = check_recipe(read_recipe(RECIPE, variant.differs), DetectionRecipe, RECIPE)
        networks[name] = make_detector(recipe.model.name, 2, **recipe.model.arguments)
        rest.append((recipe.length, recipe.batch, recipe.optimiser, recipe.data, recipe.image, recipe.augmentation))
    assert rest[0] == rest[1] == rest[2]
    baseline, intertwiner, transport = networks.values()
    assert not isinstance(baseline, InterNet)
    assert len(intertwiner.guidance.alignments) == 0
    assert len(transport.guidance.alignments) == 3
    for network in (intertwiner, transport):
        assert {name: network.arguments[name] for name in baseline.arguments} == baseline.arguments


def test_the_table_has_spreads_and_differences_seed_by_seed() -> None:
    found = {
        "Faster R-CNN": [{"ap": 0.1, "ap50": 0.2, "ap75": 0.1}, {"ap": 0.3, "ap50": 0.4, "ap75": 0.1}],
        "intertwiner": [{"ap": 0.12, "ap50": 0.2, "ap75": 0.1}, {"ap": 0.34, "ap50": 0.4, "ap75": 0.1}],
        "intertwiner and OT": [{"ap": 0.2, "ap50": 0.2, "ap75": 0.1}],
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(VARIANTS, found).splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert rows[2][:6] == ["Faster R-CNN", "2", "20.0 ± 14.1", "30.0 ± 14.1", "10.0 ± 0.0", ""]
    assert rows[3][5:8] == ["3.0 ± 1.4", "0.0 ± 0.0", "0.0 ± 0.0"]
    assert rows[3][8:] == ["+2.4", "+2.3", "+0.8", "ResNet-50, COCO"]
    assert rows[4][:6] == ["intertwiner and OT", "1", "20.0", "20.0", "10.0", "8.0"]
