"""A tiny detector whose answer NumPy can tell: which cells of a picture are blue, green or red, and how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.detection import FAMILY, class_colors
from inference.manifest import DetectorProfile, Labels, Manifest, Provenance, Tensor, write_manifest
from tests.support.tiny_models import PROVEN

CELL = 32
"""Side of a cell, and so of a box, in pixels of the input."""
CLASS_NAMES = ("bicycle", "car", "person")
"""What the blue, the green and the red cells are called."""


def write_tiny_graph(path: Path, height: int = 96, width: int = 320) -> Path:
    """Write an ONNX file with the outputs of YOLOX, of one level with strides of :data:`CELL`.

    Each cell is a box of just its size; a class's score is the mean of one channel, BGR 0..255, as a share of 255.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    count = (height // CELL) * (width // CELL)
    place = np.tile(np.array([0.5, 0.5, 0, 0, 1], np.float32), (1, count, 1))
    constants = {"place": place, "flat": np.array([1, 3, count]), "share": np.array(1 / 255, np.float32)}
    nodes = [
        helper.make_node("AveragePool", ["images"], ["means"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Reshape", ["means", "flat"], ["cells"]),
        helper.make_node("Transpose", ["cells"], ["colours"], perm=[0, 2, 1]),
        helper.make_node("Mul", ["colours", "share"], ["classes"]),
        helper.make_node("Concat", ["place", "classes"], ["output"], axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, count, 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def make_tiny_detector(folder: Path, height: int = 96, width: int = 320, score_threshold: float = 0.5) -> Path:
    """Write the model folder of :func:`write_tiny_graph` and return it."""
    folder.mkdir(parents=True)
    write_tiny_graph(folder / "model.onnx", height, width)
    count = (height // CELL) * (width // CELL)
    manifest = Manifest(
        family=FAMILY,
        model="colours",
        inputs=(Tensor(name="images", dtype="float32", shape=(1, 3, height, width)),),
        outputs=(Tensor(name="output", dtype="float32", shape=(1, count, 8)),),
        precision="fp32",
        provenance=Provenance(trained_on="nothing", weights_sha256=""),
        labels=Labels(names=CLASS_NAMES, colors=class_colors(len(CLASS_NAMES))),
        detector=DetectorProfile(
            height=height,
            width=width,
            channels="bgr",
            fit="stretch",
            decoding="yolox",
            numbers={"strides": [CELL]},
            score_threshold=score_threshold,
        ),
        parity=PROVEN,
    )
    write_manifest(folder, manifest)
    return folder
