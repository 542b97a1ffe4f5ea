"""What is kept beside a run's outputs: what was run, with which versions, and the account."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pipeline.graph import Graph
from pipeline.report import RunReport

PACKAGES = (
    "numpy",
    "pyzmq",
    "msgspec",
    "numba",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "av",
    "open3d-cpu",
)


def save_setup(folder: Path, graph: Graph, *, arguments: list[str]) -> None:
    """``run/graph.yaml``: the resolved graph, which can be played again; ``run/setup.json``: command and versions."""
    run = folder / "run"
    text = yaml.safe_dump(graph.resolved, sort_keys=False, allow_unicode=True)
    (run / "graph.yaml").write_text(text, encoding="utf-8")
    setup = {"arguments": arguments, "versions": versions(), "left_out": msgspec.to_builtins(graph.left_out)}
    (run / "setup.json").write_bytes(_pretty(setup))


def save_account(folder: Path, report: RunReport) -> None:
    """``run/report.json``: edges, nodes, losses by name, notices, events."""
    account = msgspec.to_builtins(report) | {"exit_code": report.exit_code, "unexplained": report.unexplained}
    (folder / "run" / "report.json").write_bytes(_pretty(account))


def versions() -> dict[str, str]:
    """Rangecast's, Python's, the system's and the libraries' versions; a library that is not installed is left out."""
    found = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
    for package in ("rangecast", *PACKAGES):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _pretty(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
