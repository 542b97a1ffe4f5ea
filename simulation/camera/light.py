"""How much light falls on a surface: sun past what stands in its way, the sky that it sees, the ground's, and lamps."""

from __future__ import annotations

import numba
import numpy as np

from simulation.camera.lamps import Lamps
from simulation.camera.noise import hash3
from simulation.camera.sky import Daylight
from simulation.rig import HEIGHT, WIDTH
from simulation.scene import Scene

_SHADOW_M = 150.0  # nothing farther away casts a shadow here
_SUN_RADIUS = 0.0047  # angular, radians: why shadows are softer the farther they fall
_OFF_M = np.float32(0.015)  # rays leave a surface from just above it
_FAINT_LUX = 20.0  # a sun weaker than this casts no visible shadow
STEP = 4  # pixels between the places where the sky's visibility is measured
REACH_M = 4.0  # what is farther away than this hides no sky
_LOOKS = 7  # rays from each of those places


def sunlit(
    scene: Scene,
    points: np.ndarray,
    normals: np.ndarray,
    leafy: np.ndarray,
    day: Daylight,
    dt_s: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Cosine of the sun's incidence on ``points`` float64 [N,3], 0 in shadow: float32 [N].

    It is negative where the sun shines through from behind, on what is ``leafy`` bool [N]. The sun is a disc: each
    point looks towards its own spot of it.
    """
    facing = np.einsum("ij,j->i", normals, day.sun)
    if day.sun_lux.max() < _FAINT_LUX:
        return np.zeros_like(facing)
    facing[(facing < 0.0) & ~leafy] = 0.0
    lit = np.flatnonzero(facing)
    off = points[lit] + np.where(facing[lit] >= 0, _OFF_M, -_OFF_M)[:, None] * normals[lit]
    dt = dt_s[lit] if isinstance(dt_s, np.ndarray) else dt_s
    facing[lit[scene.blocked(off, _towards_sun(off, day.sun, _SPOTS), dt)]] = 0.0
    return facing


_turns = np.arange(256) * np.pi * (3.0 - np.sqrt(5.0))  # Vogel's spiral: spots evenly spread over a disc
_SPOTS = _SUN_RADIUS * np.sqrt((np.arange(256) + 0.5) / 256)[:, None] * np.stack([np.cos(_turns), np.sin(_turns)], 1)


@numba.njit(cache=True)
def _towards_sun(points, sun, spots):  # pragma: no cover - compiled
    across = np.hypot(sun[0], sun[1]) + 1e-9
    out = np.empty((len(points), 3), np.float32)
    for n in range(len(points)):
        x, y, z = points[n, 0] * 997.0, points[n, 1] * 997.0, points[n, 2] * 997.0
        spot = int(256.0 * hash3(int(np.floor(x)), int(np.floor(y)), int(np.floor(z))))
        a, b = spots[spot, 0], spots[spot, 1]
        out[n, 0] = _SHADOW_M * (sun[0] - a * sun[1] / across - b * sun[2] * sun[0] / across)
        out[n, 1] = _SHADOW_M * (sun[1] + a * sun[0] / across - b * sun[2] * sun[1] / across)
        out[n, 2] = _SHADOW_M * (sun[2] + b * across)
    return out


@numba.njit(cache=True)
def settle(facing, triangle):  # pragma: no cover - compiled
    """A picture's ``facing`` float32 [H·W] from :func:`sunlit` with the grain of its penumbras taken out: the mean over
    the neighbours whose rays met the same ``triangle`` int64 [H·W]."""
    out = np.empty_like(facing)
    for v in range(HEIGHT):
        for u in range(WIDTH):
            n = v * WIDTH + u
            total, count = facing[n], 1
            for i in range(max(v - 1, 0), min(v + 2, HEIGHT)):
                for j in range(max(u - 1, 0), min(u + 2, WIDTH)):
                    other = i * WIDTH + j
                    if other != n and triangle[other] == triangle[n]:
                        total += facing[other]
                        count += 1
            out[n] = total / count
    return out


def openness(scene: Scene, points: np.ndarray, normals: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How open the surroundings of a picture's surfaces are, 0..1: float32 [rows, columns] at every STEP'th pixel.

    ``points`` float64 [H·W,3], ``normals`` float32 [H·W,3], ``seen`` bool [H·W]: the pixels' own hits.
    """
    rows, columns = np.arange(0, HEIGHT, STEP), np.arange(0, WIDTH, STEP)
    pixels = (rows[:, None] * WIDTH + columns).ravel()
    turns = (rows[:, None] // STEP % 3 * 3 + columns // STEP % 3).ravel()  # nine neighbours share out the hemisphere
    turns = turns[seen[pixels]]
    pixels = pixels[seen[pixels]]
    origins = points[pixels] + _OFF_M * normals[pixels]
    reaches = _looks(normals[pixels], turns, _LOOKS)
    hidden = scene.blocked(np.repeat(origins, _LOOKS, 0), reaches.reshape(-1, 3)).reshape(-1, _LOOKS)
    share = np.ones(HEIGHT * WIDTH, np.float32)
    share[pixels] = 1.0 - hidden.mean(1, dtype=np.float32)
    return share.reshape(HEIGHT, WIDTH)[::STEP, ::STEP].copy()


@numba.njit(cache=True)
def _looks(normals, turns, count):  # pragma: no cover - compiled
    """``count`` directions round each normal, cosine-distributed (Malley's method); ``turns`` int64 [N], 0..8, says
    which of nine sets of them."""
    out = np.empty((len(normals), count, 3), np.float32)
    for n in range(len(normals)):
        turn, lift = turns[n] / 9.0, (turns[n] * 4 % 9 + 0.5) / 9.0
        for k in range(count):
            angle = 2.0 * np.pi * (turn / count + 0.618034 * k)
            radius = np.sqrt((k + lift) / count)
            x, y = radius * np.cos(angle), radius * np.sin(angle)
            w = np.sqrt(max(0.0, 1.0 - radius * radius))
            nx, ny, nz = normals[n, 0], normals[n, 1], normals[n, 2]
            sign = 1.0 if nz >= 0.0 else -1.0  # a frame round the normal: Duff et al., JCGT 2017
            a = -1.0 / (sign + nz)
            b = nx * ny * a
            out[n, k, 0] = REACH_M * (x * (1.0 + sign * nx * nx * a) + y * b + w * nx)
            out[n, k, 1] = REACH_M * (x * sign * b + y * (sign + ny * ny * a) + w * ny)
            out[n, k, 2] = REACH_M * (-x * sign * nx - y * ny + w * nz)
    return out


@numba.njit(cache=True)
def open_at(grid, grid_points, grid_normals, u, v, points, normals, range_m):  # pragma: no cover - compiled
    """:func:`openness` at the samples (u, v) float32 [N], from the places around each that lie on the same surface.

    ``grid_points`` float32 [rows,columns,3] and ``grid_normals`` are those of ``grid``, relative to the camera, as
    ``points`` float32 [N,3] are. Float32 [N].
    """
    out = np.ones(len(u), np.float32)
    rows, columns = grid.shape
    for n in range(len(u)):
        i, j = int(np.floor(v[n] / STEP)), int(np.floor(u[n] / STEP))
        total, weight = 0.0, 1e-6
        scale = 30.0 / (0.05 + range_m[n] * STEP / 720.0)
        for di in range(-1, 3):
            for dj in range(-1, 3):
                r, c = min(max(i + di, 0), rows - 1), min(max(j + dj, 0), columns - 1)
                square, off, same = 0.0, 0.0, 0.0
                for k in range(3):
                    apart = grid_points[r, c, k] - points[n, k]
                    square += apart * apart
                    off += apart * normals[n, k]
                    same += grid_normals[r, c, k] * normals[n, k]
                if same < 0.6:
                    continue
                down = min(1.0, 2.0 - abs(v[n] / STEP - (i + di)))  # flat over three places: the nine sets count alike
                tent = max(0.0, down) * max(0.0, min(1.0, 2.0 - abs(u[n] / STEP - (j + dj))))
                w = tent / (1.0 + abs(off) * scale + 0.02 * square * scale)
                total += w * grid[r, c]
                weight += w
        out[n] = (total + 0.6e-6) / weight
    return out


@numba.njit(cache=True)
def irradiance(normals, facing, open_share, leafy, day_sun, day_sky, height):  # pragma: no cover - compiled
    """Light on N surfaces from sun, sky and the ground around: float32 [N,3] lux.

    ``facing`` [N] and ``leafy`` bool [N] as for :func:`sunlit`: leaves let light through, yellower than it was.
    ``height``: sine of the sun's, for what the ground throws back.
    """
    out = np.empty((len(normals), 3), np.float32)
    for n in range(len(normals)):
        half = 0.5 + 0.5 * normals[n, 2]
        share = open_share[n] * (0.35 + 0.65 * open_share[n])
        direct, through = max(facing[n], 0.0), 0.0
        if leafy[n]:  # leaves lie every way within what one triangle stands for
            direct, through = 0.25 * abs(facing[n]) + 0.6 * direct, 0.35 * max(-facing[n], 0.0)
        for c in range(3):
            ground = 0.13 * (day_sky[c] * 0.7 + 0.6 * day_sun[c] * max(height, 0.0))
            tint = 1.1 if c < 2 else 0.35
            out[n, c] = day_sun[c] * (direct + tint * through) + share * (half * day_sky[c] + (1.0 - half) * ground)
    return out


@numba.njit(cache=True)
def lamplight(points, normals, lamps: Lamps):  # pragma: no cover - compiled
    """Light of ``lamps`` on ``points`` float32 [N,3] with ``normals``: float32 [N,3] lux. Nothing shades it."""
    out = np.zeros((len(points), 3), np.float32)
    for k in range(len(lamps.at)):
        for n in range(len(points)):
            x, y = lamps.at[k, 0] - points[n, 0], lamps.at[k, 1] - points[n, 1]
            z = lamps.at[k, 2] - points[n, 2]
            square = x * x + y * y + z * z + 0.05
            if square > lamps.reach_m[k] * lamps.reach_m[k]:
                continue
            away = np.sqrt(square)
            onto = (x * normals[n, 0] + y * normals[n, 1] + z * normals[n, 2]) / away
            out_of = -(x * lamps.axis[k, 0] + y * lamps.axis[k, 1] + z * lamps.axis[k, 2]) / away
            if onto <= 0.0 or out_of <= 0.0:
                continue
            beam = out_of ** lamps.focus[k] * onto / square
            for c in range(3):
                out[n, c] += lamps.candela[k, c] * beam
    return out
