"""Operators of ONNX that a library cannot compute: said in words that help, before a build is begun."""

from __future__ import annotations

from pathlib import Path

from errors import UserError

_ADVICE = "a one-stage detector goes there with --outputs boxes or raw, a two-stage one does not"
_MISSING = {"tensorrt-rtx": {"NonMaxSuppression": _ADVICE, "RoiAlign": _ADVICE}}
"""By library: what TensorRT-RTX 1.7 has neither "runners" nor a plugin for, and what to do instead."""


def check_operators(graph: Path, library: str) -> None:
    """Raise :class:`UserError` where ``graph`` has an operator that the library is known not to compute."""
    import onnx

    missing = _MISSING.get(library, {})
    for node in onnx.load(graph, load_external_data=False).graph.node:
        if node.op_type in missing:
            raise UserError(f"--to {library}: it cannot compute {node.op_type}; {missing[node.op_type]}")
