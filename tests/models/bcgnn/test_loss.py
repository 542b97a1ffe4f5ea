"""The loss against Eqs. 6 and 7, term by term."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.bcgnn.loss import losses, weighted_log_loss  # noqa: E402
from models.bcgnn.network import NO_SEGMENT, Logits  # noqa: E402


def slow_loss(logits, labels):
    count = len(labels)
    positives = sum(labels)
    total = 0.0
    for logit, label in zip(logits, labels, strict=True):
        p = 1 / (1 + math.exp(-logit))
        total += count / positives * math.log(p) if label else count / (count - positives) * math.log(1 - p)
    return -total / count


def test_of_one_set():
    rng = np.random.default_rng(0)
    for share in (0.03, 0.5, 0.9):
        logits = rng.normal(0, 3, 200)
        labels = rng.random(200) < share
        found = weighted_log_loss(torch.from_numpy(logits), torch.from_numpy(labels))
        assert found.item() == pytest.approx(slow_loss(logits.tolist(), labels.tolist()), rel=1e-6)


def test_of_a_batch_counts_segments_alone():
    rng = np.random.default_rng(1)
    segments = np.triu(np.ones((6, 6), bool), 1)
    start, end = rng.normal(size=(2, 3, 6))
    content = np.where(segments, rng.normal(size=(3, 6, 6)), NO_SEGMENT)
    labels = [rng.random(shape) < 0.3 for shape in ((3, 6), (3, 6), (3, 6, 6))]
    found = losses(
        Logits(*map(torch.from_numpy, (start, end, content))),
        *map(torch.from_numpy, labels),
        torch.from_numpy(segments),
    )
    expected = [
        slow_loss(start.ravel().tolist(), labels[0].ravel().tolist()),
        slow_loss(end.ravel().tolist(), labels[1].ravel().tolist()),
        slow_loss(content[:, segments].ravel().tolist(), labels[2][:, segments].ravel().tolist()),
    ]
    np.testing.assert_allclose([value.item() for value in found], expected, rtol=1e-6)
    assert found.total.item() == pytest.approx(sum(expected), rel=1e-6)


def test_one_class_alone_and_logits_that_are_huge():
    logits = torch.tensor([-2.0, 1.0], requires_grad=True)
    nothing = weighted_log_loss(logits, torch.tensor([False, False]))
    assert nothing.item() == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2, rel=1e-6)
    huge = torch.tensor([1e3, -1e3], requires_grad=True)
    value = weighted_log_loss(huge, torch.tensor([False, True]))
    value.backward()
    assert value.item() == pytest.approx(2e3)
    assert huge.grad.isfinite().all()
