"""The ablation: every method is trained and scored, once, and the table has what was found."""

import pytest

torch = pytest.importorskip("torch")

from training.proposals.ablation import METHODS, ablation, table  # noqa: E402
from training.proposals.synthetic import write_benchmark  # noqa: E402

TINY = ["length=1 steps", "model.dim=4", "model.base_dim=4", "model.samples=4", "windows.length=16", "batch=2"]


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    write_benchmark(tmp_path / "benchmark", videos=8, snippets=24)
    threads = torch.get_num_threads()
    found = ablation(tmp_path, range(1), TINY)
    torch.set_num_threads(threads)
    assert list(found) == list(METHODS)
    assert all(0 <= run["auc"] <= run["ar_at_100"] <= 1 for runs in found.values() for run in runs)
    text = (tmp_path / "table.md").read_text()
    assert text == table(found)

    trained = []
    monkeypatch.setattr(
        "training.variants.train_once",
        lambda recipe, overrides, kind, make_task, out: trained.append(overrides) or found["GCN"][0],
    )
    (tmp_path / "results" / "gcn-0.json").unlink()
    assert ablation(tmp_path, range(1), TINY) == found
    assert trained == [[*TINY, "model.variant=gcn", "seed=0"]]


def test_the_table_has_mean_and_deviation():
    runs = [{"ar_at_10": 0.5, "ar_at_100": value, "auc": 0.25} for value in (0.7, 0.71, 0.75)]
    lines = table({"GCN": runs, "sliding windows": runs[:1]}).splitlines()
    assert lines[2] == "| GCN | 3 | 50.0 ± 0.0 | 72.0 ± 2.6 | 25.0 ± 0.0 | 75.57 | 66.88 |"
    assert lines[3] == "| sliding windows | 1 | 50.0 | 70.0 | 25.0 |  |  |"
