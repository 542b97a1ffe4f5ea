"""Weights stored small: what is in the file, and that the graph gives back what :func:`rounded` says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.weights import rounded, store_weights  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402


def two_layers():
    """A convolution 3 → 4, one of whose output channels is zero, and a transposed one 4 → 2."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ConvTranspose2d(4, 2, (1, 4), stride=(1, 2), padding=(0, 1))
    )
    with torch.no_grad():
        network[0].weight[1] = 0
        network[0].weight[2] *= 100  # scales of its own
        network[1].weight[:, 1] *= 0.01
    return network.requires_grad_(False)


def as_graph(network):
    tensors = [numpy_helper.from_array(tensor.numpy(), name) for name, tensor in network.state_dict().items()]
    nodes = [
        helper.make_node("Conv", ["x", "0.weight", "0.bias"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["y", "1.weight", "1.bias"], ["z"], strides=[1, 2], pads=[0, 1, 0, 1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 8])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 5, 16])
    graph = helper.make_graph(nodes, "two layers", [x], [z], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("storage", ["fp16", "int8"])
def test_graph_gives_what_the_rounded_network_gives(storage):
    network, image = two_layers(), torch.randn(1, 3, 5, 8)
    model = as_graph(network)
    store_weights(model.graph, storage, fewest=0)
    onnx.checker.check_model(model, full_check=True)
    kinds = {i.name: i.data_type for i in model.graph.initializer}
    small = {"fp16": ("half", TensorProto.FLOAT16), "int8": ("int8", TensorProto.INT8)}[storage]
    assert [kinds[f"{layer}.weight.{small[0]}"] for layer in (0, 1)] == [small[1]] * 2
    assert "0.weight" not in kinds

    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": image.numpy()})
    np.testing.assert_allclose(result, rounded(network, storage, fewest=0)(image).numpy(), rtol=1e-5, atol=1e-5)


def test_int8_is_within_half_a_step_of_each_output_channel():
    network = two_layers()
    near = rounded(network, "int8", fewest=0)
    for layer, other, axis in ((network[0], near[0], 0), (network[1], near[1], 1)):
        weight, restored = layer.weight.numpy(), other.weight.numpy()
        for channel in range(weight.shape[axis]):
            exact, stored = weight.take(channel, axis), restored.take(channel, axis)
            step = np.abs(exact).max() / 127
            assert np.abs(exact - stored).max() <= 0.5001 * step
    assert not torch.equal(network[0].weight, near[0].weight)
    assert torch.equal(network[0].bias, near[0].bias)


def test_small_weights_stay_as_they_are():
    network = two_layers()
    model = as_graph(network)
    store_weights(model.graph, "int8")
    assert {i.name for i in model.graph.initializer} == set(network.state_dict())
    assert torch.equal(rounded(network, "int8")[0].weight, network[0].weight)
