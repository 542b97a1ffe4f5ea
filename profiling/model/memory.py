"""Memory of a process that does nothing but infer.

python -m profiling.model.memory FOLDER BACKEND PRECISION THREADS ITEMS.npz
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from inference.manifest import read_manifest
from profiling.model.stages import stages_of
from profiling.model.worker import Work, load_items, open_sessions

INFERENCES = 3
_ROOT = Path(__file__).resolve().parents[2]


class Memory(NamedTuple):
    """Resident memory in MB: before the model was opened, after some inferences, and the most there ever was.

    The peak has what compiling the graph takes for a moment.
    """

    before_mb: float
    after_mb: float
    peak_mb: float


def memory_of_inference(work: Work, items: Path) -> Memory:
    """Of the first pair of ``work`` on what :func:`profiling.model.worker.save_items` left, in a fresh process.

    Raises:
        RuntimeError: that process failed; with what it said.
    """
    command = [sys.executable, "-m", "profiling.model.memory", msgspec.json.encode(work).decode(), str(items.resolve())]
    finished = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {finished.returncode}: {finished.stderr.strip()}")
    return msgspec.json.decode(finished.stdout, type=Memory)


def _infer(work: Work, items: Path) -> Memory:
    stages = stages_of(Path(work.folder), read_manifest(work.folder))
    inputs = [stages.before(item)[0] for item in load_items(items)]
    before_mb = _status_mb("VmRSS")
    with ExitStack() as opened:
        sessions = open_sessions(work, work.pairs[0], opened)
        for i in range(INFERENCES):
            for session in sessions:
                session.infer(inputs[i % len(inputs)])
        return Memory(before_mb, _status_mb("VmRSS"), _status_mb("VmHWM"))


def _status_mb(field: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (the most ever) of this process, from Linux, in 10⁶ bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024 / 1e6
    raise RuntimeError(f"/proc/self/status has no {field}")


def main() -> None:
    """The process of :func:`memory_of_inference`: a :class:`Memory` as JSON on standard output."""
    work, items = sys.argv[1:]
    print(msgspec.json.encode(_infer(msgspec.json.decode(work, type=Work), Path(items))).decode())


if __name__ == "__main__":
    main()
