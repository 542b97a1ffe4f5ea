"""What is measured of an exported graph, on one small enough to count by hand."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from inference.manifest import Manifest, Provenance, Tensor, write_manifest  # noqa: E402
from profiling.layer_times import layer_times  # noqa: E402
from profiling.memory import memory_of_inference  # noqa: E402

SHAPE = (1, 5, 8, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A 7×7 convolution 5 → 16, then a transposed one 1×4 of stride 2, 16 → 8; as a model folder."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(16, 5, 7, 7)), "b": rng.normal(size=(16, 8, 1, 4))}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["range_image", "a"], ["hidden"], pads=[3, 3, 3, 3]),
            helper.make_node("ConvTranspose", ["hidden", "b"], ["logits"], strides=[1, 2], pads=[0, 1, 0, 1]),
        ],
        "small",
        [helper.make_tensor_value_info("range_image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 8, 8, 64))],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    manifest = Manifest(
        family="squeezesegv3",
        inputs=(Tensor(name="range_image", dtype="float32", shape=SHAPE),),
        outputs=(Tensor(name="logits", dtype="float32", shape=(1, 8, 8, 64)),),
        precision="fp32",
        provenance=Provenance(trained_on="nothing", weights_sha256="0" * 64),
    )
    write_manifest(folder, manifest)
    return folder


def test_kinds_of_layer_and_their_operations(folder):
    kinds = {kind.kind: kind for kind in layer_times(folder / "model.onnx", 1, np.ones(SHAPE, np.float32))}
    conv, transposed = kinds["convolution 7×7, 5 → 16"], kinds["transposed convolution 1×4"]
    assert (conv.layers, conv.flops) == (1, 2 * 16 * 5 * 49 * 8 * 32)
    assert (transposed.layers, transposed.flops) == (1, 2 * 16 * 8 * 4 * 8 * 32)
    assert all(kind.ms > 0 for kind in kinds.values())


def test_memory_is_that_of_a_process_of_its_own(folder):
    ballast = np.ones(200 << 20, np.uint8)  # this process is large; the one that infers must not be
    memory = memory_of_inference(folder, "onnxruntime", "fp32", 1, [np.ones(SHAPE, np.float32)], scans=12)
    assert sorted(memory.after_mib) == [10, 12]
    assert 10 < memory.before_mib < memory.after_mib[10] <= memory.peak_mib < 200
    assert memory.growth_mib == memory.after_mib[12] - memory.after_mib[10]
    assert ballast[-1] == 1
