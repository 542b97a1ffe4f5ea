"""What all vehicles are put together from: a skin with panes and wheel arches, wheels, lamps, plates, mirrors.

The skin is lofted through cross-sections. Five lines, drawn as on a coach builder's plan, give each section its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, loft
from simulation.shapes.palette import BLACK, GLASS, RGB
from simulation.shapes.state import State

Line = Sequence[tuple[float, float]]  # (x, metres) from the rear forward


class Lines(NamedTuple):
    """A vehicle's shape. Heights: ``floor``, ``waist`` (lower edge of the side windows), ``roof`` (bonnet and boot
    too). Half widths: ``width`` (the greatest), ``shoulder`` (at the roof's edge)."""

    floor: Line
    waist: Line
    roof: Line
    width: Line
    shoulder: Line


class Panes(NamedTuple):
    """Stretches of x that are glass: in the sides, and in what the roof line does (wind screen, rear window)."""

    side: Sequence[tuple[float, float]]
    across: Sequence[tuple[float, float]]


_UNDER, _SIDE, _ACROSS = (0, 1, 12, 13), (4, 9), (6, 7)  # panels of a section, counted round from below


def skin(state: State, lines: Lines, panes: Panes, paint: Look, arches: Sequence[tuple[float, float]] = ()) -> Mesh:
    """A vehicle's closed skin. ``arches``: x and radius of each wheel arch."""
    x = _stations(lines, panes, arches)
    floor, waist, roof, width, shoulder = (np.interp(x, *np.array(line, float).T) for line in lines)
    low = floor.copy()
    for centre, radius in arches:
        rise = np.sqrt(np.maximum(radius**2 - (x - centre) ** 2, 0.0))
        low = np.maximum(low, np.where(rise > 0.0, 0.55 * radius + rise, 0.0))
    low = np.minimum(low, waist - 0.08)
    crease = np.maximum(0.5 * (floor + waist), low + 0.4 * (waist - low))
    lean = np.minimum(0.12, 0.3 * shoulder)
    half = [  # y, z of the left half, from the middle below to the middle above
        (0.0 * x, low),
        (width - np.minimum(0.10, 0.2 * width), low),
        (width - 0.02, low + 0.15 * (waist - low)),
        (width, crease),
        (width - 0.03, waist),
        (shoulder, waist + 0.88 * (roof - waist)),
        (shoulder - lean, roof),
        (0.0 * x, roof + 0.02),
    ]
    left = np.stack([np.stack([x, y, z], 1) for y, z in half], 1)
    right = left[:, -2:0:-1] * (1.0, -1.0, 1.0)
    middle = 0.5 * (x[:-1] + x[1:])
    which = np.zeros((len(middle), 14), np.int64)
    which[:, _UNDER] = 2
    which[np.ix_(_within(middle, panes.side), _SIDE)] = 1
    which[np.ix_(_within(middle, panes.across), _ACROSS)] = 1
    looks = [paint, state.look(Material.GLASS, GLASS), state.look(Material.METAL, BLACK)]
    return loft(np.concatenate([left, right], 1), looks, which)


def _stations(lines: Lines, panes: Panes, arches: Sequence[tuple[float, float]]) -> np.ndarray:
    """Where sections are drawn: at every knot of the lines, at the panes' ends and round the arches."""
    knots = [x for line in lines for x, _ in line] + [x for pane in (*panes.side, *panes.across) for x in pane]
    knots += [centre + radius * k for centre, radius in arches for k in (-0.999, -0.7, 0.0, 0.7, 0.999)]
    x = np.unique(np.round(knots, 3))
    apart = np.concatenate([[True], np.diff(x) > 0.03])
    apart[-1] = True
    return x[apart]


def _within(x: np.ndarray, spans: Sequence[tuple[float, float]]) -> np.ndarray:
    return np.flatnonzero(np.any([(x > a) & (x < b) for a, b in spans], axis=0)) if spans else np.zeros(0, np.int64)


def wheel(state: State, x: float, y: float, radius: float, width: float, rim: RGB = (0.5, 0.51, 0.53)) -> Mesh:
    """A wheel that stands on the ground: its outer face at ``y``, whose sign is its side."""
    outward = 1.0 if y > 0 else -1.0
    angle = -outward * np.arange(12) * (2 * np.pi / 12)
    profile = [(0.75, -width), (1.0, -0.85 * width), (1.0, -0.12 * width), (0.68, 0.0)]
    rings = [
        np.stack(
            [x + k * radius * np.sin(angle), np.full(12, y + outward * out), radius + k * radius * np.cos(angle)], 1
        )
        for k, out in profile
    ]
    looks = [state.look(Material.METAL, rim), state.look(Material.RUBBER, BLACK)]
    return loft(np.stack(rings), looks, 1)


def axle(state: State, x: float, half_width: float, radius: float, width: float = 0.2) -> Mesh:
    """A pair of wheels, with the dark of the wheel house between them."""
    dark = state.look(Material.METAL, BLACK)
    inner = box((1.7 * radius, 2 * (half_width - width - 0.03), radius), (x, 0.0, 1.25 * radius), dark)
    return join([*(wheel(state, x, side * half_width, radius, width) for side in (-1, 1)), inner])


def pair(look: Look | tuple[Look, Look], size: Sequence[float], centre: Sequence[float], yaw: float = 0.0) -> Mesh:
    """The same box on the left (+y, turned by ``yaw``) and, mirrored, on the right."""
    left, right = look if isinstance(look[0], tuple) else (look, look)
    x, y, z = centre
    return join([box(size, (0, 0, 0), left).placed(x, y, z, yaw), box(size, (0, 0, 0), right).placed(x, -y, z, -yaw)])


def lights(
    state: State, front: tuple[float, float, float], rear: tuple[float, float, float], upright: bool, bow: float = 0.6
) -> Mesh:
    """Head lamps, rear lamps and indicators around the given left corners; ``upright`` rear lamps are tall and narrow.

    ``bow`` is the yaw (rad) by which the head lamps follow the rounded nose.
    """
    (fx, fy, fz), (rx, ry, rz) = front, rear
    amber = state.indicator("left"), state.indicator("right")
    tall, wide = (0.34, 0.13) if upright else (0.15, 0.30)
    return join(
        [
            pair(state.head_lamp(), (0.10, 0.30, 0.14), (fx, fy, fz), bow),
            pair(amber, (0.06, 0.12, 0.09), (fx - 0.10, fy + 0.11, fz - 0.01), 1.7 * bow),
            pair(state.tail_lamp(), (0.08, wide, tall), (rx, ry, rz), -0.2),
            pair(amber, (0.08, wide, 0.07), (rx, ry, rz - tall / 2 - 0.05), -0.2),
        ]
    )


def plate(state: State, x: float, z: float) -> Mesh:
    """A number plate, 52 cm by 11 cm."""
    return box((0.03, 0.52, 0.11), (x, 0.0, z), state.look(Material.RETRO, (0.85, 0.85, 0.82)))


def mirrors(state: State, x: float, y: float, z: float, size: Sequence[float], paint: Look) -> Mesh:
    """Wing mirrors centred at (x, ±y, z)."""
    housing = pair(paint, size, (x, y, z))
    return join(
        [
            housing,
            pair(state.look(Material.GLASS, GLASS), (0.01, 0.8 * size[1], 0.8 * size[2]), (x - size[0] / 2, y, z)),
        ]
    )


def seats(state: State, rows: Sequence[float], half: float, seat_z: float, top_z: float) -> Mesh:
    """Backs of the seats at each of ``rows`` (x): what a pulse meets that comes in through a window."""
    cloth = state.look(Material.CLOTH, (0.12, 0.12, 0.13))
    high = top_z - seat_z
    return join([pair(cloth, (0.14, 0.80 * half, high), (x, 0.45 * half, seat_z + high / 2)) for x in rows])
