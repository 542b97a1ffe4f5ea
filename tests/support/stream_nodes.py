"""Small nodes for end-to-end runs: what each does is visible in its name."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from errors import DataAbsentError, UserError
from pipeline.messages import (
    CameraFrame,
    FusedFrame,
    Header,
    InputStatus,
    LidarScan,
    Message,
    SemanticScan,
    float32,
)
from pipeline.node import Skipped


class Scans:
    """A source of ``count`` scans at ``rate_hz``; scan k has ``points`` points whose x is k."""

    def __init__(self, count: int = 20, rate_hz: float = 100.0, points: int = 8, skip: list[int] | None = None) -> None:
        self.count, self.rate_hz, self.points, self.skip = count, rate_hz, points, skip or []
        self._first = 0

    def resume(self, after_seq: int) -> None:
        self._first = after_seq + 1

    def messages(self) -> Iterator[LidarScan | Skipped]:
        for k in range(self._first, self.count):
            if k in self.skip:
                yield Skipped(name=f"{k:06d}", reason="it is bad")
                continue
            points = np.full((self.points, 4), k, np.float32)
            header = Header(stamp_ns=round(k * 1e9 / self.rate_hz), frame_id="velodyne", name=f"{k:06d}")
            yield LidarScan(header=header, points=points)


class Frames:
    """A source of ``count`` tiny camera frames at ``rate_hz``, ``offset_ms`` after the scans."""

    def __init__(self, count: int = 20, rate_hz: float = 100.0, offset_ms: float = 0.0, absent: bool = False) -> None:
        self.count, self.rate_hz, self.offset_ms = count, rate_hz, offset_ms

    @classmethod
    def check(cls, count: int, rate_hz: float, offset_ms: float, absent: bool) -> None:
        if absent:
            raise DataAbsentError("no images here")

    def messages(self) -> Iterator[CameraFrame]:
        for k in range(self.count):
            stamp_ns = round(k * 1e9 / self.rate_hz + self.offset_ms * 1e6)
            yield CameraFrame(
                header=Header(stamp_ns=stamp_ns, name=f"{k:06d}"), image=np.full((2, 3, 3), k % 256, np.uint8)
            )


class Label:
    """Labels every point with the scan's number, in ``delay_ms``. Can fail, hang or die at a scan, once or always."""

    def __init__(
        self,
        delay_ms: float = 0.0,
        fail_at: int = -1,
        hang_at: int = -1,
        die_at: int = -1,
        refuse_at: int = -1,
        once_file: str = "",
    ) -> None:
        self.delay_ms, self.fail_at, self.hang_at, self.die_at = delay_ms, fail_at, hang_at, die_at
        self.refuse_at, self.once_file = refuse_at, once_file
        self.counters: Counter[str] = Counter()

    def process(self, scan: LidarScan) -> SemanticScan:
        k = int(scan.points[0, 0])
        if k == self.refuse_at:
            raise UserError(f"scan {k} is not for me; give me another")
        if k == self.fail_at:
            raise ValueError(f"scan {k} has a bad day")
        if k in (self.hang_at, self.die_at) and self._first_time():
            if k == self.die_at:
                os.kill(os.getpid(), 9)
            time.sleep(600)
        time.sleep(self.delay_ms / 1e3)
        self.counters["labelled"] += 1
        labels = np.full(len(scan.points), k % 20, np.uint8)
        return SemanticScan(labels=labels, class_names=("a", "b"), class_colors=((0, 0, 0), (255, 0, 0)))

    def _first_time(self) -> bool:
        if not self.once_file:
            return True
        try:
            Path(self.once_file).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Fuse:
    """Joins a scan with its labels and the image of its time."""

    def process(
        self,
        scan: LidarScan,
        semantics: SemanticScan | None,
        image: CameraFrame | None,
        status: tuple[InputStatus, ...],
    ) -> FusedFrame:
        labels = semantics.labels if semantics is not None else np.zeros(len(scan.points), np.uint8)
        return FusedFrame(points=scan.points, labels=labels, inputs=status)


class Lines:
    """A sink: one line per fused frame, the frame's number and its labels' sum; ``delay_ms`` long."""

    def __init__(self, out: str, delay_ms: float = 0.0) -> None:
        self.out, self.delay_ms = out, delay_ms

    def open(self) -> None:
        self._file = Path(self.out).open("a", encoding="utf-8")

    def process(self, fused: FusedFrame) -> None:
        time.sleep(self.delay_ms / 1e3)
        reasons = ",".join(entry.reason for entry in fused.inputs)
        self._file.write(f"{fused.header.seq} {fused.header.name} {int(fused.labels.sum())} {reasons}\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class DiesAlways(Label):
    """Dies at every message."""

    def process(self, scan: LidarScan) -> SemanticScan:
        os.kill(os.getpid(), 9)
        raise AssertionError("unreachable")


class DiesOpening(Label):
    """Dies before it is ready."""

    def open(self) -> None:
        os.kill(os.getpid(), 9)


class SlowOpening(Label):
    """Takes its time to load, as models do."""

    def __init__(self, open_s: float) -> None:
        super().__init__()
        self.open_s = open_s

    def open(self) -> None:
        time.sleep(self.open_s)


class Echo:
    """Takes what is fused and gives labels: for graphs that bite their own tail."""

    def process(self, fused: FusedFrame) -> SemanticScan:
        return SemanticScan(labels=fused.labels, class_names=(), class_colors=())


class CountFrames:
    """A sink that counts images."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()

    def process(self, image: CameraFrame) -> None:
        self.counters["images"] += 1


class Heights(Message, frozen=True, kw_only=True):
    """A message that the project does not know."""

    z: Annotated[np.ndarray, float32("N")]


class ToHeights:
    """Takes the z of each point."""

    def process(self, scan: LidarScan) -> Heights:
        return Heights(z=np.ascontiguousarray(scan.points[:, 2]))


class CheckHeights:
    """Counts the messages whose z are the scan's number, as the source made them."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()

    def process(self, heights: Heights) -> None:
        self.counters["right"] += bool((heights.z == heights.header.seq).all())
