"""A tiny exported snippet encoder whose features NumPy can tell: of each input's channels the mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.manifest import Manifest, Provenance, SnippetProfile, Tensor, write_manifest
from models.two_stream.snippets import Snippet
from tests.support.tiny_models import PROVEN

PROFILE = SnippetProfile(snippet_s=0.6, frames=3, height=32, width=32)
DIMENSION = 7


def make_tiny_encoder(folder: Path, profile: SnippetProfile = PROFILE, trained_on: str = "nothing") -> Path:
    """Write ``model.onnx`` and ``model.json`` to ``folder`` (made if absent) and return it."""
    import onnx
    from onnx import TensorProto, helper

    size = (profile.height, profile.width)
    shapes = {"rgb": (1, 3, *size), "flow": (1, 2 * (profile.frames - 1), *size)}
    dimension = 3 + shapes["flow"][1]
    nodes = [helper.make_node("ReduceMean", [name], [f"{name}_mean"], axes=[2, 3], keepdims=0) for name in shapes]
    nodes.append(helper.make_node("Concat", [f"{name}_mean" for name in shapes], ["features"], axis=1))
    graph = helper.make_graph(
        nodes,
        "tiny_encoder",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, dimension])],
        doc_string=trained_on,
    )
    folder.mkdir(parents=True, exist_ok=True)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "model.onnx")
    write_manifest(
        folder,
        Manifest(
            family="two-stream",
            model="tiny",
            inputs=tuple(Tensor(name=name, dtype="float32", shape=shape) for name, shape in shapes.items()),
            outputs=(Tensor(name="features", dtype="float32", shape=(1, dimension)),),
            precision="fp32",
            provenance=Provenance(trained_on=trained_on, weights_sha256=""),
            snippet=profile,
            parity=PROVEN,
        ),
    )
    return folder


def tiny_features(snippet: Snippet) -> np.ndarray:
    """What :func:`make_tiny_encoder`'s graph gives, [D] float64."""
    return np.concatenate([snippet.rgb.mean((1, 2), np.float64), snippet.flow.mean((1, 2), np.float64)])
