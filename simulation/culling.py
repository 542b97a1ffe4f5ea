"""Which moving bodies a ray may meet at all: most rays meet none, and need not be asked about any.

Bodies are taken as balls. Rays in a row point much the same way, so a cone round some of them is tried first.
"""

from __future__ import annotations

import numba
import numpy as np

_TOGETHER = 32  # rays in one cone


@numba.njit(cache=True)
def near_bodies(rays, dt_s, balls, reach):  # pragma: no cover - compiled
    """Which ``rays`` float32 [N,6] pass through which moving ``balls`` (centre, velocity, radius: float64 [B,7]) before
    they have gone as far as ``reach`` [N]: two int64 [K]."""
    ray, body = np.empty(1024, np.int64), np.empty(1024, np.int64)
    count = 0
    for first in range(0, len(rays), _TOGETHER):
        last = min(first + _TOGETHER, len(rays))
        cone = _cone(rays, dt_s, reach, first, last)
        for b in range(len(balls)):
            if not _touches(cone, rays, dt_s[first], first, balls, b):
                continue
            if count + last - first > len(ray):
                ray, body = _longer(ray), _longer(body)
            for n in range(first, last):
                x = balls[b, 0] + dt_s[n] * balls[b, 3] - rays[n, 0]
                y = balls[b, 1] + dt_s[n] * balls[b, 4] - rays[n, 1]
                z = balls[b, 2] + dt_s[n] * balls[b, 5] - rays[n, 2]
                along, radius = x * rays[n, 3] + y * rays[n, 4] + z * rays[n, 5], balls[b, 6]
                if along < -radius or along - radius > reach[n]:
                    continue
                if x * x + y * y + z * z - along * along < radius * radius:
                    ray[count], body[count] = n, b
                    count += 1
    return ray[:count].copy(), body[:count].copy()


@numba.njit(cache=True)
def _longer(numbers):  # pragma: no cover - compiled
    out = np.empty(2 * len(numbers), np.int64)
    for n in range(len(numbers)):
        out[n] = numbers[n]
    return out


@numba.njit(cache=True)
def _cone(rays, dt_s, reach, first, last):  # pragma: no cover - compiled
    """What holds the rays ``first`` to ``last``: axis, cosine and sine of the half angle, greatest way of a start from
    the first one's, greatest difference in time, greatest reach."""
    x, y, z = 0.0, 0.0, 0.0
    for n in range(first, last):
        x, y, z = x + rays[n, 3], y + rays[n, 4], z + rays[n, 5]
    length = max(np.sqrt(x * x + y * y + z * z), 1e-9)
    x, y, z = x / length, y / length, z / length
    cosine, apart, later, far = 1.0, 0.0, 0.0, 0.0
    for n in range(first, last):
        cosine = min(cosine, x * rays[n, 3] + y * rays[n, 4] + z * rays[n, 5])
        dx, dy, dz = rays[n, 0] - rays[first, 0], rays[n, 1] - rays[first, 1], rays[n, 2] - rays[first, 2]
        apart = max(apart, dx * dx + dy * dy + dz * dz)
        later = max(later, abs(dt_s[n] - dt_s[first]))
        far = max(far, reach[n])
    return x, y, z, cosine, np.sqrt(max(1.0 - cosine * cosine, 0.0)), np.sqrt(apart), later, far


@numba.njit(cache=True)
def _touches(cone, rays, dt_s, first, balls, b):  # pragma: no cover - compiled
    """Whether any ray of a cone, whose first is ``first`` at ``dt_s``, may pass through ball ``b``."""
    ax, ay, az, cosine, sine, apart, later, far = cone
    vx, vy, vz = balls[b, 3], balls[b, 4], balls[b, 5]
    radius = balls[b, 6] + apart + np.sqrt(vx * vx + vy * vy + vz * vz) * later + 1e-3
    x = balls[b, 0] + dt_s * vx - rays[first, 0]
    y = balls[b, 1] + dt_s * vy - rays[first, 1]
    z = balls[b, 2] + dt_s * vz - rays[first, 2]
    distance = np.sqrt(x * x + y * y + z * z)
    if distance - radius > far:
        return False
    if distance <= radius or cosine < 0.1:  # inside the ball; or hardly a cone at all
        return True
    of_ball = radius / distance  # sine of the half angle at which the ball is seen
    limit = cosine * np.sqrt(1.0 - of_ball * of_ball) - sine * of_ball
    return x * ax + y * ay + z * az >= (limit - 1e-6) * distance
