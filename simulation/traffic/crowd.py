"""Traffic as sensors see it: bodies in their places at any time, made from the states of the steps around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import Action, Actor
from simulation.scene import Body, Placed
from simulation.settings import TrafficSettings
from simulation.shapes.catalogue import Indicator
from simulation.shapes.furniture import Signal, signal_head
from simulation.traffic.ground import Ground
from simulation.traffic.junction import Junction
from simulation.traffic.motion import STEP_S
from simulation.traffic.simulation import Simulation
from simulation.traffic.users import User
from simulation.world.centreline import Centreline, turn
from simulation.world.plan import Plan

STILL_S = 2.0  # who has not moved for so long is labelled as standing
_PHASES = 12
_STRIDE_M = {"pedestrian": 1.4, "cyclist": 5.0}  # per full cycle of the legs
_BLINK_S = 0.7
_SLACK = 4  # steps kept on each side of the time asked for
_OBJECTS = 1 << 40  # object ids from here on belong to traffic


@dataclass(frozen=True, eq=False)
class Crowd:
    """Who is on the street at one moment: ``actors`` with identities, ``props`` that change but do not count (signal
    heads), the ego vehicle's pose around the moment as in :class:`Moment`, and how far it has come along the street."""

    actors: tuple[Actor, ...]
    props: tuple[Placed, ...]
    ego: Callable[[np.ndarray], np.ndarray]
    ego_s: float


@dataclass(frozen=True, eq=False, slots=True)
class _State:
    """What is kept of a user at one step."""

    user: User
    s: float
    d: float
    yaw: float
    walked_m: float
    moving: bool
    walks: bool  # on its feet, or on its pedals, just then
    braking: bool
    indicating: Indicator


class Traffic:
    """Everybody who moves in the street of one seed. ``lights``: whether vehicles have theirs on."""

    def __init__(
        self, seed: int, plan: Plan, line: Centreline, settings: TrafficSettings, *, lights: bool = False
    ) -> None:
        self._seed, self._plan, self._line, self._settings, self._lights = seed, plan, line, settings, lights
        self._head = lru_cache(maxsize=256)(_build_head)
        self._begin()

    def _begin(self) -> None:
        self._simulation = Simulation(self._seed, self._plan, self._settings)
        self._earlier_s = self._simulation.begin_tick * STEP_S  # the street's clock at the start of the drive
        self._bodies: dict[int, dict[tuple, Body]] = {}
        self._steps: dict[int, list[_State]] = {}
        self._junctions: dict[int, tuple[Junction, ...]] = {}
        self._ego: list[tuple[float, ...]] = []  # of every step: s, d, yaw, speed, pitch
        self._asked_s = 0.0
        self._keep()

    def at(self, t_s: float) -> Crowd:
        """Who is on the street near the ego vehicle at ``t_s``. Going back in time starts the drive again."""
        step = _step_of(t_s)
        if step - 1 < min(self._steps) and min(self._steps) > 0:
            self._begin()
        self._reach(step + _SLACK)
        self._asked_s = t_s
        for old in [k for k in self._steps if k < step - _SLACK]:
            del self._steps[old], self._junctions[old]
        actors = self._actors(t_s, step)
        return Crowd(actors, self._heads(step, t_s), lambda dt_s: self._ego_poses(t_s + dt_s), self._ego[step][0])

    def ego(self, t_s: float) -> np.ndarray:
        """Pose float64 [4,4] of the ego vehicle at ``t_s``: cheap for any time up to the latest asked for."""
        self._reach(_step_of(t_s) + _SLACK)
        return self._ego_poses(np.array([t_s]))[0]

    def actions(self) -> tuple[Action, ...]:
        """The actions that have begun up to the time that :meth:`at` was last asked for.

        What was under way when the drive began, begins with it.
        """
        earlier_s = self._earlier_s
        known = self._simulation.stage.log.until(earlier_s + self._asked_s)
        return tuple(
            action._replace(
                start_s=max(action.start_s - earlier_s, 0.0),
                end_s=None if action.end_s is None else action.end_s - earlier_s,
            )
            for action in known
            if action.end_s is None or action.end_s > earlier_s
        )

    # Steps

    def _reach(self, step: int) -> None:
        while len(self._ego) <= step:
            self._simulation.step()
            self._keep()

    def _keep(self) -> None:
        """Keep what the latest step looks like."""
        stage = self._simulation.stage
        ego = stage.ego
        pitch = self._ego[-1][4] if self._ego else 0.0
        pitch += 0.2 * (-0.005 * ego.accel_mps2 - pitch)  # the springs give way slowly
        self._ego.append((ego.s, ego.d, ego.yaw, ego.speed_mps, pitch))
        step = stage.tick - self._simulation.begin_tick
        self._junctions[step] = tuple(stage.junctions.values())
        self._steps[step] = [
            _State(
                user, user.s, user.d, user.yaw + user.face_yaw, user.walked_m,
                user.speed_mps > 0.05 or stage.t_s - user.moved_at_s <= STILL_S,
                user.speed_mps > 0.05, user.braking, user.indicating,
            )
            for user in stage.users[1:]
        ]  # fmt: skip

    # Bodies

    def _actors(self, t_s: float, step: int) -> tuple[Actor, ...]:
        now, part = self._steps[step], t_s / STEP_S - step
        later = {state.user.number: state for state in self._steps[step + 1]}
        earlier = {state.user.number: state for state in self._steps.get(step - 1, ())}
        present = [state for state in now if state.user.number in later]
        ends = [later[state.user.number] for state in present]
        begins = [earlier.get(state.user.number, state) for state in present]
        a, b, c = (np.array([(x.s, x.d, x.yaw) for x in group]).reshape(-1, 3) for group in (begins, present, ends))
        b_to_c = c - b
        b_to_c[:, 2] = np.remainder(b_to_c[:, 2] + math.pi, 2 * math.pi) - math.pi
        places = b + part * b_to_c
        ground = Ground(self._plan, [j.crossing for j in self._junctions[step]])
        on_foot = np.array([state.user.role == "walker" for state in present], bool)
        above = np.where(on_foot, ground.above_m(places[:, 0], places[:, 1]), 0.0)
        poses = self._line.pose(places[:, 0], places[:, 1], places[:, 2], above)
        # Velocity over the step before and the one after; somebody new has only the latter.
        old = np.array([x is not y for x, y in zip(begins, present, strict=True)], bool)
        from_s, from_d = np.where(old, a[:, 0], b[:, 0]), np.where(old, a[:, 1], b[:, 1])
        ends_xyz = self._points(c[:, 0], c[:, 1]) - self._points(from_s, from_d)
        velocity = ends_xyz / np.where(old, 2 * STEP_S, STEP_S)[:, None]
        yaw_rate = b_to_c[:, 2] / STEP_S + self._line.curvature(b[:, 0]) * (c[:, 0] - b[:, 0]) / STEP_S
        actors = []
        for k, state in enumerate(present):
            placed = Placed(self._body(state, t_s), poses[k], velocity[k], float(yaw_rate[k]))
            actors.append(Actor(state.user.track_id, state.user.kind, placed, state.moving, standing=False))
        for gone in [number for number in self._bodies if number not in later]:
            del self._bodies[gone]
        return tuple(actors)

    def _points(self, s: np.ndarray, d: np.ndarray) -> np.ndarray:
        x, y = self._line.at(s, d)
        return np.stack([x, y, self._line.height(s, d)], 1)

    def _body(self, state: _State, t_s: float) -> Body:
        """The body of a user in one of few states; kept, for it costs more than all the rest."""
        user, phase = state.user, 0
        if state.walks and user.kind in _STRIDE_M:
            phase = int(_PHASES * state.walked_m / _STRIDE_M[user.kind]) % _PHASES
        wheeled = user.role != "walker" and user.kind != "cyclist"
        blinks = (t_s / _BLINK_S + 0.37 * user.number) % 1.0 < 0.5
        lights = self._lights and user.role != "parked" and user.kind != "pedestrian"
        indicating = state.indicating if blinks and wheeled else ""
        key = (state.moving, phase, wheeled and state.braking, indicating, lights)
        bodies = self._bodies.setdefault(user.number, {})
        if key not in bodies:
            mesh = user.model.mesh(
                moving=key[0], phase=phase / _PHASES, braking=key[2], indicating=indicating, lights=lights
            )
            bodies[key] = Body(mesh.owned(_OBJECTS + user.number, user.track_id))
        return bodies[key]

    def _heads(self, step: int, t_s: float) -> tuple[Placed, ...]:
        """The heads of the traffic lights, as they shine at ``t_s``."""
        heads = []
        for junction in self._junctions[step]:
            for i, head in enumerate(junction.crossing.heads):
                pose = self._line.pose(head.s, head.d, head.yaw, head.height_m)
                identity = _OBJECTS + (1 << 36) + ((junction.number + (1 << 20)) << 4) + i
                heads.append(Placed(self._head(identity, junction.signal(head.street, self._earlier_s + t_s)), pose))
        return tuple(heads)

    def _ego_poses(self, t_s: np.ndarray) -> np.ndarray:
        """Poses float64 [N,4,4] of the ego vehicle: cubic between the steps, exact on them. It sways a little."""
        k = np.clip(np.floor(t_s / STEP_S + 1e-9).astype(int), 0, len(self._ego) - 2)
        first = int(k.min())
        s, d, yaw, speed, pitch = np.array(self._ego[first : int(k.max()) + 2]).T
        k -= first
        x = t_s / STEP_S - (k + first)
        x, before = np.maximum(x, 0.0), np.minimum(x, 0.0) * STEP_S  # before the drive it went straight on
        s_at = _cubic(s, speed * np.cos(yaw), k, x) + before * speed[0]
        d_at = _cubic(d, speed * np.sin(yaw), k, x)
        yaw_at, pitch_at = (v[k] + x * (v[k + 1] - v[k]) for v in (yaw, pitch))
        bounce, wander = 0.012 * np.sin(0.33 * s_at), 0.06 * np.sin(s_at / 17.0)
        pitch_at, roll = pitch_at + 0.003 * np.sin(0.24 * s_at), 0.003 * np.sin(0.15 * s_at + 1.0)
        poses = self._line.pose(s_at, d_at + wander, yaw_at, bounce)
        poses[:, :3, :3] = poses[:, :3, :3] @ turn(1, pitch_at) @ turn(0, roll)  # nose down, then over to the right
        return poses


def _step_of(t_s: float) -> int:
    return math.floor(t_s / STEP_S + 1e-6)


def _cubic(value: np.ndarray, rate: np.ndarray, k: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Hermite's cubic through ``value`` and its ``rate`` per second at steps k and k + 1, at x of the way."""
    a, b, da, db = value[k], value[k + 1], rate[k] * STEP_S, rate[k + 1] * STEP_S
    return a + x * (da + x * (3 * (b - a) - 2 * da - db + x * (2 * (a - b) + da + db)))


def _build_head(identity: int, signal: Signal) -> Body:
    return Body(signal_head(signal).owned(identity))
