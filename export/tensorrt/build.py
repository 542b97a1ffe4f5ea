"""Build an engine from an ONNX graph."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from errors import UserError
from export.tensorrt.api import Api, HardwareCompatibility
from export.tensorrt.build_log import BuildLog
from export.tensorrt.files import write_whole
from export.tensorrt.profiles import Profile, add_profiles, check_profiles
from export.tensorrt.progress import OnProgress, make_monitor
from export.tensorrt.timing_cache import attach_timing_cache, save_timing_cache
from inference.cuda import Gpu, first_gpu
from inference.tensorrt_library import make_logger


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build took and made.

    Attributes:
        seconds: from reading the graph to the engine on disk.
        engine_bytes: size of the file.
        weights_bytes, activation_bytes, scratch_bytes: of GPU memory when it runs, as the library states them; None: it
            does not. Scratch is part of activation.
        library: and its version in full: ``TensorRT-RTX 1.7.1.116``.
        compute_capabilities: those asked for.
        gpu: of this machine, None where there is none.
    """

    seconds: float
    engine_bytes: int
    weights_bytes: int | None
    activation_bytes: int | None
    scratch_bytes: int | None
    library: str
    compute_capabilities: tuple[str, ...]
    gpu: Gpu | None


def build_engine(
    graph: Path,
    out: Path,
    *,
    api: Api,
    log: Path,
    profiles: Mapping[str, Profile] | None = None,
    compute_capabilities: Sequence[str] = (),
    version_compatible: bool = False,
    hardware_compatibility: HardwareCompatibility = "none",
    workspace_bytes: int | None = None,
    timing_cache: Path | None = None,
    on_progress: OnProgress | None = None,
) -> BuildReport:
    """Build ``out`` from the ONNX file ``graph``. What the library says is kept in ``log``, also of a failed build.

    Ctrl-C stops the build within a step of it. Until the engine is whole, ``out`` is what it was before.

    Args:
        profiles: by input, the smallest, usual and largest shape; for all inputs whose sizes vary.
        compute_capabilities: TensorRT-RTX: what to build for (``SM86``); none: what the library holds to be portable.
        version_compatible: TensorRT: the engine brings a lean runtime of its version with it, so later versions run it.
        hardware_compatibility: TensorRT: run on other GPUs than this machine's, at some cost in speed.
        timing_cache: TensorRT: read before and written after the build.
        on_progress: see :data:`export.tensorrt.progress.OnProgress`.

    Raises:
        UserError: the graph, the request or this machine does not allow it; a file cannot be read or written.
        KeyboardInterrupt: stopped.
    """
    api.check_request(
        compute_capabilities=compute_capabilities,
        version_compatible=version_compatible,
        hardware_compatibility=hardware_compatibility,
        timing_cache=timing_cache is not None,
    )
    if not graph.is_file():
        raise UserError(f"{graph}: no such file; export the model to ONNX first")
    started = time.perf_counter()
    with BuildLog(log) as build_log:
        builder = _create_builder(api, build_log)
        network = api.create_network(builder)
        parser = _parse(api, network, graph, build_log)
        inputs = {
            tensor.name: tuple(tensor.shape) for tensor in (network.get_input(i) for i in range(network.num_inputs))
        }
        check_profiles(graph, inputs, profiles or {})
        config = api.create_config(
            builder,
            compute_capabilities=compute_capabilities,
            version_compatible=version_compatible,
            hardware_compatibility=hardware_compatibility,
            workspace_bytes=workspace_bytes,
        )
        add_profiles(builder, config, profiles or {})
        cache = None if timing_cache is None else attach_timing_cache(config, timing_cache, build_log)
        plan = _build(api, builder, network, config, on_progress)
        if plan is None:
            raise UserError(f"{graph}: {api} cannot build an engine: {build_log.last_error}; see {log}")
        write_whole(out, memoryview(plan))
        if timing_cache is not None:
            save_timing_cache(cache, timing_cache)
        del parser  # until here: the network's weights are the parser's
        return BuildReport(
            seconds=time.perf_counter() - started,
            engine_bytes=plan.nbytes,
            weights_bytes=build_log.memory("weights_bytes"),
            activation_bytes=build_log.memory("activation_bytes"),
            scratch_bytes=build_log.memory("scratch_bytes"),
            library=str(api),
            compute_capabilities=tuple(compute_capabilities),
            gpu=first_gpu(),
        )


def _create_builder(api: Api, build_log: BuildLog) -> Any:
    try:
        return api.module.Builder(make_logger(api.library, build_log.write))
    except TypeError as error:  # the bindings' "factory function returned nullptr"
        raise UserError(
            f"{api} cannot start: {build_log.last_error}; it needs a working GPU, tensorrt-rtx needs none"
        ) from error


def _parse(api: Api, network: Any, graph: Path, build_log: BuildLog) -> Any:
    """Read the graph into ``network``; the parser, which owns the weights."""
    parser = api.module.OnnxParser(network, make_logger(api.library, build_log.write))
    # From the file: the parser then finds weights that lie beside it.
    if not parser.parse_from_file(str(graph)):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        if errors and errors[0].code() == api.module.ErrorCode.MODEL_DESERIALIZE_FAILED:
            raise UserError(f"{graph}: is not an ONNX graph; export the model again")
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        what = _in_words(errors[0]) if errors else build_log.last_error
        raise UserError(f"{graph}: {api} cannot take it: {what}{more}; see {build_log.path}")
    if network.num_outputs == 0:  # a file that is not protobuf parses as an empty graph
        raise UserError(f"{graph}: is not an ONNX graph; export the model again")
    return parser


def _in_words(error: Any) -> str:
    what = "it has no such operator" if "Plugin not found" in error.desc() else " ".join(error.desc().split())[:300]
    if error.node() < 0:  # about the whole graph
        return what
    return f"node {error.node_name() or error.node()}, operator {error.node_operator()}: {what}"


def _build(api: Api, builder: Any, network: Any, config: Any, on_progress: OnProgress | None) -> Any:
    """The serialised engine, or None: the log says why. In a thread of its own, so that Ctrl-C is heard here."""
    stop, failures = threading.Event(), []
    config.progress_monitor = make_monitor(api.module, stop, on_progress, failures)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-build") as worker:
        building = worker.submit(builder.build_serialized_network, network, config)
        try:
            plan = building.result()
        finally:
            stop.set()  # leaving the block waits for the thread
    if failures:
        raise failures[0]
    return plan
