"""What is in an exported model, told line by line: for ``run.py export inspect``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.auto import bf16_instructions
from inference.manifest import Artifact, Manifest, load_manifest, require_unchanged
from inference.openvino_backend import import_openvino, openvino_core


def describe(folder: Path) -> Iterator[str]:
    """Lines for people: what it is, then each file: layers, the precisions that are really computed in, memory.

    Raises:
        UserError: no exported model, or one whose files are not those that were exported.
    """
    manifest = load_manifest(folder)
    yield f"{folder}: {manifest.model or manifest.family}, {'; '.join(map(str, (*manifest.inputs, *manifest.outputs)))}"
    yield f"trained on: {manifest.provenance.trained_on}"
    yield "made with: " + ", ".join(f"{name} {version}" for name, version in manifest.provenance.tools.items())
    yield from _graph(folder / manifest.graph)
    for artifact in manifest.artifacts:
        require_unchanged(folder, artifact.files)
        path = folder / artifact.entry
        if artifact.backend == "openvino":
            yield from _openvino(path, artifact)
        elif artifact.backend == "onnxruntime":
            yield from _graph(path)
        else:
            yield from _engine(folder, artifact)
    yield from _parity(manifest)


def _graph(path: Path) -> Iterator[str]:
    import onnx

    from export.precision.report import describe as describe_graph

    found = describe_graph(onnx.load(path))
    yield f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, opset {_counts(found.opset)}"
    yield f"  layers by type: {_counts(found.operator_types)}"
    yield f"  computed in: {_counts(found.operators)}; casts {found.casts}, Q/DQ pairs {found.qdq_pairs}"
    yield f"  weights in MB: {_counts({name: round(size / 1e6, 2) for name, size in found.weight_bytes.items()})}"
    yield f"  custom operators: {_counts(found.custom_domains) or 'none'}"
    largest = ", ".join(f"{t.name} {t.dtype}{list(t.shape)} {t.bytes / 1e6:.1f} MB" for t in found.largest[:3])
    yield f"  largest tensors: {largest}"


def _openvino(path: Path, artifact: Artifact) -> Iterator[str]:
    """As it runs here: after fusion, in the precisions of the kernels that were chosen."""
    openvino = import_openvino()
    size = sum(path.with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))
    yield f"{path.name}: {size / 1e6:.1f} MB with its weights"
    reader = openvino.frontend.FrontEndManager().load_by_framework("ir")
    model = reader.convert(reader.load(str(path)))
    hints = ["int8"] if artifact.precision == "int8" else ["fp32", *(["bf16"] if bf16_instructions() else [])]
    for hint in hints:
        settings = {"INFERENCE_PRECISION_HINT": "bf16" if hint == "bf16" else "f32"}
        compiled: Any = openvino_core().compile_model(model, "CPU", settings)
        kinds: Counter[str] = Counter()
        precisions: Counter[str] = Counter()
        for operator in compiled.get_runtime_model().get_ops():
            info = {name: str(value.astype(str)) for name, value in operator.get_rt_info().items() if name in _RUNTIME}
            if info.get("layerType") in (None, "Input", "Output", "Const"):
                continue
            kinds[info["layerType"]] += 1
            precisions[info.get("runtimePrecision", "?").lower()] += 1
        yield f"  in {hint} on this CPU: layers {_counts(kinds)}"
        yield f"    computed in: {_counts(precisions)}"


_RUNTIME = ("layerType", "runtimePrecision")


def _engine(folder: Path, artifact: Artifact) -> Iterator[str]:
    from export.tensorrt.inspect import inspect_engine

    log = next((name for name in artifact.files if name.endswith(".log")), None)
    found = inspect_engine(folder / artifact.entry, folder / log if log else None)
    yield f"{artifact.entry}: {found.engine_bytes / 1e6:.1f} MB, {found.header}"
    yield "  built for: " + ", ".join(f"{name} {value}" for name, value in artifact.built_for.items() if value)
    if found.layers_from is None:
        yield "  layers: not known without a GPU that can load it"
        return
    precisions = Counter("+".join(layer.types) or "?" for layer in found.layers)
    yield f"  {len(found.layers)} layers after fusion, as {found.layers_from} has them: {_counts(precisions)}"


def _parity(manifest: Manifest) -> Iterator[str]:
    if manifest.parity is None:
        yield "parity: never measured"
        return
    for stage in manifest.parity.stages:
        how = {True: "passed", False: "FAILED", None: "not run"}[stage.passed]
        what = stage.note or ", ".join(f"{name} {value:.4g}" for name, value in stage.measures.items())
        yield f"parity, {stage.name}: {how} ({what})"


def _counts(counts: Mapping[str, object]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1] if isinstance(item[1], int | float) else 0)
    return ", ".join(f"{name or 'onnx'} {value}" for name, value in ordered)
