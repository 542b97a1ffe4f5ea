"""Who enters the street: everybody at the start of the drive, and later at the edges of what there is."""

from __future__ import annotations

import math

import numpy as np

from simulation.actors import Kind
from simulation.traffic import drivers, walkers
from simulation.traffic.junction import Junction
from simulation.traffic.motion import overlap
from simulation.traffic.paths import Path
from simulation.traffic.stage import BayPair, Stage
from simulation.traffic.users import User, draw_user
from simulation.world.layout import AHEAD_M, BEHIND_M, SIDE_REACH_M, STRETCH_M, draw_layout

_KINDS: tuple[tuple[Kind, float], ...] = (
    ("car", 0.6), ("van", 0.1), ("truck", 0.08), ("bus", 0.06), ("motorcyclist", 0.08), ("cyclist", 0.08),
)  # fmt: skip
_SIDE_KINDS: tuple[tuple[Kind, float], ...] = (("car", 0.78), ("van", 0.1), ("motorcyclist", 0.04), ("cyclist", 0.08))
_DENSER = 0.75  # than the plan's spacing, times which it is
_FILLED = 0.6  # of the places along a lane at the start
_TOWS = 0.05  # share of cars with a trailer
_SIDE_PAUSE_S = 16.0  # between two who come along one arm of a side street
_LOADS = 0.05  # chance per stretch that a van stands in the lane to load


class Arrivals:
    """Lets everybody in."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next: dict[tuple[int, int, int], float] = {}  # the gap at each end of each lane before somebody enters
        self._side_due: dict[tuple[int, int], float] = {}
        self._revealed = 0  # stretches before this one are known
        self._places = 0  # and walkers' places before this one

    def start(self) -> None:
        """Everybody who is there when the drive begins."""
        stage, plan = self._stage, self._stage.plan
        ego_s = stage.ego.s
        self._revealed = math.floor((ego_s - BEHIND_M) / STRETCH_M)
        self._reveal(at_start=True)
        for lane in range(plan.lanes):
            for direction in (1, -1):
                self._fill(lane, direction, ego_s)

    def step(self) -> None:
        """Whoever enters now; whoever is out of reach goes."""
        stage = self._stage
        ego_s = stage.ego.s
        for user in [u for u in stage.users if self._is_gone(u, ego_s)]:
            stage.remove(user)
        if stage.tick % 10 == 0:
            self._reveal(at_start=False)
            for lane in range(stage.plan.lanes):
                for direction in (1, -1):
                    self._feed(lane, direction, ego_s)
            for junction in stage.junctions.values():
                if -BEHIND_M + 10.0 < junction.crossing.s - ego_s < AHEAD_M - 10.0:
                    self._feed_side(junction)

    def _is_gone(self, user: User, ego_s: float) -> bool:
        ahead = AHEAD_M + (STRETCH_M if user.speed_mps == 0.0 else 0.0)  # who stands comes with its stretch
        return not -BEHIND_M <= user.s - ego_s <= ahead or abs(user.d) > SIDE_REACH_M - 1.0

    # The main street

    def _fill(self, lane: int, direction: int, ego_s: float) -> None:
        stage = self._stage
        pitch = _DENSER * stage.plan.traffic_m / max(stage.settings.vehicles, 0.05)
        for slot in range(int((BEHIND_M + AHEAD_M - 10.0) / pitch) + 1):
            rng = stage.rng(21, lane, direction, slot)
            s = ego_s - BEHIND_M + 5.0 + (slot + rng.uniform(0.1, 0.9)) * pitch
            riding = stage.settings.cyclists > 0 and rng.random() < 0.06 * stage.settings.cyclists
            taken = rng.random() < _FILLED * min(1.0, stage.settings.vehicles) or riding
            if taken and s < ego_s + AHEAD_M - 5.0:
                self._enter_lane(lane, direction, s, stage.number(), full_speed=True)

    def _feed(self, lane: int, direction: int, ego_s: float) -> None:
        """Let somebody in at each end of a lane at which its traffic can appear, once the last one is far enough."""
        stage = self._stage
        for end, s in ((1, ego_s + AHEAD_M - 4.0), (-1, ego_s - BEHIND_M + 4.0)):
            if direction < 0 and end < 0:
                continue  # who comes towards the ego vehicle does not come from behind
            density = stage.settings.vehicles + 0.06 * stage.settings.cyclists
            key = (lane, direction, end)
            if key not in self._next:
                rng = stage.rng(22, lane, direction, end, stage.number())
                self._next[key] = 18.0 + rng.exponential(_DENSER * stage.plan.traffic_m / max(density, 0.01))
            lane_d = -direction * stage.plan.lane_d(lane)
            near = min((abs(u.s - s) for u in stage.drivers() if abs(u.d - lane_d) < 2.0), default=math.inf)
            slower = None if direction < 0 else end > 0
            if not density or near < self._next[key]:
                continue
            if self._enter_lane(lane, direction, s, stage.number(), slower=slower):
                del self._next[key]

    def _enter_lane(
        self, lane: int, direction: int, s: float, number: int, *, full_speed: bool = False, slower: bool | None = None
    ) -> bool:
        """Put somebody into a lane; ``slower`` or faster than the ego vehicle where that matters."""
        stage, plan = self._stage, self._stage.plan
        rng = stage.rng(23, number)
        kind = self._draw_kind(_KINDS, rng)
        outer = lane == plan.lanes - 1
        if kind is None or (kind in ("cyclist", "bus", "truck") and not outer):
            return False
        factor = {None: rng.uniform(0.82, 1.08), True: rng.uniform(0.65, 0.85), False: rng.uniform(1.0, 1.15)}[slower]
        want = rng.uniform(3.6, 5.6) if kind == "cyclist" else stage.limit_mps * factor
        if kind in ("truck", "bus"):
            want *= 0.88
        if kind == "cyclist" and slower is False:
            return False
        d = -direction * (plan.half_road_m - max(0.5, plan.cycle_m / 2) if kind == "cyclist" else plan.lane_d(lane))
        path = Path(s, d, 0.0 if direction > 0 else math.pi)
        user = draw_user(number, "driver", kind, path, want if full_speed else 0.9 * want, want, rng)
        user.lane = lane
        if user.width_m + user.manner.margin_m > plan.lane_m - 0.05:  # it could not pass one of its kind
            return False
        room = 5.0 + user.speed_mps**2 / 4.0
        if (
            self._at_crossing(s)
            or stage.to_next_line_m(user) < room
            or not self._fits(user, max(room, 2.0 * user.speed_mps))
        ):
            return False
        stage.users.append(user)
        if kind == "car" and rng.random() < _TOWS:
            self._hitch(user, rng)
        return True

    def _at_crossing(self, s: float) -> bool:
        return any(abs(s - j.crossing.s) < 22.0 for j in self._stage.junctions.values())

    def _hitch(self, user: User, rng: np.random.Generator) -> None:
        """Let ``user`` tow a trailer, if there is room behind it."""
        stage = self._stage
        path = Path(user.s, user.d, user.yaw)
        trailer = draw_user(stage.number(), "trailer", "trailer", path, user.speed_mps, 0.0, rng)
        user.hitch_m = 0.5 * (user.length_m + trailer.length_m) + 0.15
        trailer.along_m, trailer.group = -user.hitch_m, user.group
        trailer.locate()
        if self._fits(trailer, 4.0):
            user.trailer = trailer
            stage.users.append(trailer)

    def _fits(self, user: User, apart_m: float) -> bool:
        for other in self._stage.users:
            if other.group != user.group and overlap(
                user.s, user.d, user.yaw, 0.5 * user.length_m + apart_m, 0.5 * user.width_m + 0.2,
                other.s, other.d, other.yaw, 0.5 * other.length_m, 0.5 * other.width_m,
            ):  # fmt: skip
                return False
        return True

    def _draw_kind(self, kinds: tuple[tuple[Kind, float], ...], rng: np.random.Generator) -> Kind | None:
        settings = self._stage.settings
        if self._stage.plan.district == "country":
            kinds = tuple((kind, 0.4 * share if kind in ("cyclist", "bus") else share) for kind, share in kinds)
        weights = [share * (settings.cyclists if kind == "cyclist" else settings.vehicles) for kind, share in kinds]
        total = sum(weights)
        if total == 0.0:
            return None
        return kinds[int(rng.choice(len(kinds), p=[w / total for w in weights]))][0]

    # Side streets

    def _feed_side(self, junction: Junction) -> None:
        stage, c = self._stage, junction.crossing
        for arm in c.arms:
            key = (junction.number, arm)
            rng = stage.rng(24, junction.number, arm, stage.tick)
            rate = stage.settings.vehicles + 0.08 * stage.settings.cyclists
            if key not in self._side_due:
                self._side_due[key] = stage.t_s + rng.exponential(_SIDE_PAUSE_S / max(rate, 0.01))
            if rate and stage.t_s >= self._side_due[key]:
                del self._side_due[key]
                self._enter_side(junction, -arm, rng.uniform(0.5, 1.0))

    def _enter_side(self, junction: Junction, direction: int, far: float) -> None:
        """Somebody comes along a side street in ``direction`` along d."""
        stage = self._stage
        number = stage.number()
        rng = stage.rng(25, number)
        kind = self._draw_kind(_SIDE_KINDS, rng)
        if kind is None:
            return
        want = rng.uniform(3.5, 5.0) if kind == "cyclist" else rng.uniform(7.5, 9.5)
        path = Path(junction.column_s(direction), -direction * (SIDE_REACH_M - 5.0), direction * math.pi / 2)
        user = draw_user(number, "driver", kind, path, want, want, rng)
        if self._fits(user, 12.0):
            stage.users.append(user)
            ways = junction.ways("side", direction, 0)
            if kind == "cyclist":
                ways = [w for w in ways if w.turn != "left"]
            drivers.approach(stage, user, junction, ways[int(rng.integers(len(ways)))])

    # What comes into view with the street itself

    def _reveal(self, at_start: bool) -> None:
        stage = self._stage
        while self._revealed * STRETCH_M < stage.ego.s + AHEAD_M - 5.0:
            number = self._revealed
            layout = stage.layouts[number] = draw_layout(stage.seed, stage.plan, number)
            if layout.crossing is not None:
                stage.junctions[number] = Junction(stage.seed, stage.plan, layout.crossing, number)
                if stage.settings.vehicles:
                    for arm in layout.crossing.arms:
                        self._side_due[number, arm] = stage.t_s + stage.rng(26, number, arm).uniform(0.0, 10.0)
            self._park(number)
            self._load(number)
            self._call_bus(number)
            self._gather(number)
            self._revealed += 1
        for number in [n for n in stage.layouts if (n + 1) * STRETCH_M < stage.ego.s - BEHIND_M - 20.0]:
            del stage.layouts[number]
            self._drop_junction(number)
        stage.pairs = [p for p in stage.pairs if p.front.s > stage.ego.s - BEHIND_M]
        self._walkers(at_start)

    def _drop_junction(self, number: int) -> None:
        stage = self._stage
        gone = stage.junctions.pop(number, None)
        if gone is not None:
            self._side_due = {key: due for key, due in self._side_due.items() if key[0] != number}
            for user in [u for u in stage.users if (u.movement and u.movement.junction is gone) or abs(u.d) > 15.0]:
                if abs(user.s - gone.crossing.s) < 10.0:
                    stage.remove(user)

    def _park(self, number: int) -> None:
        """Fill some of the free bays: with whoever will pull out, whoever stays, or nobody."""
        stage = self._stage
        bays = {(round(b.s, 3), b.d > 0): b for b in stage.layouts[number].free_bays}
        for bay in bays.values():
            direction = 1 if bay.d < 0 else -1
            front = bays.get((round(bay.s + direction * 6.0, 3), bay.d > 0))
            if front is None:
                continue
            rng = stage.rng(27, number, round(10 * bay.s), direction)
            if rng.random() < 0.5 or not stage.settings.vehicles:
                stage.pairs.append(BayPair(direction, bay, front, wanted=bool(stage.settings.vehicles)))
            elif rng.random() < min(1.0, 0.8 * stage.settings.parked):
                path = Path(bay.s, bay.d, 0.0 if direction > 0 else math.pi)
                car = draw_user(stage.number(), "parked", "car", path, 0.0, 0.0, rng)
                car.halted_until_s = math.inf
                if not self._fits(car, 0.2):
                    continue
                stage.users.append(car)
                boards = stage.settings.pedestrians and rng.random() < 0.6
                if not boards or not self._send_to(car, rng):
                    car.halted_until_s = stage.t_s + rng.uniform(3.0, 30.0)

    def _send_to(self, car: User, rng: np.random.Generator) -> bool:
        """Somebody on the sidewalk walks to ``car``."""
        stage, side = self._stage, 1 if car.d > 0 else -1
        heading = walkers.direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
        user = self._walker(side, heading, car.s - heading * rng.uniform(8.0, 35.0), rng)
        if user is None:
            return False
        walkers.board(stage, user, car)
        return True

    def _load(self, number: int) -> None:
        """A van or truck that stands in the lane for a while."""
        stage, plan = self._stage, self._stage.plan
        rng = stage.rng(28, number)
        draw, direction, s = rng.random(), 1 if rng.random() < 0.6 else -1, (number + rng.uniform(0.2, 0.8)) * STRETCH_M
        if draw > _LOADS * stage.settings.vehicles or plan.lanes > 1 or plan.island_m or plan.district == "country":
            return
        if abs(s - stage.ego.s) < 40.0 or any(abs(s - j.crossing.s) < 45.0 for j in stage.junctions.values()):
            return
        d = -direction * max(plan.half_road_m - 1.35, plan.lane_d(0))
        path = Path(s, d, 0.0 if direction > 0 else math.pi)
        user = draw_user(stage.number(), "driver", "van" if rng.random() < 0.6 else "truck", path, 0.0, 8.0, rng)
        if self._fits(user, 10.0):
            user.halted_until_s = stage.t_s + rng.uniform(10.0, 30.0)
            user.indicating = "right"
            stage.users.append(user)
            stage.log.begin("vehicle halts in lane", user.track_id, stage.t_s)

    def _call_bus(self, number: int) -> None:
        """A bus that stands at its stop."""
        stage, stop = self._stage, self._stage.layouts[number].bus_stop
        rng = stage.rng(30, number)
        if stop is None or rng.random() > 0.6 * min(1.0, stage.settings.vehicles):
            return
        lane, direction = stage.plan.lanes - 1, -stop.sign
        path = Path(stop.s, -direction * stage.plan.lane_d(lane), 0.0 if direction > 0 else math.pi)
        user = draw_user(stage.number(), "driver", "bus", path, 0.0, 0.88 * stage.limit_mps, rng)
        user.along_m, user.lane = -0.5 * user.length_m - 0.3, lane
        user.locate()
        fits = user.width_m + user.manner.margin_m < stage.plan.lane_m - 0.05 and self._fits(user, 12.0)
        if fits and abs(user.s - stage.ego.s) > 40.0:
            user.halted_until_s, user.indicating = stage.t_s + rng.uniform(4.0, 25.0), "right"
            stage.users.append(user)
            stage.log.begin("bus halts", user.track_id, stage.t_s)

    # On foot

    def _walkers(self, at_start: bool) -> None:
        """Each place along each sidewalk holds somebody or nobody when it comes into view; some walk in company."""
        stage = self._stage
        if not stage.settings.pedestrians:
            return
        pitch = 0.55 * stage.plan.home().walkers_m / stage.settings.pedestrians
        edge = stage.ego.s + AHEAD_M - 5.0
        first = self._places if not at_start else math.ceil((stage.ego.s - BEHIND_M + 5.0) / pitch)
        self._places = max(first, math.floor(edge / pitch) + 1)
        for place in range(first, self._places):
            for side in (1, -1):
                rng = stage.rng(29, place, side)
                if rng.random() > 0.6 or not stage.side(side).sidewalk_m:
                    continue
                heading = walkers.direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
                s = place * pitch + rng.uniform(-0.3, 0.3) * pitch
                company = int(rng.choice([1, 2, 3], p=[0.72, 0.22, 0.06]))
                pace = rng.uniform(1.05, 1.55) if company == 1 else rng.uniform(1.0, 1.25)
                for k in range(company):
                    self._walker(side, heading, s - 1.7 * k, rng, pace)

    def _gather(self, number: int) -> None:
        """A zebra crossing draws people who want to cross."""
        stage, crossing = self._stage, self._stage.layouts[number].crossing
        if crossing is None or crossing.zebra_s is None:
            return
        rng = stage.rng(31, number)
        for _ in range(int(rng.poisson(3.0 * min(stage.settings.pedestrians, 2.0)))):
            side = 1 if rng.random() < 0.5 else -1
            if stage.side(side).sidewalk_m:
                heading = walkers.direction_on(stage, side, 1)
                user = self._walker(side, heading, crossing.zebra_s - heading * rng.uniform(3.0, 45.0), rng)
                if user is not None:
                    user.wish_m = 0.0

    def _walker(
        self, side: int, heading: int, s: float, rng: np.random.Generator, pace: float | None = None
    ) -> User | None:
        stage = self._stage
        d = side * walkers.lanes_m(stage, side)[0 if heading > 0 else 1]
        arms = [j.crossing for j in stage.junctions.values() if side in j.crossing.arms]
        if any(abs(s - c.s) < c.clear_m + 1.0 for c in arms):
            return None
        if not -BEHIND_M + 2.0 < s - stage.ego.s < AHEAD_M - 1.0:
            return None
        pace = pace or rng.uniform(1.1, 1.5)
        path = Path(s, d, 0.0 if heading > 0 else math.pi)
        user = draw_user(stage.number(), "walker", "pedestrian", path, pace, pace, rng)
        user.side = side
        if rng.random() < 0.8:
            user.wish_m = rng.uniform(1.0, 25.0)
        if not self._fits(user, 0.15):
            return None
        stage.users.append(user)
        return user
