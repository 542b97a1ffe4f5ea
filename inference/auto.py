"""Open a session: which backend runs a model on this machine, and whether it is the one that was asked for."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path

from errors import UserError, require_known
from inference.manifest import Manifest, Stage, Tensor, load_manifest, require_unchanged
from inference.session import Choice, Engine, Precision, Session
from inference.threads import session_threads

log = logging.getLogger(__name__)

# Each backend and the provider it must then really run on. Best first: on a CPU, OpenVINO takes 0.33 s for a scan where
# ONNX Runtime takes 1.7 s (SqueezeSegV3-21, 64x2048, two cores with AMX).
BACKENDS = {
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT-RTX",
    "onnxruntime:tensorrt": "TensorrtExecutionProvider",
    "onnxruntime:cuda": "CUDAExecutionProvider",
    "openvino": "CPU",
    "onnxruntime": "CPUExecutionProvider",
}
PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "tensorrt": ("fp32", "fp16", "bf16", "int8"),
    "tensorrt-rtx": ("fp32", "fp16", "bf16", "int8"),
    "onnxruntime:tensorrt": ("fp32", "fp16", "int8"),
    "onnxruntime:cuda": ("fp32", "fp16", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "onnxruntime": ("fp32", "fp16", "int8"),
}
"""What each backend can compute in. All but fp32, and OpenVINO's bf16, need what ``run.py export --precision`` made."""
_PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx_bindings"}
_EXTRAS = {"tensorrt": "rangecast[gpu]", "tensorrt-rtx": "rangecast[rtx]"}


def open_session(
    folder: str | Path,
    *,
    backend: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    allow_fallback: bool = False,
    allow_failed_parity: bool = False,
) -> Session:
    """Open the exported model in ``folder``; check its manifest, its sha256 and that the graph is as described.

    Args:
        backend: one of :data:`BACKENDS`, or ``auto``: the best that works here. The result's ``choice`` says which,
            why, and why not the others; so does one line of the log.
        precision: what to compute in. ``auto``: bf16 with OpenVINO on a CPU that has instructions for it, unless the
            export found that it costs too much; of an engine, what it was built in; else fp32. bf16 changes results
            slightly.
        threads: compute threads; None: the available cores, shared (:func:`inference.threads.session_threads`).
        allow_fallback: where the device of the backend asked for cannot be had, use the CPU and warn.
        allow_failed_parity: run, with a warning, what the export found to differ from its network by too much.

    Raises:
        UserError: anything above that cannot be had; a model folder that is damaged.
    """
    check_request(backend, precision)
    count = session_threads(threads)
    manifest = load_manifest(folder)
    if backend == "auto":
        engine, choice = _open_best(Path(folder), manifest, precision, count)
    else:
        engine = open_engine(Path(folder), manifest, backend, precision, count)
        choice = Choice(backend=backend, reason=_reason(engine, backend, precision))
        if engine.provider != BACKENDS[backend]:
            if not allow_fallback:
                engine.close()
                raise UserError(
                    f"{_fallback(engine, backend)}; install what {BACKENDS[backend]} needs, choose another backend, "
                    "or set allow_fallback: true"
                )
            log.warning("%s: %s", folder, _fallback(engine, backend))
    try:
        _heed_parity(folder, manifest, choice.backend, engine.precision, allow_failed_parity)
    except UserError:
        engine.close()
        raise
    session = Session(engine, manifest, choice, count)
    log.info("%s: %s", folder, _in_words(session))
    return session


def check_request(backend: str, precision: str) -> None:
    """Raise :class:`UserError` where ``backend`` or ``precision`` is not a choice, or cannot be had here. Cheap."""
    require_known("backend", backend, ("auto", *BACKENDS))
    require_known("precision", precision, ("auto", *sorted({p for each in PRECISIONS.values() for p in each})))
    if backend != "auto":
        _check_available(backend, precision)


def _in_words(session: Session) -> str:
    """A session's backend, device, precision and threads, why it was chosen and why not the others: one line."""
    threads = f"{session.threads} thread{'s' if session.threads > 1 else ''}"
    how = f"{session.backend} on {session.provider} in {session.precision}, {threads}"
    others = "".join(f"; not {name}: {why}" for name, why in session.choice.rejected)
    return f"{how} ({session.choice.reason}{others})"


def bf16_instructions() -> str | None:
    """The CPU's instructions for bf16 as Linux names them, ``amx_bf16`` or ``avx512_bf16``; None: none that we know of.

    OpenVINO offers bf16 on every CPU with AVX-512; without these instructions it converts to and fro, slower than fp32.
    """
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return None
    return next((flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags), None)


def package_folder(backend: str) -> Path | None:
    """Where the library of a backend is installed, found without importing it; None: it is not."""
    spec = importlib.util.find_spec(_PACKAGES.get(backend, backend.partition(":")[0]))
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _open_best(folder: Path, manifest: Manifest, precision: str, threads: int) -> tuple[Engine, Choice]:
    rejected: list[tuple[str, str]] = []
    built = {artifact.backend for artifact in manifest.artifacts}
    for name, provider in BACKENDS.items():
        if name == "onnxruntime:tensorrt" or (name in _PACKAGES and name not in built):
            continue  # it would build an engine now, for minutes; nothing that it could open
        try:
            _check_built_in(name)
            engine = open_engine(folder, manifest, name, precision, threads)
        except UserError as error:
            rejected.append((name, str(error)))
            continue
        if engine.provider == provider:
            return engine, Choice(backend=name, reason=_reason(engine, name, precision), rejected=tuple(rejected))
        rejected.append((name, _fallback(engine, name)))
        engine.close()
    raise UserError(f"{folder}: no backend can run it: {'; '.join(f'{name}: {why}' for name, why in rejected)}")


def open_engine(folder: Path, manifest: Manifest, name: str, precision: str, threads: int) -> Engine:
    """The engine of one backend, on whatever provider it got, whatever its parity.

    Raises:
        UserError: it cannot be had here, or the graph is not as its manifest says.
    """
    _check_available(name, precision)
    wanted = _wanted(manifest, name, precision)
    path = _file(folder, manifest, name, wanted)
    engine: Engine
    try:
        if name == "openvino":
            from inference.openvino_backend import OpenVinoEngine

            engine = OpenVinoEngine(path, manifest, wanted, threads)
        elif name in _PACKAGES:
            from inference.tensorrt_backend import TensorRtEngine

            engine = TensorRtEngine(path, name, manifest, wanted)
        else:
            from inference.ort import OrtEngine

            engine = OrtEngine(path, BACKENDS[name], wanted, threads)
    except ImportError as error:
        raise UserError(f"backend {name}: cannot be imported ({error}); install it again") from error
    try:
        _check_graph(path, "inputs", manifest.inputs, engine.inputs)
        _check_graph(path, "outputs", manifest.outputs, engine.outputs)
        if precision not in ("auto", engine.precision):
            raise UserError(
                f"backend {name} computes in {engine.precision} here, not in {precision}; set precision: auto"
            )
    except UserError:
        engine.close()
        raise
    return engine


def _wanted(manifest: Manifest, name: str, precision: str) -> Precision:
    """What to compute in."""
    if precision != "auto":
        return next(p for p in PRECISIONS[name] if p == precision)
    if name in _PACKAGES:
        built = [artifact.precision for artifact in manifest.artifacts if artifact.backend == name]
        return next((p for p in ("fp16", "bf16", "fp32", "int8") if p in built), "fp32")
    if name == "openvino" and bf16_instructions() and not _failed(manifest, name, "bf16"):
        return "bf16"
    return "fp32"


def _file(folder: Path, manifest: Manifest, name: str, precision: Precision) -> Path:
    """What the backend opens: what was made for it, or the graph itself."""
    if name in _PACKAGES or precision in ("fp16", "int8"):
        made = manifest.artifact(name.partition(":")[0], precision)
        if made is None:
            target = name if name in (*_PACKAGES, "openvino") else "onnx"
            raise UserError(
                f"{folder}: was not exported for {name} in {precision}; run.py export {folder} --to {target} "
                f"--precision {precision}"
            )
    else:
        made = manifest.artifact("openvino", "fp32") if name == "openvino" else None
    if made is None:
        return folder / manifest.graph
    require_unchanged(folder, made.files)
    return folder / made.entry


def _reason(engine: Engine, name: str, precision: str) -> str:
    if engine.provider != BACKENDS[name]:
        return f"{_fallback(engine, name)}, as allow_fallback permits"
    if precision != "auto":
        return f"precision {precision} was asked for"
    if name in _PACKAGES:
        return "an engine was built for this GPU"
    if name == "openvino" and engine.precision == "fp32" and bf16_instructions():
        return "the export found that bf16 costs too much"
    if engine.precision == "bf16":
        return f"the CPU has {bf16_instructions()}; results differ slightly from fp32, precision: fp32 avoids that"
    return "the CPU has no bf16 instructions" if name == "openvino" else "it computes in fp32"


def _fallback(engine: Engine, name: str) -> str:
    return f"backend {name} was to run on {BACKENDS[name]}, but fell back to {engine.provider}"


def _check_available(name: str, precision: str) -> None:
    if package_folder(name) is None:
        package = name.partition(":")[0]
        install = _EXTRAS.get(name, package)
        raise UserError(f"backend {name}: {package} is not installed; pip install {install}, or set backend: auto")
    if precision not in ("auto", *PRECISIONS[name]):
        can = ", ".join(backend for backend, each in PRECISIONS.items() if precision in each)
        raise UserError(
            f"backend {name} computes in {', '.join(PRECISIONS[name])}, not in {precision}; set precision: auto, or "
            f"one of these backends: {can}"
        )
    if precision == "bf16" and name == "openvino" and bf16_instructions() is None:
        raise UserError("precision bf16: this CPU has no bf16 instructions; set precision: auto or fp32")


def _check_built_in(name: str) -> None:
    """Reject CUDA from the files of the package: to import ONNX Runtime only to ask it would cost 0.1 s."""
    folder = package_folder(name)
    if name == "onnxruntime:cuda" and folder and not any((folder / "capi").glob("*onnxruntime_providers_cuda*")):
        raise UserError("the onnxruntime installed here has no CUDA")


def _check_graph(graph: Path, what: str, declared: Sequence[Tensor], found: Sequence[Tensor]) -> None:
    by_name = {tensor.name: tensor for tensor in found}
    if len(declared) != len(found) or not all(t.name in by_name and _agree(t, by_name[t.name]) for t in declared):
        raise UserError(
            f"{graph}: its {what} are {'; '.join(map(str, found))}, but its manifest says "
            f"{'; '.join(map(str, declared))}; export the model again"
        )


def _agree(declared: Tensor, found: Tensor) -> bool:
    """Same dtype and shape. A size that one of the two leaves open agrees with any."""
    return (
        declared.dtype == found.dtype
        and len(declared.shape) == len(found.shape)
        and all(
            a == b or not (isinstance(a, int) and isinstance(b, int))
            for a, b in zip(declared.shape, found.shape, strict=True)
        )
    )


def _failed(manifest: Manifest, name: str, precision: str) -> bool:
    stage = manifest.parity.of(name, precision) if manifest.parity else None
    return stage is not None and stage.passed is False


def _heed_parity(folder: str | Path, manifest: Manifest, name: str, precision: str, allow_failed: bool) -> None:
    """Warn of what was never measured; refuse what differs too much from the network it was exported from."""
    if manifest.parity is None:
        log.warning("%s: parity with the network it was exported from was never measured", folder)
        return
    # The graph in ONNX Runtime is what all the others are made of.
    stages = [manifest.parity.of("onnxruntime", "fp32"), manifest.parity.of(name, precision)]
    for stage in stages:
        if stage is not None and stage.passed is False:
            what = f"{folder}: {stage.name} differs too much from its network ({_found(stage)})"
            if not allow_failed:
                raise UserError(
                    f"{what}; export it again, choose another backend or precision, or set allow_failed_parity: true"
                )
            log.warning("%s; allow_failed_parity lets it run: its results may be wrong", what)
    if stages[1] is None or stages[1].passed is None:
        why = f": {stages[1].note}" if stages[1] is not None and stages[1].note else ""
        log.warning("%s: parity of %s in %s was never measured%s", folder, name, precision, why)


def _found(stage: Stage) -> str:
    values = ", ".join(f"{name} {value:.4g}" for name, value in stage.measures.items() if name in stage.bound)
    where = f", from layer {stage.first_difference} on" if stage.first_difference else ""
    return f"{values or 'not finite'}, must be {stage.bound}{where}"
