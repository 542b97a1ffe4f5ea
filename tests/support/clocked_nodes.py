"""Nodes that read the clock themselves: an account of time can be held against what they say."""

import time
from pathlib import Path

from pipeline.messages import FusedFrame, InputStatus, LidarScan, SemanticScan
from tests.support.stream_nodes import Fuse, Label


class ClockedLabel(Label):
    """Waits ``delay_ms``, then computes for ``burn_ms``, and writes down when it began and ended."""

    def __init__(self, times: str, delay_ms: float = 0.0, burn_ms: float = 0.0) -> None:
        super().__init__(delay_ms=delay_ms)
        self.times, self.burn_ms = Path(times), burn_ms

    def process(self, scan: LidarScan) -> SemanticScan:
        begin_ns = time.monotonic_ns()
        labels = super().process(scan)
        while time.monotonic_ns() - begin_ns < (self.delay_ms + self.burn_ms) * 1e6:
            pass
        _note(self.times, scan, begin_ns)
        return labels


class ClockedFuse(Fuse):
    """Writes down when it began and ended."""

    def __init__(self, times: str) -> None:
        self.times = Path(times)

    def process(self, scan: LidarScan, semantics: SemanticScan | None, status: tuple[InputStatus, ...]) -> FusedFrame:
        begin_ns = time.monotonic_ns()
        fused = super().process(scan, semantics, None, status)
        _note(self.times, scan, begin_ns)
        return fused


def noted(path: Path) -> dict[int, tuple[int, int]]:
    """When a node began and ended with each scan, host monotonic nanoseconds."""
    rows = [list(map(int, line.split())) for line in path.read_text().splitlines()]
    return {seq: (begin_ns, end_ns) for seq, begin_ns, end_ns in rows}


def _note(path: Path, scan: LidarScan, begin_ns: int) -> None:
    with path.open("a", encoding="ascii") as file:
        file.write(f"{scan.header.seq} {begin_ns} {time.monotonic_ns()}\n")
