"""The street that stands: its line, its layout, its ground, and that nothing is in anything's way."""

import math
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from simulation.actors import LABELS
from simulation.scene import Scene, Solid
from simulation.settings import StreetSettings
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Mesh, join
from simulation.world.centreline import Centreline
from simulation.world.footprints import Footprint, Footprints
from simulation.world.layout import STRETCH_M, Layout, draw_layout
from simulation.world.plan import DISTRICTS, Plan, draw_plan
from simulation.world.relief import KERB_M
from simulation.world.stretch import Built, Stretch

SEEDS = range(6)
GROUND = (40, 44, 48, 49, 60, 72)
VEGETATION = 70


def line_of(plan: Plan) -> Centreline:
    return Centreline(plan.bends, plan.hills, plan.relief)


@lru_cache(maxsize=64)
def built(seed: int, number: int) -> Built:
    plan = draw_plan(seed)
    return Stretch(seed, plan, line_of(plan), number).build()


@lru_cache(maxsize=16)
def with_crossing(seed: int) -> tuple[int, Layout]:
    plan = draw_plan(seed)
    layouts = (draw_layout(seed, plan, number) for number in range(60))
    return next(((layout.number, layout) for layout in layouts if layout.crossing), (0, draw_layout(seed, plan, 0)))


def on_line(
    line: Centreline, x: np.ndarray, y: np.ndarray, from_s: float, to_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """(s, d) of points, by trying every decimetre of the line between two of its places."""
    table = np.arange(from_s, to_s, 0.1)
    at_x, at_y = line.at(table)
    heading = line.heading(table)
    s, d = np.empty(len(x)), np.empty(len(x))
    for n in range(len(x)):
        dx, dy = x[n] - at_x, y[n] - at_y
        ahead = np.abs(dx * np.cos(heading) + dy * np.sin(heading)) + 1e-3 * np.hypot(dx, dy)
        k = int(ahead.argmin())
        s[n], d[n] = table[k], -dx[k] * math.sin(heading[k]) + dy[k] * math.cos(heading[k])
    return s, d


# The line


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), s=st.floats(-300, 3000))
def test_the_centre_line_is_measured_by_arc_length(seed: int, s: float) -> None:
    line = line_of(draw_plan(seed))
    way = np.linspace(s, s + 20.0, 200)
    x, y = line.at(way)
    assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(20.0, rel=2e-3)
    left_x, left_y = line.at(s, 3.0)
    heading = float(line.heading(s))
    offset = np.array([left_x - x[0], left_y - y[0]])
    np.testing.assert_allclose(offset, 3.0 * np.array([-math.sin(heading), math.cos(heading)]), atol=1e-6)


def test_a_longer_table_does_not_move_the_line() -> None:
    short, long = (line_of(draw_plan(3)) for _ in range(2))
    long.at(20_000.0)
    way = np.arange(900.0)
    np.testing.assert_array_equal(short.at(way), long.at(way))
    np.testing.assert_array_equal(short.height(way), long.height(way))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), s=st.floats(-300, 3000), d=st.floats(-9, 9), yaw=st.floats(-3, 3))
def test_curvature_grade_and_pose_are_those_of_the_line(seed: int, s: float, d: float, yaw: float) -> None:
    line = line_of(draw_plan(seed))
    before, after = s - 0.01, s + 0.01
    assert line.curvature(s) == pytest.approx((line.heading(after) - line.heading(before)) / 0.02, abs=1e-6)
    smooth = Centreline(draw_plan(seed).bends, draw_plan(seed).hills)
    assert smooth.grade(s) == pytest.approx((smooth.height(after) - smooth.height(before)) / 0.02, abs=1e-6)
    pose = line.pose(s, d, yaw, 0.5)
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert pose[2, 3] == pytest.approx(line.height(s, d, 0.5))
    ahead = pose[:3, :3] @ (math.cos(yaw), -math.sin(yaw), 0.0)  # along the street, as the body sees it
    wheels = [line.grade(s) * x + line.relief.height(s + x, d) for x in (1.35, -1.35)]
    assert ahead[2] / math.hypot(ahead[0], ahead[1]) == pytest.approx((wheels[0] - wheels[1]) / 2.7, abs=1e-9)
    assert math.atan2(ahead[1], ahead[0]) == pytest.approx(float(line.heading(s)), abs=1e-9)
    left = np.linalg.inv(pose[:3, :3]).T @ (math.sin(yaw), math.cos(yaw), 0.0)
    wheels = [float(line.relief.height(s, d + y)) for y in (0.75, -0.75)]
    assert math.asin(left[2]) == pytest.approx(math.atan((wheels[0] - wheels[1]) / 1.5), abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), s=st.floats(0, 1000))
def test_roads_fall_to_gutters_and_kerbs_vary(seed: int, s: float) -> None:
    """By road builders' measures, from heights along the street alone: falls of 2 to 2.7 %, kerbs of 6 to 14 cm, and
    no step anywhere but at kerbs."""
    plan = draw_plan(seed)
    line = line_of(plan)
    way = np.arange(0.0, 2000.0, 0.5)
    across = np.arange(-20.0, 20.0, 0.05)
    assert np.abs(np.diff(line.height(s, across))).max() < 0.05 * 0.12
    falls = []
    for sign, kerb in zip((1, -1), plan.relief.kerb_m, strict=True):
        near, far = sign * 1.0, sign * (kerb - 0.5)
        falls.append(float((line.height(way, near) - line.height(way, far)).mean() / (abs(far) - 1.0)))
        kerbs = line.height(way, sign * kerb, KERB_M) - line.height(way, sign * kerb)
        assert kerbs.min() > 0.055
        assert kerbs.max() < 0.145
        assert kerbs.max() - kerbs.min() > 0.05
    assert all(0.01 < abs(fall) < 0.04 for fall in falls)  # a wave square to the road tilts the whole of it a little
    assert max(falls) > 0.0
    waves = line.height(way) - Centreline(plan.bends, plan.hills).height(way)
    assert 0.03 < waves.std() < 0.1


def test_slopes_and_bends_are_scaled_by_their_settings() -> None:
    way = np.arange(0.0, 3000.0, 5.0)
    steepest = []
    for seed in range(40):
        plain, flat, steep = (
            line_of(draw_plan(seed, StreetSettings(slopes=factor, bends=factor))) for factor in (1.0, 0.0, 2.0)
        )
        assert not flat.grade(way).any()
        assert not flat.heading(way).any()
        np.testing.assert_allclose(steep.grade(way), 2.0 * plain.grade(way))
        np.testing.assert_allclose(steep.heading(way), 2.0 * plain.heading(way))
        steepest.append(np.abs(plain.grade(way)).max())
        assert np.abs(plain.curvature(way)).max() < 1 / 79.0
    assert max(steepest) <= 0.06
    assert max(steepest) > 0.03
    assert np.median(steepest) < 0.03


def test_a_district_can_be_chosen_and_a_wrong_one_is_refused_with_the_choices() -> None:
    for district in DISTRICTS:
        assert draw_plan(5, StreetSettings(district=district.name)).district == district.name
    with pytest.raises(UserError, match=r"street\.district=suburbia: .*city, residential, garden suburb") as caught:
        draw_plan(5, StreetSettings(district="suburbia"))
    assert "\n" not in str(caught.value)


# Whose ground it is

rectangles = st.builds(
    Footprint, st.floats(-6, 6), st.floats(-6, 6), st.floats(0.1, 4), st.floats(0.1, 4), st.floats(-4, 4)
)


@settings(max_examples=150, deadline=None)
@given(one=rectangles, other=rectangles)
def test_rectangles_overlap_where_they_share_area(one: Footprint, other: Footprint) -> None:
    taken = Footprints()
    taken.add(one)
    first, second = (rectangle.corners().astype(np.float32) for rectangle in (one, other))
    shared, _ = cv2.intersectConvexConvex(first, second)
    least = min(4 * r.half_length * r.half_width for r in (one, other))
    if shared > 0.02 * least:
        assert taken.overlap(other)
    wider = other._replace(half_length=other.half_length + 0.01, half_width=other.half_width + 0.01)
    if cv2.intersectConvexConvex(first, wider.corners().astype(np.float32))[0] == 0.0:
        assert not taken.overlap(other)


def objects_of(mesh: Mesh) -> dict[int, np.ndarray]:
    """Each standing object's triangles (indices), ground left out."""
    standing = np.flatnonzero(~np.isin(mesh.label, GROUND))
    order = standing[np.argsort(mesh.object_id[standing], kind="stable")]
    _, first = np.unique(mesh.object_id[order], return_index=True)
    return {int(mesh.object_id[part[0]]): part for part in np.split(order, first[1:])}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_stands_in_a_carriageway_or_on_a_zebra(seed: int) -> None:
    """Of solid things no corner lower than 2.2 m is over asphalt, on a plain stretch and at a junction."""
    plan = draw_plan(seed)
    line = line_of(plan)
    number, layout = with_crossing(seed)
    for place in (number, number + 1):
        mesh = built(seed, place).mesh
        corners = mesh.vertices[np.unique(mesh.triangles[~np.isin(mesh.label, (*GROUND, VEGETATION))])]
        near = np.hypot(*(corners[:, :2] - np.stack(line.at((place + 0.5) * STRETCH_M))).T) < 40.0
        x, y, z = corners[near].T
        s, d = on_line(line, x, y, (place - 1) * STRETCH_M, (place + 2) * STRETCH_M)
        low = z - line.height(s, d) < 2.2
        s, d = s[low], d[low]
        assert len(s) > 20
        assert (np.abs(d) > plan.half_road_m - 0.02).all()
        if place == number and layout.crossing is not None:
            crossing = layout.crossing
            on_arm = (np.abs(s - crossing.s) < crossing.half_width_m - 0.1) & np.isin(np.sign(d), crossing.arms)
            assert not on_arm.any()
            if crossing.zebra_s is not None:
                walkway = np.abs(d) < np.where(d > 0, *plan.relief.front_m)
                assert not (walkway & (np.abs(s - crossing.zebra_s) < 1.5)).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_vehicle_cycle_or_person_stands_in_anything_solid(seed: int) -> None:
    """Not in a neighbour, a lamp, a trunk or a house, neighbouring stretches included."""
    number, _ = with_crossing(seed)
    parts = [built(seed, number + k) for k in (0, 1)]
    mesh = join([part.mesh for part in parts])
    solid = ~np.isin(mesh.label, (*GROUND, VEGETATION))
    triangles, corners = mesh.triangles[solid], mesh.vertices
    owner = mesh.object_id[solid]
    middles = np.concatenate([corners[triangles].mean(1), *(corners[triangles[:, k]] for k in range(3))])
    owners = np.tile(owner, 4)
    for thing in (thing for part in parts for thing in part.things):
        pose, bounds = thing.placed.pose, thing.placed.body.bounds
        local = (middles - pose[:3, 3]) @ pose[:3, :3]
        inside = ((local > bounds[0] + 0.03) & (local < bounds[1] - 0.03)).all(1)
        others = inside & (owners != thing.placed.body.mesh.object_id[0])
        assert not others.any(), (seed, thing.kind, thing.track_id)


@pytest.mark.parametrize("seed", SEEDS)
def test_trees_and_things_are_outside_houses(seed: int) -> None:
    number, _ = with_crossing(seed)
    mesh = join([built(seed, number + k).mesh for k in (0, 1)])
    houses, others = [], []
    for triangles in objects_of(mesh).values():
        corners = mesh.vertices[np.unique(mesh.triangles[triangles])]
        if mesh.label[triangles[0]] == 50:
            walls = corners[corners[:, 2] < corners[:, 2].min() + 0.1]  # its foundation
            houses.append(cv2.convexHull(walls[:, :2].astype(np.float32)))
        elif not (mesh.label[triangles] == VEGETATION).all():  # trunks, posts, vehicles, fences
            solid = triangles[mesh.label[triangles] != VEGETATION]
            corners = mesh.vertices[np.unique(mesh.triangles[solid])]
            others.append(corners[corners[:, 2] < corners[:, 2].min() + 2.0][:, :2].mean(0))
    assert len(others) > 5
    for house in houses:
        for x, y in others:
            assert cv2.pointPolygonTest(house, (float(x), float(y)), True) < 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_free_bays_are_empty_and_signals_have_poles(seed: int) -> None:
    plan = draw_plan(seed)
    line = line_of(plan)
    number, layout = with_crossing(seed)
    layouts = [layout, draw_layout(seed, plan, number + 1)]
    mesh = join([built(seed, number + k).mesh for k in (0, 1)])
    solid = mesh.vertices[np.unique(mesh.triangles[~np.isin(mesh.label, (*GROUND, VEGETATION))])]
    poles = mesh.vertices[np.unique(mesh.triangles[mesh.label == 80])]
    for bay in (bay for layout in layouts for bay in layout.free_bays):
        pose = line.pose(bay.s, bay.d, bay.yaw)
        local = (solid - pose[:3, 3]) @ pose[:3, :3]
        inside = (np.abs(local[:, 0]) < 2.6) & (np.abs(local[:, 1]) < 0.9) & (local[:, 2] < 2.0)
        assert not inside.any()
    for head in layout.crossing.heads if layout.crossing else ():
        x, y = line.at(head.s, head.d)
        height = float(line.height(head.s)) + head.height_m
        away = np.hypot(poles[:, 0] - x, poles[:, 1] - y)
        assert (away < 0.2).any()
        assert poles[away < 0.2, 2].max() > height


# What it is made of


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ground_has_no_holes_and_no_steps(seed: int) -> None:
    """Rays from above meet ground everywhere: the road at the line's height, the rest near it, joints included."""
    plan = draw_plan(seed)
    line = line_of(plan)
    number, _ = with_crossing(seed)
    mesh = join([built(seed, number + k).mesh for k in (-1, 0, 1)])
    ground = Mesh(mesh.vertices, mesh.triangles[np.isin(mesh.label, GROUND)], *(
        getattr(mesh, name)[np.isin(mesh.label, GROUND)]
        for name in ("label", "material", "rgb", "instance", "object_id")
    ))  # fmt: skip
    rng = np.random.default_rng(seed)
    s = np.concatenate([rng.uniform((number - 1) * STRETCH_M, (number + 2) * STRETCH_M, 6000),
                        np.repeat([number * STRETCH_M - 0.003, number * STRETCH_M + 0.003], 500)])  # fmt: skip
    d = rng.uniform(-30.0, 30.0, len(s))
    x, y = line.at(s, d)
    origin = np.array([*np.stack(line.at(number * STRETCH_M)), 0.0])
    down = np.tile([0.0, 0.0, -1.0], (len(s), 1))
    scene = Scene(Solid(ground, origin))
    hits = scene.cast(np.stack([x, y, np.full(len(s), 100.0)], 1), down)
    assert np.isfinite(hits.range_m).all()
    over = 100.0 - hits.range_m - line.height(s, d)
    road = np.abs(d) < plan.half_road_m - 0.01
    if not plan.island_m:
        assert np.abs(over[road]).max() < 0.02
    assert over.min() > -0.85
    assert over.max() < 7.0
    assert {40, 72} <= set(scene.attribute("label")[hits.triangle].tolist())


def test_things_are_labelled_numbered_and_where_they_say() -> None:
    for seed in SEEDS:
        number, _ = with_crossing(seed)
        parts = [built(seed, number + k) for k in (0, 1)]
        things = [(thing, part.mesh) for part in parts for thing in part.things]
        tracks = [thing.track_id for thing, _ in things]
        assert len(set(tracks)) == len(tracks)
        assert all(0 < track < 32768 for track in tracks)
        for thing, mesh in things:
            own = mesh.instance == thing.track_id
            assert set(mesh.label[own].tolist()) == {LABELS[thing.kind][0]}
            assert thing.standing
            assert not thing.moving
            pose, body = thing.placed.pose, thing.placed.body.mesh
            placed = body.vertices[body.triangles] @ pose[:3, :3].T + pose[:3, 3]
            np.testing.assert_allclose(mesh.vertices[mesh.triangles[own]], placed, atol=1e-9)
            if thing.kind == "pedestrian":
                np.testing.assert_allclose(pose[2, :3], (0.0, 0.0, 1.0), atol=1e-12)


def test_track_ids_of_a_kilometre_differ() -> None:
    plan = draw_plan(4)
    stretches = (Stretch(4, plan, line_of(plan), number).build() for number in (-4, -1, 0, 1, 5, 6, 120, 253))
    tracks = [thing.track_id for stretch in stretches for thing in stretch.things]
    assert len(tracks) > 8
    assert len(set(tracks)) == len(tracks)


def test_a_stretch_depends_on_its_own_number_alone() -> None:
    plan = draw_plan(4)
    line = line_of(plan)
    Stretch(4, plan, line, 9).build()
    again = Stretch(4, plan, line, 3).build().mesh
    for name in ("vertices", "triangles", "label", "material", "rgb", "instance", "object_id"):
        np.testing.assert_array_equal(getattr(again, name), getattr(built(4, 3).mesh, name))
    assert not np.array_equal(again.vertices, built(5, 3).mesh.vertices)


def test_what_stands_shows_every_class_that_stands_in_ten_drives() -> None:
    """Riders and walkers come from traffic; the rest of SemanticKITTI's classes must be found beside the road."""
    seen: set[int] = set()
    for seed in range(10):
        for number in range(-1, 8, 2):
            seen |= set(np.unique(built(seed, number).mesh.label).tolist())
    assert {10, 11, 15, 18, 20, 40, 44, 48, 49, 50, 51, 60, 70, 71, 72, 80, 81, 99} <= seen


def test_parking_places_are_taken_as_the_settings_say() -> None:
    counts = []
    for parked in (0.0, 1.0, 5.0):
        plan = draw_plan(3, StreetSettings(district="residential", parked=parked))
        line, in_bays = line_of(plan), 0
        for number in range(8):
            bays = [line.pose(bay.s, bay.d)[:2, 3] for bay in draw_layout(3, plan, number).bays]
            things = [thing.placed.pose[:2, 3] for thing in Stretch(3, plan, line, number).build().things]
            in_bays += sum(any(np.linalg.norm(thing - bay) < 1.5 for bay in bays) for thing in things)
        counts.append(in_bays)
    assert counts[0] == 0
    assert counts[0] < counts[1] < counts[2]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_layouts_keep_bays_out_of_junctions(seed: int) -> None:
    plan = draw_plan(seed)
    for number in range(-3, 12):
        layout = draw_layout(seed, plan, number)
        assert layout == draw_layout(seed, plan, number)
        bays = (*layout.bays, *layout.free_bays)
        assert all(number * STRETCH_M < bay.s < (number + 1) * STRETCH_M for bay in bays)
        crossing = layout.crossing
        if crossing is None:
            continue
        assert crossing.arms
        assert all(abs(bay.s - crossing.s) >= crossing.clear_m + 3.0 for bay in bays)
        assert number * STRETCH_M <= crossing.s - crossing.clear_m
        assert crossing.s + crossing.clear_m <= (number + 1) * STRETCH_M
        assert crossing.stop_s[0] < crossing.s - crossing.half_width_m
        assert crossing.stop_s[1] > crossing.s + crossing.half_width_m
        assert bool(crossing.heads) == crossing.signals
        if crossing.zebra_s is not None:
            assert crossing.stop_s[0] < crossing.zebra_s - 1.5
            assert crossing.zebra_s + 1.5 < crossing.s - crossing.half_width_m


def test_a_kerb_stands_beside_every_carriageway() -> None:
    """A beam along the ground from the edge of the carriageway meets the kerb's face, not a gap."""
    plan = draw_plan(1)
    line = line_of(plan)
    scene = Scene(Solid(join([built(1, k).mesh for k in (0, 1)]), (0.0, 0.0, 0.0)))
    met = 0
    for s in np.linspace(3.0, 57.0, 40):
        for sign, kerb in zip((1, -1), plan.relief.kerb_m, strict=True):
            d = sign * np.array([plan.half_road_m - 0.35, kerb + 0.05])
            start, end = np.stack([*line.at(s, d), line.height(s, d) + np.array([0.03, 0.04])], 1)
            hits = scene.cast(start, ((end - start) / np.linalg.norm(end - start))[None])
            assert hits.range_m[0] < 40.0
            if scene.attribute("material")[hits.triangle[0]] == Material.PAVING:
                met += 1
                assert 0.3 < hits.range_m[0] < kerb - abs(d[0]) + 0.1
    assert met > 30
