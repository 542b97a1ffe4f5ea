"""What of a countable thing changes from moment to moment: its label, its limbs' phase, its lamps."""

from __future__ import annotations

from typing import Literal, NamedTuple

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look
from simulation.shapes.palette import RGB

Indicator = Literal["", "left", "right"]
WHITE: RGB = (1.0, 0.97, 0.88)
RED: RGB = (1.0, 0.07, 0.04)
AMBER: RGB = (1.0, 0.55, 0.04)


class State(NamedTuple):
    """``label``: SemanticKITTI's raw label of every triangle. ``phase`` 0..1: where in its step; 0 feet together."""

    label: int
    phase: float = 0.0
    braking: bool = False
    indicating: Indicator = ""
    lights: bool = False

    def look(self, material: Material, rgb: RGB) -> Look:
        """A surface of the thing."""
        return Look(self.label, material, rgb)

    def lamp(self, rgb: RGB, shine: float) -> Look:
        """A lamp of colour ``rgb`` that shines with a ``shine`` of 0 (off: a reflecting lens) to 1."""
        if shine:
            return Look(self.label, Material.LAMP, _scaled(rgb, shine))
        return Look(self.label, Material.RETRO, _scaled(rgb, 0.5))

    def head_lamp(self) -> Look:
        """White, ahead."""
        return self.lamp(WHITE, 1.0 if self.lights else 0.0)

    def tail_lamp(self) -> Look:
        """Red, behind: dim with the lights, bright when braking."""
        return self.lamp(RED, 1.0 if self.braking else 0.45 if self.lights else 0.0)

    def indicator(self, side: Indicator) -> Look:
        """Amber, on one side."""
        return self.lamp(AMBER, 1.0 if self.indicating == side else 0.0)


def _scaled(rgb: RGB, factor: float) -> RGB:
    return (rgb[0] * factor, rgb[1] * factor, rgb[2] * factor)
