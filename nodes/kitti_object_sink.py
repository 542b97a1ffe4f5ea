"""Write each frame's objects as a label file of KITTI's object benchmark."""

from __future__ import annotations

import logging
import math
from collections import Counter
from pathlib import Path

import numpy as np

from formats.detection.kitti_results import TYPE_OF, Space, format_line
from nodes._output import check_folder, make_folder
from pipeline.messages import CameraFrame, FusedFrame, FusedObject
from whole_files import write_whole

log = logging.getLogger(__name__)


class KittiObjectSink:
    """``<out>/<name>.txt`` per scan, a line per object with its score, best first; of a scan without objects, an empty
    file. A scan without a name is called by its six-digit number. Where nobody looked for objects there is no file:
    such scans, whose detections did not come, are counted (``scans_without_detections``).

    What an object is in space comes of its LiDAR points, where it has some and the camera is calibrated: the smallest
    upright box around them that is parallel to the LiDAR's axes. It is the *visible* side, so sizes are too small
    rather than too large, and the heading is not known: its length is along the drive. Without points the fields are
    KITTI's placeholders (sizes -1, places -1000, angles -10). Truncation and occlusion are -1: nobody measured them.

    Classes become KITTI's types by :data:`formats.detection.kitti_results.TYPE_OF`; objects of others (a chair) are
    left out, told once per class, and counted (``objects_without_type``).

    Args:
        out: the folder to write to; it is made where it is missing.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self.counters: Counter[str] = Counter()
        self._told: set[str] = set()

    @classmethod
    def check(cls, out: str) -> None:
        """Raise :class:`UserError` where the folder cannot be written."""
        check_folder(Path(out))

    def process(self, fused: FusedFrame, image: CameraFrame | None) -> None:
        """Write one file; it appears whole or not at all."""
        came = [status.reason == "ok" for status in fused.inputs if status.topic in ("detections", "tracks")]
        if came and not any(came):
            self.counters["scans_without_detections"] += 1
            return
        name = fused.header.name or f"{fused.header.seq:06d}"
        if Path(name).name != name:
            raise ValueError(f"scan {name!r}: not a file name")
        matrix = None if image is None else image.lidar_to_image
        lines = [
            format_line(TYPE_OF[found.class_name.lower()], found.box, found.score, _space(found, matrix))
            for found in sorted(fused.objects, key=lambda found: -found.score)
            if self._has_type(found.class_name)
        ]
        make_folder(self.out)
        write_whole(self.out / f"{name}.txt", "".join(f"{line}\n" for line in lines).encode())
        self.counters["objects"] += len(lines)

    def _has_type(self, class_name: str) -> bool:
        if class_name.lower() in TYPE_OF:
            return True
        self.counters["objects_without_type"] += 1
        if class_name not in self._told:
            log.warning("KITTI has no type for %r: objects of this class are left out of %s", class_name, self.out)
            self._told.add(class_name)
        return False


def _space(found: FusedObject, lidar_to_image: np.ndarray | None) -> Space | None:
    """An object's box around its LiDAR points, as KITTI describes one in the camera's frame."""
    if found.extent_min is None or found.extent_max is None or lidar_to_image is None:
        return None
    from models.lidar_camera.camera_frame import lidar_to_camera

    low, high = np.array(found.extent_min), np.array(found.extent_max)
    length_m, width_m, height_m = (high - low).tolist()
    bottom = (*((low + high) / 2)[:2], low[2], 1.0)
    motion = lidar_to_camera(lidar_to_image)
    x, y, z = (motion @ bottom).tolist()
    ahead = motion[:, 0]  # the LiDAR's x axis, along which the length is
    rotation_y = math.atan2(-ahead[2], ahead[0])
    alpha = rotation_y - math.atan2(x, z)
    return Space(
        size_m=(height_m, width_m, length_m),
        location_m=(x, y, z),
        rotation_y=rotation_y,
        alpha=math.atan2(math.sin(alpha), math.cos(alpha)),
    )
