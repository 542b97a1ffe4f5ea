"""Tiny networks for tests of precision, written down as ONNX's own text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper, parser

from inference.ort import import_onnxruntime


def net(text: str, weights: Mapping[str, np.ndarray], opset: int = 20) -> onnx.ModelProto:
    """The graph of ``text`` (``g (float[1,3,8,8] x) => (float[1,4,8,8] y) {…}``) with these weights."""
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}]> {text}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    onnx.checker.check_model(model, full_check=True)
    return model


def segmenter(rng: np.random.Generator) -> onnx.ModelProto:
    """Four convolutions, one of them transposed, after a preparation that needs float32; scores and labels."""
    return net(
        """g (float[1,3,8,16] image) => (float[1,5,8,16] scores, uint8[1,8,16] labels) {
            coarse = Floor(image)
            fine = Sub(image, coarse)
            both = Concat<axis=1>(coarse, fine)
            a = Conv<pads=[1,1,1,1]>(both, first_weight, first_bias)
            b = LeakyRelu<alpha=0.1>(a)
            c = Conv<pads=[1,1,1,1], strides=[1,2]>(b, down_weight)
            d = Relu(c)
            e = ConvTranspose<kernel_shape=[1,2], strides=[1,2]>(d, up_weight, up_bias)
            f = Add(e, b)
            scores = Conv<pads=[1,1,1,1]>(f, last_weight, last_bias)
            best = ArgMax<axis=1, keepdims=0>(scores)
            labels = Cast<to=2>(best)
        }""",
        {
            "first_weight": normal(rng, 8, 6, 3, 3),
            "first_bias": normal(rng, 8),
            "down_weight": normal(rng, 8, 8, 3, 3) / 8,
            "up_weight": normal(rng, 8, 8, 1, 2) / 3,
            "up_bias": normal(rng, 8),
            "last_weight": normal(rng, 5, 8, 3, 3) / 8,
            "last_bias": normal(rng, 5),
        },
    )


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def run(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a graph in ONNX Runtime, which here leaves it as it is written."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, dict(inputs)), strict=True))


def dtypes(model: onnx.ModelProto) -> dict[str, str]:
    """NumPy's dtype of every tensor of the graph."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    infos = (*graph.input, *graph.value_info, *graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: onnx.helper.tensor_dtype_to_np_dtype(elem_type).name for name, elem_type in types.items()}


def weight_of(model: onnx.ModelProto, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(tensor for tensor in model.graph.initializer if tensor.name == name)).copy()
