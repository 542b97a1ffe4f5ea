"""Backbones against the known counts of their originals, and public weights from a file."""

import pytest
import torch

from errors import UserError
from models.detection.backbones import BACKBONES, make_backbone
from models.detection.backbones.imagenet import load_imagenet
from models.detection.backbones.vgg import VGG16, thinned_classifier
from models.mobilenetv2 import MobileNetV2


def _linear(inputs, outputs):
    return (inputs + 1) * outputs


@pytest.mark.parametrize(
    ("name", "classifier", "published"),
    [
        ("resnet18", _linear(512, 1000), 11_689_512),
        ("resnet50", _linear(2048, 1000), 25_557_032),
        ("resnet101", _linear(2048, 1000), 44_549_160),
        ("vgg16", _linear(512 * 7 * 7, 4096) + _linear(4096, 4096) + _linear(4096, 1000), 138_357_544),
        ("mobilenetv2", 320 * 1280 + 2 * 1280 + _linear(1280, 1000), 3_504_872),
    ],
)
def test_with_their_classifier_they_have_the_parameters_of_the_originals(name, classifier, published):
    with torch.device("meta"):
        backbone = make_backbone(name)
    original = [p.numel() for n, p in backbone.named_parameters() if not n.startswith(("fc6", "fc7", "conv8"))]
    assert sum(original) + classifier == published


@pytest.mark.parametrize("name", BACKBONES)
def test_maps_are_as_announced(name):
    with torch.device("meta"):
        backbone = make_backbone(name)
        maps = backbone(torch.empty(2, 3, 96, 160))
    expected = [(2, c, 96 // s, 160 // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)]
    assert [tuple(x.shape) for x in maps] == expected


def _resnet18_file(path, **changes):
    """A state dict as torchvision's resnet18 gives it, every tensor filled with a number of its own."""
    state = {
        name: torch.full_like(value, index, dtype=value.dtype)
        for index, (name, value) in enumerate(make_backbone("resnet18").state_dict().items())
    }
    state |= {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)} | changes
    torch.save({name: value for name, value in state.items() if value is not None}, path)
    return state


def test_resnet_takes_torchvisions_weights_and_names_what_it_left_out(tmp_path):
    state = _resnet18_file(tmp_path / "r18.pth")
    assert {"conv1.weight", "layer1.0.conv1.weight", "layer2.0.downsample.1.running_var"} < state.keys()
    backbone = make_backbone("resnet18")
    assert load_imagenet(backbone, tmp_path / "r18.pth") == ("fc.weight", "fc.bias")
    assert all(torch.equal(value, state[name]) for name, value in backbone.state_dict().items())


def test_a_file_older_than_the_counters_of_batch_norm_is_taken(tmp_path):
    counters = [n for n in make_backbone("resnet18").state_dict() if n.endswith("num_batches_tracked")]
    _resnet18_file(tmp_path / "old.pth", **dict.fromkeys(counters))
    load_imagenet(make_backbone("resnet18"), tmp_path / "old.pth")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"layer3.1.conv2.weight": None},
            "no layer3.1.conv2.weight: not the weights of this backbone; give torchvision's",
        ),
        ({"conv1.weight": torch.zeros(64, 1, 7, 7)}, "conv1.weight is 64x1x7x7, not 64x3x7x7: the weights of another"),
        (
            {"layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)},
            "has layer1.2.conv1.weight, which this backbone has not",
        ),
        ({"epoch": 3}, "not a state dict; save one with"),
    ],
)
def test_a_file_of_something_else_is_one_line_and_changes_nothing(tmp_path, changes, message):
    _resnet18_file(tmp_path / "r.pth", **changes)
    backbone = make_backbone("resnet18")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(UserError, match=f"r.pth: {message}"):
        load_imagenet(backbone, tmp_path / "r.pth")
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_vgg_without_a_classifier_keeps_fc6_and_fc7_as_they_are(tmp_path):
    backbone = VGG16()
    state = {n: torch.full_like(v, 0.5) for n, v in backbone.state_dict().items() if n.startswith("features")}
    torch.save(state, tmp_path / "vgg.pth")
    assert "features.28.weight" in state  # torchvision's name of conv5_3
    fc6 = backbone.fc6[0].weight.clone()
    assert load_imagenet(backbone, tmp_path / "vgg.pth") == ()
    assert (backbone.features[28].weight == 0.5).all()
    assert torch.equal(backbone.fc6[0].weight, fc6)


def test_vgg_with_a_classifier_takes_fc6_and_fc7_from_it_and_leaves_out_the_rest(tmp_path):
    backbone = VGG16(c5=False)
    state = {n: torch.zeros_like(v) for n, v in backbone.state_dict().items() if n.startswith("features")}
    for name, outputs, inputs in [("0", 4096, 512 * 49), ("3", 4096, 4096), ("6", 1000, 4096)]:
        state[f"classifier.{name}.weight"] = torch.tensor(0.25).expand(outputs, inputs)  # one number in the file
        state[f"classifier.{name}.bias"] = torch.tensor(0.5).expand(outputs)
    torch.save(state, tmp_path / "vgg.pth")
    assert load_imagenet(backbone, tmp_path / "vgg.pth") == ("classifier.6.weight", "classifier.6.bias")
    assert (backbone.fc6[0].weight == 0.25).all()
    assert (backbone.fc7[0].bias == 0.5).all()


@pytest.mark.parametrize("side", ["outputs", "inputs"])
def test_fc6_and_fc7_are_thinned_from_the_classifier(side):
    """Every fourth output, and in fc6 every third row and column: told by weights that are their output's or input's
    number."""

    def numbered(outputs, inputs):
        number = torch.arange(outputs)[:, None] if side == "outputs" else torch.arange(inputs)[None]
        return number.expand(outputs, inputs)  # takes no memory

    state = {
        "classifier.0.weight": numbered(4096, 512 * 49),
        "classifier.0.bias": torch.arange(4096),
        "classifier.3.weight": numbered(4096, 4096),
        "classifier.3.bias": torch.arange(4096) + 1,
    }
    thin = thinned_classifier(state)
    assert thin["fc6.0.weight"].shape == (1024, 512, 3, 3)
    assert thin["fc7.0.weight"].shape == (1024, 1024, 1, 1)
    for output, channel, row, column in [(0, 0, 0, 0), (1, 2, 1, 2), (1023, 511, 2, 2)]:
        number = 4 * output if side == "outputs" else channel * 49 + 3 * row * 7 + 3 * column
        assert thin["fc6.0.weight"][output, channel, row, column] == number
    assert thin["fc7.0.weight"][3, 5, 0, 0] == (12 if side == "outputs" else 20)
    assert (thin["fc6.0.bias"][7], thin["fc7.0.bias"][7]) == (28, 29)


def _older_names(state):
    """Of the model's author: a bottleneck's layers counted in one row."""
    return {f"features.{i}.conv.{n}": value for i, (n, value) in enumerate(state.items())}


@pytest.mark.parametrize("named", [dict, _older_names])
def test_mobilenetv2_takes_torchvisions_weights_or_the_older_ones_and_names_what_it_left_out(tmp_path, named):
    torch.manual_seed(0)
    whole = MobileNetV2()
    with torch.no_grad():
        for value in whole.state_dict().values():
            value.add_(1)  # no running mean is as a new network has it
    torch.save(named(whole.state_dict()) | {"classifier.1.bias": torch.zeros(1000)}, tmp_path / "m.pth")
    backbone = make_backbone("mobilenetv2")
    left_out = load_imagenet(backbone, tmp_path / "m.pth")
    last = ("0.weight", *(f"1.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")))
    assert left_out == (*(f"features.18.{n}" for n in last), "classifier.1.bias")
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(images)[-1], whole.eval().features[:18](images))


def test_mobilenetv2_refuses_the_weights_of_another_network(tmp_path):
    torch.save(make_backbone("resnet18").state_dict(), tmp_path / "r.pth")
    with pytest.raises(UserError, match=r"r\.pth: not the weights of MobileNetV2 at its usual width"):
        load_imagenet(make_backbone("mobilenetv2"), tmp_path / "r.pth")
