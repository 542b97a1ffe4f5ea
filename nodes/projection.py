"""Lay a LiDAR scan out as a range image."""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.range_view.settings import HDL64_FOV_DOWN_DEG, HDL64_FOV_UP_DEG, check_projection
from pipeline.messages import LidarScan, RangeImage


class Projection:
    """One :class:`RangeImage` per scan, in spherical projection (:mod:`models.range_view.projection`).

    Args:
        height, width: size of the image in pixels. A segmentation model is made for one size.
        fov_up_deg, fov_down_deg: the sensor's elevation limits; the HDL-64's by default.
        keep: which of several points in a pixel is in the image: ``nearest`` or ``farthest``.

    Counts ``points_not_projected``: points at range 0 or with a coordinate that is not finite.
    """

    def __init__(
        self,
        height: int = 64,
        width: int = 512,
        fov_up_deg: float = HDL64_FOV_UP_DEG,
        fov_down_deg: float = HDL64_FOV_DOWN_DEG,
        keep: str = "nearest",
    ) -> None:
        self._settings = {
            "height": height,
            "width": width,
            "fov_up_deg": fov_up_deg,
            "fov_down_deg": fov_down_deg,
            "keep": keep,
        }
        self.counters: Counter[str] = Counter()

    @classmethod
    def check(
        cls,
        height: int = 64,
        width: int = 512,
        fov_up_deg: float = HDL64_FOV_UP_DEG,
        fov_down_deg: float = HDL64_FOV_DOWN_DEG,
        keep: str = "nearest",
    ) -> None:
        """Raise :class:`UserError` where a parameter is out of range."""
        check_projection(height=height, width=width, fov_up_deg=fov_up_deg, fov_down_deg=fov_down_deg, keep=keep)

    def open(self) -> None:
        """Compile the projection now, not while the first scan waits."""
        from models.range_view.projection import project

        self._project = project
        project(np.ones((1, 4), np.float32), **self._settings)

    def process(self, scan: LidarScan) -> RangeImage:
        """Project one scan."""
        projection = self._project(scan.points, **self._settings)
        self.counters["points_not_projected"] += projection.dropped
        return RangeImage(
            header=scan.header,
            image=projection.image,
            point_pixel=projection.point_pixel,
            point_range=projection.point_range,
        )
