"""What moves: endless belts of road users.

Slot j of a belt holds the same road user, or nobody, for ever, and the belt as a whole slides along the street. So
where everybody is at time t follows from the seed and t alone, and nobody drives into anybody of the same belt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import LABELS, Action, Actor, Kind
from simulation.scene import Body, Placed
from simulation.settings import TrafficSettings
from simulation.shapes import objects
from simulation.shapes.mesh import Mesh
from simulation.world.centreline import Centreline, turn
from simulation.world.layout import AHEAD_M, BEHIND_M, KERB_M
from simulation.world.plan import Plan, Side, generator

Maker = Callable[[np.random.Generator, bool], Mesh]
_VEHICLES: tuple[tuple[Maker, float], ...] = (
    (objects.car, 0.83),
    (objects.truck, 0.08),
    (objects.bus, 0.03),
    (objects.motorcyclist, 0.06),
)
_START_S = 11.0  # not 0: from there beams would lie in the plane where two stretches join, and hit it anywhere


@dataclass(frozen=True)
class Belt:
    """Slot j is at s = j·``pitch_m`` + its own jitter + ``moved(t)``, ``d`` left of the centre line."""

    number: int
    d: float
    pitch_m: float
    filled: float  # share of slots that hold somebody
    heading: int  # +1 along the street, -1 against it
    moved: Callable[[float], float]
    makers: tuple[tuple[Maker, float], ...]  # who may travel here, and their shares
    z: float = 0.0
    ego_slot: bool = False  # slot 0 is kept free: the ego vehicle is there


def ego_s(plan: Plan, t_s: float) -> float:
    """How far the ego vehicle has come along the street: it speeds up and slows down gently."""
    return _START_S + plan.ego_speed_mps * t_s + 1.5 * math.sin(0.35 * t_s)


@dataclass(frozen=True, eq=False)
class Crowd:
    """Who is on the street at one moment: ``actors`` with identities, ``props`` that change but do not count (signal
    heads), the ego vehicle's pose around the moment as in :class:`Moment`, and how far it has come along the street."""

    actors: tuple[Actor, ...]
    props: tuple[Placed, ...]
    ego: Callable[[np.ndarray], np.ndarray]
    ego_s: float


class Traffic:
    """Everybody who moves in the street of one seed."""

    def __init__(self, seed: int, plan: Plan, line: Centreline, settings: TrafficSettings) -> None:
        self._seed, self._plan, self._line = seed, plan, line
        self.belts = _draw_belts(plan)
        self._user = lru_cache(maxsize=512)(self._draw_user)

    def at(self, t_s: float) -> Crowd:
        """Who is on the street near the ego vehicle at ``t_s``."""
        here = ego_s(self._plan, t_s)
        actors = tuple(self.between(here - BEHIND_M, here + AHEAD_M, t_s))
        return Crowd(actors, (), lambda dt_s: np.stack([self._ego(t_s + dt) for dt in dt_s]), here)

    def actions(self) -> tuple[Action, ...]:
        """What anybody has done on purpose: nothing, belts only slide."""
        return ()

    def _ego(self, t_s: float) -> np.ndarray:
        """Pose [4,4] of the ego vehicle's ground point, vehicle to street. It sways and pitches a little."""
        d = 0.12 * math.sin(0.5 * t_s) - self._plan.lane_d(self._plan.ego_lane)
        pose = self._line.pose(ego_s(self._plan, t_s), d, above_m=0.015 * math.sin(3.0 * t_s))
        pose[:3, :3] = pose[:3, :3] @ turn(1, 0.004 * math.sin(2.1 * t_s)) @ turn(0, 0.003 * math.sin(1.3 * t_s + 1.0))
        return pose

    def between(self, first_s: float, last_s: float, t_s: float) -> Iterator[Actor]:
        """The road users between two points of the street at time ``t_s``, in street coordinates."""
        for belt in self.belts:
            shift = belt.moved(t_s)
            for slot in range(math.ceil((first_s - shift) / belt.pitch_m), int((last_s - shift) // belt.pitch_m) + 1):
                user = self._user(belt, slot)
                if user is None or (belt.ego_slot and slot == 0):
                    continue
                body, track_id, kind, ahead, aside = user
                s = slot * belt.pitch_m + shift + ahead
                turned = 0.0 if belt.heading > 0 else math.pi
                poses = [
                    self._line.pose(s + belt.moved(t_s + dt) - shift, belt.d + aside, turned, belt.z)
                    for dt in (-0.05, 0.0, 0.05)
                ]
                velocity = (poses[2][:3, 3] - poses[0][:3, 3]) / 0.1
                yield Actor(track_id, kind, Placed(body, poses[1], velocity), moving=True, standing=False)

    def _draw_user(self, belt: Belt, slot: int) -> tuple[Body, int, Kind, float, float] | None:
        rng = generator(self._seed, 3, belt.number, slot)
        if rng.random() > belt.filled:
            return None
        ahead, aside = rng.uniform(-0.3, 0.3) * belt.pitch_m, rng.normal(0.0, 0.12)
        makers, shares = zip(*belt.makers, strict=True)
        body = makers[int(rng.choice(len(makers), p=shares))](rng, True)
        identity = (1 << 40) + (belt.number << 24) + slot % (1 << 24)
        track_id = 32768 + belt.number * 1024 + slot % 1024
        kind = next(k for k, (_, label) in LABELS.items() if label == body.label[0])
        return Body(body.owned(identity, track_id)), track_id, kind, ahead, aside


def _draw_belts(plan: Plan) -> tuple[Belt, ...]:
    belts: list[Belt] = []
    for lane in range(plan.lanes):
        own, d = lane == plan.ego_lane, plan.lane_d(lane)
        ahead = (lambda t_s: ego_s(plan, t_s)) if own else _steady(plan.ego_speed_mps + (2.5 if lane == 0 else -2.5))
        pitch = plan.traffic_m + 12.0
        belts.append(Belt(len(belts), -d, pitch, 0.5, 1, ahead, _VEHICLES, ego_slot=own))
        belts.append(Belt(len(belts), d, plan.traffic_m, 0.6, -1, _steady(-9.0 - 1.5 * lane), _VEHICLES))
    for sign, side in ((1, plan.left), (-1, plan.right)):
        belts += _pavement(plan, sign, side, first=len(belts))
    return tuple(belts)


def _pavement(plan: Plan, sign: int, side: Side, first: int) -> list[Belt]:
    """Two belts of walkers and one of cyclists (they keep to the side of their direction of travel)."""
    kerb, pitch = plan.half_road_m + side.parking_m + side.verge_m, plan.home().walkers_m
    walkers = ((objects.pedestrian, 1.0),)
    return [
        Belt(first, sign * (kerb + 0.45 * side.sidewalk_m), pitch, 0.6, 1, _steady(1.3), walkers, KERB_M),
        Belt(first + 1, sign * (kerb + 0.7 * side.sidewalk_m), pitch, 0.6, -1, _steady(-1.2), walkers, KERB_M),
        Belt(
            first + 2, sign * (kerb + 0.55), 45.0, 0.4, -sign, _steady(-4.5 * sign), ((objects.cyclist, 1.0),), KERB_M
        ),
    ]


def _steady(speed_mps: float) -> Callable[[float], float]:
    return lambda t_s: speed_mps * t_s
