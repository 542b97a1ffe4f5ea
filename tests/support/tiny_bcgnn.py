"""A tiny exported BC-GNN that sees an action where its features are high."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.manifest import Manifest, Provenance, Tensor, WindowProfile, write_manifest
from tests.support.tiny_models import PROVEN

DIMENSION, LENGTH = 7, 8


SLIDING, RESCALED = WindowProfile(style="sliding"), WindowProfile(style="rescaled")


def make_tiny_bcgnn(
    folder: Path, dimension: int = DIMENSION, length: int = LENGTH, windows: WindowProfile | None = SLIDING
) -> Path:
    """Write ``model.onnx`` and ``model.json`` to ``folder`` (made if absent) and return it.

    The mean feature e of a snippet counts: ``start`` = ``end`` = σ(e), ``content`` = σ(e_i + e_j) for i < j.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["features"], ["e"], axes=[1], keepdims=0),
        helper.make_node("Sigmoid", ["e"], ["start"]),
        helper.make_node("Sigmoid", ["e"], ["end"]),
        helper.make_node("Unsqueeze", ["e", "two"], ["rows"]),
        helper.make_node("Unsqueeze", ["e", "one"], ["columns"]),
        helper.make_node("Add", ["rows", "columns"], ["both"]),
        helper.make_node("Sigmoid", ["both"], ["any"]),
        helper.make_node("Mul", ["any", "segments"], ["content"]),
    ]
    shapes = {"start": (1, length), "end": (1, length), "content": (1, length, length)}
    graph = helper.make_graph(
        nodes,
        "tiny_bcgnn",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, dimension, length])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([2]), "two"),
            numpy_helper.from_array(np.triu(np.ones((1, length, length), np.float32), 1), "segments"),
        ],
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )
    write_manifest(
        folder,
        Manifest(
            family="bcgnn",
            model="tiny",
            inputs=(Tensor(name="features", dtype="float32", shape=(1, dimension, length)),),
            outputs=tuple(Tensor(name=name, dtype="float32", shape=shape) for name, shape in shapes.items()),
            precision="fp32",
            provenance=Provenance(trained_on="nothing: made for tests", weights_sha256=""),
            windows=windows,
            parity=PROVEN,
        ),
    )
    return folder


def tiny_score(window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What :func:`make_tiny_bcgnn`'s graph gives for ``window`` [D, l_w]."""
    e = window.mean(axis=0, dtype=np.float64)
    likely = 1 / (1 + np.exp(-e))
    return likely, likely, np.triu(1 / (1 + np.exp(-(e[:, None] + e))), 1)
