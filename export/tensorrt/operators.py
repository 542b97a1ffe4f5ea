"""Operators of ONNX that a library cannot compute: known before a build is begun."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from errors import UserError

_MISSING: Mapping[str, frozenset[str]] = {"tensorrt-rtx": frozenset({"NonMaxSuppression", "RoiAlign"})}
"""By library: what TensorRT-RTX 1.7 has neither "runners" nor a plugin for."""


def missing_operators(graph: Path, library: str) -> list[str]:
    """Operators of ``graph`` that the library is known not to compute."""
    if library not in _MISSING:
        return []
    import onnx

    nodes = onnx.load(graph, load_external_data=False).graph.node
    return sorted({node.op_type for node in nodes} & _MISSING[library])


def check_operators(graph: Path, library: str) -> None:
    """Raise :class:`UserError` where ``graph`` has an operator that the library is known not to compute."""
    if missing := missing_operators(graph, library):
        raise UserError(
            f"--to {library}: it cannot compute {' and '.join(missing)}; export a model of ours from its checkpoint, "
            "which makes them of other operators, and of others a graph that ends before them"
        )
