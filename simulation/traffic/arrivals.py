"""Who enters the street: what comes into view with it, and who comes along it. Who is out of reach goes."""

from __future__ import annotations

import math

from simulation.traffic.junction import Junction
from simulation.traffic.kerbside import call_bus, fill_bays, load
from simulation.traffic.lanes import Lanes
from simulation.traffic.passers_by import PassersBy
from simulation.traffic.scenes import arrange
from simulation.traffic.side_streets import SideStreets
from simulation.traffic.stage import Stage
from simulation.traffic.users import User
from simulation.world.layout import AHEAD_M, BEHIND_M, SIDE_REACH_M, STRETCH_M, draw_layout


class Arrivals:
    """Lets everybody in."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lanes, self._side_streets, self._passers_by = Lanes(stage), SideStreets(stage), PassersBy(stage)
        self._revealed = 0  # stretches before this one are known
        self._foreseen = 0  # and crossings before this stretch: who drives ahead comes to them earlier

    def start(self) -> None:
        """Everybody who is there at the beginning."""
        self._revealed = self._foreseen = math.floor((self._stage.ego.s - BEHIND_M) / STRETCH_M)
        self._passers_by.start()
        self._reveal()
        self._lanes.queue()
        self._lanes.fill()

    def step(self) -> None:
        """Whoever enters now; whoever is out of reach goes."""
        stage = self._stage
        for user in [u for u in stage.users if self._is_gone(u)]:
            stage.remove(user)
        if stage.tick % 10 == 0:
            self._reveal()
            self._lanes.feed()
            self._side_streets.feed()

    def _is_gone(self, user: User) -> bool:
        ahead = AHEAD_M + (STRETCH_M if user.speed_mps == 0.0 else 0.0)  # who stands comes with its stretch
        return not -BEHIND_M <= user.s - self._stage.ego.s <= ahead or abs(user.d) > SIDE_REACH_M - 1.0

    def _reveal(self) -> None:
        """Know the stretches that have come into reach, with who is there; forget those that are behind."""
        stage = self._stage
        while self._foreseen * STRETCH_M < stage.ego.s + AHEAD_M + 2.0 * STRETCH_M:
            self._foresee(self._foreseen)
            self._foreseen += 1
        while self._revealed * STRETCH_M < stage.ego.s + AHEAD_M - 5.0:
            number = self._revealed
            layout = stage.layouts[number] = draw_layout(stage.seed, stage.plan, number)
            fill_bays(stage, number)
            load(stage, number)
            call_bus(stage, number)
            self._passers_by.gather(layout)
            arrange(stage, layout)
            self._revealed += 1
        for number in [n for n in stage.layouts if (n + 1) * STRETCH_M < stage.ego.s - BEHIND_M - 20.0]:
            del stage.layouts[number]
            self._drop_junction(number)
        stage.pairs = [p for p in stage.pairs if p.front.s > stage.ego.s - BEHIND_M]
        self._passers_by.reveal()

    def _foresee(self, number: int) -> None:
        crossing = draw_layout(self._stage.seed, self._stage.plan, number).crossing
        if crossing is not None:
            junction = Junction(self._stage.seed, self._stage.plan, crossing, number)
            self._stage.junctions[number] = junction
            self._side_streets.expect(junction)

    def _drop_junction(self, number: int) -> None:
        stage = self._stage
        gone = stage.junctions.pop(number, None)
        if gone is not None:
            self._side_streets.forget(number)
            for user in [u for u in stage.users if (u.movement and u.movement.junction is gone) or abs(u.d) > 15.0]:
                if abs(user.s - gone.crossing.s) < 10.0:
                    stage.remove(user)
