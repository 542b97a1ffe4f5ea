"""The compact BMN: sampling with context against loops, its map, its loss term by term."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.bcgnn.labels import largest_tiou  # noqa: E402
from models.bcgnn.segments import location_times  # noqa: E402
from models.bmn.loss import losses  # noqa: E402
from models.bmn.network import BMN, Logits  # noqa: E402
from tests.models.bcgnn.test_labels import overlap  # noqa: E402


def network(length=19, max_duration=None):
    torch.manual_seed(0)
    return BMN(5, length, max_duration, base_dim=6, dim=4, samples=7).double().eval()


@pytest.mark.parametrize(("length", "max_duration"), [(19, None), (21, 6)])
def test_samples_reach_half_a_duration_beyond_and_are_zero_outside_the_window(length, max_duration):
    made = network(length, max_duration)
    content = np.random.default_rng(0).normal(size=(1, length, 4))
    with torch.no_grad():
        found = made.sampled(torch.from_numpy(content), made.segments).flatten(1, 3)[0].numpy()
    weight, bias = (value.detach().numpy() for value in (made.sampled.linear.weight, made.sampled.linear.bias))

    def column(t):
        return content[0, t] if 0 <= t < length else np.zeros(4)

    cells = made.segments.cells.view(length, length).numpy()
    longest = max_duration or length
    for i in range(length):
        for j in range(i + 1, min(i + longest, length - 1) + 1):
            sampled = np.empty((4, 7))
            for k in range(7):
                x = i + (j - i) * (-0.5 + 2 * k / 6)
                left = math.floor(x)
                sampled[:, k] = (1 - (x - left)) * column(left) + (x - left) * column(left + 1)
            np.testing.assert_allclose(found[cells[i, j]], weight @ sampled.reshape(-1) + bias, rtol=1e-5, atol=1e-6)


def test_scores_of_a_batch():
    made = network(12, 7)
    features = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 5, 12)))
    with torch.no_grad():
        found = made(features)
        alone = made(features[1:2])
        for together, one in zip(found, alone, strict=True):
            torch.testing.assert_close(together[1:2], one)
    assert found.start.shape == found.end.shape == (3, 12)
    p = torch.sigmoid(found.content)
    expected = (torch.sigmoid(found.classified) * torch.sigmoid(found.regressed)).sqrt()
    torch.testing.assert_close(p, expected, atol=1e-12, rtol=1e-6)
    assert torch.equal(p[0] > 0, made.segments.is_segment)


def test_loss_term_by_term():
    rng = np.random.default_rng(2)
    segments = np.triu(np.ones((6, 6), bool), 1)
    start, end = rng.normal(size=(2, 2, 6))
    classified, regressed = rng.normal(size=(2, 2, 6, 6))
    labels = rng.random((2, 2, 6)) < 0.4
    tiou = np.where(segments, rng.random((2, 6, 6)), 0)
    tiou[0, 0, 1] = 0.95
    found = losses(
        Logits(*map(torch.from_numpy, (start, end, classified, regressed))),
        *map(torch.from_numpy, (labels[0], labels[1], tiou, segments)),
    )

    def log_loss(logits, truths):
        p = [1 / (1 + math.exp(-logit)) for logit in logits]
        yes = [-math.log(q) for q, b in zip(p, truths, strict=True) if b]
        no = [-math.log(1 - q) for q, b in zip(p, truths, strict=True) if not b]
        return sum(yes) / len(yes) + sum(no) / len(no)

    boundaries = log_loss(start.ravel(), labels[0].ravel()) + log_loss(end.ravel(), labels[1].ravel())
    assert found.boundaries.item() == pytest.approx(boundaries, rel=1e-6)
    truth = tiou[:, segments].ravel()
    assert found.classified.item() == pytest.approx(log_loss(classified[:, segments].ravel(), truth > 0.9), rel=1e-6)
    groups = ([], [], [])
    for logit, t in zip(regressed[:, segments].ravel(), truth, strict=True):
        groups[0 if t > 0.7 else 1 if t > 0.3 else 2].append((1 / (1 + math.exp(-logit)) - t) ** 2)
    expected = np.mean([np.mean(group) for group in groups])
    assert found.regressed.item() == pytest.approx(expected, rel=1e-6)
    assert found.total.item() == pytest.approx(boundaries + found.classified.item() + 10 * expected, rel=1e-6)


def test_gradients_reach_every_weight_and_largest_tiou():
    made = network(12)
    times_s = location_times(12, step_s=1.0)
    actions_s = np.array([[1.0, 5.5], [4.0, 11.0]])
    tiou = largest_tiou(actions_s, times_s)
    for i in range(12):
        for j in range(12):
            expected = max(overlap((times_s[i], times_s[j]), action) for action in actions_s) if i < j else 0.0
            assert tiou[i, j] == pytest.approx(expected)
    assert not largest_tiou(np.empty((0, 2)), times_s).any()
    features = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 5, 12)))
    labels = torch.zeros(2, 12, dtype=torch.bool)
    labels[:, 3] = True
    batch = torch.from_numpy(np.stack([tiou, tiou]))
    losses(made(features), labels, labels, batch, made.segments.is_segment).total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in made.parameters())
