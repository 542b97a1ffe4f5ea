"""Which moving bodies a ray may meet at all: most rays meet none, and need not be asked about any.

Bodies are taken as balls. Rays in a row point much the same way, so a cone round some of them is tried first.
"""

from __future__ import annotations

import numba
import numpy as np

_TOGETHER = 32  # rays in one cone


@numba.njit(cache=True)
def near_bodies(starts, directions, dt_s, balls, reach):  # pragma: no cover - compiled
    """Which rays pass through which moving balls before they have gone as far as ``reach`` [N]: two int64 [K]."""
    ray, body = np.empty(1024, np.int64), np.empty(1024, np.int64)
    count = 0
    for first in range(0, len(starts), _TOGETHER):
        last = min(first + _TOGETHER, len(starts))
        cone = _cone(starts, directions, dt_s, reach, first, last)
        for b in range(len(balls)):
            if not _touches(cone, starts[first], dt_s[first], balls[b]):
                continue
            if count + last - first > len(ray):
                ray, body = np.append(ray, np.empty_like(ray)), np.append(body, np.empty_like(body))
            centre, velocity, radius = balls[b, :3], balls[b, 3:6], balls[b, 6]
            for n in range(first, last):
                x = centre[0] + dt_s[n] * velocity[0] - starts[n, 0]
                y = centre[1] + dt_s[n] * velocity[1] - starts[n, 1]
                z = centre[2] + dt_s[n] * velocity[2] - starts[n, 2]
                along = x * directions[n, 0] + y * directions[n, 1] + z * directions[n, 2]
                if along < -radius or along - radius > reach[n]:
                    continue
                if x * x + y * y + z * z - along * along < radius * radius:
                    ray[count], body[count] = n, b
                    count += 1
    return ray[:count].copy(), body[:count].copy()


@numba.njit(cache=True)
def _cone(starts, directions, dt_s, reach, first, last):  # pragma: no cover - compiled
    """What holds the rays ``first`` to ``last``: axis, cosine and sine of the half angle, greatest way of a start from
    the first one's, greatest difference in time, greatest reach."""
    x, y, z = 0.0, 0.0, 0.0
    for n in range(first, last):
        x, y, z = x + directions[n, 0], y + directions[n, 1], z + directions[n, 2]
    length = max(np.sqrt(x * x + y * y + z * z), 1e-9)
    x, y, z = x / length, y / length, z / length
    cosine, apart, later, far = 1.0, 0.0, 0.0, 0.0
    for n in range(first, last):
        cosine = min(cosine, x * directions[n, 0] + y * directions[n, 1] + z * directions[n, 2])
        dx, dy, dz = starts[n, 0] - starts[first, 0], starts[n, 1] - starts[first, 1], starts[n, 2] - starts[first, 2]
        apart = max(apart, dx * dx + dy * dy + dz * dz)
        later = max(later, abs(dt_s[n] - dt_s[first]))
        far = max(far, reach[n])
    return x, y, z, cosine, np.sqrt(max(1.0 - cosine * cosine, 0.0)), np.sqrt(apart), later, far


@numba.njit(cache=True)
def _touches(cone, start, dt_s, ball):  # pragma: no cover - compiled
    """Whether any ray of a cone may pass through a ball."""
    ax, ay, az, cosine, sine, apart, later, far = cone
    speed = np.sqrt(ball[3] ** 2 + ball[4] ** 2 + ball[5] ** 2)
    radius = ball[6] + apart + speed * later + 1e-3
    x = ball[0] + dt_s * ball[3] - start[0]
    y = ball[1] + dt_s * ball[4] - start[1]
    z = ball[2] + dt_s * ball[5] - start[2]
    distance = np.sqrt(x * x + y * y + z * z)
    if distance - radius > far:
        return False
    if distance <= radius or cosine < 0.1:  # inside the ball; or hardly a cone at all
        return True
    of_ball = radius / distance  # sine of the half angle at which the ball is seen
    limit = cosine * np.sqrt(1.0 - of_ball * of_ball) - sine * of_ball
    return x * ax + y * ay + z * az >= (limit - 1e-6) * distance
