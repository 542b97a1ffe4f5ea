"""Node classes for the tests of graph files. They are only read and checked, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from errors import DataAbsentError, UserError
from pipeline.messages import CameraFrame, FusedFrame, InputStatus, LidarScan, RangeImage, SemanticScan
from pipeline.node import Skipped


class Lidar:
    def __init__(self, path: str, nominal_rate_hz: float = 10.0) -> None: ...

    @classmethod
    def check(cls, path: str, nominal_rate_hz: float = 10.0) -> None:
        if not Path(path).is_dir():
            raise UserError(f"{path}: no such folder")

    def messages(self) -> Iterator[LidarScan | Skipped]:
        raise NotImplementedError


class Camera:
    def __init__(self, path: str, camera: Literal["left", "right"] = "left") -> None: ...

    @classmethod
    def check(cls, path: str, camera: str = "left") -> None:
        if not (Path(path) / "images").is_dir():
            raise DataAbsentError(f"{path} has no images")

    def messages(self) -> Iterator[CameraFrame]:
        raise NotImplementedError


class Projection:
    def __init__(self, height: int = 64, width: int = 512, fov_deg: tuple[float, float] = (3.0, -25.0)) -> None: ...

    def process(self, scan: LidarScan) -> RangeImage:
        raise NotImplementedError


class Segmentation:
    def __init__(self, knn: int = 5, weights: dict[str, float] | None = None, precise: bool = True) -> None: ...

    def process(self, range_image: RangeImage) -> SemanticScan:
        raise NotImplementedError


class Fusion:
    def process(
        self,
        scan: LidarScan,
        semantics: SemanticScan,
        image: CameraFrame | None = None,
        inputs: tuple[InputStatus, ...] = (),
    ) -> FusedFrame:
        raise NotImplementedError


class Filter:
    """Takes and gives scans, so that it can stand in a circle."""

    def process(self, scan: LidarScan) -> LidarScan:
        raise NotImplementedError


class Sink:
    def __init__(self, out: str) -> None: ...

    def process(self, frame: FusedFrame) -> None: ...


class ImageSink:
    def process(self, image: CameraFrame) -> None: ...


class NotANode:
    pass


class Untyped:
    def process(self, scan) -> RangeImage:  # type: ignore[no-untyped-def]
        raise NotImplementedError


class AbsentLidar(Lidar):
    @classmethod
    def check(cls, path: str, nominal_rate_hz: float = 10.0) -> None:
        raise DataAbsentError(f"{path} has no scans")


class TakesAPath(Lidar):
    def __init__(self, path: Path) -> None: ...
