"""Seeds, and what a folder may hold."""

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from training.state import check_folder, load_state, make_folder, save_state, seed_of  # noqa: E402


def test_seeds_differ_and_stay():
    seeds = {seed_of(seed, step, rank) for seed in range(5) for step in range(20) for rank in range(3)}
    assert len(seeds) == 300
    assert seed_of(1, 2, 3) == seed_of(1, 2, 3)
    torch.manual_seed(max(seeds))


def test_a_folder_that_is_no_training_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(UserError, match="not a training's folder"):
            check_folder(tmp_path, resume=False, force=force)
    (tmp_path / "recipe.yaml").write_text("")
    check_folder(tmp_path, resume=False, force=True)
    make_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_torn_state_is_named(tmp_path):
    save_state(tmp_path, {"recipe": {}, "data": {}, "step": 3})
    assert load_state(tmp_path, {}, {})["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    content = (tmp_path / "state.pt").read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"hello"):
        (tmp_path / "state.pt").write_bytes(damaged)
        with pytest.raises(UserError, match=r"state\.pt: cannot be read as a training's state"):
            load_state(tmp_path, {}, {})
    torch.save({"step": 3}, tmp_path / "state.pt")
    with pytest.raises(UserError, match="of another version"):
        load_state(tmp_path, {}, {})
