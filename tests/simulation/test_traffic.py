"""Traffic: nobody touches anybody, everybody keeps the rules, and what is recorded is what happened."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.actors import LABELS, Actor
from simulation.settings import Settings, StreetSettings, TrafficSettings
from simulation.shapes.mesh import Mesh
from simulation.street import Street
from simulation.traffic import ACTIONS, Traffic
from simulation.traffic.junction import Junction
from simulation.traffic.motion import STEP_S, overlap
from simulation.traffic.paths import Bend, Path, quarter, swerve
from simulation.traffic.simulation import Simulation
from simulation.traffic.users import User, draw_user
from simulation.weather import draw_weather
from simulation.world.centreline import Centreline, turn
from simulation.world.layout import AHEAD_M, BEHIND_M, draw_layout
from simulation.world.plan import draw_plan

SECONDS = 60.0
STREETS = [
    draw_plan(seed, StreetSettings(district=district))
    for seed, district in enumerate(("city", "residential", "avenue", "garden suburb"))
]


def corners(user: User) -> np.ndarray:
    c, s = math.cos(user.yaw), math.sin(user.yaw)
    half = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * (0.5 * user.length_m, 0.5 * user.width_m)
    return half @ np.array([[c, s], [-s, c]]) + (user.s, user.d)


def slow_overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two convex polygons overlap: no edge of either separates them."""
    for polygon in (a, b):
        for p, q in zip(polygon, np.roll(polygon, -1, 0), strict=True):
            normal = np.array([q[1] - p[1], p[0] - q[0]])
            if (a @ normal).max() < (b @ normal).min() or (b @ normal).max() < (a @ normal).min():
                return False
    return True


def traffic(seed: int, **factors: float) -> Traffic:
    plan = draw_plan(seed)
    return Traffic(seed, plan, Centreline(plan.bends, plan.hills, plan.relief), TrafficSettings(**factors))


class Record:
    """A drive stepped through once: every user's track, and who touched whom."""

    def __init__(self, seed: int, seconds: float = SECONDS) -> None:
        self.simulation = Simulation(seed, STREETS[seed], TrafficSettings())
        self.tracks: dict[int, list[tuple[float, ...]]] = {}
        self.users: dict[int, User] = {}
        self.touched: set[tuple[int, int]] = set()
        self.out_of_reach = self.slipping = 0
        self.most = 0
        stage = self.simulation.stage
        for _ in range(round(seconds / STEP_S)):
            self.simulation.step()
            for user in stage.users:
                state = (stage.t_s, user.s, user.d, user.yaw, user.speed_mps, user.accel_mps2)
                self.tracks.setdefault(user.number, []).append(state)
                self.users[user.number] = user
            places = np.array([(u.s, u.d) for u in stage.users])
            self.out_of_reach += int((np.abs(places[:, 0] - places[0, 0] - 45.0) > 146.5).sum())
            self.most = max(self.most, len(stage.users))
            if stage.tick % 4 == 0:
                self._touch(stage.users, places)

    def _touch(self, users: list[User], places: np.ndarray) -> None:
        near = np.abs(places[:, None] - places[None]).max(2) < 14.0
        for i, j in np.argwhere(np.triu(near, 1)):
            if users[i].group != users[j].group and slow_overlap(corners(users[i]), corners(users[j])):
                if users[i].kind == users[j].kind == "pedestrian":
                    self.slipping += 1
                else:
                    self.touched.add((users[i].number, users[j].number))


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [Record(seed) for seed in range(len(STREETS))]


def test_nobody_touches_anybody(records: list[Record]) -> None:
    assert [record.touched for record in records] == [set()] * len(records)


def test_there_is_only_who_is_near(records: list[Record]) -> None:
    assert BEHIND_M + AHEAD_M == 260.0
    assert all(record.out_of_reach == 0 and 2 < record.most < 250 for record in records)


def test_the_ego_vehicle_drives_on_gently(records: list[Record]) -> None:
    """It comes along, brakes within what tyres do on a wet road, and never stands longer than two red lights."""
    for record in records:
        track = np.array(record.tracks[0])
        assert track[-1, 1] - track[0, 1] > 120.0
        assert track[:, 5].min() > -6.0
        moves = np.flatnonzero(track[:, 4] > 0.1)
        assert np.diff(moves).max() * STEP_S < 45.0
        assert (np.diff(track[:, 1]) >= -1e-9).all()


def test_no_car_stands_for_ever(records: list[Record]) -> None:
    for seed, record in enumerate(records):
        for number, track in record.tracks.items():
            user = record.users[number]
            if user.role in ("ego", "driver") and len(track) * STEP_S > 55.0:
                assert max(state[4] for state in track[-1000:]) > 1.0, (seed, number)


def test_nobody_passes_a_red_light(records: list[Record]) -> None:
    """Who crosses a stop line does so at green, or at amber."""
    passed = 0
    for seed, record in enumerate(records):
        plan = STREETS[seed]
        for number in range(-4, 25):
            crossing = draw_layout(seed, plan, number).crossing
            if crossing is None or not crossing.signals:
                continue
            junction = Junction(seed, plan, crossing, number)
            for user, track in record.tracks.items():
                if record.users[user].kind == "pedestrian":
                    continue
                half = 0.5 * record.users[user].length_m
                for before, after in pairwise(track):
                    for direction, line in ((1, crossing.stop_s[0]), (-1, crossing.stop_s[1])):
                        ahead = abs(math.cos(before[3]) - direction) < 0.1 and abs(before[2]) < plan.half_road_m
                        front = direction * before[1] + half, direction * after[1] + half
                        if ahead and front[0] < direction * line <= front[1]:
                            passed += 1
                            assert junction.signal("main", before[0] - 2 * STEP_S) != "red", (seed, user)
    assert passed > 5


def test_every_kind_of_action_happens_and_lasts(records: list[Record]) -> None:
    counts = dict.fromkeys(ACTIONS, 0)
    for record in records:
        for action in record.simulation.stage.log.until(math.inf):
            counts[action.label] += 1
            if action.end_s is not None:
                assert action.end_s > action.start_s - 1e-9
            assert 32769 <= action.track_id <= 65535
    rare = {
        "vehicle halts in lane",
        "vehicle changes lane",
        "vehicle overtakes",
        "bus halts",
        "cyclist turns",
        "person enters vehicle",
        "person leaves vehicle",
    }
    assert {label for label, count in counts.items() if count == 0} <= rare
    assert sum(counts.values()) > 4 * SECONDS / 4


@pytest.mark.parametrize(("label", "turned"), [("vehicle turns left", 90.0), ("vehicle turns right", -90.0)])
def test_a_manoeuvre_changes_the_heading_as_its_name_says(records: list[Record], label: str, turned: float) -> None:
    seen = 0
    for record in records:
        for action in record.simulation.stage.log.until(math.inf):
            if action.label != label or action.end_s is None:
                continue
            track = np.array(record.tracks.get(action.track_id - 32768, np.full((1, 6), -1.0)))
            if track[-1, 0] < action.end_s + 2 * STEP_S or action.start_s < track[0, 0]:
                continue  # gone meanwhile, or begun before the drive
            yaw = np.interp([action.start_s, action.end_s + STEP_S], track[:, 0], np.unwrap(track[:, 3]))
            assert math.degrees(yaw[1] - yaw[0]) == pytest.approx(turned, abs=8.0)
            seen += 1
    assert seen > 0


def test_a_slow_rider_is_overtaken_and_the_lane_taken_again() -> None:
    """Alone behind a cyclist on an open road, the ego vehicle passes with a metre between them."""
    plan = draw_plan(1, StreetSettings(district="country"))
    simulation = Simulation(1, plan, TrafficSettings(vehicles=0.0, pedestrians=0.0, cyclists=0.0))
    stage = simulation.stage
    stage.junctions.clear()
    path = Path(stage.ego.s + 60.0, 0.6 - plan.half_road_m, 0.0)
    rider = draw_user(stage.number(), "driver", "cyclist", path, 4.5, 4.5, np.random.default_rng(0))
    stage.users.append(rider)
    beside = []
    for _ in range(round(20.0 / STEP_S)):
        simulation.step()
        stage.junctions.clear()
        if abs(rider.s - stage.ego.s) < 3.0:
            beside.append(stage.ego.d - rider.d - 0.5 * (stage.ego.width_m + rider.width_m))
    assert stage.ego.s > rider.s + 10.0
    assert beside
    assert min(beside) > 0.7
    assert stage.ego.d == pytest.approx(-plan.lane_d(0), abs=0.01)
    assert not stage.claims


def test_stops_and_parking_end_in_a_standstill(records: list[Record]) -> None:
    for label in ("vehicle stops", "vehicle parks"):
        seen = 0
        for record in records:
            for action in record.simulation.stage.log.until(math.inf):
                if action.label == label and action.end_s is not None:
                    track = np.array(record.tracks.get(action.track_id - 32768, np.full((1, 6), -1.0)))
                    last = np.abs(track[:, 0] - action.end_s).argmin()
                    if abs(track[last, 0] - action.end_s) < STEP_S and last + 2 < len(track):
                        assert track[last, 4] < 0.06
                        seen += 1
        assert seen > 0, label


def test_pedestrians_cross_from_kerb_to_kerb(records: list[Record]) -> None:
    seen = 0
    for seed, record in enumerate(records):
        half = STREETS[seed].half_road_m
        for action in record.simulation.stage.log.until(math.inf):
            if action.label == "pedestrian crosses" and action.end_s is not None:
                track = np.array(record.tracks.get(action.track_id - 32768, np.full((1, 6), -1.0)))
                d = np.interp([action.start_s, action.end_s], track[:, 0], track[:, 2])
                if track[-1, 0] > action.end_s and track[0, 0] < action.start_s:
                    assert (np.abs(d) > half).all()
                    assert d[0] * d[1] < 0
                    seen += 1
    assert seen > 1


def test_all_moving_classes_occur_in_ten_short_drives() -> None:
    seen: set[str] = set()
    for seed in range(10):
        simulation = Simulation(seed, draw_plan(seed), Settings().traffic)
        for _ in range(round(10.0 / STEP_S)):
            simulation.step()
            seen |= {u.kind for u in simulation.stage.users[1:] if u.speed_mps > 0.5 and abs(u.d) < 25.0}
    assert {"car", "van", "truck", "bus", "motorcyclist", "cyclist", "pedestrian"} <= seen


def test_traffic_flows() -> None:
    """In no street does anybody stand much longer than a red light lasts, unless to load or for passengers."""
    for seed in range(6):
        simulation = Simulation(seed, draw_plan(seed), TrafficSettings())
        stage, since = simulation.stage, dict[int, float]()
        begun_s = stage.ego.s
        for _ in range(round(120.0 / STEP_S)):
            simulation.step()
            for user in stage.drivers():
                if user.speed_mps > 0.1 or stage.t_s < user.halted_until_s:
                    since[user.number] = stage.t_s
                stands_s = stage.t_s - since.setdefault(user.number, stage.t_s)
                assert stands_s < (45.0 if user.role == "ego" else 60.0), (seed, stage.t_s, user.number, user.kind)
        assert stage.ego.s - begun_s > 300.0


def test_a_drive_begins_in_the_middle_of_life() -> None:
    """What was under way before the drive begins with it; the ego vehicle rolls."""
    under_way = 0
    for seed in (0, 6, 7):
        one = traffic(seed)
        one.at(0.0)
        before = one.ego(0.0)[:3, 3]
        assert all(action.start_s == 0.0 for action in one.actions())
        under_way += len(one.actions())
        assert np.linalg.norm(one.ego(0.2)[:3, 3] - before) > 0.3
    assert under_way > 3


def test_nobody_drives_through_what_stands() -> None:
    """Vehicles and cycles keep clear of the parked things and the signs, poles and heads of the stretches' meshes."""
    for seed in (4, 6):
        street = Street(seed)
        for t in np.arange(0.0, 12.0, 3.0):
            crowd = street.traffic.at(float(t))
            moment = street.around(crowd, float(t))
            things = [a for a in moment.actors if a.standing]
            mesh = moment.scene.standing.mesh
            hard = np.isin(mesh.label & 0xFFFF, (80, 81, 71))
            solid = mesh.vertices[mesh.triangles[hard]].mean(1)
            solid = np.concatenate([solid, *(_points(a) for a in things)])
            for actor in crowd.actors:
                if actor.kind in ("pedestrian", "trailer"):
                    continue
                low, high = actor.placed.body.bounds
                near = solid[np.linalg.norm(solid - actor.placed.pose[:3, 3], axis=1) < 10.0]
                local = (near - actor.placed.pose[:3, 3]) @ actor.placed.pose[:3, :3]
                inside = ((local > low + 0.02) & (local < high - 0.02)).all(1)
                assert not inside.any(), (seed, t, actor.kind, actor.track_id)


def _points(actor: Actor) -> np.ndarray:
    return actor.placed.body.mesh.vertices @ actor.placed.pose[:3, :3].T + actor.placed.pose[:3, 3]


def test_people_on_foot_hardly_ever_slip_through_each_other(records: list[Record]) -> None:
    """They may, where they would stand in each other's way for ever; but it is rare, and short."""
    walked = sum(len(track) for r in records for n, track in r.tracks.items() if r.users[n].kind == "pedestrian")
    assert sum(record.slipping for record in records) < 0.04 * walked / 4


# What sensors see


def test_bodies_carry_their_owners_and_labels() -> None:
    crowds = [traffic(seed).at(1.0) for seed in (0, 2)]
    for crowd in crowds:
        ids = [actor.track_id for actor in crowd.actors]
        assert len(set(ids)) == len(ids) > 5
        objects = set()
        for actor in crowd.actors:
            mesh: Mesh = actor.placed.body.mesh
            assert set(mesh.instance.tolist()) == {actor.track_id}
            assert set(mesh.label.tolist()) == {LABELS[actor.kind][actor.moving]}
            objects |= set(mesh.object_id.tolist())
            assert not actor.standing
        assert len(objects) == len(ids)


def test_time_can_be_asked_in_any_order() -> None:
    """A moment does not depend on which were asked for before it; between the steps everything is continuous."""
    one, two = traffic(2), traffic(2)
    for t in (0.0, 0.1, 0.7):
        one.at(t)
    a = one.at(3.0)
    two.at(5.0)
    b = two.at(3.0)
    assert [(x.track_id, x.moving) for x in a.actors] == [(x.track_id, x.moving) for x in b.actors]
    for x, y in zip(a.actors, b.actors, strict=True):
        assert x.placed.pose.tobytes() == y.placed.pose.tobytes()
        assert x.placed.velocity_mps.tobytes() == y.placed.velocity_mps.tobytes()
    dt = np.linspace(-0.1, 0.1, 9)
    assert a.ego(dt).tobytes() == b.ego(dt).tobytes()
    later = one.at(3.05)
    np.testing.assert_allclose(later.ego(np.array([-0.05, 0.0])), a.ego(np.array([0.0, 0.05])), atol=1e-12)
    np.testing.assert_allclose(one.ego(3.0), a.ego(np.zeros(1))[0], atol=1e-12)
    moved = {x.track_id: x.placed.pose[:3, 3] for x in later.actors}
    for x in a.actors:
        if x.track_id in moved:
            expected = x.placed.pose[:3, 3] + 0.05 * x.placed.velocity_mps
            assert np.linalg.norm(moved[x.track_id] - expected) < 0.06


def test_actions_are_told_as_they_are_known() -> None:
    one = traffic(2)
    one.at(20.0)
    early = one.actions()
    one.at(30.0)
    late = {(a.label, a.track_id, a.start_s): a for a in one.actions()}
    assert early
    for action in early:
        assert action.start_s <= 20.0
        assert action.end_s is None or action.end_s <= 20.0
        after = late[action.label, action.track_id, action.start_s]
        assert after.end_s is None or action.end_s in (None, after.end_s)


def test_bodies_are_kept_from_frame_to_frame() -> None:
    one = traffic(2)
    first = {a.track_id: a.placed.body for a in one.at(0.0).actors}
    bodies: dict[int, set[int]] = {}
    for k in range(60):
        for actor in one.at(0.05 * k).actors:
            bodies.setdefault(actor.track_id, set()).add(id(actor.placed.body))
    assert first
    assert max(len(x) for x in bodies.values()) <= 2 * 13


@pytest.mark.parametrize(
    ("factors", "gone"),
    [
        ({"pedestrians": 0.0}, {"pedestrian"}),
        ({"cyclists": 0.0}, {"cyclist"}),
        ({"vehicles": 0.0}, {"car", "van", "truck", "bus", "trailer", "motorcyclist"}),
        ({"vehicles": 0.0, "pedestrians": 0.0, "cyclists": 0.0}, set(LABELS)),
    ],
)
def test_nothing_of_what_is_set_to_none(factors: dict[str, float], gone: set[str]) -> None:
    one = traffic(2, **factors)
    for t in (0.0, 6.0, 12.0):
        kinds = {actor.kind for actor in one.at(t).actors}
        assert not kinds & gone
        assert kinds or gone == set(LABELS)


def test_lamps_and_signal_heads() -> None:
    """At night vehicles have their lights on; every signalled crossing near shows its heads."""
    plan = draw_plan(0)
    line = Centreline(plan.bends, plan.hills, plan.relief)
    heads = sum(
        len(c.heads) for n in range(-4, 6) if (c := draw_layout(0, plan, n).crossing) is not None and -100 < c.s < 150
    )
    crowd = Traffic(0, plan, line, TrafficSettings(), lights=True).at(0.0)
    assert len(crowd.props) >= heads
    assert draw_weather(0, "any", "night").daylight == 0.0


def test_road_users_move_and_keep_clear_of_the_ego_vehicle() -> None:
    """Nobody's body comes within 0.2 m of the ego vehicle's box in any of several streets."""
    for seed in range(3):
        street = Street(seed)
        for t in np.arange(0.0, 20.0, 1.7):
            crowd = street.traffic.at(float(t))
            pose = crowd.ego(np.zeros(1))[0]
            for actor in crowd.actors:
                user = actor.placed
                if np.linalg.norm(user.pose[:3, 3] - pose[:3, 3]) > 15.0:
                    continue
                at = user.body.mesh.vertices @ user.pose[:3, :3].T + user.pose[:3, 3]
                local = (at - pose[:3, 3]) @ pose[:3, :3]
                inside = (np.abs(local[:, 0]) < 2.5) & (np.abs(local[:, 1]) < 1.0)
                assert not inside.any(), (seed, t, actor.kind)


# Geometry


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.lists(st.floats(0.2, 3), min_size=4, max_size=4))
def test_overlap_of_rectangles(place: list[float], half: list[float]) -> None:
    s, d, yaw, s2, d2, yaw2 = place

    def polygon(s: float, d: float, yaw: float, length: float, width: float) -> np.ndarray:
        box = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * (length, width)
        return box @ turn(2, yaw)[:2, :2].T + (s, d)

    fast = overlap(s, d, yaw, half[0], half[1], s2, d2, yaw2, half[2], half[3])
    assert fast == slow_overlap(polygon(s, d, yaw, *half[:2]), polygon(s2, d2, yaw2, *half[2:]))


@settings(max_examples=40, deadline=None)
@given(ahead=st.floats(3, 30), left=st.floats(0.3, 4), sign=st.sampled_from([-1, 1]), yaw=st.floats(-3, 3))
def test_paths(ahead: float, left: float, sign: int, yaw: float) -> None:
    """A swerve shifts a way sideways; every path is as long as it says and points where it goes."""
    bends = swerve(ahead, sign * left)
    path = Path(3.0, -2.0, yaw).then(5.0, *bends)
    end = 5.0 + sum(b.length_m for b in bends)
    s, d, turned = path.at(end)
    local = turn(2, -yaw)[:2, :2] @ np.array([s - 3.0, d + 2.0])
    np.testing.assert_allclose([*local, turned], [5.0 + ahead, sign * left, yaw], atol=1e-9)
    path = path.then(end, quarter(6.0, True), Bend(4.0, 0.0))
    x = np.linspace(0.0, end + 20.0, 4001)
    way = np.array([path.at(float(v)) for v in x])
    steps = np.diff(way[:, :2], axis=0)
    assert np.hypot(*steps.T).sum() == pytest.approx(x[-1], rel=1e-5)
    middle = 0.5 * (way[1:, 2] + way[:-1, 2])
    np.testing.assert_allclose(np.stack([np.cos(middle), np.sin(middle)], 1), steps / np.diff(x)[:, None], atol=3e-3)
    assert way[-1, 2] == pytest.approx(yaw + math.pi / 2)
    np.testing.assert_allclose(path.since(end).at(end + 7.0), path.at(end + 7.0))


def test_many_poses_are_those_of_the_line() -> None:
    plan = draw_plan(4)
    line = Centreline(plan.bends, plan.hills, plan.relief)
    s, d, yaw = np.random.default_rng(0).uniform(-5, 400, (3, 20)) * ([1.0], [0.02], [0.01])
    for k, pose in enumerate(line.pose(s, d, yaw, 0.3)):
        np.testing.assert_allclose(pose, line.pose(float(s[k]), float(d[k]), float(yaw[k]), 0.3), atol=1e-12)
