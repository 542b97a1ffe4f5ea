"""Where on a sidewalk people walk."""

from __future__ import annotations

from simulation.traffic.stage import Stage

CORNER_M = 0.6  # radius of a pedestrian's turn


def lanes_m(stage: Stage, side: int) -> tuple[float, float]:
    """Distances from the centre line at which people walk along +s, and along -s; equal where there is no room."""
    land = stage.plan.side(side)
    inner = stage.plan.kerb_m(side) + land.verge_m
    wide = land.sidewalk_m
    near, far = (inner + 0.42 * wide, inner + 0.72 * wide) if wide >= 2.4 else (inner + 0.55 * wide,) * 2
    return (near, far) if side < 0 else (far, near)


def direction_on(stage: Stage, side: int, wish: int) -> int:
    """Narrow sidewalks are walked in one direction only."""
    plus, minus = lanes_m(stage, side)
    return wish if plus != minus else -side
