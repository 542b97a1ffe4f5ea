"""One frame of the real KITTI drive, read by hand: tests of drawing and fusion need no reader of ours to be right."""

from pathlib import Path

import cv2
import numpy as np


def kitti_frame(shared_data: Path, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points ``[N, 4]`` float32, left colour image ``[H, W, 3]`` BGR, ``lidar_to_image`` ``[3, 4]``."""
    day = shared_data / "kitti_raw" / "2011_09_26"
    drive = day / "2011_09_26_drive_unknown_sync"
    points = np.fromfile(drive / "velodyne_points" / "data" / f"{index:010d}.bin", np.float32).reshape(-1, 4)
    image = cv2.imread(str(drive / "image_02" / "data" / f"{index:010d}.png"))
    lidar, cameras = _numbers(day / "calib_velo_to_cam.txt"), _numbers(day / "calib_cam_to_cam.txt")
    velo_to_cam, rectify = np.eye(4), np.eye(4)
    velo_to_cam[:3] = np.column_stack([lidar["R"].reshape(3, 3), lidar["T"]])
    rectify[:3, :3] = cameras["R_rect_00"].reshape(3, 3)
    return points, image, cameras["P_rect_02"].reshape(3, 4) @ rectify @ velo_to_cam


def _numbers(path: Path) -> dict[str, np.ndarray]:
    lines = (line.partition(":") for line in path.read_text().splitlines() if "calib_time" not in line)
    return {key: np.array(values.split(), float) for key, _, values in lines}
