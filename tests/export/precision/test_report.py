"""What is said of a graph's precision, against a graph whose precision is known."""

import numpy as np
import onnx

from export.precision.lower import lower
from export.precision.report import describe
from export.weights import store_weights
from tests.export.precision.nets import segmenter


def test_a_float32_graph() -> None:
    report = describe(segmenter(np.random.default_rng(0)))
    assert report.operators == {"float32": 11}
    assert report.weight_bytes == {"float32": 4 * (8 * 6 * 9 + 8 + 8 * 8 * 9 + 8 * 8 * 2 + 8 + 5 * 8 * 9 + 5)}
    assert (report.casts, report.qdq_pairs, report.denormal_weights) == (1, 0, 0)
    assert report.custom_domains == {}
    assert report.opset == {"ai.onnx": 20}
    assert [(size.name, size.role, size.bytes) for size in report.largest[:2]] == [
        ("a", "activation", 4 * 8 * 8 * 16),
        ("b", "activation", 4 * 8 * 8 * 16),
    ]


def test_fp16_and_int8() -> None:
    rng = np.random.default_rng(0)
    model = segmenter(rng)
    half = describe(lower(model, "fp16"))
    assert half.operators == {"float16": 7, "float32": 4}
    assert half.casts == 3

    images = [{"image": rng.normal(size=(1, 3, 8, 16)).astype(np.float32)} for _ in range(2)]
    small = describe(lower(model, "int8", calibration=images))
    assert small.operators == {"float32": 9, "int8": 2}
    assert small.qdq_pairs == 2
    assert small.weight_bytes["int8"] == 8 * 8 * 9 + 8 * 8 * 2 + 2 * 1 + 2 * 8  # and zero points


def test_weights_that_are_only_stored_small_are_no_casts_and_denormals_are_counted() -> None:
    model = segmenter(np.random.default_rng(0))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "down_weight")
    array = onnx.numpy_helper.to_array(weight).copy()
    array.flat[:3] = 1e-6
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    store_weights(model.graph, "fp16", fewest=1)
    report = describe(model)
    assert report.casts == 1
    assert report.denormal_weights >= 3
    assert report.operators == {"float32": 11}


def test_operators_that_are_not_onnx_own_are_told() -> None:
    model = segmenter(np.random.default_rng(0))
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    model.graph.node[5].domain = "com.microsoft"
    assert describe(model).custom_domains == {"com.microsoft": 1}
