"""Export SqueezeSegV3: a checkpoint becomes a folder of ``model.onnx`` and ``model.json``.

    python -m export.squeezesegv3 CHECKPOINT --out weights/squeezesegv3-21-64x512 --trained-on "12 simulated drives"

The graph takes the normalised range image ``range_image`` [1, 5, H, W] float32 and gives ``logits`` [1, C, H, W]
float32 and ``labels`` [1, H, W] uint8, the class with the largest logit. Batch norm is folded, the SAC blocks are
accumulated (:mod:`models.squeezesegv3.inference`), and weights are stored as float16, which halves the file: they are
cast to float32 when a session is opened, so the arithmetic is that of float32.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from errors import UserError
from formats.labels import load_label_table
from inference.manifest import Labels, Manifest, Normalisation, Parity, Provenance, SensorProfile, write_manifest
from inference.manifest import Tensor as TensorDescription
from inference.ort import import_onnxruntime
from models.range_view.normalize import HDL64_MEANS, HDL64_STDS
from models.squeezesegv3.checkpoint import load_checkpoint
from models.squeezesegv3.inference import inference_form

GRAPH = "model.onnx"
TOLERANCE = 1e-4
"""Largest relative difference of logits between the network, its weights rounded to float16, and the graph."""


class LabelledOutput(nn.Module):
    """A network that gives its logits and their arg-max."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """``image`` [1, 5, H, W] → logits [1, C, H, W] float32, labels [1, H, W] uint8."""
        logits = self.network(image)
        return logits, logits.argmax(dim=1).to(torch.uint8)


def export(
    checkpoint_path: Path, out: Path, *, height: int | None = None, width: int | None = None, trained_on: str
) -> Manifest:
    """Write ``out/model.onnx`` and ``out/model.json``; measure how far the graph is from the network.

    ``height`` and ``width`` of the range image: by default those of the training.

    Raises:
        UserError: not a checkpoint, a width that the network cannot halve three times, or ``out`` cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    height, width = height or checkpoint.height, width or checkpoint.width
    if width % 8:
        raise UserError(f"--width {width}: must be a multiple of 8, the network halves it three times")
    table = load_label_table()
    if len(table.names) != checkpoint.classes:
        raise UserError(f"{checkpoint_path}: {checkpoint.classes} classes, but the label table has {len(table.names)}")

    network = inference_form(checkpoint.restore()).to(memory_format=torch.contiguous_format)
    rounded = inference_form(checkpoint.restore()).to(memory_format=torch.contiguous_format).half().float()
    try:
        out.mkdir(parents=True, exist_ok=True)
        onnx.save(_graph(rounded, height, width), out / GRAPH)
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written: {error.strerror}") from error

    manifest = Manifest(
        family="squeezesegv3",
        inputs=(TensorDescription(name="range_image", dtype="float32", shape=(1, 5, height, width)),),
        outputs=(
            TensorDescription(name="logits", dtype="float32", shape=(1, checkpoint.classes, height, width)),
            TensorDescription(name="labels", dtype="uint8", shape=(1, height, width)),
        ),
        precision="fp16 weights",
        provenance=Provenance(
            trained_on=trained_on,
            weights_sha256=hashlib.sha256(checkpoint_path.read_bytes()).hexdigest(),
            tools={name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        ),
        normalisation=Normalisation(means=HDL64_MEANS, stds=HDL64_STDS),
        labels=Labels(names=table.names, colors=table.colors_rgb),
        sensor=SensorProfile(name="hdl64", height=height, width=width, fov_up_deg=3.0, fov_down_deg=-25.0),
        parity=_parity(network, rounded, out / GRAPH, height, width),
    )
    return write_manifest(out, manifest)


def _graph(network: nn.Module, height: int, width: int) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    program = torch.onnx.export(
        LabelledOutput(network).eval(),
        (torch.zeros(1, 5, height, width),),
        input_names=["range_image"],
        output_names=["logits", "labels"],
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    for node in model.graph.node:  # the exporter's traces: paths of this machine, and most of the graph's size
        del node.metadata_props[:]
        node.doc_string = ""
    _store_weights_as_half(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model


def _store_weights_as_half(graph: onnx.GraphProto) -> None:
    """Replace each weight (float32, of two dimensions or more) by a float16 one and a cast back."""
    casts = []
    for initializer in graph.initializer:
        if initializer.data_type == TensorProto.FLOAT and len(initializer.dims) >= 2:
            name, values = initializer.name, numpy_helper.to_array(initializer)
            initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _parity(network: nn.Module, rounded: nn.Module, graph: Path, height: int, width: int) -> Parity:
    """Compare three images of noise: network, network with rounded weights, graph in ONNX Runtime."""
    session = import_onnxruntime().InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).normal(size=(3, 1, 5, height, width)).astype(np.float32)
    with torch.no_grad():
        exact = np.concatenate([network(torch.from_numpy(image)).numpy() for image in images])
        half = np.concatenate([rounded(torch.from_numpy(image)).numpy() for image in images])
    results = [session.run(["logits", "labels"], {"range_image": image}) for image in images]
    logits = np.concatenate([logits for logits, _ in results])
    labels = np.concatenate([labels for _, labels in results])
    rounding, runtime = _difference(exact, half, half.argmax(1)), _difference(half, logits, labels)
    return Parity(
        passed=runtime["relative_difference"] <= TOLERANCE,
        stages={"torch → torch, float16 weights": rounding, "torch, float16 weights → onnxruntime": runtime},
    )


def _difference(reference: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {
        "relative_difference": float(np.abs(logits - reference).max() / np.abs(reference).max()),
        "same_label": float((labels == reference.argmax(1)).mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m export.squeezesegv3", description=__doc__.split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the exported model")
    parser.add_argument("--height", type=int, help="of the range image (default: as trained)")
    parser.add_argument("--width", type=int, help="of the range image (default: as trained)")
    parser.add_argument("--trained-on", required=True, help="what the weights learnt from, for the manifest")
    given = parser.parse_args(arguments)
    try:
        manifest = export(
            given.checkpoint, given.out, height=given.height, width=given.width, trained_on=given.trained_on
        )
    except UserError as error:
        sys.exit(f"error: {error}")
    for stage, numbers in manifest.parity.stages.items():
        print(f"{stage}: " + ", ".join(f"{name} {value:.3g}" for name, value in numbers.items()))
    print(f"{given.out}: parity {'passed' if manifest.parity.passed else 'FAILED'}")
    sys.exit(0 if manifest.parity.passed else 1)


if __name__ == "__main__":
    main()
