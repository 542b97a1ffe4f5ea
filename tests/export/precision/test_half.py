"""Graphs lowered to float16 and bfloat16, against arithmetic written out here."""

import logging

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from errors import UserError
from export.precision.graph import opset_of, prepared
from export.precision.keep import KeepFp32
from export.precision.lower import lower
from export.weights import store_weights
from tests.export.precision.nets import dtypes, net, normal, run, segmenter, weight_of

TWO_CONVOLUTIONS = """g (float[1,3,6,7] x) => (float[1,2,6,7] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)
    b = Relu(a)
    y = Conv(b, w2)
}"""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def two_convolutions(rng: np.random.Generator) -> onnx.ModelProto:
    weights = {"w1": normal(rng, 4, 3, 3, 3), "b1": normal(rng, 4), "w2": normal(rng, 2, 4, 1, 1)}
    return net(TWO_CONVOLUTIONS, weights)


def rounded(value: torch.Tensor | np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    return torch.as_tensor(value).to(dtype).float()


def test_fp16_rounds_weights_and_every_result(rng: np.random.Generator) -> None:
    model = two_convolutions(rng)
    x = normal(rng, 1, 3, 6, 7)

    found = run(lower(model, "fp16"), {"x": x})["y"]

    w1, b1, w2 = (rounded(weight_of(model, name), torch.float16) for name in ("w1", "b1", "w2"))
    hidden = torch.nn.functional.conv2d(rounded(x, torch.float16), w1, b1, padding=1)
    expected = torch.nn.functional.conv2d(rounded(hidden, torch.float16).relu(), w2)
    # ONNX Runtime may fuse or split what it casts: one unit in the last place of fp16 is allowed at each rounding.
    np.testing.assert_allclose(found, expected.numpy(), rtol=2**-10, atol=2**-9)
    assert np.abs(found - run(model, {"x": x})["y"]).max() > 1e-5  # it is not float32 under another name


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_loop_computes_in_fp32_whatever_it_takes_from_around_it(rng: np.random.Generator, precision: str) -> None:
    """A value that is float16 outside, one that goes in as the state too, and a weight."""
    model = net(
        """g (float[1,3,6,7] x) => (float[1,3,6,7] y) {
            most = Constant<value = int64 {3}>()
            go = Constant<value = bool {1}>()
            a = Conv(x, w)
            s = Relu(a)
            l = Loop(most, go, s) <body = b (int64 i, bool c, float[1,3,6,7] t) => (bool on, float[1,3,6,7] u) {
                on = Identity(c)
                sum = Add(t, a)
                more = Add(sum, s)
                u = Mul(more, half)
            }>
            y = Conv(l, v)
        }""",
        {"w": normal(rng, 3, 3, 1, 1), "v": normal(rng, 3, 3, 1, 1), "half": np.array([0.5], np.float32)},
    )
    lowered = lower(model, precision)
    (loop,) = (node for node in lowered.graph.node if node.op_type == "Loop")
    types = dtypes(lowered)
    assert types[loop.input[2]] == "float32"
    if precision == "fp16":
        x = normal(rng, 1, 3, 6, 7)
        np.testing.assert_allclose(run(lowered, {"x": x})["y"], run(model, {"x": x})["y"], atol=0.02)


def test_bf16_rounds_but_keeps_the_last_convolution(rng: np.random.Generator) -> None:
    model = two_convolutions(rng)
    x = normal(rng, 1, 3, 6, 7)
    lowered = lower(model, "bf16")

    assert {name: dtypes(lowered)[name] for name in ("w1", "b1", "a", "b", "w2", "y")} == {
        **dict.fromkeys(("w1", "b1", "a", "b"), "bfloat16"),
        **dict.fromkeys(("w2", "y"), "float32"),
    }
    hidden = torch.nn.functional.conv2d(
        *(rounded(v, torch.bfloat16) for v in (x, weight_of(model, "w1"), weight_of(model, "b1"))),
        padding=1,
    )
    expected = torch.nn.functional.conv2d(
        rounded(hidden, torch.bfloat16).relu(), torch.from_numpy(weight_of(model, "w2"))
    )
    # No CPU runtime has a bfloat16 convolution: ONNX's own reference computes it.
    (found,) = ReferenceEvaluator(lowered).run(None, {"x": x})
    np.testing.assert_allclose(found, expected.numpy(), atol=2**-6 * float(expected.abs().max()))


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_inputs_and_outputs_stay_as_they_are_and_the_model_too(precision: str, rng: np.random.Generator) -> None:
    model = segmenter(rng)
    before = model.SerializeToString()

    lowered = lower(model, precision)

    assert model.SerializeToString() == before
    assert list(lowered.graph.input) == list(model.graph.input)
    assert list(lowered.graph.output) == list(model.graph.output)
    assert {node.name for node in prepared(model).graph.node} <= {node.name for node in lowered.graph.node}


def test_preparation_of_the_input_stays_fp32_and_each_value_is_cast_once(rng: np.random.Generator) -> None:
    lowered = lower(segmenter(rng), "fp16")
    casts = [node.input[0] for node in lowered.graph.node if node.op_type == "Cast"]
    assert casts == ["both", "scores.fp16", "best"]
    types = dtypes(lowered)
    assert {types[name] for name in ("coarse", "fine", "both")} == {"float32"}
    assert {types[name] for name in ("a", "b", "c", "d", "e", "f", "first_weight")} == {"float16"}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_graph_of_an_old_opset_is_brought_up_to_what_the_precision_needs(
    precision: str, rng: np.random.Generator
) -> None:
    weights = {"w1": normal(rng, 4, 3, 3, 3), "b1": normal(rng, 4), "w2": normal(rng, 2, 4, 1, 1)}
    lowered = lower(net(TWO_CONVOLUTIONS, weights, opset=11), precision)
    assert opset_of(lowered) == {"fp16": 13, "bf16": 22}[precision]
    assert dtypes(lowered)["a"] == {"fp16": "float16", "bf16": "bfloat16"}[precision]


def test_bf16_keeps_transposed_convolutions_which_tensorrt_cannot_build(rng: np.random.Generator) -> None:
    types = dtypes(lower(segmenter(rng), "bf16"))
    assert types["up_weight"] == types["e"] == "float32"
    assert types["f"] == types["e.bf16"] == types["d"] == "bfloat16"


def test_what_is_to_stay_fp32_does_so_by_weight_node_or_operator(rng: np.random.Generator) -> None:
    model = segmenter(rng)
    by_weight = dtypes(lower(model, "fp16", keep_fp32=KeepFp32(names=("down_*",))))
    assert by_weight["down_weight"] == by_weight["c"] == "float32"
    assert by_weight["b"] == by_weight["d"] == "float16"

    by_operator = dtypes(lower(model, "fp16", keep_fp32=KeepFp32(operators=frozenset({"Conv"}))))
    assert by_operator["first_weight"] == by_operator["c"] == "float32"
    assert by_operator["up_weight"] == "float16"

    with pytest.raises(UserError, match=r"'head\.\*' is to stay in fp32, but no node"):
        lower(model, "fp16", keep_fp32=KeepFp32(names=("head.*",)))


def test_nothing_is_rounded_between_two_kept_operators(rng: np.random.Generator) -> None:
    weights = {name: normal(rng, 3, 3, 1, 1) for name in ("w1", "w2", "w3", "w4")}
    model = net(
        """g (float[1,3,4,4] x) => (float[1,3,4,4] y) {
            a = Conv(x, w1)
            b = Conv(a, w2)
            c = Relu(b)
            d = Conv(c, w3)
            y = Conv(d, w4)
        }""",
        weights,
    )
    types = dtypes(lower(model, "fp16", keep_fp32=KeepFp32(names=("w2", "w3"))))
    assert types["b"] == types["c"] == types["d"] == "float32"
    assert types["a"] == types["w4"] == "float16"


def test_a_weight_beyond_fp16_is_named_and_bf16_holds_it(rng: np.random.Generator) -> None:
    model = two_convolutions(rng)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w1")
    array = weight_of(model, "w1")
    array[1, 2, 0, 0] = -7e4
    weight.CopyFrom(onnx.numpy_helper.from_array(array, "w1"))

    with pytest.raises(UserError, match=r"weight w1: its largest magnitude 7e\+04 is beyond the 65504 of fp16"):
        lower(model, "fp16")
    assert weight_of(lower(model, "bf16"), "w1")[1, 2, 0, 0] == ml_dtypes.bfloat16(-7e4)
    assert dtypes(lower(model, "fp16", keep_fp32=KeepFp32(names=("w1",))))["w1"] == "float32"


def test_infinite_weights_are_no_overflow(rng: np.random.Generator) -> None:
    weights = {"w": normal(rng, 2, 3, 1, 1), "mask": np.float32([-np.inf, 0])}
    model = net("g (float[1,3,4,2] x) => (float[1,2,4,2] y) { a = Conv(x, w) \n y = Add(a, mask) }", weights)
    assert np.isneginf(run(lower(model, "fp16"), {"x": normal(rng, 1, 3, 4, 2)})["y"][..., 0]).all()


def test_weights_too_small_are_counted(rng: np.random.Generator, caplog: pytest.LogCaptureFixture) -> None:
    weights = {"w1": np.float32([1e-5, 1e-9, 0.5]).reshape(1, 3, 1, 1)}
    model = net("g (float[1,3,4,4] x) => (float[1,1,4,4] y) { y = Conv(x, w1) }", weights)
    with caplog.at_level(logging.INFO):
        lower(model, "fp16")
    assert "fp16: 2 weights are too small for all its bits, and 1 of them become zero" in caplog.messages


def test_weights_stored_small_are_restored_first(rng: np.random.Generator) -> None:
    model = two_convolutions(rng)
    stored = onnx.ModelProto()
    stored.CopyFrom(model)
    store_weights(stored.graph, "int8", fewest=1)
    x = normal(rng, 1, 3, 6, 7)

    folded = prepared(stored)

    assert [node.op_type for node in folded.graph.node] == ["Conv", "Relu", "Conv"]
    np.testing.assert_array_equal(run(folded, {"x": x})["y"], run(stored, {"x": x})["y"])


def test_a_weight_that_both_precisions_read_is_kept_in_both(rng: np.random.Generator) -> None:
    weights = {"w": normal(rng, 3, 3, 1, 1), "scale": np.float32([1 / 3])}
    model = net(
        "g (float[1,3,4,4] x) => (float[1,3,4,4] y) { a = Mul(x, scale) \n b = Conv(a, w) \n y = Mul(b, scale) }",
        weights,
    )
    lowered = lower(model, "fp16")
    assert weight_of(lowered, "scale") == np.float32(1 / 3)
    assert weight_of(lowered, "scale.fp16") == np.float16(1 / 3)


def test_control_flow_and_foreign_operators_are_refused(rng: np.random.Generator) -> None:
    model = two_convolutions(rng)
    model.graph.node[1].domain = "com.microsoft"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(UserError, match=r"operator com\.microsoft\.Relu \(Relu_1\) is not ONNX's own"):
        lower(model, "fp16")


@st.composite
def networks(draw: st.DrawFn) -> onnx.ModelProto:
    """Chains of convolutions and what stands between them, with weights that keep their scale."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(["conv", "Relu", "Sigmoid", "residual", "Softmax", "pool"]), max_size=6))
    lines, weights, last = [], {}, "x"
    for i, kind in enumerate(["conv", *kinds]):
        if kind == "conv":
            weights |= {f"w{i}": normal(rng, 4, 4, 3, 3) / 6, f"b{i}": normal(rng, 4)}
            lines.append(f"t{i} = Conv<pads=[1,1,1,1]>({last}, w{i}, b{i})")
        elif kind == "residual":
            lines.append(f"t{i} = Add({last}, x)")
        elif kind == "Softmax":
            lines.append(f"t{i} = Softmax<axis=1>({last})")
        elif kind == "pool":
            lines.append(f"t{i} = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>({last})")
        else:
            lines.append(f"t{i} = {kind}({last})")
        last = f"t{i}"
    lines.append(f"y = Identity({last})")
    body = "\n".join(lines)
    return net(f"g (float[1,4,5,6] x) => (float[1,4,5,6] y) {{ {body} }}", weights)


@given(networks())
@settings(max_examples=25)
def test_any_network_is_near_in_fp16_and_valid_in_bf16(model: onnx.ModelProto) -> None:
    x = normal(np.random.default_rng(0), 1, 4, 5, 6)
    expected = run(model, {"x": x})["y"]
    found = run(lower(model, "fp16"), {"x": x})["y"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-2 * max(1, np.abs(expected).max()))
    lower(model, "bf16")
