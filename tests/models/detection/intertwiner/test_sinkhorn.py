"""Sinkhorn's divergence against the exact optimum of the linear programme, and its behaviour at the edges."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from models.detection.intertwiner.sinkhorn import cosine_cost, debiased_transport_cost, sinkhorn, transport_cost


def exact_optimum(cost: np.ndarray) -> float:
    """The least cost of moving uniform mass on the rows to uniform mass on the columns, as a linear programme."""
    rows, columns = cost.shape
    sums = [np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))]
    masses = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return float(linprog(cost.ravel(), A_eq=np.concatenate(sums), b_eq=masses, bounds=(0, None)).fun)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 4), (3, 7), (8, 5)])
def test_reaches_the_exact_optimum_as_the_regulariser_vanishes(rows: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    a = torch.randn(rows, 6, generator=generator, dtype=torch.float64)
    b = torch.randn(columns, 6, generator=generator, dtype=torch.float64)
    cost = cosine_cost(a, b)
    best = exact_optimum(cost.numpy())
    above = [float(sinkhorn(cost, epsilon, iterations=5000)) - best for epsilon in (0.3, 0.03, 0.003)]
    assert all(gap >= -1e-4 for gap in above)
    assert above[2] == pytest.approx(0, abs=1e-3)
    assert above[2] <= above[1] + 1e-6 <= above[0] + 2e-6


def test_is_algorithm_1_written_without_logarithms() -> None:
    """Where the kernel does not vanish, the plain scaling of the paper gives the same."""
    generator = torch.Generator().manual_seed(1)
    cost = cosine_cost(torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)).double().numpy()
    kernel, b = np.exp(-cost / 0.1), np.ones(5)
    for _ in range(10):
        a = (1 / 5) / (kernel.T @ b)
        b = (1 / 5) / (kernel @ a)
    expected = (np.diag(b) @ kernel @ np.diag(a) * cost).sum()
    assert float(sinkhorn(torch.from_numpy(cost))) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60)
@given(
    epsilon=st.floats(1e-3, 10),
    size=st.integers(1, 9),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e10]),
    seed=st.integers(0, 99),
)
def test_value_and_gradient_are_finite_at_any_regulariser(epsilon: float, size: int, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = (scale * torch.randn(2, size, 3, generator=generator)).requires_grad_()
    b = torch.randn(2, size, 3, generator=generator, requires_grad=True)
    for divergence in (transport_cost, debiased_transport_cost):
        value = divergence(a, b, epsilon)
        assert value.shape == (2,)
        assert value.isfinite().all()
        gradients = torch.autograd.grad(value.sum(), (a, b))
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_is_symmetric() -> None:
    a, b = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(2)).double()
    for divergence in (transport_cost, debiased_transport_cost):
        forth, back = divergence(a, b, 0.1, 500), divergence(b, a, 0.1, 500)
        assert float(forth) == pytest.approx(float(back), abs=1e-5)


def test_equal_sets() -> None:
    """Debiased they are 0 apart, in any order; as in Algorithm 1 only as far as the regulariser is small."""
    a = torch.randn(6, 5, generator=torch.Generator().manual_seed(3))
    shuffled = a[torch.tensor([3, 1, 5, 0, 2, 4])]
    assert float(debiased_transport_cost(a, shuffled)) == pytest.approx(0, abs=1e-6)
    assert float(transport_cost(a, shuffled, 1.0)) > 0.1
    assert float(transport_cost(a, shuffled, 1e-3, 100)) == pytest.approx(0, abs=1e-6)


def test_the_gradient_draws_the_sets_together() -> None:
    generator = torch.Generator().manual_seed(4)
    a, b = torch.randn(2, 6, 8, generator=generator)
    before = float(transport_cost(a, b))
    a.requires_grad_()
    for _ in range(50):
        (gradient,) = torch.autograd.grad(transport_cost(a, b), a)
        a = (a - 0.5 * gradient).detach().requires_grad_()
    assert float(transport_cost(a.detach(), b)) < 0.5 * before


def test_autocast_does_not_round_it() -> None:
    a, b = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(5))
    expected = transport_cost(a, b)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(transport_cost(a, b), expected)
