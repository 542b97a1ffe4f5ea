"""Bicycles, motorcycles and scooters, alone or with their riders."""

from __future__ import annotations

import numpy as np

from simulation.shapes.bodywork import wheel
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, hoop, join, tube
from simulation.shapes.palette import BLACK, CLOTHS, pick, pick_paint
from simulation.shapes.people import Figure, arm, draw_figure, head, joint, leg, torso
from simulation.shapes.state import State

DEVELOPMENT_M = 4.6  # forward on one turn of the pedals, in a middle gear
_CRANK = np.array([-0.10, 0.0, 0.29])  # a bicycle's bottom bracket
_CRANK_M, _SADDLE_M = 0.17, 0.96


def bicycle(rng: np.random.Generator, state: State) -> Mesh:
    """A bicycle, 1.75 m long; its pedals stand as ``state.phase`` says."""
    frame, black = state.look(Material.METAL, pick_paint(rng)), state.look(Material.METAL, BLACK)
    basket, guards, sport = rng.random() < 0.25, rng.random() < 0.6, rng.random() < 0.3
    radius, axles = 0.34, (-0.53, 0.53)
    saddle, head_tube, bars = (-0.22, 0, _SADDLE_M - 0.05), (0.36, 0, 0.86), 0.98 if sport else 1.06
    low_top = 0.80 if sport else rng.uniform(0.5, 0.8)  # step-through frames have none
    bones = [
        ((axles[0], 0, radius), (-0.18, 0, 0.80), 0.012),
        (tuple(_CRANK), saddle, 0.017),
        (tuple(_CRANK), (0.38, 0, 0.76), 0.02),
        ((-0.17, 0, low_top), (0.37, 0, 0.84), 0.017),
        ((axles[0], 0, radius), tuple(_CRANK), 0.012),
        ((axles[1], 0, radius), head_tube, 0.018),
        (head_tube, (0.33, 0, bars), 0.015),
    ]
    parts = [tube(a, b, (r, r), frame, 5) for a, b, r in bones]
    parts += [tube((0.33, 0.29 * side, bars), (0.34, 0, bars - 0.02), (0.014, 0.014), black, 5) for side in (-1, 1)]
    parts += [tube((0.22, 0.29 * side, bars), (0.33, 0.29 * side, bars), (0.018, 0.016), black, 5) for side in (-1, 1)]
    parts.append(
        frustum((-0.36, -0.08, -0.09, 0.09), (-0.36, -0.08, -0.07, 0.04), (_SADDLE_M - 0.06, _SADDLE_M), black)
    )
    rubber = state.look(Material.RUBBER, BLACK)
    for x in axles:
        parts.append(hoop((x, 0, radius), (0.30, radius), 0.04, rubber))
        for angle in np.arange(3) * (np.pi / 3) + 0.2:
            rim = 0.31 * np.array([np.cos(angle), 0.0, np.sin(angle)])
            hub = np.array([x, 0.0, radius])
            parts.append(tube(hub - rim, hub + rim, (0.005, 0.005), black, 3))  # two spokes in line
    parts += _pedals(state.phase, black)
    parts.append(box((0.04, 0.07, 0.07), (0.44, 0, 0.82), state.head_lamp()))
    parts.append(box((0.03, 0.08, 0.05), (-0.72, 0, 0.62), state.lamp((1.0, 0.07, 0.04), 0.6 if state.lights else 0.0)))
    if guards:  # and a carrier over the rear wheel
        parts.append(box((0.42, 0.12, 0.02), (-0.52, 0, 0.74), black))
        parts.append(tube((axles[0], 0.05, radius), (-0.62, 0.05, 0.73), (0.008, 0.008), black, 4))
    if basket:
        wicker = state.look(Material.WOOD, (0.45, 0.33, 0.2))
        parts.append(frustum((0.40, 0.66, -0.14, 0.14), (0.38, 0.70, -0.18, 0.18), (0.80, 1.02), wicker))
    return join(parts)


def _pedals(phase: float, look: Look) -> list[Mesh]:
    parts = []
    for side in (1, -1):
        centre, foot = _CRANK + np.array([0.0, 0.06 * side, 0.0]), _pedal(phase, side)
        parts.append(tube(centre, foot + np.array([0.0, -0.05 * side, 0.0]), (0.012, 0.012), look, 4))
        parts.append(box((0.09, 0.10, 0.02), foot, look))
    return parts


def _pedal(phase: float, side: int) -> np.ndarray:
    angle = 2 * np.pi * phase + (0.0 if side > 0 else np.pi)  # level at 0; forward and down on the left first
    return _CRANK + _CRANK_M * np.array([np.cos(angle), 0.0, -np.sin(angle)]) + np.array([0.0, 0.12 * side, 0.0])


def cyclist(rng: np.random.Generator, state: State) -> Mesh:
    """A person on a bicycle, pedalling; both carry the rider's label, as in SemanticKITTI."""
    who = draw_figure(rng, state, adult=True)
    h, machine = who.height_m, bicycle(rng, state)
    helmet = state.look(Material.CAR_PAINT, pick_paint(rng)) if rng.random() < 0.5 else None
    lean = rng.uniform(0.10, 0.36)
    hip = np.array([-0.22, 0.0, _SADDLE_M + 0.05])
    feet = []
    for side in (1, -1):
        toe = _pedal(state.phase, side) + np.array([0.06, 0.0, 0.05])
        feet.append((toe + np.array([-0.115 * h, 0.0, 0.035 * h]), toe))
    parts = [machine, *_rider(who, hip, lean, np.array([0.26, 0.28, 1.04]), feet, helmet)]
    if rng.random() < 0.3:
        bag = state.look(Material.CLOTH, pick(rng, CLOTHS))
        parts.append(box((0.13, 0.30, 0.38), (hip[0] + 0.2 * lean - 0.14, 0.0, hip[2] + 0.32), bag))
    return join(parts)


def motorcycle(rng: np.random.Generator, state: State) -> Mesh:
    """A motorcycle or, as often, a scooter; about 2 m long."""
    scooter = rng.random() < 0.5
    paint, black = state.look(Material.CAR_PAINT, pick_paint(rng)), state.look(Material.METAL, BLACK)
    steel, rubber = state.look(Material.METAL, (0.45, 0.46, 0.48)), state.look(Material.RUBBER, BLACK)
    radius, reach = (0.23, 0.62) if scooter else (0.31, 0.70)
    parts = [wheel(state, x, 0.055, radius, 0.11) for x in (-reach, reach)]
    parts += [tube((reach, y, radius), (0.42, y, 0.98), (0.025, 0.03), steel, 5) for y in (-0.08, 0.08)]
    parts += [tube((0.34, 0.36 * side, 1.05), (0.42, 0.0, 1.0), (0.018, 0.018), black, 5) for side in (-1, 1)]
    parts += [box((0.02, 0.14, 0.09), (0.40, 0.32 * side, 1.17), black) for side in (-1, 1)]  # mirrors
    if scooter:
        parts.append(frustum((0.30, 0.62, -0.19, 0.19), (0.28, 0.40, -0.15, 0.15), (0.28, 1.0), paint))
        parts.append(box((0.62, 0.30, 0.12), (0.02, 0.0, 0.30), black))
        parts.append(frustum((-0.88, -0.22, -0.17, 0.17), (-0.80, -0.26, -0.13, 0.13), (0.32, 0.72), paint))
        parts.append(frustum((-0.82, -0.20, -0.14, 0.14), (-0.80, -0.22, -0.12, 0.12), (0.72, 0.80), rubber))
    else:
        parts.append(frustum((-0.28, 0.34, -0.20, 0.20), (-0.22, 0.28, -0.17, 0.17), (0.24, 0.62), steel))  # engine
        parts.append(frustum((-0.12, 0.38, -0.16, 0.16), (-0.06, 0.34, -0.11, 0.11), (0.62, 0.90), paint))  # tank
        parts.append(frustum((-0.80, -0.10, -0.12, 0.12), (-0.84, -0.12, -0.10, 0.10), (0.66, 0.80), rubber))
        parts.append(tube((-0.95, -0.17, 0.40), (-0.1, -0.17, 0.28), (0.055, 0.04), steel, 7))  # exhaust
        parts.append(tube((-reach, 0.1, radius), (-0.2, 0.1, 0.36), (0.03, 0.04), black, 5))
    parts.append(box((0.08, 0.18, 0.16), (0.52, 0.0, 0.88), state.head_lamp()))
    parts.append(box((0.05, 0.18, 0.08), (-0.86, 0.0, 0.70), state.tail_lamp()))
    parts.append(box((0.02, 0.20, 0.16), (-0.90, 0.0, 0.54), state.look(Material.RETRO, (0.85, 0.85, 0.82))))
    for side, name in ((1, "left"), (-1, "right")):
        parts += [box((0.05, 0.07, 0.05), (x, 0.20 * side, 0.74), state.indicator(name)) for x in (-0.80, 0.48)]
    return join(parts)


def motorcyclist(rng: np.random.Generator, state: State) -> Mesh:
    """A person in a helmet on a motorcycle or scooter."""
    who = draw_figure(rng, state, adult=True)
    machine = motorcycle(rng, state)
    helmet = state.look(Material.CAR_PAINT, pick_paint(rng))
    hip = np.array([-0.30, 0.0, 0.86])
    feet = [(np.array([0.02, 0.21 * side, 0.40]), np.array([0.20, 0.22 * side, 0.36])) for side in (1, -1)]
    return join([machine, *_rider(who, hip, rng.uniform(0.08, 0.22), np.array([0.32, 0.34, 1.06]), feet, helmet)])


def _rider(
    who: Figure,
    hip: np.ndarray,
    lean_m: float,
    left_grip: np.ndarray,
    feet: list[tuple[np.ndarray, np.ndarray]],
    helmet: Look | None,
) -> list[Mesh]:
    """Somebody seated: ``feet`` are ankle and toe, left then right; ``lean_m`` is how far the neck is ahead."""
    h = who.height_m
    neck = hip + np.array([lean_m, 0.0, np.sqrt((0.30 * h) ** 2 - (0.5 * lean_m) ** 2)])
    parts = [torso(who, hip - (0.0, 0.0, 0.03), neck), head(who, neck + np.array([0.02, 0.0, 0.02 * h]), helmet)]
    for side, (ankle, toe) in zip((1, -1), feet, strict=True):
        parts.append(leg(who, hip + np.array([0.02, 0.055 * h * side, 0.0]), ankle, toe))
        shoulder, hand = neck + np.array([0.0, 0.115 * h * side, -0.02 * h]), left_grip * (1.0, side, 1.0)
        elbow = joint(shoulder, hand, 0.175 * h, 0.20 * h, np.array([-0.3, 0.6 * side, -1.0]))
        parts.append(arm(who, shoulder, elbow, hand))
    return parts
