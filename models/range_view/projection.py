"""Spherical projection of a LiDAR scan to a range image.

SqueezeSegV3 (Xu et al., ECCV 2020), Eq. 1, with the sign of the vertical field of view put right:

    u = ½ (1 − atan2(y, x) / π) · W              v = (1 − (asin(z / r) − fov_down) / fov) · H

The pixel is (floor(v), floor(u)), clamped to the image.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numba
import numpy as np

from models.arrays import read_only
from models.range_view.settings import check_projection

# The polynomial's error (1e-5 rad) and float32 rounding, with room to spare: nearer than this to the edge of a pixel,
# _exact_pixel decides.
_ESTIMATE_ERROR_RAD = 4e-5
_UNSURE = -2
_EMPTY = np.int64(2**63 - 1)  # of the pixel that no point fell on
_BLOCK = 4096  # points at a time, so that their columns stay in the cache


class Projection(NamedTuple):
    """A scan as a range image, and where each of its points went.

    ``image`` [5, H, W] float32: range, x, y, z in metres, remission; −1 in all five where no point fell.
    ``point_pixel`` [N] int32: ``row * W + column``, or −1 for a point that was dropped.
    ``point_range`` [N] float32: metres, 0 for a point that was dropped.
    ``dropped``: points with range 0 or a value that is not finite; they have no pixel.
    """

    image: np.ndarray
    point_pixel: np.ndarray
    point_range: np.ndarray
    dropped: int


def project(
    points: np.ndarray,
    *,
    height: int,
    width: int,
    fov_up_deg: float,
    fov_down_deg: float,
    keep: Literal["nearest", "farthest"] = "nearest",
) -> Projection:
    """Project ``points`` [N, 4] float32 (x forward, y left, z up in metres, remission) to a range image.

    Angles and pixels are computed in float64 from the float32 coordinates, in the order of the formula above, so that
    any implementation that does the same finds the same pixels. ``point_range`` is the float64 range rounded to
    float32; where several points share a pixel, the nearest of those (or the farthest: ``keep``) is in the image, and
    of two at the same range the earlier one.

    ``fov_up_deg`` and ``fov_down_deg`` are elevations: +3 and −25 for the HDL-64.

    Raises:
        UserError: an image without pixels, a field of view that is empty, an unknown ``keep``.
        ValueError: ``points`` is not [N, 4] float32.
    """
    if points.ndim != 2 or points.shape[1] != 4 or points.dtype != np.float32:
        raise ValueError(f"points: expected float32 [N, 4], got {points.dtype} {list(points.shape)}")
    check_projection(height=height, width=width, fov_up_deg=fov_up_deg, fov_down_deg=fov_down_deg, keep=keep)
    points = read_only(points, np.float32)
    point_pixel, point_range = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    image = np.empty((5, height * width), np.float32)
    up, down = math.radians(fov_up_deg), math.radians(fov_down_deg)
    dropped = _project(points, height, width, up, down, keep == "nearest", image, point_pixel, point_range)
    return Projection(image.reshape(5, height, width), point_pixel, point_range, int(dropped))


# One call, one thread: to hand half of it to a second thread and to wait for that costs more than it saves.
@numba.njit(nogil=True, cache=True)
def _project(points, height, width, fov_up, fov_down, nearest, image, point_pixel, point_range):
    """Writes into ``image`` [5, H·W], ``point_pixel`` and ``point_range``; returns the number of dropped points."""
    best = np.full(height * width, _EMPTY, np.int64)
    dropped = 0
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        pixels, ranges = point_pixel[start : start + _BLOCK], point_range[start : start + _BLOCK]
        _locate(block, height, width, fov_up, fov_down, pixels, ranges)
        dropped += _compete(pixels, ranges, start, nearest, best)
    _fill(image, best, points, point_range)
    return dropped


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _locate(block, height, width, fov_up, fov_down, pixels, ranges):
    """The pixel and range of each point; −1 and 0 where it has none."""
    xs, ys, zs, remissions = block[:, 0].copy(), block[:, 1].copy(), block[:, 2].copy(), block[:, 3].copy()
    _ranges(xs, ys, zs, remissions, ranges)
    _estimate_pixels(xs, ys, zs, height, width, fov_up, fov_down, pixels)
    for i in range(len(block)):
        if ranges[i] == 0:
            pixels[i] = -1
        elif pixels[i] == _UNSURE:
            pixels[i] = _exact_pixel(xs[i], ys[i], zs[i], height, width, fov_up, fov_down)


@numba.njit(nogil=True, cache=True)
def _compete(pixels, ranges, start, nearest, best):
    """Enter the points from number ``start`` on for their pixels; returns how many have none.

    ``best`` has each pixel's smallest key: the range's bits (ranges are positive, so their bits are in their order; for
    the farthest, turned round) above the point's number. A minimum, unlike a comparison, costs no branch to guess.
    """
    bits = ranges.view(np.int32)
    flip = np.int64(0 if nearest else 0x7FFFFFFF)
    dropped = 0
    for i in range(len(pixels)):
        if pixels[i] < 0:
            dropped += 1
        else:
            best[pixels[i]] = min(best[pixels[i]], (np.int64(bits[i]) ^ flip) << 32 | (start + i))
    return dropped


@numba.njit(nogil=True, cache=True)
def _fill(image, best, points, point_range):
    """Write each pixel's point into ``image`` [5, H·W]."""
    for pixel in range(len(best)):
        if best[pixel] == _EMPTY:
            image[0, pixel] = image[1, pixel] = image[2, pixel] = image[3, pixel] = image[4, pixel] = -1
        else:
            i = best[pixel] & 0xFFFFFFFF
            image[0, pixel] = point_range[i]
            image[1, pixel], image[2, pixel], image[3, pixel] = points[i, 0], points[i, 1], points[i, 2]
            image[4, pixel] = points[i, 3]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _ranges(xs, ys, zs, remissions, point_range):
    """The range of each point; 0 where it, or the remission, is not finite. Vectorised, like _estimate_pixels."""
    for i in range(len(xs)):
        x, y, z = np.float64(xs[i]), np.float64(ys[i]), np.float64(zs[i])
        metres = np.float32(math.sqrt(x * x + y * y + z * z))
        finite = (metres < np.inf) & (abs(remissions[i]) < np.inf)
        point_range[i] = metres if finite else np.float32(0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _exact_pixel(x, y, z, height, width, fov_up, fov_down):
    x, y, z = np.float64(x), np.float64(y), np.float64(z)
    u = 0.5 * (1 - math.atan2(y, x) / math.pi) * width
    v = (1 - (math.asin(z / math.sqrt(x * x + y * y + z * z)) - fov_down) / (fov_up - fov_down)) * height
    column = min(max(math.floor(u), 0), width - 1)
    row = min(max(math.floor(v), 0), height - 1)
    return row * width + column


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _estimate_pixels(xs, ys, zs, height, width, fov_up, fov_down, point_pixel):
    """The pixel of each point where an estimate in float32 is sure of it, else _UNSURE.

    Written so that the compiler vectorises it: contiguous columns, no branch, conditional expressions for minimum and
    maximum. It then takes a tenth of the time.
    """
    f32 = np.float32
    half, down = f32(0.5), f32(-fov_down)
    columns_per_rad, rows_per_rad = f32(0.5 * width / math.pi), f32(height / (fov_up - fov_down))
    middle, bottom = f32(0.5 * width), f32(height)
    last_u, last_v = f32(width - 0.5), f32(height - 0.5)
    sure_u, sure_v = half - f32(_ESTIMATE_ERROR_RAD) * columns_per_rad, half - f32(_ESTIMATE_ERROR_RAD) * rows_per_rad
    for i in range(len(xs)):
        x, y, z = xs[i], ys[i], zs[i]
        ground = x * x + y * y
        u = middle - columns_per_rad * _atan2_estimate(y, x)
        v = bottom - rows_per_rad * (_atan2_estimate(z, math.sqrt(ground)) + down)
        # Held within [½, H − ½] the floor is a truncation, and clamped to [0, H − 1]. Not so at u = 0: a point straight
        # behind is at one end of the image or at the other by the sign of its zero y, which atan2 knows.
        u = u if u > f32(0) else f32(0)
        u = u if u < last_u else last_u
        v = v if v > half else half
        v = v if v < last_v else last_v
        column, row = np.int32(u), np.int32(v)
        sure = (abs(u - f32(column) - half) < sure_u) & (abs(v - f32(row) - half) < sure_v)
        sure &= (f32(1e-30) < ground) & (ground < f32(1e30))  # no overflow, no underflow, not NaN
        point_pixel[i] = row * np.int32(width) + column if sure else np.int32(_UNSURE)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _atan2_estimate(y, x):
    """atan2(y, x), float32: Abramowitz & Stegun 4.4.49 on [0, 1], mirrored to the other octants."""
    f32 = np.float32
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    t = (ax if steep else ay) / (ay if steep else ax)
    s = t * t
    series = f32(0.1801410) + s * (f32(-0.0851330) + s * f32(0.0208351))
    angle = t * (f32(0.9998660) + s * (f32(-0.3302995) + s * series))
    angle = f32(0.5 * math.pi) - angle if steep else angle
    angle = f32(math.pi) - angle if x < 0 else angle
    return -angle if y < 0 else angle
