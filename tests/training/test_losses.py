"""Losses against their definitions, written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def test_multi_layer_cross_entropy():
    torch = pytest.importorskip("torch")
    from training.losses import multi_layer_cross_entropy

    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 4, 8))
    weights = torch.tensor([0.0, 1.0, 2.0, 5.0])
    outputs = [torch.randn(2, 4, 4, width) for width in (8, 4, 2)]
    expected = []
    for logits in outputs:
        every = 8 // logits.shape[3]
        target = labels[:, :, ::every]
        log_probabilities = logits.log_softmax(1)
        picked = [
            (weights[target[b, v, u]], log_probabilities[b, target[b, v, u], v, u])
            for b, v, u in np.ndindex(*target.shape)
            if target[b, v, u] > 0
        ]
        expected.append(-sum(float(w * p) for w, p in picked) / sum(float(w) for w, _ in picked))
    found = [loss.item() for loss in multi_layer_cross_entropy(outputs, labels, weights)]
    assert found == pytest.approx(expected, rel=1e-5)


def test_an_unlabelled_window_costs_nothing():
    torch = pytest.importorskip("torch")
    from training.losses import multi_layer_cross_entropy

    loss = multi_layer_cross_entropy([torch.randn(1, 3, 2, 2)], torch.zeros(1, 2, 2, dtype=torch.long), torch.ones(3))
    assert [term.item() for term in loss] == [0]


def test_class_weights():
    torch = pytest.importorskip("torch")
    from training.losses import equal_weights, inverse_frequency_weights, inverse_log_weights

    weights = inverse_frequency_weights([0.5, 0.25, 0.0])
    torch.testing.assert_close(weights, torch.tensor([0.0, 1 / 0.251, 1000.0]))
    weights = inverse_log_weights([0.5, 0.25, 0.0])
    torch.testing.assert_close(weights, torch.tensor([0.0, 1 / np.log(1.27), 1 / np.log(1.02)]), check_dtype=False)
    torch.testing.assert_close(equal_weights([0.5, 0.25, 0.0]), torch.tensor([0.0, 1.0, 1.0]))


def jaccard_loss(foreground: set[int], wrong: set[int]) -> float:
    """1 − IoU of the class whose pixels are ``foreground``, when the pixels ``wrong`` are (the paper's Eq. 6)."""
    return len(wrong) / len(foreground | wrong)


def lovasz_extension(foreground: set[int], errors: list[float]) -> float:
    """The Lovász extension of the set function, by definition (Eq. 8): pixels join the wrong ones by error."""
    value, wrong = 0.0, set()
    for pixel in sorted(range(len(errors)), key=lambda i: -errors[i]):
        before = jaccard_loss(foreground, wrong)
        wrong = wrong | {pixel}
        value += errors[pixel] * (jaccard_loss(foreground, wrong) - before)
    return value


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_lovasz_softmax_is_its_definition(seed, classes):
    torch = pytest.importorskip("torch")
    from training.losses import lovasz_softmax

    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 2, 4, generator=generator) * 3
    labels = torch.randint(0, classes, (2, 2, 4), generator=generator)
    pixels = [(b, v, u) for b, v, u in np.ndindex(2, 2, 4) if labels[b, v, u] > 0]
    probabilities = logits.double().softmax(1)
    values = []
    for c in sorted({int(labels[pixel]) for pixel in pixels}):
        foreground = {i for i, pixel in enumerate(pixels) if labels[pixel] == c}
        of_class = [float(probabilities[b, c, v, u]) for b, v, u in pixels]
        errors = [1 - p if i in foreground else p for i, p in enumerate(of_class)]
        values.append(lovasz_extension(foreground, errors))
    expected = sum(values) / len(values) if values else 0.0
    assert lovasz_softmax(logits, labels).item() == pytest.approx(expected, abs=1e-5)


def test_lovasz_softmax_pulls_the_right_way():
    torch = pytest.importorskip("torch")
    from training.losses import lovasz_softmax

    labels = torch.tensor([[[1, 2, 0]]])
    logits = torch.zeros(1, 3, 1, 3, requires_grad=True)
    lovasz_softmax(logits, labels).backward()
    assert logits.grad[0, 1, 0, 0] < 0 < logits.grad[0, 2, 0, 0]
    assert not logits.grad[..., 2].any()
    right = torch.nn.functional.one_hot(labels, 3).movedim(3, 1) * 50.0
    assert lovasz_softmax(right, labels).item() == pytest.approx(0, abs=1e-6)
