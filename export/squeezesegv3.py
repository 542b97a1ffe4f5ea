"""Export SqueezeSegV3: a checkpoint becomes a folder of ``model.onnx`` and ``model.json``.

    python -m export.squeezesegv3 CHECKPOINT --out weights/squeezesegv3-21-64x512

The graph takes the normalised range image ``range_image`` [1, 5, H, W] float32 and gives ``logits`` [1, C, H, W]
float32 and ``labels`` [1, H, W] uint8, the class with the largest logit, or one of the two. Batch norm is folded, the
SAC blocks are accumulated (:mod:`models.squeezesegv3.inference`), and weights are stored small
(:mod:`export.weights`); the arithmetic is that of float32.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from errors import UserError
from export.weights import STORAGES, Storage, rounded, store_weights
from formats.labels import load_label_table
from inference.manifest import Labels, Manifest, Normalisation, Parity, Provenance, SensorProfile, write_manifest
from inference.manifest import Tensor as TensorDescription
from inference.ort import import_onnxruntime
from models.squeezesegv3.checkpoint import load_checkpoint
from models.squeezesegv3.inference import inference_form

GRAPH = "model.onnx"
TOLERANCE = 1e-4
"""Largest relative difference of logits between the network with the weights as stored, and the graph."""
SAME_LABEL = 0.999
"""Smallest share of pixels that have the same class in both: of equal logits, rounding decides."""

Outputs = Literal["both", "logits", "labels"]
OUTPUTS: dict[Outputs, tuple[str, ...]] = {"both": ("logits", "labels"), "logits": ("logits",), "labels": ("labels",)}


class Labelled(nn.Module):
    """A network that gives its logits, their arg-max, or both."""

    def __init__(self, network: nn.Module, outputs: Outputs) -> None:
        super().__init__()
        self.network = network
        self.outputs = outputs

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """``image`` [1, 5, H, W] → of logits [1, C, H, W] float32 and labels [1, H, W] uint8, those asked for."""
        logits = self.network(image)
        results = {"logits": logits}
        if "labels" in OUTPUTS[self.outputs]:
            results["labels"] = logits.argmax(dim=1).to(torch.uint8)
        return tuple(results[name] for name in OUTPUTS[self.outputs])


def export(
    checkpoint_path: Path,
    out: Path,
    *,
    height: int | None = None,
    width: int | None = None,
    outputs: Outputs = "both",
    weights: Storage = "fp16",
    trained_on: str | None = None,
) -> Manifest:
    """Write ``out/model.onnx`` and ``out/model.json``; measure how far the graph is from the network.

    ``height`` and ``width`` of the range image, and the line that says what the weights learnt from: by default those
    of the checkpoint.

    Raises:
        UserError: not a checkpoint, a width that the network cannot halve three times, or ``out`` cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    height = checkpoint.height if height is None else height
    width = checkpoint.width if width is None else width
    if width < 8 or width % 8:
        raise UserError(f"--width {width}: must be a multiple of 8, the network halves it three times")
    if height < 1:
        raise UserError(f"--height {height}: must be 1 or more")
    table = load_label_table()
    if checkpoint.label_names != table.names:
        raise UserError(
            f"{checkpoint_path}: its {checkpoint.classes} classes ({', '.join(checkpoint.label_names[:3])}, …) are not "
            f"the {len(table.names)} of configs/labels/semantic-kitti.yaml, which gives them colours and raw ids"
        )

    try:
        out.mkdir(parents=True, exist_ok=True)
        network = inference_form(checkpoint.restore()).to(memory_format=torch.contiguous_format)
        stored = rounded(network, weights)
        onnx.save(_graph(stored, height, width, outputs, weights), out / GRAPH)
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written: {error.strerror}") from error

    tensors = {
        "logits": TensorDescription(name="logits", dtype="float32", shape=(1, checkpoint.classes, height, width)),
        "labels": TensorDescription(name="labels", dtype="uint8", shape=(1, height, width)),
    }
    manifest = Manifest(
        family="squeezesegv3",
        inputs=(TensorDescription(name="range_image", dtype="float32", shape=(1, 5, height, width)),),
        outputs=tuple(tensors[name] for name in OUTPUTS[outputs]),
        precision=f"{weights} weights",
        provenance=Provenance(
            trained_on=trained_on or checkpoint.trained_on,
            weights_sha256=hashlib.sha256(checkpoint_path.read_bytes()).hexdigest(),
            tools={name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")},
        ),
        normalisation=Normalisation(means=checkpoint.means, stds=checkpoint.stds),
        labels=Labels(names=table.names, colors=table.colors_rgb),
        sensor=SensorProfile(
            name="hdl64",
            height=height,
            width=width,
            fov_up_deg=checkpoint.fov_up_deg,
            fov_down_deg=checkpoint.fov_down_deg,
        ),
        parity=_parity(network, stored, out / GRAPH, weights, height, width),
    )
    return write_manifest(out, manifest)


def _graph(network: nn.Module, height: int, width: int, outputs: Outputs, weights: Storage) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    program = torch.onnx.export(
        Labelled(network, outputs).eval(),
        (torch.zeros(1, 5, height, width),),
        input_names=["range_image"],
        output_names=list(OUTPUTS[outputs]),
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    for node in model.graph.node:  # the exporter's traces: paths of this machine, and most of the graph's size
        del node.metadata_props[:]
        node.doc_string = ""
    store_weights(model.graph, weights)
    onnx.checker.check_model(model, full_check=True)
    return model


def _parity(network: nn.Module, stored: nn.Module, graph: Path, weights: Storage, height: int, width: int) -> Parity:
    """Compare three images of noise: network, network with the weights as stored, graph in ONNX Runtime."""
    session = import_onnxruntime().InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    images = np.random.default_rng(0).normal(size=(3, 1, 5, height, width)).astype(np.float32)
    with torch.no_grad():
        exact = np.concatenate([network(torch.from_numpy(image)).numpy() for image in images])
        near = np.concatenate([stored(torch.from_numpy(image)).numpy() for image in images])
    results = [dict(zip(names, session.run(names, {"range_image": image}), strict=True)) for image in images]
    found = {name: np.concatenate([result[name] for result in results]) for name in names}
    rounding, runtime = _difference(near, exact), {}
    if "logits" in found:
        runtime |= _difference(found["logits"], near)
    if "labels" in found:
        runtime["same_label"] = float((found["labels"] == near.argmax(1)).mean())
    return Parity(
        passed=runtime.get("relative_difference", 0) <= TOLERANCE and runtime["same_label"] >= SAME_LABEL,
        stages={f"torch → torch, {weights} weights": rounding, f"torch, {weights} weights → onnxruntime": runtime},
    )


def _difference(logits: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    return {
        "relative_difference": float(np.abs(logits - reference).max() / np.abs(reference).max()),
        "same_label": float((logits.argmax(1) == reference.argmax(1)).mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m export.squeezesegv3", description=__doc__.split("\n", 1)[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the exported model")
    parser.add_argument("--height", type=int, help="of the range image (default: as trained)")
    parser.add_argument("--width", type=int, help="of the range image (default: as trained)")
    parser.add_argument("--outputs", choices=tuple(OUTPUTS), default="both", help="arg-max in the graph, logits, both")
    parser.add_argument("--weights", choices=STORAGES, default="fp16", help="how the file stores them")
    parser.add_argument("--trained-on", help="what the weights learnt from (default: as the checkpoint says)")
    given = vars(parser.parse_args(arguments))
    checkpoint, out = given.pop("checkpoint"), given.pop("out")
    try:
        manifest = export(checkpoint, out, **given)
    except UserError as error:
        sys.exit(f"error: {error}")
    for stage, numbers in manifest.parity.stages.items():
        print(f"{stage}: " + ", ".join(f"{name} {value:.3g}" for name, value in numbers.items()))
    print(f"{out}: parity {'passed' if manifest.parity.passed else 'FAILED'}")
    sys.exit(0 if manifest.parity.passed else 1)


if __name__ == "__main__":
    main()
