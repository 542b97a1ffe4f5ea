"""How much light falls on a surface: sun past what stands in its way, the sky that it sees, the ground's, and lamps."""

from __future__ import annotations

import numba
import numpy as np

from simulation.camera.lamps import Lamps
from simulation.camera.noise import hash3
from simulation.camera.sky import Daylight
from simulation.camera.textures import FOLIAGE, GRASS
from simulation.scene import Scene

_SHADOW_M = 150.0  # nothing farther away casts a shadow here
_SUN_RADIUS = 0.0047  # angular, radians: why shadows are softer the farther they fall
_OFF_M = np.float32(0.015)  # rays leave a surface from just above it
_FAINT_LUX = 20.0  # a sun weaker than this casts no visible shadow
STEP = 5  # pixels between the places where the sky's visibility is measured
REACH_M = 4.0  # what is farther away than this hides no sky
_LOOKS = 5  # rays from each of those places


def sunlit(
    scene: Scene,
    points: np.ndarray,
    normals: np.ndarray,
    material: np.ndarray,
    day: Daylight,
    dt_s: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Cosine of the sun's incidence on ``points`` float64 [N,3] of ``material`` uint8 [N], 0 in shadow: float32 [N].

    It is negative where the sun shines through from behind, on leaves. The sun is a disc: each point looks towards its
    own spot of it.
    """
    facing = _facing(normals, material, day.sun)
    if day.sun_lux.max() < _FAINT_LUX:
        return np.zeros_like(facing)
    _shadow(scene, points, normals, facing, np.flatnonzero(facing), day, dt_s)
    return facing


def sunlit_picture(
    scene: Scene,
    points: np.ndarray,
    normals: np.ndarray,
    material: np.ndarray,
    triangle: np.ndarray,
    day: Daylight,
    width: int,
) -> np.ndarray:
    """:func:`sunlit` of a picture's own rays, float32 [H·W], without the grain of its penumbras.

    Every fourth pixel of a row looks for the sun, staggered from row to row; so do those between such that disagree or
    lie on other triangles, but for leaves. ``triangle`` int64 [H·W]: what the rays met, -1 for nothing. A row is
    ``width`` pixels.
    """
    facing = _facing(normals, material, day.sun)
    facing[triangle < 0] = 0.0
    if day.sun_lux.max() < _FAINT_LUX:
        return np.zeros_like(facing)
    full = facing.copy()
    first = np.zeros((len(triangle) // width, width), bool)
    first[::2, ::4] = first[1::2, 2::4] = True
    _shadow(scene, points, normals, facing, np.flatnonzero(first.ravel() & (facing != 0.0)), day, 0.0)
    unsure = _between(facing, full, triangle, material, width)
    _shadow(scene, points, normals, facing, unsure, day, 0.0)
    return _settle(facing, triangle, width)


def _shadow(
    scene: Scene,
    points: np.ndarray,
    normals: np.ndarray,
    facing: np.ndarray,
    which: np.ndarray,
    day: Daylight,
    dt_s: np.ndarray | float,
) -> None:
    """Set ``facing`` [N] to 0, in place, where something stands between the sun and one of the points ``which`` [K]."""
    off, reaches = _towards_sun(points, normals, facing, which, day.sun, _SPOTS)
    dt = dt_s[which] if isinstance(dt_s, np.ndarray) else dt_s
    facing[which[scene.blocked(off, reaches, dt)]] = 0.0


_turns = np.arange(256) * np.pi * (3.0 - np.sqrt(5.0))  # Vogel's spiral: spots evenly spread over a disc
_SPOTS = _SUN_RADIUS * np.sqrt((np.arange(256) + 0.5) / 256)[:, None] * np.stack([np.cos(_turns), np.sin(_turns)], 1)


@numba.njit(cache=True)
def _facing(normals, material, sun):  # pragma: no cover - compiled
    """Cosine of the sun's incidence, 0 for its back but on leaves: float32 [N]."""
    out = np.empty(len(normals), np.float32)
    for n in range(len(normals)):
        cosine = normals[n, 0] * sun[0] + normals[n, 1] * sun[1] + normals[n, 2] * sun[2]
        out[n] = cosine if cosine > 0.0 or material[n] == FOLIAGE or material[n] == GRASS else np.float32(0.0)
    return out


@numba.njit(cache=True)
def _towards_sun(points, normals, facing, which, sun, spots):  # pragma: no cover - compiled
    """Starts float64 [K,3], just off the surface, and ways to the sun's disc float32 [K,3] of the points ``which``."""
    across = np.hypot(sun[0], sun[1]) + 1e-9
    off, out = np.empty((len(which), 3)), np.empty((len(which), 3), np.float32)
    for k in range(len(which)):
        n = which[k]
        away = _OFF_M if facing[n] >= 0.0 else -_OFF_M
        for c in range(3):
            off[k, c] = points[n, c] + away * normals[n, c]
        x, y, z = off[k, 0] * 997.0, off[k, 1] * 997.0, off[k, 2] * 997.0
        spot = int(256.0 * hash3(int(np.floor(x)), int(np.floor(y)), int(np.floor(z))))
        a, b = spots[spot, 0], spots[spot, 1]
        out[k, 0] = _SHADOW_M * (sun[0] - a * sun[1] / across - b * sun[2] * sun[0] / across)
        out[k, 1] = _SHADOW_M * (sun[1] + a * sun[0] / across - b * sun[2] * sun[1] / across)
        out[k, 2] = _SHADOW_M * (sun[2] + b * across)
    return off, out


@numba.njit(cache=True)
def _between(facing, full, triangle, material, width):  # pragma: no cover - compiled
    """Settle, in place, the pixels of ``facing`` float32 [H·W] between the staggered ones whose shadows are known, and
    return those that cannot be settled so: int64 [K]. ``full``: ``facing`` without shadows."""
    unsure, count, height = np.empty(len(facing), np.int64), 0, len(facing) // width
    for v in range(height):
        for u in range(width):
            n = v * width + u
            if full[n] == 0.0 or (u - 2 * (v % 2)) % 4 == 0:
                continue
            lit, shaded = False, False
            for row in range(v - 1, v + 2):
                left = u - (u - 2 * (row % 2)) % 4
                for column in range(left, left + 5, 4):
                    if row != v and abs(column - u) > 2:
                        continue
                    other = row * width + column
                    alike = 0 <= row < height and 0 <= column < width and full[other] != 0.0
                    if alike and triangle[other] != triangle[n]:
                        alike = material[n] == FOLIAGE and material[other] == FOLIAGE
                    lit = lit or not alike or facing[other] != 0.0
                    shaded = shaded or not alike or facing[other] == 0.0
            if lit and shaded and material[n] == FOLIAGE:  # leaves flicker anyway: as the next known one in the row
                left = u - (u - 2 * (v % 2)) % 4
                other = v * width + (left if u - left <= 2 else left + 4)
                known = 0 <= other - v * width < width and material[other] == FOLIAGE and full[other] != 0.0
                if known:
                    facing[n] = full[n] if facing[other] != 0.0 else np.float32(0.0)
                    continue
            if lit and shaded:
                unsure[count] = n
                count += 1
            elif shaded:
                facing[n] = 0.0
    return unsure[:count].copy()


@numba.njit(cache=True)
def _settle(facing, triangle, width):  # pragma: no cover - compiled
    """A picture's ``facing`` float32 [H·W] from :func:`sunlit` with the grain of its penumbras taken out: the mean over
    the neighbours whose rays met the same ``triangle`` int64 [H·W]."""
    out, height = np.empty_like(facing), len(facing) // width
    for v in range(height):
        for u in range(width):
            n = v * width + u
            total, count = facing[n], 1
            for i in range(max(v - 1, 0), min(v + 2, height)):
                for j in range(max(u - 1, 0), min(u + 2, width)):
                    other = i * width + j
                    if other != n and triangle[other] == triangle[n]:
                        total += facing[other]
                        count += 1
            out[n] = total / count
    return out


def openness(scene: Scene, points: np.ndarray, normals: np.ndarray, seen: np.ndarray, width: int) -> np.ndarray:
    """How open the surroundings of a picture's surfaces are, 0..1: float32 [rows, columns] at every STEP'th pixel.

    ``points`` float64 [H·W,3], ``normals`` float32 [H·W,3], ``seen`` bool [H·W]: the pixels' own hits; ``width``: of
    a row.
    """
    rows, columns = np.arange(0, len(points) // width, STEP), np.arange(0, width, STEP)
    pixels = (rows[:, None] * width + columns).ravel()
    turns = (rows[:, None] // STEP % 3 * 3 + columns // STEP % 3).ravel()  # nine neighbours share out the hemisphere
    turns = turns[seen[pixels]]
    pixels = pixels[seen[pixels]]
    origins = points[pixels] + _OFF_M * normals[pixels]
    reaches = _looks(normals[pixels], turns, _LOOKS)
    hidden = scene.blocked(np.repeat(origins, _LOOKS, 0), reaches.reshape(-1, 3)).reshape(-1, _LOOKS)
    share = np.ones(len(points), np.float32)
    share[pixels] = 1.0 - hidden.mean(1, dtype=np.float32)
    return share.reshape(-1, width)[::STEP, ::STEP].copy()


@numba.njit(cache=True)
def _looks(normals, turns, count):  # pragma: no cover - compiled
    """``count`` directions round each normal, cosine-distributed (Malley's method); ``turns`` int64 [N], 0..8, says
    which of nine sets of them."""
    out = np.empty((len(normals), count, 3), np.float32)
    for n in range(len(normals)):
        for k in range(count):
            spot = 9 * k + turns[n] * 4 % 9  # the nine together are a Vogel spiral: even over the disc
            angle, radius = 2.0 * np.pi * 0.618034 * spot, np.sqrt((spot + 0.5) / (9 * count))
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
def smoothed(grid, points, normals, focal_px):  # pragma: no cover - compiled
    """:func:`openness` float32 [rows,columns], each place's mean with those around it on the same surface: the nine
    sets of looks together. ``points`` and ``normals`` float32 [rows,columns,3], relative to the camera, which
    has ``focal_px``."""
    rows, columns = grid.shape
    out = grid.copy()
    for i in range(rows):
        for j in range(columns):
            x, y, z = points[i, j, 0], points[i, j, 1], points[i, j, 2]
            scale = 30.0 / (0.05 + np.sqrt(x * x + y * y + z * z) * STEP / focal_px)
            total, weight = grid[i, j], 1.0
            for r in range(max(i - 1, 0), min(i + 2, rows)):
                for c in range(max(j - 1, 0), min(j + 2, columns)):
                    if r != i or c != j:
                        w = _same_surface(points[r, c], normals[r, c], points[i, j], normals[i, j], scale)
                        total += w * grid[r, c]
                        weight += w
            out[i, j] = total / weight
    return out


@numba.njit(cache=True)
def _same_surface(point, normal, own_point, own_normal, scale):  # pragma: no cover - compiled
    """How much a place has to say about another, 0..1; ``scale``: how near is near, per metre."""
    square, off, same = 0.0, 0.0, 0.0
    for k in range(3):
        apart = point[k] - own_point[k]
        square += apart * apart
        off += apart * own_normal[k]
        same += normal[k] * own_normal[k]
    return 0.0 if same < 0.6 else 1.0 / (1.0 + abs(off) * scale + 0.02 * square * scale)


@numba.njit(cache=True)
def open_at(  # pragma: no cover - compiled
    grid, grid_points, grid_normals, u, v, points, eye, normals, range_m, focal_px
):
    """Openness at the samples (u, v) float32 [N], from the places around each that lie on the same surface.

    ``grid``: :func:`smoothed`, with its places. ``points`` float64 [N,3] of the samples and ``eye``, street frame;
    ``range_m`` [N], inf where nothing was met; ``focal_px`` of the camera. Float32 [N].
    """
    out = np.full(len(u), np.float32(1.0))
    rows, columns = grid.shape
    point = np.empty(3, np.float32)
    for n in range(len(u)):
        if not np.isfinite(range_m[n]):
            continue
        i, j = int(np.floor(v[n] / STEP)), int(np.floor(u[n] / STEP))
        top, left = min(max(i, 0), rows - 1), min(max(j, 0), columns - 1)
        bottom, right = min(max(i + 1, 0), rows - 1), min(max(j + 1, 0), columns - 1)
        least = min(grid[top, left], grid[top, right], grid[bottom, left], grid[bottom, right])
        if max(grid[top, left], grid[top, right], grid[bottom, left], grid[bottom, right]) - least < 0.01:
            out[n] = least  # whichever surface it is on
            continue
        for k in range(3):
            point[k] = points[n, k] - eye[k]
        down, across = v[n] / STEP - i, u[n] / STEP - j
        total, weight = 0.6e-6, 1e-6
        scale = 30.0 / (0.05 + range_m[n] * STEP / focal_px)
        for r, row_share in ((top, 1.0 - down), (bottom, down)):
            for c, column_share in ((left, 1.0 - across), (right, across)):
                w = row_share * column_share + 1e-3
                w *= _same_surface(grid_points[r, c], grid_normals[r, c], point, normals[n], scale)
                total += w * grid[r, c]
                weight += w
        out[n] = total / weight
    return out


@numba.njit(cache=True)
def irradiance(normals, facing, open_share, material, day_sun, day_sky, height):  # pragma: no cover - compiled
    """Light on N surfaces from sun, sky and the ground around: float32 [N,3] lux.

    ``facing`` [N] as of :func:`sunlit`: leaves (by ``material`` uint8 [N]) let light through, yellower than it was.
    ``height``: sine of the sun's, for what the ground throws back.
    """
    out = np.empty((len(normals), 3), np.float32)
    for n in range(len(normals)):
        half = 0.5 + 0.5 * normals[n, 2]
        share = open_share[n] * (0.35 + 0.65 * open_share[n])
        direct, through = max(facing[n], 0.0), 0.0
        if material[n] == FOLIAGE or material[n] == GRASS:  # leaves lie every way within what one triangle stands for
            direct, through = 0.45 * np.sqrt(abs(facing[n])) + 0.3 * direct, 0.3 * max(-facing[n], 0.0)
        for c in range(3):
            ground = 0.13 * (day_sky[c] * 0.7 + 0.6 * day_sun[c] * max(height, 0.0))
            tint = 1.1 if c < 2 else 0.35
            out[n, c] = day_sun[c] * (direct + tint * through) + share * (half * day_sky[c] + (1.0 - half) * ground)
    return out


_TOGETHER = 64  # neighbouring points that are looked at together


@numba.njit(cache=True)
def lamplight(points, normals, lamps: Lamps):  # pragma: no cover - compiled
    """Light of ``lamps`` on ``points`` float32 [N,3] with ``normals``: float32 [N,3] lux. Nothing shades it."""
    out = np.zeros((len(points), 3), np.float32)
    for first in range(0, len(points), _TOGETHER):
        last = min(first + _TOGETHER, len(points))
        centre, radius = points[first], np.float32(0.0)
        for n in range(first, last):
            x, y, z = points[n, 0] - centre[0], points[n, 1] - centre[1], points[n, 2] - centre[2]
            radius = max(radius, x * x + y * y + z * z)
        radius = np.sqrt(radius)
        for k in range(len(lamps.at)):
            x, y, z = lamps.at[k, 0] - centre[0], lamps.at[k, 1] - centre[1], lamps.at[k, 2] - centre[2]
            ahead = -(x * lamps.axis[k, 0] + y * lamps.axis[k, 1] + z * lamps.axis[k, 2])
            if x * x + y * y + z * z < (lamps.reach_m[k] + radius) ** 2 and ahead > -radius:
                _throw(points, normals, first, last, lamps, k, out)
    return out


@numba.njit(cache=True)
def _throw(points, normals, first, last, lamps: Lamps, k, out):  # pragma: no cover - compiled
    """Add to ``out`` what lamp ``k`` throws on the points ``first`` to ``last``."""
    for n in range(first, last):
        x, y = lamps.at[k, 0] - points[n, 0], lamps.at[k, 1] - points[n, 1]
        z = lamps.at[k, 2] - points[n, 2]
        square = x * x + y * y + z * z + np.float32(0.05)
        onto = x * normals[n, 0] + y * normals[n, 1] + z * normals[n, 2]
        out_of = -(x * lamps.axis[k, 0] + y * lamps.axis[k, 1] + z * lamps.axis[k, 2])
        if onto <= 0.0 or out_of <= 0.0:
            continue
        away = np.sqrt(square)
        cosine, power, beam = out_of / away, lamps.focus[k], onto / (away * square)
        if power * (np.float32(1.0) - cosine) > 12.0:  # cos^power < exp(-12)
            continue
        while power:
            if power & 1:
                beam *= cosine
            cosine *= cosine
            power >>= 1
        for c in range(3):
            out[n, c] += lamps.candela[k, c] * beam
