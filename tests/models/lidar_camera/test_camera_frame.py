"""The rigid motion inside a projection, found again."""

import numpy as np
import pytest

from models.lidar_camera.camera_frame import lidar_to_camera

TO_CAMERA = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


@pytest.mark.parametrize("seed", range(8))
def test_motion_and_intrinsics_come_apart(seed: int) -> None:
    random = np.random.default_rng(seed)
    tilt, _ = np.linalg.qr(np.eye(3) + 0.05 * random.normal(size=(3, 3)))
    rotation = tilt * np.sign(np.diag(tilt)) @ TO_CAMERA
    rotation *= np.sign(np.linalg.det(rotation))
    intrinsics = np.array([[700 + 50 * random.normal(), 0.3, 610], [0, 720, 175], [0, 0, 1]])
    motion = np.column_stack([rotation, random.normal(size=3)])
    np.testing.assert_allclose(lidar_to_camera(intrinsics @ motion), motion, atol=1e-9)
