"""Run every stage of an export on the same inputs as the network, and say how far each is from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from errors import UserError
from export import watch
from export.families import Arrays, Family, Request, Sample
from export.layers import Difference, Layers
from export.parity import FindLayer, Run, outputs_of, relative_errors, stage
from export.request import Build
from inference.auto import open_engine
from inference.manifest import Manifest, Parity, Stage
from inference.ort import OrtEngine
from inference.session import Engine
from inference.threads import available_cores

STORED, GRAPH = "stored weights", "onnx"
_BACKENDS = {"onnx": "onnxruntime"}


def prove(
    folder: Path,
    manifest: Manifest,
    family: Family,
    builds: Sequence[Build],
    request: Request | None,
    *,
    data: Path | None,
    count: int,
    on_progress: Callable[[str, float], None] = lambda _, __: None,
) -> Parity:
    """Compare network, stored weights, graph and everything that was built of it.

    Args:
        folder: has the files that ``manifest`` names.
        request: what the network is loaded by; None: it is not at hand, the graph in ONNX Runtime stands for it, and
            what was measured of it before is kept.
        data: recordings; None: inputs that are made up.
        count: how many of their scans or frames.
    """
    samples = family.made_up(manifest) + (family.real(manifest, data, count) if data is not None else [])
    samples = [batched(sample, manifest) for sample in samples]
    stages: list[Stage] = []
    steps = len(builds) + 3
    on_progress("network", 0.0)
    if request is not None:
        network = family.load(request)
        exact, stored = (outputs_of(_torch(each, manifest), samples) for each in (network.exact, network.stored))
        on_progress(STORED, 1 / steps)
        stages.append(stage(STORED, "torch", request.storage, stored, exact, samples, family, manifest))
        expected, earlier = stored, ()
    else:
        earlier = tuple(s for s in manifest.parity.stages if s.name in (STORED, GRAPH)) if manifest.parity else ()
        expected = _run(folder, manifest, "onnxruntime", "fp32", samples)
    stages.extend(earlier)
    layers = _layers(folder)
    # The graph itself is always measured: all else is made of it.
    wanted = [Build("onnx", "fp32"), *(build for build in builds if build != Build("onnx", "fp32"))]
    for i, build in enumerate(wanted):
        on_progress(str(build), (2 + i) / steps)
        if request is None and build == wanted[0]:
            continue
        stages.append(_stage(folder, manifest, family, build, samples, expected, layers))
    kinds = [sample.kind for sample in samples]
    return Parity(inputs={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}, stages=tuple(stages))


def require_alike(graph: Path, like: Path, manifest: Manifest, family: Family) -> None:
    """Raise :class:`UserError` unless two graphs of one network give the same in ONNX Runtime, on made-up inputs.

    The same values will do: of a network with random weights the best boxes are a matter of rounding.
    """
    samples = [batched(sample, manifest) for sample in family.made_up(manifest)]
    found, expected = (_run_graph(each, samples) for each in (graph, like))
    errors = (relative_errors(ours, theirs, list(theirs)) for ours, theirs in zip(found, expected, strict=True))
    if all((error <= family.fp32_relative).all() for error in errors):
        return
    measures = family.measure(manifest, found, expected, samples)
    for name, least in family.least_alike["fp32"].items():
        if measures[name] < least:
            raise UserError(f"{graph}: {name} is {measures[name]:.4f} beside {like}, not {least:g}; please report it")


def _run_graph(graph: Path, samples: Sequence[Sample]) -> list[Arrays]:
    engine = OrtEngine(graph, "CPUExecutionProvider", "fp32", available_cores())
    try:
        return outputs_of(_by_name(engine), samples)
    finally:
        engine.close()


def _by_name(engine: Engine) -> Run:
    def run(inputs: Arrays) -> Arrays:
        results = engine.run([inputs[tensor.name] for tensor in engine.inputs])
        return {tensor.name: result for tensor, result in zip(engine.outputs, results, strict=True)}

    return run


def _stage(
    folder: Path,
    manifest: Manifest,
    family: Family,
    build: Build,
    samples: Sequence[Sample],
    expected: Sequence[Arrays],
    layers: Layers | None,
) -> Stage:
    name = GRAPH if build == Build("onnx", "fp32") else str(build)
    backend = _BACKENDS.get(build.target, build.target)
    try:
        found = _run(folder, manifest, backend, build.precision, samples)
    except UserError as error:
        if build.target in ("onnx", "openvino") and build.precision != "bf16":
            raise
        return Stage(name=name, backend=backend, precision=build.precision, passed=None, note=str(error))
    find = _finder(folder, manifest, build, samples[0].inputs, layers)
    return stage(name, backend, build.precision, found, expected, samples, family, manifest, find)


def _run(
    folder: Path, manifest: Manifest, backend: str, precision: str, samples: Sequence[Sample]
) -> list[dict[str, np.ndarray]]:
    engine = open_engine(folder, manifest, backend, precision, available_cores())
    try:
        return [dict(arrays) for arrays in outputs_of(_by_name(engine), samples)]
    finally:
        engine.close()


def _torch(network: object, manifest: Manifest) -> Run:
    import torch

    def run(inputs: Arrays) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            results = network(*(torch.from_numpy(inputs[tensor.name]) for tensor in manifest.inputs))  # type: ignore[operator]
        return {tensor.name: result.numpy() for tensor, result in zip(manifest.outputs, results, strict=True)}

    return run


def _finder(folder: Path, manifest: Manifest, build: Build, inputs: Arrays, layers: Layers | None) -> FindLayer | None:
    """Where values inside can be seen: ONNX Runtime and OpenVINO."""
    if layers is None or build.target not in ("onnx", "openvino"):
        return None
    look = watch.in_onnxruntime if build.target == "onnx" else watch.in_openvino
    made = manifest.artifact("onnxruntime", build.precision)
    graph = folder / (made.entry if made is not None and build.target == "onnx" else manifest.graph)

    def find() -> Difference | None:
        return look(graph, inputs, layers.fingerprints, build.precision)

    return find


def _layers(folder: Path) -> Layers | None:
    try:
        return Layers.read(folder)
    except FileNotFoundError:
        return None


def batched(sample: Sample, manifest: Manifest) -> Sample:
    """The same input as often as the graph wants it."""
    batch = manifest.inputs[0].shape[0]
    times = batch if isinstance(batch, int) else 1
    return sample._replace(inputs={name: np.repeat(values, times, axis=0) for name, values in sample.inputs.items()})
