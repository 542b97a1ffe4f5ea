"""The same SqueezeSegV3, weights and all, in the forms that are compared: naive and ours, in three runtimes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.cache import StepCache
from export.request import Build, ExportRequest
from export.steps import Export
from inference.auto import bf16_instructions, open_session
from inference.manifest import Manifest, Provenance, write_manifest
from inference.manifest import Tensor as TensorDescription
from models.squeezesegv3.checkpoint import Checkpoint, load_checkpoint
from profiling.segmentation.naive import NaiveSqueezeSegV3

Version = Callable[[np.ndarray], np.ndarray]
"""Normalised range image [1, 5, H, W] float32 → class per pixel [H, W] uint8, valid until the version runs again."""

NAIVE = "naive, PyTorch fp32"

_BACKENDS = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
_TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
EXPORTED = {
    f"{form}, {_TITLES[backend]} {precision}": (form, backend, precision)
    for form in ("naive", "ours")
    for backend, precision in _BACKENDS
}
"""The versions beside :data:`NAIVE`: form of the graph, backend, precision. Slow ones first."""


def export_ours(path: Path, height: int, width: int, folder: Path) -> Path:
    """Export the checkpoint at ``path`` to ``folder`` as it ships; returns ``folder``."""
    layers = load_checkpoint(path).layers
    request = ExportRequest(
        model=f"squeezesegv3-{layers}", weights=path, builds=(Build("onnx", "fp32"),), height=height, width=width
    )
    Export(request, folder, StepCache()).run()
    return folder


def export_naive(path: Path, height: int, width: int, folder: Path) -> Path:
    """Export the paper's graph, as it is, with the weights of the checkpoint at ``path``; returns ``folder``."""
    checkpoint = load_checkpoint(path)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    folder.mkdir(parents=True)
    names = ["labels", *(f"head{i}" for i in range(1, 6))]
    torch.onnx.export(
        _naive(checkpoint),
        (torch.zeros(1, 5, height, width),),
        folder / "model.onnx",
        input_names=["range_image"],
        output_names=names,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    shapes = [(checkpoint.classes, height, width // stride) for stride in (1, 2, 4, 8, 8)]
    manifest = Manifest(
        family="squeezesegv3",
        inputs=(TensorDescription(name="range_image", dtype="float32", shape=(1, 5, height, width)),),
        outputs=(
            TensorDescription(name="labels", dtype="uint8", shape=(1, height, width)),
            *(
                TensorDescription(name=name, dtype="float32", shape=(1, *shape))
                for name, shape in zip(names[1:], shapes, strict=True)
            ),
        ),
        precision="fp32",
        provenance=Provenance(
            trained_on=checkpoint.trained_on, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest()
        ),
    )
    write_manifest(folder, manifest)
    return folder


@contextmanager
def open_versions(
    checkpoint: Path, models: dict[str, Path], names: Sequence[str], threads: int
) -> Iterator[dict[str, Version]]:
    """:data:`NAIVE`, and the ``names`` of :data:`EXPORTED`, ready to run; bf16 where the CPU has instructions for it.

    ``models``: the folder of each form that they need.
    """
    torch.set_num_threads(threads)
    with ExitStack() as opened:
        versions = {NAIVE: _in_torch(_naive(load_checkpoint(checkpoint)))}
        for name in names:
            form, backend, precision = EXPORTED[name]
            if precision == "bf16" and bf16_instructions() is None:
                continue
            session = open_session(
                models[form], backend=backend, precision=precision, threads=threads, allow_failed_parity=True
            )  # random weights give random scores: bf16 then changes many a label
            opened.enter_context(session)
            versions[name] = lambda image, session=session: session.infer({"range_image": image})["labels"][0]
        yield versions


class _Labelled(nn.Module):
    """The naive network's five outputs, as the release returns them, after the label of each pixel."""

    def __init__(self, network: NaiveSqueezeSegV3) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(image)
        return outputs[0].argmax(dim=1).to(torch.uint8), *outputs


def _naive(checkpoint: Checkpoint) -> _Labelled:
    network = NaiveSqueezeSegV3(checkpoint.layers, checkpoint.classes)
    network.load_state_dict(checkpoint.network)
    return _Labelled(network).eval()


def _in_torch(network: _Labelled) -> Version:
    def run(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(image))[0][0].numpy()

    return run
