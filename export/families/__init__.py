"""What can be exported: one entry a model. A new family joins by a file here and its line in :data:`MODELS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from errors import UserError, require_known
from inference.manifest import Manifest

if TYPE_CHECKING:
    from torch import nn

    from export.to_onnx_options import Batch
    from export.weights import Storage

Arrays = Mapping[str, np.ndarray]


FP32_RELATIVE = 1e-4
"""What rounding in float32 may cost a network of ours (:attr:`Family.fp32_relative`)."""


class Request(NamedTuple):
    """What graph is wanted. None: as the checkpoint was trained."""

    weights: Path | None
    """A checkpoint; None: random weights, which compute nothing, but as fast."""
    height: int | None
    width: int | None
    batch: Batch
    outputs: str | None
    """Of the family's own; None: it has but one kind."""
    storage: Storage
    opset: int
    trained_on: str | None


class Sample(NamedTuple):
    """An input of the graph, and what is true of it where that is known."""

    name: str
    kind: str
    """``scans``, ``frames``, ``videos``: real ones; ``made up``: a plausible one; ``adversarial``."""
    inputs: Arrays
    truth: Any = None


class Network(NamedTuple):
    """A network to export."""

    exact: nn.Module
    """In float32, its inputs by position, giving a tuple of outputs."""
    stored: nn.Module
    """The same with its weights rounded as the file stores them."""
    manifest: Manifest
    """What is known of the graph before it is made: no sha256, no parity, no artifacts."""


class Family(Protocol):
    """What export asks of a model."""

    name: str
    shipped: Path | None
    """The folder of the exported model that the project ships, where it ships one."""
    outputs: tuple[str, ...]
    """What its graph can give, for ``--outputs``; the usual first. Empty: there is no choice."""
    keep_fp32: Mapping[str, tuple[str, ...]]
    """By precision, patterns of what stays in float32 (:class:`export.precision.keep.KeepFp32`)."""
    fp32_relative: float
    """Largest difference of a float32 stage's outputs, relative to the largest value of that output."""
    least_alike: Mapping[Literal["fp32", "half"], Mapping[str, float]]
    """The least that :meth:`measure` must give for a stage to pass: in fp16 and bf16 (``half``), and in float32 for a
    graph that gives decisions alone, without the scores behind them."""

    def load(self, request: Request) -> Network:
        """Imports torch. Raises UserError: weights of another model, or a size the network cannot take."""
        ...

    def made_up(self, manifest: Manifest) -> list[Sample]:
        """Inputs that need no data: the first is plausible and the one that layers are compared on; then adversarial
        ones: nothing, next to nothing, too much."""
        ...

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        """``count`` inputs, evenly spread over a folder of recordings. Raises UserError: there are none."""
        ...

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """Names of the outputs that are compared value by value. Decisions, and what is chosen by rank, are not:
        rounding turns them over. :meth:`measure` says how much of them stays."""
        ...

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """The task's own measures of graph outputs, beside those of the network: ``same_label``, ``miou_change``."""
        ...


def _squeezesegv3(layers: int) -> Callable[[], Family]:
    def load() -> Family:
        from export.families.squeezesegv3 import SqueezeSegV3Family

        return SqueezeSegV3Family(layers)

    return load


def _bcgnn(length: int, max_duration: int) -> Callable[[], Family]:
    def load() -> Family:
        from export.families.bcgnn import BCGNNFamily

        return BCGNNFamily(length, max_duration)

    return load


def _two_stream() -> Family:
    from export.families.two_stream import TwoStreamFamily

    return TwoStreamFamily()


def _detector(name: str, *size: int, two_stage: bool = False) -> Callable[[], Family]:
    def load() -> Family:
        from export.families.detectors import DetectorFamily

        return DetectorFamily(name, size, two_stage)

    return load


MODELS: dict[str, Callable[[], Family]] = {
    "squeezesegv3-21": _squeezesegv3(21),
    "squeezesegv3-53": _squeezesegv3(53),
    "bcgnn-100": _bcgnn(100, 99),
    "bcgnn-128": _bcgnn(128, 64),
    "two-stream": _two_stream,
    "retinanet-r18": _detector("retinanet-r18", 320, 320),
    "retinanet-r50": _detector("retinanet-r50", 800, 1344),
    "retinanet-vgg16": _detector("retinanet-vgg16", 320, 320),
    "retinanet-mobilenetv2": _detector("retinanet-mobilenetv2", 320, 320),
    "fssd-r18": _detector("fssd-r18", 320, 320),
    "fssd-vgg16": _detector("fssd-vgg16", 320, 320),
    "rfbnet-vgg16": _detector("rfbnet-vgg16", 320, 320),
    "fcos-r18": _detector("fcos-r18", 320, 320),
    "fcos-r50": _detector("fcos-r50", 800, 1344),
    "fcos-vgg16": _detector("fcos-vgg16", 320, 320),
    "faster-rcnn-r18": _detector("faster-rcnn-r18", 320, 320, two_stage=True),
    "faster-rcnn-r50": _detector("faster-rcnn-r50", 512, 512, two_stage=True),
    "faster-rcnn-r101": _detector("faster-rcnn-r101", 512, 512, two_stage=True),
    "internet-r18": _detector("internet-r18", 320, 320, two_stage=True),
    "internet-r50": _detector("internet-r50", 512, 512, two_stage=True),
    "internet-r101": _detector("internet-r101", 512, 512, two_stage=True),
}


def scores_of(manifest: Manifest) -> list[str]:
    """Names of the floating-point outputs: for :meth:`Family.by_value` of most families."""
    return [output.name for output in manifest.outputs if output.dtype.startswith("float")]


def choose_outputs(family: Family, given: str | None) -> str | None:
    """What the graph shall give: what was asked for, or the family's usual.

    Raises:
        UserError: it cannot give that, or there is no choice.
    """
    if given is None:
        return family.outputs[0] if family.outputs else None
    if not family.outputs:
        raise UserError(f"--outputs {given}: {family.name} gives but one kind of outputs; leave it out")
    require_known(f"--outputs of {family.name}:", given, family.outputs)
    return given


def find(name: str) -> Family:
    """The model of that name.

    Raises:
        UserError: there is none; with the nearest name.
    """
    require_known("export: model", name, MODELS)
    return MODELS[name]()


def of_exported(manifest: Manifest) -> Family:
    """What an exported folder is of: one of :data:`MODELS`, or a detector of others that ``run.py import`` took in.

    Raises:
        UserError: neither.
    """
    if manifest.model not in MODELS and manifest.detector is not None:
        from export.families.detectors import ImportedDetector

        return ImportedDetector(manifest.model)
    return find(manifest.model)
