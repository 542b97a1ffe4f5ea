"""Memory for training on a processor: glibc is told to keep what is freed, and to ask for huge pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_TUNABLES = ":".join(
    f"glibc.malloc.{setting}"
    for setting in ("hugetlb=1", "mmap_max=0", "trim_threshold=20000000000", "top_pad=500000000")
)


def restart_with_kept_memory(script: Path) -> None:
    """Start this process again, once, with the settings that glibc reads only at the start of a process.

    A training step allocates and frees gigabytes. Handed back to the kernel each time, they are cleared page by page
    each time: about a tenth of a step of SqueezeSegV3-21. Nothing is done where ``script`` is not what Python was
    started with, where somebody has chosen such settings already, without glibc, or beside a GPU.
    """
    main = getattr(sys.modules["__main__"], "__file__", None)
    chosen = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(k.startswith("MALLOC_") for k in os.environ)
    if chosen or main is None or Path(main).resolve() != script or not _has_glibc() or _has_gpu():
        return
    if os.environ.get("RANK", "0") == "0":
        print("training on a processor: memory is kept and comes in huge pages (GLIBC_TUNABLES is set)", flush=True)
    tunables = ":".join(filter(None, (os.environ.get("GLIBC_TUNABLES"), _TUNABLES)))
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "GLIBC_TUNABLES": tunables})


def _has_glibc() -> bool:
    return sys.platform == "linux" and "CS_GNU_LIBC_VERSION" in os.confstr_names


def _has_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists()
