"""Tiny ONNX graphs for tests of exports: a convolution and what may be wrong with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_convolution(
    path: Path, *, channels: int = 4, dtype: int = TensorProto.FLOAT, batch: int | str = 1, operator: str = "Relu"
) -> Path:
    """Write a graph of two 3x3 convolutions (nodes ``first``, ``second``) and ``operator`` (node ``last``).

    ``x`` [batch, 3, 8, 8] to ``y`` [batch, channels, 8, 8], both of ``dtype``, as are the weights.
    """
    rng = np.random.default_rng(0)
    numpy_dtype = helper.tensor_dtype_to_np_dtype(dtype)
    weights = [
        numpy_helper.from_array(rng.normal(size=(channels, taken, 3, 3)).astype(numpy_dtype), name)
        for name, taken in (("first.weight", 3), ("second.weight", channels))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "first.weight"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "second.weight"], ["b"], name="second", pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["b"], ["y"], name="last", domain="" if operator == "Relu" else "of.nobody"),
    ]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", dtype, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("y", dtype, [batch, channels, 8, 8])],
        weights,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("of.nobody", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path
