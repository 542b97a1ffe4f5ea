"""RoIAlign and non-maximum suppression against ONNX Runtime's operators, called plainly and as exported."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from export import plain_operators
from export.onnx_operators import TRANSLATIONS, Translations
from inference.ort import import_onnxruntime
from models.detection.onnx_operators import non_maximum_suppression, roi_align

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's exporter, of torch's own functions


def run_operator(name: str, inputs: dict[str, np.ndarray], **attributes: object) -> np.ndarray:
    """What ONNX Runtime makes of a graph of this one operator."""
    kinds = {
        key: helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for key, value in inputs.items()
    }
    kind = TensorProto.INT64 if name == "NonMaxSuppression" else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(name, list(inputs), ["y"], **attributes)],
        name,
        list(kinds.values()),
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def run_exported(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], operators: Translations = TRANSLATIONS
) -> tuple[np.ndarray, onnx.ModelProto]:
    """What ONNX Runtime makes of the exported module, and the graph."""
    program = torch.onnx.export(
        module.eval(), inputs, dynamo=True, verbose=False, opset_version=20, custom_translation_table=dict(operators)
    )
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {given.name: value.numpy() for given, value in zip(session.get_inputs(), inputs, strict=True)}
    return session.run(None, feed)[0], model


def some_rois(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Regions of a 2-image batch of 80 × 112 px: within, over the edge, far outside, without an area."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([150.0, 120.0]) - 20
    size = torch.rand(count, 2, generator=generator) * 60 * (torch.rand(count, 1, generator=generator) > 0.1)
    return torch.cat([corner, corner + size], 1), torch.randint(0, 2, (count,), generator=generator)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 12),
    size=st.integers(1, 14),
    samples=st.integers(1, 3),
    stride=st.sampled_from([4, 8, 32]),
    half_pixel=st.booleans(),
)
def test_roi_align_is_onnx_runtimes(
    seed: int, count: int, size: int, samples: int, stride: int, half_pixel: bool
) -> None:
    features = torch.randn(2, 3, -(-80 // stride), -(-112 // stride), generator=torch.Generator().manual_seed(seed))
    rois, images = some_rois(seed, count)
    expected = run_operator(
        "RoiAlign",
        {"features": features.numpy(), "rois": rois.numpy(), "images": images.numpy()},
        coordinate_transformation_mode="half_pixel" if half_pixel else "output_half_pixel",
        output_height=size,
        output_width=size,
        sampling_ratio=samples,
        spatial_scale=1 / stride,
    )
    found = roi_align(
        features, rois, images, size=size, scale=1 / stride, samples=samples, half_pixel=half_pixel
    ).numpy()
    assert found.shape == (count, 3, size, size)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_roi_align_is_linear_on_a_ramp() -> None:
    """On features that are their own coordinates, a cell's value is its centre."""
    y, x = torch.meshgrid(torch.arange(20.0) + 0.5, torch.arange(30.0) + 0.5, indexing="ij")
    ramp = torch.stack([x, y])[None] * 8
    roi = torch.tensor([[40.0, 32.0, 152.0, 88.0]])
    pooled = roi_align(ramp, roi, torch.zeros(1, dtype=torch.long), size=7, scale=1 / 8)
    torch.testing.assert_close(pooled[0, 0, 0], 40 + 16 * (torch.arange(7) + 0.5))
    torch.testing.assert_close(pooled[0, 1, :, 0], 32 + 8 * (torch.arange(7) + 0.5))


def test_pooling_14_cells_to_7_is_reading_7_with_twice_the_samples() -> None:
    features = torch.randn(2, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    rois, images = some_rois(3, 8)
    finer = roi_align(features, rois, images, size=14, scale=1 / 8, samples=2)
    coarser = roi_align(features, rois, images, size=7, scale=1 / 8, samples=4)
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(finer, 2), coarser)


def test_roi_aligns_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    rois, images = some_rois(2, 4)
    assert torch.autograd.gradcheck(
        lambda f: roi_align(f, rois, images, size=2, scale=1 / 16), features, atol=1e-4, eps=1e-4
    )


def clustered(seed: int, boxes: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes that overlap much, some twice the same, and scores some of which are equal."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 20, (2, boxes, 2), generator=generator).float()
    size = torch.randint(0, 20, (2, boxes, 2), generator=generator).float()
    scores = torch.randint(0, 30, (2, classes, boxes), generator=generator) / 30
    return torch.cat([corner, corner + size], 2), scores


def mask_of(selected: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(selected.T)] = True
    return mask


@settings(max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    boxes=st.integers(1, 40),
    classes=st.integers(1, 3),
    iou_threshold=st.sampled_from([0.0, 0.3, 0.7]),
    most=st.sampled_from([1, 5, 100]),
    score_threshold=st.sampled_from([0.0, 0.5]),
)
def test_suppression_is_onnx_runtimes(
    seed: int, boxes: int, classes: int, iou_threshold: float, most: int, score_threshold: float
) -> None:
    given_boxes, scores = clustered(seed, boxes, classes)
    selected = run_operator(
        "NonMaxSuppression",
        {
            "boxes": given_boxes.numpy(),
            "scores": scores.numpy(),
            "most": np.array([most], np.int64),
            "iou": np.array([iou_threshold], np.float32),
            "score": np.array([score_threshold], np.float32),
        },
    )
    found = non_maximum_suppression(
        given_boxes, scores, iou_threshold=iou_threshold, most=most, score_threshold=score_threshold
    )
    np.testing.assert_array_equal(found.numpy(), mask_of(selected, found.shape))


@pytest.mark.parametrize("half_pixel", [True, False])
def test_exported_roi_align_is_the_operator(half_pixel: bool) -> None:
    class Module(torch.nn.Module):
        def forward(self, features: torch.Tensor, rois: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
            return roi_align(features, rois, images, size=7, scale=1 / 8, half_pixel=half_pixel)

    features = torch.randn(2, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    inputs = (features, *some_rois(4, 9))
    found, model = run_exported(Module(), inputs)
    assert [node.op_type for node in model.graph.node] == ["RoiAlign"]
    np.testing.assert_allclose(found, Module()(*inputs).numpy(), atol=2e-5)


@pytest.mark.parametrize("score_threshold", [0.2, 1.0])
def test_exported_suppression_is_the_operator(score_threshold: float) -> None:
    """Also where nothing stays."""

    class Module(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return non_maximum_suppression(boxes, scores, iou_threshold=0.5, most=20, score_threshold=score_threshold)

    inputs = clustered(5, 30, 2)
    found, model = run_exported(Module(), inputs)
    assert "NonMaxSuppression" in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(found, Module()(*inputs).numpy())


NOT_PLAIN = {"RoiAlign", "NonMaxSuppression"}


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("shape", [(10, 14), (1, 14)])
def test_roi_align_of_plain_operators_reads_the_same(half_pixel: bool, samples: int, shape: tuple[int, int]) -> None:
    class Module(torch.nn.Module):
        def forward(self, features: torch.Tensor, rois: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
            return roi_align(features, rois, images, size=7, scale=1 / 8, samples=samples, half_pixel=half_pixel)

    features = torch.randn(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    rois, images = some_rois(4, 40)
    inputs = (features, rois, torch.zeros_like(images))
    found, model = run_exported(Module(), inputs, plain_operators.TRANSLATIONS)
    assert not {node.op_type for node in model.graph.node} & NOT_PLAIN
    np.testing.assert_allclose(found, Module()(*inputs).numpy(), atol=2e-5)


@pytest.mark.parametrize(("score_threshold", "most"), [(0.2, 20), (0.0, 3), (1.0, 20)])
@pytest.mark.parametrize("iou_threshold", [0.0, 0.3, 0.7])
def test_suppression_of_plain_operators_is_the_same(score_threshold: float, most: int, iou_threshold: float) -> None:
    class Module(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return non_maximum_suppression(
                boxes, scores, iou_threshold=iou_threshold, most=most, score_threshold=score_threshold
            )

    inputs = clustered(5, 60, 2)
    found, model = run_exported(Module(), inputs, plain_operators.TRANSLATIONS)
    assert not {node.op_type for node in model.graph.node} & NOT_PLAIN
    np.testing.assert_array_equal(found, Module()(*inputs).numpy())


def test_suppression_of_plain_operators_goes_on_as_long_as_it_takes() -> None:
    """A chain in which each box overlaps the next alone: every other one stays, and that takes a round for each."""

    class Module(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return non_maximum_suppression(boxes, scores, iou_threshold=0.3, most=100)

    left = torch.arange(60.0)
    boxes = torch.stack([left, torch.zeros(60), left + 2, torch.ones(60)], 1)[None]
    scores = (1 - torch.arange(60.0) / 100)[None, None]
    found, _ = run_exported(Module(), (boxes, scores), plain_operators.TRANSLATIONS)
    assert found[0, 0].tolist() == [i % 2 == 0 for i in range(60)]
