"""Random weights that give features of a sensible size, and the same each time."""

import pytest

torch = pytest.importorskip("torch")

from models.squeezesegv3.checkpoint import load_checkpoint  # noqa: E402
from profiling.segmentation.random_weights import write_random_checkpoint  # noqa: E402


def test_features_neither_fade_nor_explode(tmp_path):
    image = torch.randn(1, 5, 16, 64, generator=torch.Generator().manual_seed(0))
    for name in ("a.pt", "b.pt"):
        write_random_checkpoint(tmp_path / name, 21, image.numpy())
    first, second = (load_checkpoint(tmp_path / name) for name in ("a.pt", "b.pt"))
    assert all(torch.equal(first.network[name], second.network[name]) for name in first.network)
    with torch.no_grad():
        logits = first.restore().eval()(image)
    assert 0.05 < logits.std() < 50
    assert logits.argmax(1).unique().numel() > 2
