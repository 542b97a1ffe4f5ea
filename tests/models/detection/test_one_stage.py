"""Every one-stage detector: a prediction for every prior, in their order; trained everywhere; the same as its graph."""

import numpy as np
import pytest
import torch

from errors import UserError
from inference.ort import import_onnxruntime
from models.detection.build import DETECTORS, make_detector

ONE_STAGE = [name for name in DETECTORS if name.startswith(("retinanet", "fssd", "rfbnet", "fcos"))]
ONE_OF_EACH = ["retinanet-r18", "fssd-vgg16", "rfbnet-vgg16", "fcos-r18"]
HEIGHT, WIDTH = 64, 96


@pytest.mark.parametrize("name", ONE_STAGE)
def test_a_prediction_for_every_prior(name):
    with torch.device("meta"):  # shapes alone are computed
        network = make_detector(name, 3)
        outputs = network(torch.empty(2, 3, 192, 640))
    priors = network.priors(192, 640)
    per_cell = 1 if name.startswith("fcos") else 9
    levels = tuple(per_cell * rows * columns for rows, columns in ((24, 80), (12, 40), (6, 20), (3, 10), (2, 5)))
    count = sum(levels)
    assert priors.levels == levels
    assert [tuple(x.shape) for x in outputs[:2]] == [(2, count, 3), (2, count, 4)]
    assert [tuple(x.shape) for x in outputs[2:]] == ([(2, count)] if name.startswith("fcos") else [])
    assert network.decode(priors, outputs[1]).shape == (2, count, 4)
    assert network.priors(192, 640) is priors


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_parameter_is_trained(name):
    """One that is not would stop a training over several processes."""
    network = make_detector(name, 2, channels=16)
    outputs = network(torch.randn(2, 3, HEIGHT, WIDTH))
    sum(x.square().sum() for x in outputs).backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not missing


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's exporter, of torch's own functions
@torch.no_grad()
def test_the_graph_computes_the_same(name):
    torch.manual_seed(0)
    network = make_detector(name, 2, channels=16, levels=4).eval()
    image = torch.randn(1, 3, HEIGHT, WIDTH)
    graph = torch.onnx.export(network, (image,), dynamo=True, optimize=False, verbose=False).model_proto
    session = import_onnxruntime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (feed,) = session.get_inputs()
    for ours, theirs in zip(network(image), session.run(None, {feed.name: image.numpy()}), strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-3, atol=1e-4 * ours.abs().max().item())


@pytest.mark.parametrize(("name", "level"), [("retinanet-r18", 0), ("fcos-r18", 1), ("fcos-vgg16", 1)])
def test_a_prediction_looks_where_its_prior_is(name, level):
    """The pixels that a logit depends on through the map of its own stride are around its prior's point: off by no more
    than the half stride by which ResNet's padding is askew."""
    network = make_detector(name, 1, channels=16, depth=1, norm="none").eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    for lateral in network.neck.lateral[level + 1 :]:
        torch.nn.init.zeros_(lateral.weight)  # what comes down from coarser maps looks at the whole picture
    priors = network.priors(256, 384)
    middle = (priors.points - torch.tensor([192.0, 128.0])).square().sum(-1) + 1e9 * (priors.strides != 8 << level)
    index = int(middle.argmin())
    image = torch.rand(1, 3, 256, 384, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(image)[0][0, index, 0], image)
    weight = gradient.sum((0, 1))
    rows, columns = (torch.arange(n) + 0.5 for n in weight.shape)
    centre = torch.stack([(weight.sum(0) * columns).sum(), (weight.sum(1) * rows).sum()]) / weight.sum()
    off = (centre - priors.points[index]).abs() / priors.strides[index]
    assert off.max() <= 0.5, (off, centre, priors.points[index])


def test_a_class_begins_with_the_prior_probability_at_every_anchor():
    logits = make_detector("retinanet-r18", 2, channels=16, prior_probability=0.02)(torch.randn(1, 3, 64, 64))[0]
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, 0.02), atol=2e-3, rtol=0)


def test_fcos_without_centerness_has_two_outputs_and_decodes_distances_in_strides():
    network = make_detector("fcos-r18", 2, channels=16, centerness=False, levels=3).eval()
    assert len(network(torch.randn(1, 3, 32, 64))) == 2
    priors = network.priors(32, 64)
    boxes = network.decode(priors, torch.tensor([1.0, 2.0, 3.0, 0.5]).expand(1, len(priors.points), 4))
    assert boxes[0, 0].tolist() == [4 - 8, 4 - 16, 4 + 24, 4 + 4]  # the first point of stride 8
    assert boxes[0, -1].tolist() == [48 - 32, 16 - 64, 48 + 96, 16 + 16]  # the last of stride 32


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("retina", {}, "no detector 'retina'; there are retinanet-r18,"),
        ("retinanet-r18", {"heads": 2}, "retinanet-r18: .*unexpected keyword argument 'heads'"),
        ("fcos-r18", {"channels": 12}, "fcos-r18: 12 channels make no whole groups of 8"),
        ("fssd-r18", {"levels": 6}, "fssd-r18: levels is 6, not 3 to 5"),
        ("rfbnet-vgg16", {"levels": 3}, "rfbnet-vgg16: levels is 3: "),
        ("retinanet-r18", {"norm": "layer"}, "norm is 'layer', not one of none, batch, group"),
        ("retinanet-r18", {"backbone": "resnet19"}, "no backbone 'resnet19'; there are resnet18,"),
    ],
)
def test_a_mistake_in_an_argument_is_one_line(name, arguments, message):
    with pytest.raises(UserError, match=message):
        make_detector(name, 2, **arguments)


def test_sizes_are_multiples_of_32():
    with pytest.raises(ValueError, match="an input of 375x1242: both must be multiples of 32"):
        make_detector("fcos-r18", 2, channels=8).priors(375, 1242)
