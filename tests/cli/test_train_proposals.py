"""``run.py train`` of proposals as a user calls it; resuming and the losses are tested in tests/training."""

import pytest

torch = pytest.importorskip("torch")

from cli.main import main  # noqa: E402
from models.bcgnn.checkpoint import load_checkpoint  # noqa: E402
from tests.training.proposals.small_videos import RECIPE, make_data  # noqa: E402


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_training_leaves_a_checkpoint_and_a_mistake_leaves_nothing(tmp_path, capsys):
    recipe, data = tmp_path / "recipe.yaml", make_data(tmp_path / "data")
    recipe.write_text(RECIPE)
    command = ["train", str(recipe), "--data", str(data)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "training bcgnn" in said
    assert "validation on 2" in said
    assert load_checkpoint(tmp_path / "out" / "best.pt").arguments["feature_dim"] == 5
    assert load_checkpoint(tmp_path / "out" / "best.pt").style == "rescaled"

    for change, problem in (
        ("model.feature_dim=9", "neither side is the model's feature dimension 9"),
        ("model.variant=edges", "model.variant: invalid enum value 'edges'"),
        ("windows.sytle=sliding", "windows.sytle: no such key; did you mean 'windows.style'"),
        ("data.validation=testing", "has no subset 'testing'"),
    ):
        assert main([*command, "--out", str(tmp_path / "no"), "--set", change]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert problem in error
        assert error.count("\n") == 1
    assert not (tmp_path / "no").exists()
