"""Thirty metres of street, built from the ground up. Nothing here moves."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.actors import Actor
from simulation.shapes.mesh import Mesh, join
from simulation.world.bridge import span_bridge
from simulation.world.centreline import Centreline
from simulation.world.ground import lay_ground
from simulation.world.junction import lay_junction, line_side_streets
from simulation.world.kerbside import furnish_kerb, park_vehicles, reserve_places
from simulation.world.markings import paint_markings
from simulation.world.open_land import close_view
from simulation.world.pavement import furnish_pavement
from simulation.world.plan import Plan
from simulation.world.plots import build_plots
from simulation.world.site import Site
from simulation.world.works import set_up_works


@dataclass(frozen=True, eq=False)
class Built:
    """What stands on a stretch, in street coordinates: one mesh, and those of its things that count."""

    mesh: Mesh
    things: tuple[Actor, ...]


class Stretch:
    """Stretch ``number`` of a street: from ``number``·30 m on. It depends on no other stretch."""

    def __init__(self, seed: int, plan: Plan, line: Centreline, number: int) -> None:
        self._site = Site(seed, plan, line, number)

    def build(self) -> Built:
        """Everything that stands here. Whoever builds first has the ground: nothing is built over anything."""
        site = self._site
        lay_ground(site)
        lay_junction(site)
        paint_markings(site)
        reserve_places(site)
        set_up_works(site)
        span_bridge(site)
        park_vehicles(site)
        for flank in site.flanks:
            furnish_kerb(site, flank)
        for flank in site.flanks:
            build_plots(site, flank)
        line_side_streets(site)
        for flank in site.flanks:
            furnish_pavement(site, flank)
            close_view(site, flank)
        return Built(join(site.parts), tuple(site.things))
