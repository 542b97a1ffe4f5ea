"""Faster R-CNN and InterNet as wholes: training, shapes, export, refusals."""

import numpy as np
import onnx
import pytest
import torch

from errors import UserError
from export.to_onnx import to_onnx
from export.to_onnx_options import Batch
from inference.manifest import Tensor as TensorDescription
from inference.openvino_backend import import_openvino
from inference.ort import import_onnxruntime
from models.detection.build import make_detector
from models.detection.matching import Objects

TINY = {"channels": 16, "hidden": 32, "before_nms": 60, "proposals": 20, "regions_per_image": 24, "canonical_size": 60}
TWO_STAGE = ("faster-rcnn-r18", "internet-r18")


def pictures() -> torch.Tensor:
    return torch.randn(2, 3, 96, 160, generator=torch.Generator().manual_seed(0))


def some_objects() -> list[Objects]:
    boxes = torch.tensor([[10.0, 10, 50, 60], [80, 20, 150, 90], [100, 10, 140, 40], [60, 60, 70, 70]])
    labels = torch.tensor([0, 2, 2, 0])
    return [Objects(boxes, labels), Objects(boxes[:2], labels[:2])]


def nothing() -> Objects:
    return Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))


@pytest.mark.parametrize("name", TWO_STAGE)
def test_three_steps_reduce_the_loss(name: str) -> None:
    torch.manual_seed(0)
    network = make_detector(name, 3, **TINY)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02)
    totals = []
    for _ in range(4):
        torch.manual_seed(1)  # the same anchors and, as far as proposals are, regions
        loss = torch.stack(list(network.losses(pictures(), some_objects()).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimiser.step()
        totals.append(loss.item())
    assert totals[3] < totals[2] < totals[1] < totals[0]


@pytest.mark.parametrize("name", TWO_STAGE)
def test_images_without_any_object_train(name: str) -> None:
    network = make_detector(name, 3, **TINY)
    losses = network.losses(pictures(), [nothing(), nothing()])
    assert float(losses["boxes"].detach()) == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("name", TWO_STAGE)
def test_trains_in_half_precision(name: str) -> None:
    torch.manual_seed(0)
    network = make_detector(name, 3, **TINY)
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.losses(pictures(), some_objects())
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def lively(name: str) -> torch.nn.Module:
    """Random weights that see much, with scores far enough apart that rounding swaps none."""
    torch.manual_seed(3)
    network = make_detector(name, 3, **TINY).eval()
    torch.nn.init.normal_(network.region_proposals.objectness.weight, std=0.03)
    torch.nn.init.normal_(network.region_proposals.deltas.weight, std=0.05)
    torch.nn.init.normal_(network.head.classes.weight, std=0.3)
    torch.nn.init.normal_(network.head.deltas.weight, std=0.05)
    return network


@pytest.mark.parametrize("name", TWO_STAGE)
def test_predictions(name: str) -> None:
    boxes, scores = lively(name)(pictures())
    assert boxes.shape == (2, 20, 4)
    assert scores.shape == (2, 20, 3)
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([160.0, 96, 160, 96])).all()
    assert ((scores >= 0) & (scores.sum(-1, keepdim=True) <= 1 + 1e-6)).all()


@pytest.mark.parametrize("name", TWO_STAGE)
def test_a_network_is_rebuilt_from_its_arguments(name: str) -> None:
    network = lively(name)
    rebuilt = make_detector(name, **network.arguments).eval()
    rebuilt.load_state_dict(network.state_dict())
    for found, expected in zip(rebuilt(pictures()), network(pictures()), strict=True):
        torch.testing.assert_close(found, expected)


def in_onnx_runtime(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})


def in_openvino(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    core = import_openvino().Core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    return list(compiled({"images": images}).values())


def test_exported_graph_finds_the_same() -> None:
    """Of InterNet, which has all that Faster R-CNN has; for any batch."""
    network, images = lively("internet-r18"), pictures()
    inputs = [TensorDescription(name="images", dtype="float32", shape=("batch", 3, 96, 160))]
    batch = Batch(1, 2, 4)
    model, _ = to_onnx(network, inputs, ["boxes", "scores"], {"images": images[:1].numpy()}, batch=batch)
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("RoiAlign") == 4
    assert operators.count("NonMaxSuppression") == 5
    names = " ".join(weight.name for weight in model.graph.initializer)
    assert "guidance" not in names, "what only training needs is exported"
    with torch.no_grad():
        expected = [x.numpy() for x in network(images)]
    assert expected[1].max() > 0.5
    for run in (in_onnx_runtime, in_openvino):
        boxes, scores = run(model, images.numpy())
        np.testing.assert_allclose(boxes, expected[0], atol=1e-2)  # px
        np.testing.assert_allclose(scores, expected[1], atol=1e-3)


def test_regions_need_a_map_of_stride_4() -> None:
    with pytest.raises(UserError, match="vgg16 has no map of stride 4"):
        make_detector("faster-rcnn-r18", 3, backbone="vgg16")
