"""Where LiDAR points are for the camera, from the one matrix that projects them."""

from __future__ import annotations

import numpy as np


def lidar_to_camera(lidar_to_image: np.ndarray) -> np.ndarray:
    """The rigid motion in a projection: ``[3, 4]`` float64 that takes a LiDAR point (x y z 1) to metres in the camera's
    frame, x right, y down, z forward.

    ``lidar_to_image`` ``[3, 4]`` is K·[R | t] with the intrinsics K upper triangular, so R comes of an RQ decomposition
    (Hartley and Zisserman, *Multiple View Geometry*, Sec. 6.2.4). Of KITTI's colour camera the origin is that camera's
    own, 6 cm beside the grey camera 0 that KITTI's labels are relative to.
    """
    backwards = np.eye(3)[::-1]
    q, r = np.linalg.qr((backwards @ lidar_to_image[:, :3]).T)
    intrinsics, rotation = backwards @ r.T @ backwards, backwards @ q.T
    signs = np.sign(np.diag(intrinsics))  # focal lengths are above 0
    intrinsics, rotation = intrinsics * signs, signs[:, None] * rotation
    return np.column_stack([rotation, np.linalg.solve(intrinsics, lidar_to_image[:, 3])])
