"""The network against the paper's equations, written out node by node and edge by edge."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.bcgnn.network import BCGNN, VARIANTS  # noqa: E402
from tests.models.bcgnn import explicit_graph  # noqa: E402

SIZES = {"base_dim": 6, "node_dim": 4, "content_dim": 3, "samples": 5}


def network(length, max_duration=None, variant="directed+edges", **sizes):
    """With weights so large that every part of it shows in the result."""
    torch.manual_seed(1)
    made = BCGNN(7, length, max_duration, variant=variant, **(SIZES | sizes)).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.5)
    return made


def features(length, batch=1, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 7, length))


def run(made, given):
    with torch.no_grad():
        return [torch.sigmoid(logits).numpy() for logits in made(torch.from_numpy(given))]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("length", "max_duration"), [(11, None), (16, 9), (2, None), (19, 3)])
def test_network_equals_explicit_nodes_and_edges(variant, length, max_duration):
    made, given = network(length, max_duration, variant), features(length)
    start, end, content = run(made, given)
    weights = {name: value.numpy() for name, value in made.state_dict().items()}
    longest = length if max_duration is None else max_duration
    p_s, p_e, p_c = explicit_graph.probabilities(
        weights, given[0], max_duration=longest, samples=SIZES["samples"], variant=variant
    )
    np.testing.assert_allclose(start[0], p_s, rtol=1e-5)
    np.testing.assert_allclose(end[0], p_e, rtol=1e-5)
    expected = np.zeros((length, length))
    for (i, j), value in p_c.items():
        expected[i, j] = value
    np.testing.assert_allclose(content[0], expected, rtol=1e-5)
    if length > 2:
        assert np.ptp(p_s) > 0.05  # the weights show: a network that gives 0.5 would agree with anything
        assert np.ptp(list(p_c.values())) > 0.05


def test_in_float32_it_is_as_close_at_the_paper_s_sizes():
    torch.manual_seed(2)
    made = BCGNN(7, 100)
    given = torch.from_numpy(features(100))
    with torch.no_grad():
        single, double = made(given.float()), made.double()(given)
    for ours, exact in zip(single, double, strict=True):
        assert (ours - exact).abs().max() <= 1e-5 * exact[exact > -1e3].abs().max()


def test_sampling_equals_a_fully_connected_layer_over_interpolated_content():
    made = network(21, 13)
    content = np.random.default_rng(3).normal(size=(2, 21, SIZES["content_dim"]))
    with torch.no_grad():
        edges = made.edges(torch.from_numpy(content), made.segments).flatten(1, 3).numpy()
    cells = made.segments.cells.view(21, 21).numpy()
    weight, bias = (value.detach().numpy() for value in (made.edges.linear.weight, made.edges.linear.bias))
    for b in range(2):
        for i in range(21):
            for j in range(i + 1, min(i + 13, 20) + 1):
                sampled = explicit_graph.interpolate(content[b].T, i, j, SIZES["samples"]).reshape(-1)
                np.testing.assert_allclose(edges[b, cells[i, j]], weight @ sampled + bias, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_of_a_batch_do_not_mix_and_gradients_reach_every_weight(variant):
    made, given = network(19, 12, variant), features(19, batch=3)
    alone = [run(made, given[b : b + 1]) for b in range(3)]
    for together, parts in zip(run(made, given), zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(together, np.concatenate(parts), rtol=1e-9)
    start, end, content = made(torch.from_numpy(given))
    (start.square().sum() + end.square().sum() + content[:, made.segments.is_segment].square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in made.parameters())


def test_is_segment_says_where_content_is():
    made = network(12, 5)
    found = made.segments.is_segment.numpy()
    expected = np.array([[0 < j - i <= 5 for j in range(12)] for i in range(12)])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(run(made, features(12))[2][0] > 0, expected)


def test_edges_that_are_all_zero_or_huge_stay_finite():
    made = network(12)
    for given in (np.zeros((1, 7, 12)), np.full((1, 7, 12), 1e3), features(12) * 1e3):
        assert all(np.isfinite(values).all() for values in run(made, given))


def test_the_paper_s_sizes_and_a_variant_that_is_none():
    made = BCGNN(400, 128, 64)
    assert made.edges.linear.weight.shape == (128, 128 * 32)
    assert [block.edge[0].weight.shape for block in made.reasoning] == [(128, 128)] * 2
    assert made.segments.is_segment.sum() == sum(128 - d for d in range(1, 65))
    with pytest.raises(ValueError, match="there are gcn, undirected"):
        BCGNN(400, variant="gat")
