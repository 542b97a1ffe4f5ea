"""Run a graph in a test: real processes and sockets, in the test's own folder."""

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline.graph import Graph, load_graph
from pipeline.report import RunReport
from pipeline.supervisor import Observer, RunOptions, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
NODES = "tests.support.stream_nodes"


def node(type_: str, inputs: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """A node entry of the small test nodes."""
    entry: dict[str, Any] = {"type": f"{NODES}:{type_}", "params": params}
    return entry | ({"inputs": inputs} if inputs else {})


def lidar_graph(out: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """scans -> label -> fuse (which takes the scans too) -> lines; ``changes`` update single nodes' entries."""
    nodes = {
        "scans": node("Scans"),
        "label": node("Label", {"scan": "scans"}),
        "fuse": node("Fuse", {"scan": "scans", "semantics": "label"}),
        "lines": node("Lines", {"fused": "fuse"}, out=str(out / "lines.txt")),
    }
    for name, change in changes.items():
        entry = nodes.setdefault(name, {})
        params = entry.get("params", {}) | change.pop("params", {})
        entry.update(change, params=params)
    return {"name": "test", "nodes": nodes}


def in_one_process(document: dict[str, Any]) -> dict[str, Any]:
    """The same graph with all nodes but ``lines`` in one process, so that they are neighbours."""
    for name, entry in document["nodes"].items():
        if name != "lines":
            entry["placement"] = "thread"
    return document


def load(document: dict[str, Any], out: Path, *, policy: str = "all") -> Graph:
    """Check a graph given as plain data."""
    path = out / "graph.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_graph(path, values={"out": str(out)}, default_policy=policy)


class Watch(Observer):
    """Remembers what a run says; ``when_running`` is called once in a thread of its own when messages flow."""

    def __init__(self, when_running: Callable[["Watch"], None] | None = None) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.events: list[str] = []
        self.supervisor: Supervisor | None = None
        self._when_running = when_running

    def on_said(self, node: str, level: str, text: str) -> None:
        self.said.append((node, level, text))

    def on_event(self, text: str) -> None:
        self.events.append(text)

    def on_stage(self, text: str) -> None:
        if text == "running" and self._when_running is not None:
            threading.Thread(target=self._when_running, args=(self,), daemon=True).start()


def run(
    document: dict[str, Any], out: Path, *, rate: float | None = None, watch: Watch | None = None, **options: Any
) -> RunReport:
    """Run a graph: lossless at full speed, or live at ``rate``."""
    graph = load(document, out, policy="all" if rate is None else "latest")
    watch = watch or Watch()
    watch.supervisor = Supervisor(graph, RunOptions(rate=rate, logs=out, python_path=(str(ROOT),), **options), watch)
    return watch.supervisor.run()


def lines(out: Path) -> list[list[str]]:
    """What the ``Lines`` sink wrote: ``[seq, name, sum of labels, reasons]`` per frame."""
    return [line.split(" ") for line in (out / "lines.txt").read_text().splitlines()]


def edge(report: RunReport, name: str) -> Any:
    """One edge's account."""
    return next(entry for entry in report.edges if entry.edge == name)


def pid_of(watch: Watch, process: str) -> int:
    """The process id of a worker."""
    assert watch.supervisor is not None
    pid = watch.supervisor.process_id(process)
    assert pid is not None
    return pid


def run_py(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """``run.py`` as a user calls it."""
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def short_folder() -> Path:
    """A folder whose name leaves room for a socket's: ipc paths are limited to 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="rc-"))


def remove(folder: Path) -> None:
    """Remove what :func:`short_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
