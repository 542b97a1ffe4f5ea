"""What differs between TensorRT 10, TensorRT 11 and TensorRT-RTX when an engine is built: everything of it is here.

============================  ============================  ============================  =======================
..                            TensorRT 10                   TensorRT 11                   TensorRT-RTX 1.7
============================  ============================  ============================  =======================
precision                     in the graph: we ask for      in the graph (no other way)   in the graph
                              strongly typed networks
GPU at build time             needed, built for it          needed, built for it          none, any by argument
timing cache                  yes                           yes                           calls do nothing
version-compatible engines    yes                           yes                           no lean runtime exists
============================  ============================  ============================  =======================

``FP16``, ``INT8`` and their like are flags of version 10 alone, and are not used: what is fp16 is fp16 in the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from errors import UserError
from inference.tensorrt_library import Library, LibraryName, load_library

HardwareCompatibility = Literal["none", "ampere_plus", "same_compute_capability"]
HARDWARE_COMPATIBILITIES: tuple[HardwareCompatibility, ...] = get_args(HardwareCompatibility)


class Api:
    """One library, asked in the same way whichever it is. Made by :func:`load_api`."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.name = library.name
        self.version = library.version
        self.module: Any = library.module
        self._is_rtx = library.name == "tensorrt-rtx"

    def __str__(self) -> str:
        return str(self.library)

    def check_request(
        self,
        *,
        compute_capabilities: Sequence[str],
        version_compatible: bool,
        hardware_compatibility: HardwareCompatibility,
        timing_cache: bool,
    ) -> None:
        """Raise :class:`UserError` where the library cannot do what is asked."""
        if hardware_compatibility not in HARDWARE_COMPATIBILITIES:
            choices = ", ".join(HARDWARE_COMPATIBILITIES)
            raise UserError(f"hardware compatibility {hardware_compatibility!r}: choose one of {choices}")
        if not self._is_rtx:
            if compute_capabilities:
                raise UserError(
                    f"{self} builds for the GPU of this machine, not for {', '.join(compute_capabilities)}; leave "
                    "compute capabilities out, ask for hardware compatibility, or export to tensorrt-rtx"
                )
            return
        unknown = sorted(set(compute_capabilities) - set(self.compute_capabilities))
        if unknown:
            known = ", ".join(self.compute_capabilities)
            raise UserError(f"{self} does not build for {', '.join(unknown)}; choose among {known}")
        if len(set(compute_capabilities)) != len(compute_capabilities):
            raise UserError(f"compute capabilities {', '.join(compute_capabilities)}: one is there twice")
        impossible = {
            "a version-compatible engine (it has no lean runtime)": version_compatible,
            "hardware compatibility (name the compute capabilities)": hardware_compatibility != "none",
            "a timing cache (it measures nothing while it builds)": timing_cache,
        }
        for what, asked in impossible.items():
            if asked:
                raise UserError(f"{self} has no {what.removeprefix('a ')}; leave it out, or export to tensorrt")

    @property
    def compute_capabilities(self) -> tuple[str, ...]:
        """What engines can be built for without a GPU, ``SM86``: empty for TensorRT."""
        if not self._is_rtx:
            return ()
        names = self.module.ComputeCapability.__members__
        return tuple(sorted((name for name in names if name.startswith("SM")), key=lambda name: int(name[2:])))

    def create_network(self, builder: Any) -> Any:
        """An empty, strongly typed network: no layer is computed in another precision than the graph says."""
        return builder.create_network(1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))

    def create_config(
        self,
        builder: Any,
        *,
        compute_capabilities: Sequence[str],
        version_compatible: bool,
        hardware_compatibility: HardwareCompatibility,
        workspace_bytes: int | None,
    ) -> Any:
        """How to build. ``workspace_bytes``: of GPU memory for intermediate results; None: all there is."""
        trt = self.module
        config = builder.create_builder_config()
        config.clear_flag(trt.BuilderFlag.TF32)  # on by default: fp32 would be computed with ten bits of mantissa
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # what EngineInspector tells of formats
        if workspace_bytes is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
        if version_compatible:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        if hardware_compatibility != "none":
            level = getattr(trt.HardwareCompatibilityLevel, hardware_compatibility.upper())
            config.hardware_compatibility_level = level
        if compute_capabilities:
            config.num_compute_capabilities = len(compute_capabilities)
            for i, name in enumerate(compute_capabilities):
                config.set_compute_capability(getattr(trt.ComputeCapability, name), i)
        return config


def load_api(name: LibraryName) -> Api:
    """Import ``tensorrt`` or ``tensorrt-rtx``. Raises :class:`UserError` where it is not installed."""
    return Api(load_library(name))
