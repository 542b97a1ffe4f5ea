"""Open a session: which backend runs a model on this machine, and whether it is the one that was asked for."""

from __future__ import annotations

import difflib
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path

from errors import UserError
from inference.manifest import Manifest, Tensor, load_manifest
from inference.session import Choice, Engine, Precision, Session
from inference.threads import session_threads

log = logging.getLogger(__name__)

# Each backend and the provider it must then really run on. Best first: on a CPU, OpenVINO takes 0.33 s for a scan where
# ONNX Runtime takes 1.7 s (SqueezeSegV3-21, 64x2048, two cores with AMX).
BACKENDS = {
    "onnxruntime:cuda": "CUDAExecutionProvider",
    "openvino": "CPU",
    "onnxruntime": "CPUExecutionProvider",
}
PRECISIONS = ("auto", "fp32", "bf16")


def open_session(
    folder: str | Path,
    *,
    backend: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    allow_fallback: bool = False,
) -> Session:
    """Open the exported model in ``folder``; check its manifest, its sha256 and that the graph is as described.

    Args:
        backend: ``openvino``, ``onnxruntime`` (both: CPU), ``onnxruntime:cuda``, or ``auto``: the best that works here.
            The result's ``choice`` says which, why, and why not the others; so does one line of the log.
        precision: what to compute in. ``auto``: bf16 with OpenVINO on a CPU that has instructions for it, else fp32.
            bf16 changes results slightly.
        threads: compute threads; None: the available cores, shared (:func:`inference.threads.session_threads`).
        allow_fallback: where the device of the backend asked for cannot be had, use the CPU and warn.

    Raises:
        UserError: anything above that cannot be had; a model folder that is damaged.
    """
    check_request(backend, precision)
    count = session_threads(threads)
    manifest = load_manifest(folder)
    graph = Path(folder, manifest.graph)
    _warn_of_parity(folder, manifest)
    if backend == "auto":
        engine, choice = _open_best(graph, manifest, precision, count)
    else:
        engine = _open(backend, graph, manifest, precision, count)
        choice = Choice(backend=backend, reason=_reason(engine, backend, precision))
        if engine.provider != BACKENDS[backend]:
            if not allow_fallback:
                engine.close()
                raise UserError(
                    f"{_fallback(engine, backend)}; install what {BACKENDS[backend]} needs, choose another backend, "
                    "or set allow_fallback: true"
                )
            log.warning("%s: %s", folder, _fallback(engine, backend))
    session = Session(engine, manifest, choice, count)
    log.info("%s: %s", folder, _in_words(session))
    return session


def check_request(backend: str, precision: str) -> None:
    """Raise :class:`UserError` where ``backend`` or ``precision`` is not a choice, or cannot be had here. Cheap."""
    _check_choice("backend", backend, ("auto", *BACKENDS))
    _check_choice("precision", precision, PRECISIONS)
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
    spec = importlib.util.find_spec(backend.partition(":")[0])
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _open_best(graph: Path, manifest: Manifest, precision: str, threads: int) -> tuple[Engine, Choice]:
    rejected: list[tuple[str, str]] = []
    for name, provider in BACKENDS.items():
        try:
            _check_built_in(name)
            engine = _open(name, graph, manifest, precision, threads)
        except UserError as error:
            rejected.append((name, str(error)))
            continue
        if engine.provider == provider:
            return engine, Choice(backend=name, reason=_reason(engine, name, precision), rejected=tuple(rejected))
        rejected.append((name, _fallback(engine, name)))
        engine.close()
    raise UserError(f"{graph}: no backend can run it: {'; '.join(f'{name}: {why}' for name, why in rejected)}")


def _open(name: str, graph: Path, manifest: Manifest, precision: str, threads: int) -> Engine:
    """The engine of one backend, on whatever provider it got. Raises :class:`UserError`."""
    _check_available(name, precision)
    engine: Engine
    try:
        if name == "openvino":
            from inference.openvino_backend import OpenVinoEngine

            wanted: Precision = "bf16" if precision != "fp32" and bf16_instructions() else "fp32"
            engine = OpenVinoEngine(graph, manifest, wanted, threads)
        else:
            from inference.ort import OrtEngine

            engine = OrtEngine(graph, BACKENDS[name], threads)
    except ImportError as error:
        raise UserError(f"backend {name}: cannot be imported ({error}); install it again") from error
    try:
        _check_graph(graph, "inputs", manifest.inputs, engine.inputs)
        _check_graph(graph, "outputs", manifest.outputs, engine.outputs)
        if precision not in ("auto", engine.precision):
            raise UserError(
                f"backend {name} computes in {engine.precision} here, not in {precision}; set precision: auto"
            )
    except UserError:
        engine.close()
        raise
    return engine


def _reason(engine: Engine, name: str, precision: str) -> str:
    if engine.provider != BACKENDS[name]:
        return f"{_fallback(engine, name)}, as allow_fallback permits"
    if precision != "auto":
        return f"precision {precision} was asked for"
    if engine.precision == "bf16":
        return f"the CPU has {bf16_instructions()}; results differ slightly from fp32, precision: fp32 avoids that"
    return "the CPU has no bf16 instructions" if name == "openvino" else "it computes in fp32"


def _fallback(engine: Engine, name: str) -> str:
    return f"backend {name} was to run on {BACKENDS[name]}, but fell back to {engine.provider}"


def _check_choice(what: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        near = difflib.get_close_matches(given, choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
        raise UserError(f"{what} {given!r} is not known; {hint}")


def _check_available(name: str, precision: str) -> None:
    if package_folder(name) is None:
        package = name.partition(":")[0]
        raise UserError(f"backend {name}: {package} is not installed; pip install {package}, or set backend: auto")
    if precision == "bf16" and name != "openvino":
        raise UserError(f"backend {name} computes in fp32; set precision: fp32, or backend: openvino for bf16")
    if precision == "bf16" and bf16_instructions() is None:
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


def _warn_of_parity(folder: str | Path, manifest: Manifest) -> None:
    if manifest.parity is None:
        log.warning("%s: parity with the network it was exported from was never measured", folder)
    elif not manifest.parity.passed:
        log.warning("%s: the export did not agree with its network (parity failed): its results may be wrong", folder)
