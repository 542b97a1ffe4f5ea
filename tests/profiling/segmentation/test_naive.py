"""The network that ours is compared with is the same network; its operations against a count by hand."""

import pytest

torch = pytest.importorskip("torch")

from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from profiling.segmentation.flops import squeezesegv3_flops  # noqa: E402
from profiling.segmentation.naive import NaiveSAC, NaiveSqueezeSegV3  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402


@pytest.mark.parametrize("layers", [21, 53])
def test_naive_network_is_the_network(layers):
    torch.manual_seed(layers)
    network = as_if_trained(SqueezeSegV3(layers)).eval()
    naive = NaiveSqueezeSegV3(layers).eval()
    naive.load_state_dict(network.state_dict())
    image = torch.randn(1, 5, 6, 32)
    with torch.no_grad():
        expected, found = network.side_outputs(image), naive(image)
        logits = naive.logits(image)
    assert (logits - expected[0]).abs().max() < 1e-5 * expected[0].abs().max()
    assert [f.shape for f in found] == [e.shape for e in expected]
    for probabilities, output in zip(found, expected, strict=True):
        assert torch.allclose(probabilities, output.softmax(1), rtol=1e-4, atol=1e-6)


def test_operations_of_one_block_by_hand():
    """32 channels: 7×7 over 3 channels to 288, 1×1 from 288 to 32, 3×3 from 32 to 32."""
    by_hand = 2 * 8 * 16 * (3 * 49 * 288 + 288 * 32 + 32 * 9 * 32)
    with torch.device("meta"), torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        NaiveSAC(32)(torch.empty(1, 3, 8, 16), torch.empty(1, 32, 8, 16))
    assert counter.get_total_flops() == by_hand


def test_operations_of_the_network():
    assert squeezesegv3_flops(21, 64, 2048) == 4 * squeezesegv3_flops(21, 64, 512)
    assert 391e9 < squeezesegv3_flops(21, 64, 2048) < 393e9  # the published design's figure: 392 GFLOP
