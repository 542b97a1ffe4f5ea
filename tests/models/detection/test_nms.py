"""NMS against ONNX Runtime's operator, and by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from inference.ort import import_onnxruntime
from models.detection.nms import iou, nms


def ort_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> set[tuple[int, int]]:
    """(class, box) of all that ONNX's NonMaxSuppression keeps; ``scores`` [C, K]."""
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou"], ["kept"])],
        "nms",
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, None, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, None, None]),
        ],
        [helper.make_tensor_value_info("kept", TensorProto.INT64, [None, 3])],
        [
            helper.make_tensor("most", TensorProto.INT64, [1], [1000]),
            helper.make_tensor("iou", TensorProto.FLOAT, [1], [threshold]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (kept,) = session.run(None, {"boxes": boxes[None], "scores": scores[None]})
    return {(int(class_id), int(box)) for _, class_id, box in kept}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 3), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_it_keeps_what_onnx_runtime_keeps(seed: int, count: int, classes: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (count, 2))
    boxes = np.hstack([corner, corner + random.uniform(1, 40, (count, 2))]).astype(np.float32)
    scores = random.permutation(count * classes).reshape(classes, count).astype(np.float32) / (count * classes)
    class_ids, box_ids = (ids.ravel() for ids in np.indices(scores.shape))
    kept = nms(boxes[box_ids], scores.ravel(), class_ids, threshold, most=count * classes)
    assert {(int(class_ids[k]), int(box_ids[k])) for k in kept} == ort_nms(boxes, scores, threshold)
    assert (np.diff(scores.ravel()[kept]) < 0).all()


def test_the_best_are_kept_over_all_classes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    scores, class_ids = np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 1, 0])
    assert nms(boxes, scores, class_ids, 0.5, most=10).tolist() == [0, 2, 3]
    assert nms(boxes, scores, class_ids, 0.5, most=2).tolist() == [0, 2]
    assert nms(boxes, scores, class_ids, 1.0, most=10).tolist() == [0, 1, 2, 3]


def test_nothing_and_equal_scores() -> None:
    assert nms(np.empty((0, 4)), np.empty(0), np.empty(0, int), 0.5, most=5).tolist() == []
    twice = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    assert nms(twice, np.array([0.5, 0.5]), np.array([1, 1]), 0.5, most=5).tolist() == [0]


def test_an_overlap_of_exactly_the_threshold_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float32)
    assert iou(boxes[0], boxes[1:]).tolist() == [0.5]
    assert len(nms(boxes, np.array([0.9, 0.8]), np.array([0, 0]), 0.5, most=5)) == 2


def test_boxes_without_area_overlap_nothing() -> None:
    empty = np.array([[5, 5, 5, 5], [5, 5, 5, 5]], np.float32)
    assert nms(empty, np.array([0.9, 0.8]), np.array([0, 0]), 0.0, most=5).tolist() == [0, 1]
