"""The comparison trains every variant once per seed, goes on where it was stopped, and its table is right."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from training.detection import comparison
from training.detection.gains import table
from training.detection.recipe import DetectionRecipe
from training.recipe import check_recipe, read_recipe
from training.variants import train_variants


@pytest.mark.parametrize("name", comparison.VARIANTS)
def test_every_variants_recipe_is_one_and_its_network_has_its_loss(name: str) -> None:
    from models.detection import losses
    from models.detection.build import make_detector

    values = read_recipe(comparison.RECIPE, comparison.VARIANTS[name].differs)
    recipe = check_recipe(values, DetectionRecipe, comparison.RECIPE)
    network = make_detector(recipe.model.name, 2, **recipe.model.arguments)
    assert network.arguments["channels"] == 64
    losses.make(recipe.loss.matching, **recipe.loss.numbers)


def test_the_table_has_spreads_and_differences_seed_by_seed() -> None:
    found = {
        "RetinaNet, iou": [{"ap": 0.1, "ap50": 0.2, "ap75": 0.1}, {"ap": 0.3, "ap50": 0.4, "ap75": 0.1}],
        "RetinaNet, mutual_guidance": [{"ap": 0.12, "ap50": 0.2, "ap75": 0.1}, {"ap": 0.34, "ap50": 0.4, "ap75": 0.1}],
        "FCOS, fcos": [{"ap": 0.1, "ap50": 0.2, "ap75": 0.1}],
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(comparison.VARIANTS, found).splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert rows[2][:3] == ["RetinaNet, iou", "2", "20.0 ± 14.1"]
    assert rows[3][5] == "3.0 ± 1.4"
    assert rows[3][8:] == ["+2.4", "+1.1", "+2.6", "RetinaNet-R18, VOC07"]
    assert rows[4][2] == "10.0"


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second training, it goes on with that one."""
    recipe_file = tmp_path / "recipe.yaml"
    recipe_file.write_text(comparison.RECIPE.read_text())
    trained: list[tuple[str, int, bool]] = []

    def train(task: str, recipe: DetectionRecipe, validation: object, out: Path, *, resume: bool) -> None:
        trained.append((recipe.loss.matching, recipe.seed, resume))
        out.mkdir(parents=True, exist_ok=True)
        (out / "state.pt").touch()
        if len(trained) == 2:
            raise KeyboardInterrupt
        (out / "log.jsonl").write_text('{"step": 1}\n{"step": 2, "validation/ap": 0.5, "seconds": 1}\n')

    monkeypatch.setattr("training.variants.train", train)
    variants = {"a, one": ["loss.matching=iou"], "b": ["loss.matching=ltm"]}

    def run() -> list[dict]:
        return [dict(found) for found in train_variants(
            variants, recipe_file, DetectionRecipe, lambda recipe: "task", tmp_path / "out", range(2)
        )]  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        run()
    found = run()[-1]
    assert trained == [("iou", 0, False), ("ltm", 0, False), ("ltm", 0, True), ("iou", 1, False), ("ltm", 1, False)]
    assert found == {"a, one": [{"ap": 0.5}] * 2, "b": [{"ap": 0.5}] * 2}
    assert (tmp_path / "out" / "results" / "a-one-0.json").is_file()
    run()
    assert len(trained) == 5


def test_all_variants_begin_with_the_baselines_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is trained once, and its file is what a recipe's ``model.imagenet`` takes."""
    import torch

    from models.detection.backbones import make_backbone
    from models.detection.backbones.imagenet import load_imagenet
    from models.detection.build import make_detector
    from models.detection.checkpoint import Checkpoint, save_checkpoint

    network = make_detector("retinanet-r18", 2, channels=8, levels=3)
    begun: list[list[str]] = []

    def train_once(recipe: Path, overrides: list[str], kind: type, make_task: object, out: Path) -> dict:
        begun.append(overrides)
        out.mkdir(parents=True)
        save_checkpoint(out / "last.pt", Checkpoint(
            name="retinanet-r18", arguments=network.arguments, size=(64, 96), fit="letterbox", class_names=("a", "b"),
            step=1, network=network.state_dict(), trained_on="nothing",
        ))  # fmt: skip
        return {"ap": 0.1, "ap50": 0.2, "ap75": 0.1}

    monkeypatch.setattr("training.detection.comparison.train_once", train_once)
    monkeypatch.setattr("training.variants.train_once", train_once)
    for _ in range(2):
        comparison.comparison([], tmp_path, range(1), ["batch=2"])
    assert len(begun) == 1 + len(comparison.VARIANTS)
    assert begun[0] == ["batch=2", "loss.matching=iou", "length=1400 steps", "seed=0"]
    assert all(f"model.imagenet={tmp_path / 'backbone.pth'}" in overrides for overrides in begun[1:])
    assert "RetinaNet, ltm" in (tmp_path / "table.md").read_text()
    backbone = make_backbone("resnet18")
    assert load_imagenet(backbone, tmp_path / "backbone.pth") == ()
    torch.testing.assert_close(backbone.state_dict(), network.backbone.state_dict())
