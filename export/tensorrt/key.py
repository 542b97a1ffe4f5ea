"""What an engine depends on. Two engines with the same key are interchangeable; anything else must be built again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import UserError
from export.tensorrt.api import Api, HardwareCompatibility
from export.tensorrt.profiles import Profile
from inference.cuda import first_gpu


def engine_key(
    graph: Path,
    *,
    api: Api,
    precision: str,
    profiles: Mapping[str, Profile] | None = None,
    compute_capabilities: Sequence[str] = (),
    version_compatible: bool = False,
    hardware_compatibility: HardwareCompatibility = "none",
    workspace_bytes: int | None = None,
) -> dict[str, str]:
    """The key of what :func:`export.tensorrt.build.build_engine` would build from ``graph`` on this machine.

    The manifest keeps it as ``built_for``, where :class:`inference.tensorrt_backend.TensorRtEngine` reads it. The GPU
    is part of it where the library builds for the GPU of this machine, as TensorRT does; after Holoscan's names of
    engines (GPU, compute capability, number of multiprocessors, full version, precision).

    Raises:
        UserError: ``graph`` cannot be read.
    """
    try:
        with graph.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{graph}: cannot be read ({error.strerror}); export the model to ONNX first") from error
    key = {
        "graph_sha256": sha256,
        "library": api.name,
        "version": api.version,
        "precision": precision,
        "profiles": "; ".join(
            f"{name} {':'.join('x'.join(map(str, shape)) for shape in profile)}"
            for name, profile in sorted((profiles or {}).items())
        ),
        "version_compatible": str(version_compatible).lower(),
        "hardware_compatibility": hardware_compatibility,
        "workspace_bytes": "all" if workspace_bytes is None else str(workspace_bytes),
    }
    if api.name == "tensorrt-rtx":
        return key | {"compute_capabilities": ", ".join(sorted(compute_capabilities)) or "portable"}
    gpu = first_gpu()
    if gpu is None:
        return key | {"gpu": "none", "compute_capabilities": "none", "sm_count": "0"}
    return key | {"gpu": gpu.name, "compute_capabilities": gpu.compute_capability, "sm_count": str(gpu.sm_count)}
