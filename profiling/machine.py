"""What a profile was taken on: the machine, and the versions of the libraries."""

from __future__ import annotations

import platform
from pathlib import Path

from export.cache import versions as package_versions
from inference.cuda import first_gpu
from inference.threads import available_cores

PACKAGES = ("rangecast", "msgspec", "numba", "numpy", "onnxruntime", "openvino", "pyzmq")
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def describe() -> dict[str, str]:
    """CPU, the cores this process may use, instructions, memory, governor (``unknown`` where the kernel does not say),
    GPU. Of what the same machine answers differently from one day to the next, nothing."""
    return {
        "cpu": _cpu_field("model name") or platform.machine(),
        "architecture": platform.machine(),
        "cores": str(available_cores()),
        "instructions": " ".join(flag for flag in _INSTRUCTIONS if flag in _flags()) or "unknown",
        "memory": _memory(),
        "governor": _read(_GOVERNOR).strip() or "unknown",
        "gpu": str(first_gpu() or "none"),
    }


def versions() -> dict[str, str]:
    """Of Python, the system, and the packages that are timed."""
    return {"python": platform.python_version(), "system": platform.platform()} | package_versions(PACKAGES)


def in_words(machine: dict[str, str]) -> str:
    """A line for the head of a table."""
    parts = [machine["cpu"], f"{machine['cores']} cores", machine["instructions"], machine["memory"]]
    if machine["gpu"] != "none":
        parts.append(machine["gpu"])
    return ", ".join(parts)


def _flags() -> set[str]:
    return set((_cpu_field("flags") or _cpu_field("Features")).split())


def _cpu_field(name: str) -> str:
    """Of the first processor in /proc/cpuinfo; empty where there is none."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        field, _, value = line.partition(":")
        if field.strip() == name:
            return " ".join(value.split())
    return ""


def _memory() -> str:
    """To whole GiB: kernels keep a little more or less of it for themselves."""
    import psutil

    return f"{round(psutil.virtual_memory().total / 2**30)} GiB"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
