"""Memory of a process that does nothing but infer: steady, at its peak, and whether it grows."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
    """Run the model in ``folder`` on ``scans`` scans, ``images`` in turn, in a process of its own."""
    context = multiprocessing.get_context("spawn")  # a fork would begin with this process's memory
    with context.Pool(1) as pool:
        return pool.apply(_infer, (folder, backend, precision, threads, list(images), scans))


def _infer(
    folder: Path, backend: str, precision: str, threads: int, images: Sequence[np.ndarray], scans: int
) -> Memory:
    from inference.auto import open_session

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
