"""People: proportions, clothes, and a walk whose planted foot stays where it is.

Lengths are shares of the body height, after Drillis & Contini, *Body Segment Parameters* (1966); the step is 0.41 of
it (0.7 m for an adult).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, loft, tube
from simulation.shapes.palette import BLACK, CLOTHS, HAIR, SKINS, TROUSERS, pick
from simulation.shapes.state import State

STEP = 0.41  # of the body height, heel to heel: half a cycle of the walk
_HIP, _THIGH, _SHIN, _ANKLE = 0.530, 0.245, 0.246, 0.042
_SHOULDER, _UPPER_ARM, _FOREARM = 0.815, 0.175, 0.20
Point = np.ndarray


class Figure(NamedTuple):
    """Somebody: ``height_m``, how stout (1 is average), and what is seen of them."""

    height_m: float
    stout: float
    skin: Look
    hair: Look
    coat: Look
    trousers: Look
    shoes: Look


def draw_figure(rng: np.random.Generator, state: State, adult: bool = False) -> Figure:
    """A person: one in eight is a child unless an ``adult`` is wanted."""
    child = rng.random() < 0.12
    height = float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95))
    if child and not adult:
        height = rng.uniform(1.0, 1.5)
    cloth = [state.look(Material.CLOTH, pick(rng, rgbs)) for rgbs in (CLOTHS, TROUSERS)]
    skin, hair = state.look(Material.SKIN, pick(rng, SKINS)), state.look(Material.CLOTH, pick(rng, HAIR))
    shoes = state.look(Material.RUBBER, pick(rng, (BLACK, (0.25, 0.17, 0.12), (0.75, 0.75, 0.73))))
    return Figure(height, float(np.clip(rng.normal(1.0, 0.1), 0.85, 1.3)), skin, hair, *cloth, shoes)


def pedestrian(rng: np.random.Generator, state: State) -> Mesh:
    """Somebody on foot, perhaps with a bag or a rucksack, at ``state.phase`` of the walk."""
    who = draw_figure(rng, state)
    burden, skirt = pick(rng, ("", "", "", "rucksack", "bag")), rng.random() < 0.2
    h = who.height_m
    swing = _leg_swing(state.phase)
    feet = [_foot(h, side, u) for side, u in ((1, state.phase), (-1, state.phase + 0.5))]
    reach = 0.998 * (_THIGH + _SHIN) * h
    hip_z = min(ankle[2] + np.sqrt(reach**2 - ankle[0] ** 2) for ankle, _ in feet)
    hip_z = min(hip_z, _HIP * h)
    lift = hip_z - _HIP * h
    parts = []
    for side, (ankle, toe) in zip((1, -1), feet, strict=True):
        parts.append(leg(who, np.array([0.0, 0.052 * h * side, hip_z]), ankle, toe))
        parts.append(_hanging_arm(who, side, -side * swing, lift))
    pelvis, neck = np.array([0.0, 0.0, hip_z - 0.03 * h]), np.array([0.015 * h, 0.0, _SHOULDER * h + lift])
    parts += [torso(who, pelvis, neck), head(who, neck + np.array([0.01 * h, 0.0, 0.02 * h]))]
    bag = state.look(Material.CLOTH, pick(rng, CLOTHS))
    if burden == "rucksack":
        parts.append(box((0.10 * h, 0.17 * h, 0.24 * h), (-0.11 * h, 0.0, 0.70 * h + lift), bag))
    if burden == "bag":
        parts.append(box((0.17 * h, 0.06 * h, 0.16 * h), (-0.02 * h, -0.165 * h, 0.45 * h + lift), bag))
    if skirt:
        top, hem = np.array([0.0, 0.0, hip_z + 0.02 * h]), np.array([0.0, 0.0, 0.30 * h])
        parts.append(tube(hem, top, ((0.095 + 0.05 * abs(swing)) * h, 0.085 * h), who.coat, 10))
    return join(parts)


def _leg_swing(phase: float) -> float:
    """How far the left foot is ahead, in half steps: -1..1."""
    u = (phase + 0.25) % 1.0
    return 1.0 - 4.0 * u if u < 0.5 else -np.cos(2 * np.pi * (u - 0.5))


def _foot(h: float, side: int, phase: float) -> tuple[Point, Point]:
    """Ankle and tip of a foot. It is on the ground for phases -1/4..1/4 and moves back there with the ground."""
    ahead = _leg_swing(phase)
    u = (phase + 0.25) % 1.0
    clear = 0.045 * h * np.sin(4 * np.pi * (u - 0.5)) ** 2 if u >= 0.5 else 0.0
    heel_up, toe_up = 0.055 * h * max(-ahead, 0.0) ** 2, 0.05 * h * max(ahead, 0.0) ** 2
    x = 0.5 * STEP * h * ahead
    ankle = np.array([x, 0.055 * h * side, _ANKLE * h + clear + heel_up + 0.3 * toe_up])
    return ankle, np.array([x + 0.115 * h - 0.3 * heel_up, 0.065 * h * side, 0.022 * h + clear + toe_up])


def leg(who: Figure, hip: Point, ankle: Point, toe: Point) -> Mesh:
    """Thigh, shin and shoe; the knee bends forwards."""
    h, k = who.height_m, who.stout
    knee = joint(hip, ankle, _THIGH * h, _SHIN * h, np.array([1.0, 0.0, 0.3]))
    heel = ankle + np.array([-0.035 * h, 0.0, -0.45 * _ANKLE * h])
    return join(
        [
            tube(knee, hip, (0.034 * h * k, 0.050 * h * k), who.trousers, 7),
            tube(ankle, knee, (0.025 * h, 0.036 * h * k), who.trousers, 7),
            tube(heel, toe, (0.025 * h, 0.018 * h), who.shoes, 6),
        ]
    )


def _hanging_arm(who: Figure, side: int, swing: float, lift: float) -> Mesh:
    h = who.height_m
    shoulder = np.array([0.01 * h, 0.118 * h * side, (_SHOULDER - 0.015) * h + lift])
    angle, bend = 0.45 * swing, 0.25 + 0.25 * max(swing, 0.0)
    elbow = shoulder + _UPPER_ARM * h * np.array([np.sin(angle), 0.12 * side, -np.cos(angle)])
    hand = elbow + _FOREARM * h * np.array([np.sin(angle + bend), 0.03 * side, -np.cos(angle + bend)])
    return arm(who, shoulder, elbow, hand)


def arm(who: Figure, shoulder: Point, elbow: Point, hand: Point) -> Mesh:
    """Upper arm, forearm and hand."""
    h, k = who.height_m, who.stout
    wrist = elbow + 0.75 * (hand - elbow)
    return join(
        [
            tube(elbow, shoulder, (0.026 * h * k, 0.034 * h * k), who.coat, 6),
            tube(wrist, elbow, (0.021 * h, 0.026 * h * k), who.coat, 6),
            tube(wrist, hand, (0.019 * h, 0.014 * h), who.skin, 5),
        ]
    )


def torso(who: Figure, pelvis: Point, neck: Point) -> Mesh:
    """From the seat to the shoulders, leaning as the two points do."""
    h, k = who.height_m, who.stout
    shape = ((0.0, 0.082, 0.058), (0.12, 0.094, 0.066), (0.38, 0.086, 0.062), (0.70, 0.103, 0.070))
    shape += (
        (0.93, 0.118, 0.056),
        (1.0, 0.080, 0.044),
        (1.05, 0.038, 0.034),
    )  # share of the way up, half width, half depth
    angle = np.arange(10) * (2 * np.pi / 10)
    rings = [
        pelvis + t * (neck - pelvis) + h * k * np.stack([deep * np.cos(angle), wide * np.sin(angle), 0 * angle], 1)
        for t, wide, deep in shape
    ]
    return loft(np.stack(rings), [who.coat])


def head(who: Figure, neck: Point, helmet: Look | None = None) -> Mesh:
    """Neck and head, with hair or a ``helmet``."""
    h = max(who.height_m, 0.75 + 0.5 * who.height_m)  # a child's head is large
    shape = ((0.035, 0.026, 0.030, 0.010), (0.060, 0.040, 0.044, 0.008), (0.095, 0.044, 0.052, 0.0))
    shape += ((0.130, 0.043, 0.054, -0.004), (0.150, 0.028, 0.034, -0.004))  # height, half width, half depth, ahead
    angle = np.arange(8) * (2 * np.pi / 8)
    grow = 1.2 if helmet else 1.0
    rings = [
        neck + h * np.stack([x + grow * deep * np.cos(angle), grow * wide * np.sin(angle), np.full(8, z)], 1)
        for z, wide, deep, x in shape
    ]
    which = np.ones((4, 8), np.int64)
    which[2:] = 0
    which[1, 2:6] = 0  # the back of the head
    throat = tube(
        neck - (0.0, 0.0, 0.02 * h), neck + np.array([0.0, 0.0, 0.06 * h]), (0.032 * h, 0.03 * h), who.skin, 6
    )
    return join([throat, loft(np.stack(rings), [helmet or who.hair, who.skin], which)])


def joint(start: Point, end: Point, first_m: float, second_m: float, towards: Point) -> Point:
    """Where the knee or elbow of two links is that reach from ``start`` to ``end``, bent ``towards`` a direction."""
    along = end - start
    distance = float(np.clip(np.linalg.norm(along), 1e-6, 0.999 * (first_m + second_m)))
    along = along / np.linalg.norm(along)
    near = (distance**2 + first_m**2 - second_m**2) / (2 * distance)
    side = towards - (towards @ along) * along
    return start + near * along + np.sqrt(max(first_m**2 - near**2, 0.0)) * side / np.linalg.norm(side)
