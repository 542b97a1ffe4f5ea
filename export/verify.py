"""Prove an exported model again, on the machine and the data at hand, without the network it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from errors import UserError
from export import watch
from export.families import MODELS, Arrays, of_exported
from export.layers import FILE as LAYERS
from export.layers import Layers
from export.prove import batched, prove
from export.request import Build, Precision, Target
from inference.manifest import Manifest, Parity, read_manifest, sha256_of

_TARGETS: dict[str, Target] = {"onnxruntime": "onnx"}


class Verdict(NamedTuple):
    """``problems``: one line each, what is wrong; ``parity``: as measured now, None where the graph itself is wrong."""

    manifest: Manifest
    problems: list[str]
    parity: Parity | None


def verify(
    folder: Path, *, data: Path | None, count: int, on_progress: Callable[[str, float], None] = lambda _, __: None
) -> Verdict:
    """Whether the files are those that were exported, every layer computes what the network computed, and everything
    that was built agrees with the graph.

    Raises:
        UserError: no exported model, or one that no ``run.py export`` made.
    """
    manifest = read_manifest(folder)
    if not manifest.model:
        raise UserError(f"{folder}: was not made by run.py export; there is nothing to compare it with")
    family = of_exported(manifest)
    problems = _changed_files(folder, manifest)
    on_progress("layers", 0.1)
    if manifest.model in MODELS:  # of a graph that others made, no layer is known
        problems += _wrong_layers(folder, manifest, batched(family.made_up(manifest)[0], manifest).inputs)
    if problems:
        return Verdict(manifest, problems, None)
    builds = tuple(
        Build(_TARGETS.get(stage.backend, stage.backend), _precision(stage.precision))  # type: ignore[arg-type]
        for stage in (manifest.parity.stages if manifest.parity else ())
        if stage.backend != "torch"
    )
    parity = prove(folder, manifest, family, builds, None, data=data, count=count, on_progress=on_progress)
    for stage in parity.stages:
        if stage.passed is False:
            where = f", from layer {stage.first_difference} on" if stage.first_difference else ""
            problems.append(f"{stage.name}: must be {stage.bound or 'finite'}{where}")
    return Verdict(manifest, problems, parity)


def _precision(name: str) -> Precision:
    return msgspec.convert(name, Precision)


def _changed_files(folder: Path, manifest: Manifest) -> list[str]:
    files = {manifest.graph: manifest.graph_sha256}
    for artifact in manifest.artifacts:
        files |= artifact.files
    problems = []
    for name, expected in files.items():
        try:
            if sha256_of(folder / name) != expected:
                problems.append(f"{name}: is not the file that was exported")
        except OSError as error:
            problems.append(f"{name}: cannot be read: {error.strerror}")
    return problems


def _wrong_layers(folder: Path, manifest: Manifest, inputs: Arrays) -> list[str]:
    """Weights that are not those exported, and the first layer that does not compute what the network computed."""
    import onnx

    try:
        layers = Layers.read(folder)
    except FileNotFoundError:
        return [f"{LAYERS}: is missing, so no layer can be compared; export the model again"]
    except (OSError, msgspec.DecodeError) as error:
        return [f"{LAYERS}: cannot be read: {error}"]
    try:
        graph = onnx.load(folder / manifest.graph).graph
    except Exception as error:  # protobuf's own, which has no public base class
        return [f"{manifest.graph}: is no ONNX graph: {' '.join(str(error).split())[:200]}"]
    problems = []
    for weight in graph.initializer:
        expected = layers.weights.get(weight.name)
        found = hashlib.sha256(onnx.numpy_helper.to_array(weight).tobytes()).hexdigest()
        if found != expected:
            what = "is not the one that was exported" if expected else "was not there when it was exported"
            problems.append(f"{manifest.graph}: weight {weight.name} {what}")
    difference = watch.in_onnxruntime(folder / manifest.graph, inputs, layers.fingerprints, "fp32")
    if difference is not None:
        problems.append(
            f"{manifest.graph}: layer {difference} is the first that does not compute what the network computed "
            f"(relative difference {difference.relative:.2g})"
        )
    return problems
