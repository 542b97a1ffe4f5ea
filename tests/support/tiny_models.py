"""Tiny exported models whose answer NumPy can tell: for tests that need a model folder and no real network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from inference.manifest import (
    Labels,
    Manifest,
    Normalisation,
    Parity,
    Provenance,
    SensorProfile,
    Stage,
    Tensor,
    write_manifest,
)

EDGES_M = (5.0, 10.0, 20.0, 40.0)
CLASS_NAMES = ("unlabelled", "to 5 m", "to 10 m", "to 20 m", "to 40 m", "beyond 40 m")
MEANS = (12.12, 10.88, 0.23, -1.04, 0.21)
PROVEN = Parity(
    inputs={"scans": 1},
    stages=tuple(
        Stage(name=f"{backend} {precision}", backend=backend, precision=precision, passed=True)
        for backend, precision in (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
    ),
)
"""As the manifest of a model says that was measured and agreed."""
STDS = (12.32, 11.47, 6.91, 0.86, 0.16)


def make_tiny_segmenter(
    folder: Path,
    height: int = 64,
    width: int = 512,
    output: Literal["logits", "labels"] = "logits",
    class_names: tuple[str, ...] = CLASS_NAMES,
) -> Path:
    """Write ``model.onnx`` and ``model.json`` to ``folder`` (made if absent) and return it.

    The graph sees distance only and tells five bands of it apart (:data:`CLASS_NAMES`, :func:`tiny_labels`).
    ``output``: the six scores of each pixel, or the label alone, which may then have more ``class_names``. In bf16,
    pixels within 1 % of a band's edge may fall on its other side; ask for ``precision="fp32"`` where the labels must
    be exact.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    # Five lines over range, of slopes -2..2, each the highest in its band: neighbours cross at the edge between them.
    slopes = np.arange(-2, 3)
    offsets = np.array([15.0, 10.0, 0.0, -20.0, -60.0])
    weight = np.zeros((len(CLASS_NAMES), 5, 1, 1), np.float32)
    weight[1:, 0, 0, 0] = slopes * STDS[0]
    bias = np.array([-1e4, *(slopes * MEANS[0] + offsets)], np.float32)
    nodes = [helper.make_node("Conv", ["range_image", "weight", "bias"], ["logits"])]
    if output == "labels":
        nodes.append(helper.make_node("ArgMax", ["logits"], ["argmax"], axis=1, keepdims=0))
        nodes.append(helper.make_node("Cast", ["argmax"], ["labels"], to=TensorProto.UINT8))
        shape, dtype, onnx_dtype = [1, height, width], "uint8", TensorProto.UINT8
    else:
        shape, dtype, onnx_dtype = [1, len(CLASS_NAMES), height, width], "float32", TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tiny_segmenter",
        [helper.make_tensor_value_info("range_image", TensorProto.FLOAT, [1, 5, height, width])],
        [helper.make_tensor_value_info(output, onnx_dtype, shape)],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )
    write_manifest(
        folder,
        Manifest(
            family="tiny_segmenter",
            inputs=(Tensor(name="range_image", dtype="float32", shape=(1, 5, height, width)),),
            outputs=(Tensor(name=output, dtype=dtype, shape=tuple(shape)),),
            precision="fp32",
            provenance=Provenance(trained_on="nothing: made for tests", weights_sha256="", tools={}),
            normalisation=Normalisation(means=MEANS, stds=STDS),
            labels=Labels(
                names=class_names,
                colors=tuple((0, 10 * c, 250 - 10 * c) for c in range(len(class_names))),
            ),
            sensor=SensorProfile(name="HDL-64", height=height, width=width, fov_up_deg=3.0, fov_down_deg=-25.0),
            parity=PROVEN,
        ),
    )
    return folder


def tiny_labels(range_m: np.ndarray) -> np.ndarray:
    """The class that :func:`make_tiny_segmenter` gives a pixel at this range in metres: uint8, any shape."""
    return (1 + np.searchsorted(EDGES_M, range_m, side="right")).astype(np.uint8)
