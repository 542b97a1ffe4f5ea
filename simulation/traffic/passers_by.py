"""Who walks on the sidewalks when they come into view."""

from __future__ import annotations

import math

import numpy as np

from simulation.traffic.paths import Path
from simulation.traffic.sidewalk import direction_on, lanes_m
from simulation.traffic.stage import Stage
from simulation.traffic.users import Cue, User, draw_user
from simulation.world.layout import AHEAD_M, BEHIND_M, STRETCH_M, Layout

# Metres of one sidewalk per place where somebody may walk. Nobody walks along country roads.
_SPACING_M = {
    "city": 22.0, "avenue": 45.0, "residential": 130.0, "garden suburb": 150.0, "works": 160.0, "country": math.inf,
}  # fmt: skip
_AT_ZEBRA = {"city": 2.0, "avenue": 1.5}  # people who want to cross there; elsewhere fewer
_TALK = 0.5  # share of places where two walk towards each other


class PassersBy:
    """Lets people in, place by place."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._pitch_m = _SPACING_M[stage.plan.district] / max(stage.settings.pedestrians, 1e-9)
        self._places = 0  # places before this one are known

    def start(self) -> None:
        """All places in reach are new."""
        self._places = math.ceil((self._stage.ego.s - BEHIND_M + 5.0) / self._pitch_m)

    def reveal(self) -> None:
        """Each place along each sidewalk holds somebody or nobody when it comes into view; some walk in company."""
        stage, pitch = self._stage, self._pitch_m
        if not stage.settings.pedestrians or pitch == math.inf:
            return
        edge = math.floor((stage.ego.s + AHEAD_M - 5.0) / pitch) + 1
        for place in range(self._places, edge):
            for side in (1, -1):
                rng = stage.rng(29, place, side)
                if rng.random() > 0.6 or not stage.plan.side(side).sidewalk_m:
                    continue
                s = (place + rng.uniform(-0.3, 0.3)) * pitch
                heading = direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
                company = int(rng.choice([1, 2, 3], p=[0.72, 0.22, 0.06]))
                pace = rng.uniform(1.05, 1.55) if company == 1 else rng.uniform(1.0, 1.25)
                for k in range(company):
                    walk(stage, side, heading, s - 1.7 * k, rng, pace)
                if direction_on(stage, side, -heading) != heading and rng.random() < _TALK:
                    apart = 2.2 * stage.until_met_s(s, rng.uniform(15.0, 40.0))
                    walk(stage, side, -heading, s + heading * min(max(apart, 6.0), 60.0), rng, pace)
        self._places = max(self._places, edge)

    def gather(self, layout: Layout) -> None:
        """A zebra crossing draws people who want to cross."""
        stage, crossing = self._stage, layout.crossing
        if crossing is None or crossing.zebra_s is None:
            return
        rng = stage.rng(31, layout.number)
        for _ in range(
            int(rng.poisson(_AT_ZEBRA.get(stage.plan.district, 1.5) * min(stage.settings.pedestrians, 2.0)))
        ):
            side = 1 if rng.random() < 0.5 else -1
            if stage.plan.side(side).sidewalk_m:
                heading = direction_on(stage, side, 1)
                beyond = 0.0 if heading > 0 else crossing.s + crossing.clear_m - crossing.zebra_s
                apart, pace = rng.uniform(3.0, 16.0) + beyond, rng.uniform(1.1, 1.5)
                cue = Cue(crossing.zebra_s, rng.uniform(25.0, 60.0), apart / pace)
                user = walk(stage, side, heading, crossing.zebra_s - heading * apart, rng, pace, cue)
                if user is not None:
                    user.wish_m = 0.0


def walk(
    stage: Stage,
    side: int,
    heading: int,
    s: float,
    rng: np.random.Generator,
    pace_mps: float | None = None,
    cue: Cue | None = None,
) -> User | None:
    """Somebody new who walks on the sidewalk of one side, or stands there until ``cue``; None where there is no
    room, or a side street."""
    d = side * lanes_m(stage, side)[0 if heading > 0 else 1]
    arms = [j.crossing for j in stage.junctions.values() if side in j.crossing.arms]
    if any(abs(s - c.s) < c.clear_m + 1.0 for c in arms):
        return None
    if not -BEHIND_M + 2.0 < s - stage.ego.s < AHEAD_M + (STRETCH_M if cue else 0.0) - 1.0:
        return None
    pace = pace_mps or rng.uniform(1.1, 1.5)
    path = Path(s, d, 0.0 if heading > 0 else math.pi)
    user = draw_user(stage.number(), "walker", "pedestrian", path, 0.0 if cue else pace, pace, rng)
    user.side, user.cue = side, cue
    if rng.random() < 0.8:
        user.wish_m = rng.uniform(1.0, 25.0)
    if not stage.fits(user, 0.15):
        return None
    stage.users.append(user)
    return user
