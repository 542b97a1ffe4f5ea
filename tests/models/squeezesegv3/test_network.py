"""SqueezeSegV3: sizes, names, outputs."""

import pytest

torch = pytest.importorskip("torch")

from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402


@pytest.mark.parametrize(("layers", "expected"), [(21, 9_232_980), (53, 25_945_428)])
def test_parameters_of_the_inference_path(layers, expected):
    with torch.device("meta"):
        network = SqueezeSegV3(layers)
    side_heads = tuple(f"segmentation_head{i}." for i in (1, 2, 3, 4))
    parameters = [p.numel() for name, p in network.named_parameters() if not name.startswith(side_heads)]
    assert sum(parameters) == expected


def test_names_mirror_the_release():
    with torch.device("meta"):
        names = set(SqueezeSegV3(21).state_dict())
    assert {
        "backbone.conv1.weight",
        "backbone.bn1.running_mean",
        "backbone.enc3.residual_1.attention_x.0.bias",
        "backbone.enc5.residual_0.position_mlp_2.4.weight",
        "backbone.enc3.conv.weight",
        "segmentation_decoder.dec5.conv.bias",
        "segmentation_decoder.dec1.upconv.weight",
        "segmentation_decoder.dec1.residual.bn2.running_var",
        "segmentation_head5.1.weight",
    } <= names


def test_unknown_size_is_refused():
    with pytest.raises(ValueError, match="21 or 53"):
        SqueezeSegV3(34)


def test_side_outputs_have_the_widths_of_the_stages():
    network = SqueezeSegV3().eval()
    image = torch.randn(1, 5, 8, 64)
    with torch.no_grad():
        outputs = network.side_outputs(image)
        assert [o.shape for o in outputs] == [(1, 20, 8, w) for w in (64, 32, 16, 8, 8)]
        assert torch.equal(outputs[0], network(image))
