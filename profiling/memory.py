"""Memory of a process that does nothing but infer: steady, at its peak, and whether it grows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from inference.auto import open_session

_ROOT = Path(__file__).resolve().parents[1]
MARKS = (10, 100, 500, 1000)


class Memory(NamedTuple):
    """Resident memory in MiB: before the model was opened, after so many scans, and the most there ever was."""

    before_mib: float
    after_mib: dict[int, float]
    peak_mib: float

    @property
    def growth_mib(self) -> float:
        """From the first mark to the last."""
        marks = sorted(self.after_mib)
        return self.after_mib[marks[-1]] - self.after_mib[marks[0]]


def memory_of_inference(
    folder: Path, backend: str, precision: str, threads: int, images: Sequence[np.ndarray], scans: int
) -> Memory:
    """Run the model in ``folder`` on ``scans`` scans, ``images`` in turn, in a fresh process without torch.

    Raises:
        RuntimeError: that process failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        np.save(Path(scratch, "images.npy"), np.stack(images))
        given = [folder.resolve(), backend, precision, threads, Path(scratch, "images.npy"), scans]
        command = [sys.executable, "-m", "profiling.memory", *map(str, given)]
        finished = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {finished.returncode}: {finished.stderr.strip()}")
    return msgspec.json.decode(finished.stdout, type=Memory)


def _infer(
    folder: Path, backend: str, precision: str, threads: int, images: Sequence[np.ndarray], scans: int
) -> Memory:
    before_mib, after_mib = _status_mib("VmRSS"), {}
    with open_session(folder, backend=backend, precision=precision, threads=threads) as session:
        for i in range(1, scans + 1):
            session.infer({"range_image": images[i % len(images)]})
            if i in MARKS or i == scans:
                after_mib[i] = _status_mib("VmRSS")
        return Memory(before_mib, after_mib, _status_mib("VmHWM"))


def _status_mib(field: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (the most ever) of this process, from Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def main() -> None:
    """The process of :func:`memory_of_inference`: a :class:`Memory` as JSON on standard output."""
    folder, backend, precision, threads, images, scans = sys.argv[1:]
    found = _infer(Path(folder), backend, precision, int(threads), np.load(images), int(scans))
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
