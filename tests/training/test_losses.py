"""Losses against their definitions, written out."""

import numpy as np
import pytest


def test_multi_layer_cross_entropy():
    torch = pytest.importorskip("torch")
    from training.losses import multi_layer_cross_entropy

    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 4, 8))
    weights = torch.tensor([0.0, 1.0, 2.0, 5.0])
    outputs = [torch.randn(2, 4, 4, width) for width in (8, 4, 2)]
    expected = 0.0
    for logits in outputs:
        every = 8 // logits.shape[3]
        target = labels[:, :, ::every]
        log_probabilities = logits.log_softmax(1)
        picked = [
            (weights[target[b, v, u]], log_probabilities[b, target[b, v, u], v, u])
            for b, v, u in np.ndindex(*target.shape)
            if target[b, v, u] > 0
        ]
        expected -= sum(float(w * p) for w, p in picked) / sum(float(w) for w, _ in picked)
    assert multi_layer_cross_entropy(outputs, labels, weights).item() == pytest.approx(expected, rel=1e-5)


def test_an_unlabelled_window_costs_nothing():
    torch = pytest.importorskip("torch")
    from training.losses import multi_layer_cross_entropy

    loss = multi_layer_cross_entropy([torch.randn(1, 3, 2, 2)], torch.zeros(1, 2, 2, dtype=torch.long), torch.ones(3))
    assert loss.item() == 0


def test_class_weights():
    torch = pytest.importorskip("torch")
    from training.losses import inverse_frequency_weights, inverse_log_weights

    weights = inverse_frequency_weights([0.5, 0.25, 0.0])
    torch.testing.assert_close(weights, torch.tensor([0.0, 1 / 0.251, 1000.0]))
    weights = inverse_log_weights([0.5, 0.25, 0.0])
    torch.testing.assert_close(weights, torch.tensor([0.0, 1 / np.log(1.27), 1 / np.log(1.02)]), check_dtype=False)
