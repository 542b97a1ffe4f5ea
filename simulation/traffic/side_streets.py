"""Who comes along the side streets."""

from __future__ import annotations

import math

from simulation.traffic import drivers
from simulation.traffic.junction import Junction
from simulation.traffic.kinds import CYCLISTS, SIDE, draw_kind
from simulation.traffic.paths import Path
from simulation.traffic.stage import Stage
from simulation.traffic.users import Cue, draw_user
from simulation.world.layout import AHEAD_M, SIDE_REACH_M

_PAUSE_S = 20.0, 7.0  # between two who come along one arm, and where they are seen
_TURN = 0.8  # share of those who do not go straight on
_RIDE_S = 10.5  # from where they appear to the crossing


class SideStreets:
    """Feeds the arms of the crossings in reach."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._first: dict[tuple[int, int], Cue] = {}  # by crossing and arm: who comes first
        self._due_s: dict[tuple[int, int], float] = {}  # and when the next one comes

    def expect(self, junction: Junction) -> None:
        """The first one along each arm comes to the crossing just before the ego vehicle does."""
        for arm in junction.crossing.arms:
            rng = self._stage.rng(26, junction.number, arm)
            self._first[junction.number, arm] = Cue(junction.crossing.s, rng.uniform(55.0, 70.0), _RIDE_S)

    def forget(self, number: int) -> None:
        """The crossing of this number is out of reach."""
        for arm in (1, -1):
            self._first.pop((number, arm), None)
            self._due_s.pop((number, arm), None)

    def feed(self) -> None:
        """Whoever comes now."""
        stage = self._stage
        rate = stage.settings.vehicles + CYCLISTS * stage.settings.cyclists
        for junction in stage.junctions.values():
            if not rate or not -10.0 < junction.crossing.s - stage.ego.s < AHEAD_M - 10.0:
                continue
            for arm in junction.crossing.arms:
                coming = 20.0 < junction.crossing.s - stage.ego.s < 120.0
                key = junction.number, arm
                if stage.t_s >= self._due_s[key] if key in self._due_s else stage.is_due(self._first[key]):
                    rng = stage.rng(24, junction.number, arm, stage.tick)
                    self._due_s[key] = stage.t_s + 3.0 + rng.exponential(_PAUSE_S[coming] / rate)
                    self._enter(junction, -arm)

    def _enter(self, junction: Junction, direction: int) -> None:
        """Somebody comes along a side street in ``direction`` along d."""
        stage = self._stage
        number = stage.number()
        rng = stage.rng(25, number)
        kind = draw_kind(stage, SIDE, rng)
        if kind is None:
            return
        want = rng.uniform(3.5, 5.0) if kind == "cyclist" else rng.uniform(7.5, 9.5)
        far = SIDE_REACH_M - 5.0 if kind != "cyclist" else 0.6 * SIDE_REACH_M
        path = Path(junction.column_s(direction), -direction * far, direction * math.pi / 2)
        user = draw_user(number, "driver", kind, path, want, want, rng)
        if stage.fits(user, 12.0):
            stage.users.append(user)
            ways = junction.ways("side", direction, 0)
            straight = ways[0].turn == "" and rng.random() > _TURN
            turns = [way for way in ways if way.turn]
            way = ways[0] if straight else turns[int(rng.integers(len(turns)))]
            drivers.approach(stage, user, junction, way)
