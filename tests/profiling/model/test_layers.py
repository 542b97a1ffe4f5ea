"""What is measured of an exported graph, on one small enough to count by hand."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from inference.manifest import Manifest, Provenance, Tensor, write_manifest  # noqa: E402
from profiling.model.layers import layer_times  # noqa: E402
from profiling.model.memory import memory_of_inference  # noqa: E402
from profiling.model.operations import matrix_product, total  # noqa: E402
from profiling.model.worker import Work, save_items  # noqa: E402

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


CONVOLUTION = 2 * 16 * 5 * 49 * 8 * 32
TRANSPOSED = 2 * 16 * 8 * 4 * 8 * 32
INPUTS = {"range_image": np.ones(SHAPE, np.float32)}


def test_operations_of_the_whole_graph(folder):
    assert total(folder / "model.onnx") == CONVOLUTION + TRANSPOSED


@pytest.mark.parametrize(
    ("given", "weight", "result"),
    [
        ([6, 7], [7, 5], [6, 5]),
        ([2, 6, 7], [2, 7, 5], [2, 6, 5]),
        ([7, 6], [7, 5], [6, 5]),
        ([6, 7], [2, 7, 5], [2, 6, 5]),
    ],
)
def test_operations_of_a_product_however_it_is_laid_out(given, weight, result):
    assert matrix_product(given, weight, result) == ("matrix product 7 → 5", 2 * 7 * int(np.prod(result)))


def test_kinds_of_layer_in_openvino(folder):
    found = layer_times(folder / "model.onnx", "openvino", "fp32", 1, INPUTS)
    kinds = {kind.kind: kind for kind in found.kinds}
    conv, transposed = kinds["convolution 7×7, 5 → 16"], kinds["transposed convolution 1×4, 16 → 8"]
    assert (conv.layers, conv.flops) == (1, CONVOLUTION)
    assert (transposed.layers, transposed.flops) == (1, TRANSPOSED)
    assert all(kind.ms > 0 for kind in found.kinds)
    assert found.product_flops_per_s > 0


def test_kinds_of_layer_in_onnxruntime(folder):
    kinds = {kind.kind: kind for kind in layer_times(folder / "model.onnx", "onnxruntime", "fp32", 1, INPUTS).kinds}
    conv = kinds["convolution 7×7, 5 → 16"]
    assert (conv.layers, conv.flops) == (1, CONVOLUTION)
    assert kinds["transposed convolution"].flops in (0, TRANSPOSED)
    assert all(kind.ms > 0 for kind in kinds.values())


def test_memory_is_that_of_a_process_of_its_own(folder, tmp_path):
    ballast = np.ones(200 << 20, np.uint8)  # this process is large; the one that infers must not be
    save_items(tmp_path / "items.npz", [INPUTS])
    work = Work(folder=str(folder), pairs=[("onnxruntime", "fp32")], threads=1, scenario="single", samples=1)
    memory = memory_of_inference(work, tmp_path / "items.npz")
    assert 10 < memory.before_mb < memory.after_mb <= memory.peak_mb < 200
    assert ballast[-1] == 1
