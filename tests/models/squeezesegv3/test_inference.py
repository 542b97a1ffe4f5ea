"""The inference form against the network it was made from: every variant of SAC, both depths."""

import pytest

torch = pytest.importorskip("torch")

from models.squeezesegv3.inference import SplitConvolution, inference_form  # noqa: E402
from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from models.squeezesegv3.sac import VARIANTS  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402


def trained(layers: int, sac: str) -> SqueezeSegV3:
    torch.manual_seed(1)
    return as_if_trained(SqueezeSegV3(layers, classes=5, sac=sac))


@pytest.mark.parametrize(("layers", "sac"), [*((21, sac) for sac in VARIANTS), (53, "isk")])
def test_it_is_the_same_function(layers, sac):
    network = trained(layers, sac)
    image = torch.randn(2, 5, 8, 32)
    with torch.no_grad():
        ours, reference = inference_form(network)(image), network.eval()(image)
    assert ours.shape == reference.shape == (2, 5, 8, 32)
    assert (ours - reference).abs().max() < 1e-5 * reference.abs().max()


def test_the_network_stays_as_it_was():
    network = trained(21, "isk")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    form = inference_form(network)
    assert network.training
    assert not form.training
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("sac", VARIANTS)
def test_neither_batch_norm_nor_side_heads_are_left(sac):
    form = inference_form(trained(21, sac))
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in form.modules())
    assert {name for name, _ in form.named_children() if "head" in name} == {"segmentation_head5"}


def test_it_stays_where_the_network_is():
    """A training on a GPU validates the inference form there; meta stands for any device that is not the CPU."""
    form = inference_form(SqueezeSegV3(21, classes=5).to("meta"))
    assert {tensor.device.type for tensor in form.state_dict().values()} == {"meta"}


def test_first_convolution_survives_bfloat16():
    """Leaves 3 cm deep on a wall 12 to 20 m away, through a filter that takes neighbours from each other."""
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(5, 8, 3, padding=1).requires_grad_(False)
    conv.weight -= conv.weight.mean(dim=(2, 3), keepdim=True)
    conv.bias.zero_()
    image = torch.linspace(0, 0.65, 64).expand(1, 5, 16, 64) + 0.003 * torch.randn(1, 5, 16, 64)

    def as_bfloat16(layer: torch.nn.Conv2d, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs and weights rounded, sums exact: what a matrix unit does."""
        return torch.nn.functional.conv2d(inputs.bfloat16().double(), layer.weight.bfloat16().double(), padding=1)

    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    exact = conv.double()(image.double())[inside]
    with torch.no_grad():
        split = SplitConvolution(conv.float()).requires_grad_(False)
    assert (split(image)[inside] - exact).abs().max() < 1e-5 * exact.abs().max()
    rounded = as_bfloat16(conv, image)[inside]
    coarse = torch.floor(image * 16) / 16
    kept = as_bfloat16(split.conv, torch.cat([coarse, image - coarse] * 2, dim=1))[inside]
    assert (rounded - exact).abs().mean() > 0.05 * exact.abs().mean()
    assert (kept - exact).abs().mean() < 0.005 * exact.abs().mean()
