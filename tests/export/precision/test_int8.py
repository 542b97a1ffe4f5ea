"""Graphs quantised to int8, against quantisation written out here."""

import logging
import math

import numpy as np
import onnx
import pytest

from errors import UserError
from export.precision import calibrate
from export.precision.calibrate import percentile_span, spans
from export.precision.graph import prepared
from export.precision.int8 import noise_to_signal, quantisable, quantised, quantised_weight
from export.precision.keep import KeepFp32
from export.precision.lower import lower
from export.precision.report import describe
from tests.export.precision.nets import net, normal, run, segmenter, weight_of

IDENTITY = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def three_convolutions(middle: np.ndarray) -> onnx.ModelProto:
    """The first and the last change nothing and stay float32: what int8 does to the one between is all there is."""
    text = """g (float[1,3,4,5] x) => (float[1,3,4,5] y) {
        a = Conv(x, before)
        b = Conv<pads=[1,1,1,1]>(a, middle)
        y = Conv(b, after)
    }"""
    return net(text, {"before": IDENTITY, "middle": middle, "after": IDENTITY})


def images(rng: np.random.Generator, count: int, *shape: int, name: str = "x") -> list[dict[str, np.ndarray]]:
    return [{name: normal(rng, *shape)} for _ in range(count)]


def rounded(value: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (np.clip(np.rint(value / scale), -128, 127) * scale).astype(np.float32)


def test_a_convolution_multiplies_what_int8_can_say(rng: np.random.Generator) -> None:
    middle = normal(rng, 3, 3, 3, 3) * np.float32([1, 10, 0.1]).reshape(3, 1, 1, 1)
    model = three_convolutions(middle)
    samples = images(rng, 3, 1, 3, 4, 5)

    lowered = lower(model, "int8", calibration=samples)

    scale = weight_of(lowered, "a.int8.scale")
    assert scale == np.float32(spans(prepared(model), ["a"], samples)["a"] / 127)
    weight_scale = np.abs(middle).max(axis=(1, 2, 3)) / np.float32(127)
    np.testing.assert_array_equal(weight_of(lowered, "middle.int8.scale"), weight_scale)
    exact = three_convolutions(rounded(middle, weight_scale.reshape(3, 1, 1, 1)))
    for sample in samples:
        found = run(lowered, sample)["y"]
        expected = run(exact, {"x": rounded(sample["x"], scale)})["y"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        error = (found - run(model, sample)["y"]).std(axis=(0, 2, 3))
        # Rounding of 27 values by uniform noise of scale / sqrt(12); twice that leaves room for weights and clipping.
        assert (error < 2 * scale / np.sqrt(12) * np.sqrt((middle**2).sum(axis=(1, 2, 3)))).all()


def test_it_is_symmetric_and_signed_and_float32_outside(rng: np.random.Generator) -> None:
    model = segmenter(rng)
    before = model.SerializeToString()
    lowered = lower(model, "int8", calibration=images(rng, 2, 1, 3, 8, 16, name="image"))

    zeros = [tensor for tensor in lowered.graph.initializer if tensor.name.endswith(".zero")]
    assert len(zeros) == 4
    for tensor in zeros:
        assert tensor.data_type == onnx.TensorProto.INT8
        assert not onnx.numpy_helper.to_array(tensor).any()
    assert [node.input[0] for node in lowered.graph.node if node.op_type == "QuantizeLinear"] == ["b", "d"]
    axes = {n.input[0]: [a.i for a in n.attribute] for n in lowered.graph.node if n.op_type == "DequantizeLinear"}
    assert axes == {"b.int8": [], "d.int8": [], "down_weight.int8": [0], "up_weight.int8": [1]}
    assert list(lowered.graph.input) == list(model.graph.input)
    assert list(lowered.graph.output) == list(model.graph.output)
    assert model.SerializeToString() == before


def test_the_rest_can_be_fp16(rng: np.random.Generator) -> None:
    samples = images(rng, 2, 1, 3, 8, 16, name="image")
    small = lower(segmenter(rng), "int8", calibration=samples)
    both = lower(small, "fp16")
    assert describe(both).operators == {"float16": 5, "float32": 4, "int8": 2}
    assert weight_of(both, "down_weight.int8").dtype == np.int8
    found, expected = (run(graph, samples[0])["scores"] for graph in (both, small))
    assert np.abs(found - expected).std() < 0.01 * expected.std()


def test_weights_of_a_channel_that_is_zero_stay_zero() -> None:
    levels, scale = quantised_weight(np.float32([[0, 0], [1, -2]]), 0)
    np.testing.assert_array_equal(levels, [[0, 0], [64, -127]])
    np.testing.assert_array_equal(scale, np.float32([1, 2 / 127]))


def test_without_calibration_or_with_other_inputs_it_is_refused(rng: np.random.Generator) -> None:
    model = three_convolutions(normal(rng, 3, 3, 3, 3))
    for nothing in (None, []):
        with pytest.raises(UserError, match="int8 needs --calibrate DIR"):
            lower(model, "int8", calibration=nothing)
    with pytest.raises(UserError, match="calibration gives image, but the graph takes x"):
        lower(model, "int8", calibration=images(rng, 1, 1, 3, 4, 5, name="image"))


def test_what_is_to_stay_fp32_does_so(rng: np.random.Generator) -> None:
    model = segmenter(rng)
    samples = images(rng, 1, 1, 3, 8, 16, name="image")
    lowered = lower(model, "int8", calibration=samples, keep_fp32=KeepFp32(names=("up_*",)))
    assert [node.input[0] for node in lowered.graph.node if node.op_type == "QuantizeLinear"] == ["b"]
    lowered = lower(
        model, "int8", calibration=samples, keep_fp32=KeepFp32(operators=frozenset({"ConvTranspose", "Softmax"}))
    )
    assert [node.input[0] for node in lowered.graph.node if node.op_type == "QuantizeLinear"] == ["b"]
    with pytest.raises(UserError, match="no operator of the graph can be quantised"):
        lower(model, "int8", calibration=samples, keep_fp32=KeepFp32(names=("up_*", "down_*")))


def test_an_operator_that_would_lose_its_result_stays_fp32(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    # The third channel is the difference of two that are all but equal: in int8 mostly noise.
    model = net(
        """g (float[1,3,4,5] x) => (float[1,3,4,5] y) {
            a = Conv(x, before)
            b = Conv(a, fine)
            c = Conv(b, difference)
            y = Conv(c, after)
        }""",
        {
            "before": np.float32([[1, 0, 0], [1, 0.01, 0], [0, 0, 1]]).reshape(3, 3, 1, 1),
            "fine": IDENTITY,
            "difference": np.float32([[1, -1, 0], [-1, 1, 0], [2, -2, 0]]).reshape(3, 3, 1, 1),
            "after": IDENTITY,
        },
    )
    with caplog.at_level(logging.INFO):
        lowered = lower(model, "int8", calibration=images(rng, 2, 1, 3, 4, 5))
    assert [node.input[0] for node in lowered.graph.node if node.op_type == "QuantizeLinear"] == ["a"]
    assert any(message.startswith("Conv_2 stays float32: in int8") for message in caplog.messages)


def test_noise_of_an_operator_is_that_of_quantising_it_alone(rng: np.random.Generator) -> None:
    model = prepared(segmenter(rng))
    samples = images(rng, 2, 1, 3, 8, 16, name="image")
    layers = [layer for layer in quantisable(model.graph) if layer.weight in ("down_weight", "up_weight")]
    span = spans(model, [layer.value for layer in layers], samples)
    found = noise_to_signal(model, layers, span, samples)
    for layer in layers:
        result = next(node.output[0] for node in model.graph.node if node.name == layer.node)
        exact, rough = (showing(graph, result) for graph in (model, quantised(model, [layer], span)))
        pairs = [(run(exact, sample)[result], run(rough, sample)[result]) for sample in samples]
        expected = sum(((a - b) ** 2).sum() for a, b in pairs) / sum((a**2).sum() for a, _ in pairs)
        assert found[layer.node] == pytest.approx(expected, rel=1e-4)


def showing(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return copy


def test_spans_hold_all_but_one_in_ten_thousand_however_many_are_looked_at_at_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prepared(segmenter(rng))
    samples = images(rng, 12, 1, 3, 8, 16, name="image")
    together = spans(model, ["b", "d", "f"], samples)
    monkeypatch.setattr(calibrate, "GROUP_BYTES", 1)
    assert spans(model, ["b", "d", "f"], samples) == together

    magnitude = np.sort(np.abs(np.concatenate([run(showing(model, "f"), sample)["f"].ravel() for sample in samples])))
    expected = magnitude[math.ceil(0.9999 * len(magnitude)) - 1]
    assert expected < magnitude[-1]
    assert expected <= together["f"] <= expected + magnitude[-1] / calibrate.BINS


def test_a_few_values_far_out_are_clipped_and_even_ones_are_not() -> None:
    assert percentile_span(np.full(2048, 100), 4.0) == 4.0
    far_out = np.zeros(2048, np.int64)
    far_out[:200] = 10**6
    far_out[-1] = 1
    assert percentile_span(far_out, 4.0) == pytest.approx(4.0 * 200 / 2048)


def test_a_value_that_is_always_zero_has_a_scale_all_the_same() -> None:
    model = three_convolutions(np.zeros((3, 3, 3, 3), np.float32))
    zeros = {"x": np.zeros((1, 3, 4, 5), np.float32)}
    lowered = lower(model, "int8", calibration=[zeros])
    assert weight_of(lowered, "a.int8.scale") == np.float32(1 / 127)
    assert not run(lowered, zeros)["y"].any()
