"""A detector that others made, as a model folder of ours: its graph as it is, a manifest, and a first run as the proof.

Torch is not needed, nor ONNX's own library: ONNX Runtime says what the graph takes and gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from errors import UserError
from export.families.detectors import FOREIGN_FP32_RELATIVE
from export.folder import place, require_free, share, staging
from inference.auto import open_engine, package_folder
from inference.detection import FAMILY, class_colors, describe
from inference.manifest import (
    DetectorProfile,
    Labels,
    Manifest,
    Normalisation,
    Parity,
    Provenance,
    Stage,
    Tensor,
    write_manifest,
)
from inference.ort import OrtEngine
from inference.threads import available_cores
from models.detection.decoding import RANKED, make_decoding, match_outputs
from models.detection.exported import ExportedDetector

GRAPH = "model.onnx"
BACKENDS = ("onnxruntime", "openvino")
"""What it is run with, where it is installed."""


class Foreign(NamedTuple):
    """What its makers know of a detector and its graph does not say.

    Attributes:
        graph: the ONNX file, with its weights.
        names: of the classes, in the graph's order, without a background.
        size: height and width of the input in pixels; None: as the graph says.
        normalisation: None: the graph takes values of 0..255.
        outputs: the decoding's name of an output → the graph's, where that cannot be told.
        nms_iou: None: 0.5, or none where the decoding needs none.
        trained_on: in words, for whoever finds the folder.

    The others are those of :class:`inference.manifest.DetectorProfile`.
    """

    graph: Path
    names: tuple[str, ...]
    decoding: str
    numbers: Mapping[str, Any]
    size: tuple[int, int] | None
    channels: str
    normalisation: Normalisation | None
    fit: str
    pad_value: int
    outputs: Mapping[str, str]
    score_threshold: float
    nms_iou: float | None
    max_detections: int
    trained_on: str


class Imported(NamedTuple):
    """What came of it. ``outputs``: the decoding's name of each → the graph's."""

    manifest: Manifest
    outputs: Mapping[str, str]


def import_detector(foreign: Foreign, out: Path, *, force: bool = False) -> Imported:
    """Make the folder ``out``: whole, or not at all.

    Raises:
        UserError: the graph cannot be run, or it is not as it is said to be.
    """
    if not foreign.graph.is_file():
        raise UserError(f"{foreign.graph}: no such file; give a detector's ONNX file")
    require_free(out, force)
    with staging(out) as staged:
        sha256 = share(foreign.graph, staged, GRAPH)
        try:
            imported = _make(foreign, staged, sha256)
        except UserError as error:
            raise UserError(str(error).replace(str(staged / GRAPH), str(foreign.graph))) from error
        return imported._replace(manifest=place(staged, out, imported.manifest))


def _make(foreign: Foreign, staged: Path, sha256: str) -> Imported:
    inputs, outputs = _tensors(staged / GRAPH)
    layout, height, width = _picture(foreign, inputs)
    shapes = {tensor.name: tensor.shape for tensor in outputs}
    try:
        decoding = make_decoding(foreign.decoding, height, width, len(foreign.names), foreign.numbers)
        matched = match_outputs(foreign.decoding, decoding, shapes, foreign.outputs)
    except UserError as error:
        raise UserError(f"{foreign.graph}: {error}, for {len(foreign.names)} classes of {height}x{width} px") from error
    try:
        profile = DetectorProfile(
            height=height,
            width=width,
            channels=foreign.channels,
            layout=layout,
            fit=foreign.fit,
            pad_value=foreign.pad_value,
            decoding=foreign.decoding,
            numbers=dict(foreign.numbers),
            outputs={role: name for role, name in matched.items() if role != name},
            score_threshold=foreign.score_threshold,
            nms_iou=0.5 if foreign.nms_iou is None and foreign.decoding not in RANKED else foreign.nms_iou,
            max_detections=foreign.max_detections,
        )
    except ValueError as error:
        raise UserError(f"{foreign.graph}: {error}") from error
    manifest = Manifest(
        family=FAMILY,
        model=foreign.graph.stem,
        inputs=inputs,
        outputs=outputs,
        precision="fp32",
        provenance=Provenance(trained_on=foreign.trained_on, weights_sha256=sha256),
        normalisation=foreign.normalisation,
        labels=Labels(names=foreign.names, colors=class_colors(len(foreign.names))),
        detector=profile,
    )
    manifest = write_manifest(staged, manifest)
    return Imported(msgspec.structs.replace(manifest, parity=_run(staged, manifest)), matched)


def _tensors(graph: Path) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    engine = OrtEngine(graph, "CPUExecutionProvider", "fp32", available_cores())
    tensors = engine.inputs, engine.outputs
    engine.close()
    return tensors


def _picture(foreign: Foreign, inputs: Sequence[Tensor]) -> tuple[str, int, int]:
    """Layout, height and width of the graph's input."""
    given = ", ".join(map(str, inputs))
    layouts = [
        layout
        for layout, channels in (("nchw", 1), ("nhwc", 3))
        if len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].shape[channels] == 3
    ]
    if len(layouts) != 1:
        raise UserError(f"{foreign.graph}: takes {given}; a detector takes one picture, [1, 3, H, W] or [1, H, W, 3]")
    (layout,) = layouts
    sizes = inputs[0].shape[2:4] if layout == "nchw" else inputs[0].shape[1:3]
    fixed = [size if isinstance(size, int) else None for size in sizes]
    if foreign.size is None and None in fixed:
        raise UserError(f"{foreign.graph}: takes pictures of any size ({given}); give --size HxW")
    height, width = (size or asked for size, asked in zip(fixed, foreign.size or (0, 0), strict=True))
    if foreign.size is not None and foreign.size != (height, width):
        asked = "x".join(map(str, foreign.size))
        raise UserError(f"{foreign.graph}: takes {given}, not {asked}; leave --size out")
    return layout, height, width


def _run(staged: Path, manifest: Manifest) -> Parity:
    """Find objects in noise with every backend there is: what does not fit shows here, not in a drive. The graph in
    ONNX Runtime is what the others are compared with."""
    described = describe(staged, manifest)
    detector = ExportedDetector(**described.arguments())
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    picture, placed = detector.prepare(noise)
    stages: list[Stage] = []
    expected: dict[str, np.ndarray] = {}
    for backend in BACKENDS:
        if package_folder(backend) is None:
            continue
        engine = open_engine(staged, manifest, backend, "fp32", available_cores())
        try:
            outputs = dict(zip((tensor.name for tensor in engine.outputs), engine.run([picture]), strict=True))
            detector.objects(outputs, placed)
        except (UserError, ValueError) as error:
            raise UserError(f"{staged / GRAPH}: run by {backend}, {error}") from error
        finally:
            engine.close()
        found = {name: outputs[name].copy() for name in detector.outputs.values()}
        expected = expected or found
        stages.append(_stage(backend, found, expected, ranked=described.profile.decoding in RANKED))
    return Parity(inputs={"noise": 1}, stages=tuple(stages))


def _stage(backend: str, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], *, ranked: bool) -> Stage:
    """How far outputs are from what ONNX Runtime gives, relative to the largest value of each.

    ``ranked``: the graph chooses and sorts what it gives, so values have no fixed place: nothing is measured.
    """
    name = f"{backend} fp32"
    if found is expected:
        return Stage(name=name, backend=backend, precision="fp32", passed=True, note="the graph as it came")
    if ranked or any(found[each].shape != expected[each].shape for each in expected):
        why = "the graph ranks its outputs: values have no fixed place"
        return Stage(name=name, backend=backend, precision="fp32", passed=None, note=why)
    error = max(
        float(np.abs(found[each] - expected[each]).max(initial=0) / max(np.abs(expected[each]).max(initial=0), 1e-9))
        for each in expected
    )
    return Stage(
        name=name,
        backend=backend,
        precision="fp32",
        passed=error <= FOREIGN_FP32_RELATIVE,
        bound=f"relative_max <= {FOREIGN_FP32_RELATIVE:g}",
        measures={"relative_max": error},
    )
