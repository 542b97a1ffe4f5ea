"""Project LiDAR points into an image, decide which the camera really sees, and take their colours.

The LiDAR of a car sits above its camera, so it looks over obstacles: points behind a parked car project onto that
car. A z-buffer tells them apart. The idea of painting points from the image is PointPainting's (Vora et al., CVPR
2020, Sec. 3); the occlusion test is the classical z-buffer, widened because points are sparser than pixels.
"""

from __future__ import annotations

import numba
import numpy as np

from models.arrays import read_only


def paint_points(
    points: np.ndarray,
    image: np.ndarray,
    lidar_to_image: np.ndarray,
    *,
    min_depth_m: float = 0.5,
    occlusion_window_px: int = 3,
    occlusion_tolerance: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Image coordinates and colours of the points that the camera sees.

    A point is in view if it lies at least ``min_depth_m`` along the optical axis, its nearest pixel is in the image,
    and it is not hidden. It is hidden if a point in view of the same scan lies within ``occlusion_window_px`` pixels of
    it, in u and in v, and is nearer by more than the fraction ``occlusion_tolerance`` of its depth.

    The window of 7 by 7 pixels closes the gaps between the rings of an HDL-64 (4 to 5 px in KITTI's images) without
    reaching the next ring on the road, whose points would otherwise hide each other at grazing angles.
    ``occlusion_tolerance=1`` switches the test off: no depth is smaller than zero.

    Args:
        points: float32 ``[N, ≥3]``, x y z in metres.
        image: uint8 ``[H, W, 3]``.
        lidar_to_image: ``[3, 4]``, takes (x y z 1) to homogeneous pixels; its third row gives the depth in metres.

    Returns:
        ``pixels`` float32 ``[N, 2]`` (u, v), NaN where not in view, and ``colors`` uint8 ``[N, 3]``, the nearest
        pixel's, 0 where not in view. Whole numbers of u and v are the centres of pixels.
    """
    return _paint(
        read_only(points, np.float32),
        read_only(image, np.uint8),
        read_only(lidar_to_image, np.float64),
        min_depth_m,
        occlusion_window_px,
        1.0 - occlusion_tolerance,
    )


@numba.njit(cache=True, nogil=True)
def _paint(points, image, matrix, min_depth_m, window, hiding_fraction):  # type: ignore[no-untyped-def]
    N = points.shape[0]
    H, W = image.shape[:2]
    pixels = np.full((N, 2), np.nan, np.float32)
    colors = np.zeros((N, 3), np.uint8)
    nearest = np.full((H, W), np.inf, np.float32)
    seen = np.empty(N, np.int32)
    depths = np.empty(N, np.float32)
    count = 0

    for i in range(N):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        if not min_depth_m <= depth < np.inf:  # NaN fails too
            continue
        # Rounded to float32 before any test, so that the second pass finds the same pixel.
        u = np.float32((matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]) / depth)
        v = np.float32((matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]) / depth)
        if not (-0.5 <= u < W - 0.5 and -0.5 <= v < H - 0.5):
            continue
        pixels[i, 0], pixels[i, 1] = u, v
        row, column = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        nearest[row, column] = min(nearest[row, column], np.float32(depth))
        seen[count], depths[count] = i, depth
        count += 1

    for k in range(count):
        i = seen[k]
        row, column = int(np.floor(pixels[i, 1] + 0.5)), int(np.floor(pixels[i, 0] + 0.5))
        if _is_hidden(nearest, row, column, window, depths[k] * hiding_fraction):
            pixels[i] = np.nan
        else:
            colors[i] = image[row, column]
    return pixels, colors


@numba.njit(cache=True, nogil=True, inline="always")
def _is_hidden(nearest, row, column, window, limit_m):  # type: ignore[no-untyped-def]
    H, W = nearest.shape
    for r in range(max(row - window, 0), min(row + window + 1, H)):
        for c in range(max(column - window, 0), min(column + window + 1, W)):
            if nearest[r, c] < limit_m:
                return True
    return False
