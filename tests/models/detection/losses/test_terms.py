"""Focal, balanced L1 and Mean-max: against their formulas, and where those overflow."""

import math

import pytest

torch = pytest.importorskip("torch")

from models.detection.losses.balanced_l1 import balanced_l1  # noqa: E402
from models.detection.losses.focal import focal_loss  # noqa: E402
from models.detection.losses.mean_max import log_odds, negative_bag_loss, positive_bag_loss, safe_log  # noqa: E402
from tests.models.detection.losses import slow  # noqa: E402


def odds_of(likelihoods):
    return torch.tensor(likelihoods, dtype=torch.float64).logit()


def test_focal():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5, 4, generator=generator, dtype=torch.float64)
    truth = torch.rand(5, 4, generator=generator) < 0.5
    found = focal_loss(logits, truth, alpha=0.3, gamma=1.5)
    for logit, true, value in zip(logits.flatten(), truth.flatten(), found.flatten(), strict=True):
        assert value.item() == pytest.approx(slow.focal(logit.item(), true.item(), 0.3, 1.5), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_of_huge_logits(gamma):
    logits = torch.tensor([1e3, -1e3, 1e3, -1e3, 40, -40], requires_grad=True)
    truth = torch.tensor([True, True, False, False, False, True])
    losses = focal_loss(logits, truth, gamma=gamma)
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([0, 250, 750, 0, 30, 10])
    assert logits.grad.tolist() == pytest.approx([0, -0.25, 0.75, 0, 0.75, -0.25], abs=1e-6)


def test_balanced_l1_is_the_integral_of_its_gradient():
    found = torch.tensor([0.0, 0.3, -0.9, 1.0, -1.7, 20.0], dtype=torch.float64)
    truth = torch.tensor([0.0, 0.1, -0.1, 0.0, 0.5, 0.0], dtype=torch.float64)
    expected = [slow.balanced_l1(*pair) for pair in zip(found.tolist(), truth.tolist(), strict=True)]
    assert balanced_l1(found, truth).tolist() == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_balanced_l1_has_a_finite_gradient_everywhere():
    found = torch.tensor([0.0, 1.0, -1.0, 1e4, -1e-8], requires_grad=True)
    balanced_l1(found, torch.zeros(5)).sum().backward()
    assert found.grad.tolist() == pytest.approx([0, 1.5, -1.5, 1.5, 0], abs=1e-5)


def test_mean_max_against_its_equations():
    for bag in ([0.2, 0.9, 0.5], [0.01, 0.01], [0.3], [0.999, 0.001, 0.6, 0.6]):
        odds = odds_of([bag])
        assert positive_bag_loss(odds).item() == pytest.approx(-math.log(slow.mean_max_positive(bag)), rel=1e-9)
        assert negative_bag_loss(odds).item() == pytest.approx(-math.log(slow.mean_max_negative(bag)), rel=1e-9)


def test_positive_mean_max_goes_from_mean_to_max():
    assert positive_bag_loss(odds_of([[1e-4, 3e-4]])).exp().item() == pytest.approx(1 / 2e-4, rel=1e-3)
    assert positive_bag_loss(odds_of([[0.999999, 1e-4]])).item() == pytest.approx(0, abs=1e-5)


def test_negative_mean_max_is_what_the_surest_leaves():
    """1 where nobody is sure, 1 − φ of the surest where one is."""
    assert negative_bag_loss(odds_of([[1e-6, 2e-6]])).item() == pytest.approx(0, abs=1e-5)
    assert negative_bag_loss(odds_of([[0.999, 0.01, 0.02]])).exp().item() == pytest.approx(1000, rel=1e-3)


def test_places_without_a_member_do_not_count():
    odds = torch.tensor([[0.5, -1.0, -torch.inf], [2.0, -torch.inf, -torch.inf]], requires_grad=True)
    for loss in (positive_bag_loss, negative_bag_loss):
        found = loss(odds)
        assert found[0].item() == pytest.approx(loss(odds[:1, :2]).item())
        assert found[1].item() == pytest.approx(loss(odds[1:, :1]).item())
        (gradient,) = torch.autograd.grad(found.sum(), odds)
        assert gradient.isfinite().all()
        assert (gradient[odds.isinf()] == 0).all()


def test_odds_of_a_product():
    generator = torch.Generator().manual_seed(1)
    logits = 5 * torch.randn(50, generator=generator, dtype=torch.float64)
    confidence = torch.rand(50, generator=generator, dtype=torch.float64)
    found = log_odds(logits, confidence.log(), (1 - confidence).log())
    torch.testing.assert_close(found, (logits.sigmoid() * confidence).logit())


@pytest.mark.parametrize("logit", [-40.0, 0.0, 40.0])
@pytest.mark.parametrize("error", [0.0, 1e-9, 1.0, 1e4])
def test_saturated_bags_are_finite_and_so_are_their_gradients(logit, error):
    """All φ = 1 (sure, no error), all φ = 0, and what lies between, as half precision gives them."""
    logits = torch.full((1, 4), logit, requires_grad=True)
    errors = torch.full((1, 4), error, requires_grad=True)
    right = log_odds(logits, -errors, safe_log(-torch.expm1(-errors)))
    overlap = torch.tensor([[0.0, 0.5, 1.0, 1.0]])
    wrong = log_odds(logits, safe_log(1 - overlap), safe_log(overlap))
    positive, negative = positive_bag_loss(right), negative_bag_loss(wrong)
    assert positive.item() == pytest.approx(max(-logit, 0) + error, rel=1e-3, abs=1.0)
    assert negative.item() == pytest.approx(max(logit, 0), rel=1e-3, abs=1.0)
    (positive + negative).sum().backward()
    assert logits.grad.isfinite().all()
    assert errors.grad.isfinite().all()
    if logit == 40.0:
        assert logits.grad[0, 0].item() == pytest.approx(1, abs=1e-3)  # falsely sure: it still learns
