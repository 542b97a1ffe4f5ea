"""The inference form against the network it was made from: every variant of SAC, both depths."""

import pytest

torch = pytest.importorskip("torch")

from models.squeezesegv3.inference import inference_form  # noqa: E402
from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from models.squeezesegv3.sac import VARIANTS  # noqa: E402


def as_if_trained(layers: int, sac: str) -> SqueezeSegV3:
    """Batch norm with statistics and weights of its own, so that folding it has something to fold."""
    torch.manual_seed(1)
    network = SqueezeSegV3(layers, classes=5, sac=sac)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 2)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.3)
    return network


@pytest.mark.parametrize(("layers", "sac"), [*((21, sac) for sac in VARIANTS), (53, "isk")])
def test_it_is_the_same_function(layers, sac):
    network = as_if_trained(layers, sac)
    image = torch.randn(2, 5, 8, 32)
    with torch.no_grad():
        ours, reference = inference_form(network)(image), network.eval()(image)
    assert ours.shape == reference.shape == (2, 5, 8, 32)
    assert (ours - reference).abs().max() < 1e-5 * reference.abs().max()


def test_the_network_stays_as_it_was():
    network = as_if_trained(21, "isk")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    form = inference_form(network)
    assert network.training
    assert not form.training
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("sac", VARIANTS)
def test_neither_batch_norm_nor_side_heads_are_left(sac):
    form = inference_form(as_if_trained(21, sac))
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in form.modules())
    assert {name for name, _ in form.named_children() if "head" in name} == {"segmentation_head5"}
