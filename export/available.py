"""Whether a target can be exported to on this machine, told without importing its libraries."""

from __future__ import annotations

import importlib.util
from typing import Literal

from export.request import Target

_NEEDS: dict[Target | Literal["checkpoint"], tuple[str, dict[str, str]]] = {
    "checkpoint": ("rangecast[train]", {name: name for name in ("torch", "onnx", "onnxscript", "onnxslim")}),
    "onnx": ("rangecast[train]", {"onnx": "onnx", "onnxruntime": "onnxruntime"}),
    "openvino": ("rangecast", {"openvino": "openvino"}),
    "tensorrt": ("rangecast[gpu]", {"tensorrt": "tensorrt", "cuda.bindings": "cuda-bindings"}),
    "tensorrt-rtx": (
        "rangecast[rtx]",
        {
            "tensorrt_rtx_bindings": "tensorrt-rtx-cu13-bindings",
            "tensorrt_rtx_libs": "tensorrt-rtx-cu13-libs",
            "cuda.bindings": "cuda-bindings",
        },
    ),
}


def problem(target: Target | Literal["checkpoint"]) -> str | None:
    """Why not, and what to install; None: it can be. ``checkpoint``: to make a graph of one."""
    extra, packages = _NEEDS[target]
    missing = [package for module, package in packages.items() if not _is_there(module)]
    if missing:
        return f"{', '.join(missing)} not installed; pip install '{extra}'"
    if target == "tensorrt":
        from inference.cuda import first_gpu

        if first_gpu() is None:
            return "no GPU here, and TensorRT builds for the GPU it finds; tensorrt-rtx builds for any"
    return None


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent of a module is not there
        return False
