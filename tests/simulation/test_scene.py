"""Ray casting and geometry against slow references."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from simulation import lidar, scene
from simulation.centreline import Centreline
from simulation.materials import Material
from simulation.mesh import Look, box, frustum, join, leaves, plates, surface, tube
from simulation.plan import draw_plan
from simulation.street import Street

LOOK = Look(40, Material.ASPHALT, (0.5, 0.5, 0.5))


def slow_cast(corners: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> tuple[float, int]:
    """Nearest hit by solving origin + t·d = a + u·(b-a) + v·(c-a) for every triangle."""
    best, which = math.inf, -1
    for i, (a, b, c) in enumerate(corners):
        system = np.stack([-direction, b - a, c - a], 1)
        if abs(np.linalg.det(system)) < 1e-12:
            continue
        t, u, v = np.linalg.solve(system, origin - a)
        if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < best:
            best, which = t, i
    return best, which


def test_nearest_hit_of_what_stands_and_what_moves() -> None:
    rng = np.random.default_rng(1)
    standing = leaves(rng.uniform(-8, 8, (200, 3)) + np.array([300.0, 40.0, 0.0]), 2.0, rng, LOOK)
    moving = leaves(rng.uniform(-8, 8, (120, 3)) + np.array([300.0, 40.0, 0.0]), 2.0, rng, LOOK)
    angle = 0.7
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    pose[:3, 3] = (299.0, 41.0, 0.5)
    world = scene.Scene(scene.Solid(standing, np.array([290.0, 30.0, 0.0])), moving, pose)
    directions = rng.normal(size=(150, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = world.cast(np.zeros(3), directions)
    both = join([standing, moving])
    corners = both.vertices[both.triangles]
    expected = [slow_cast(corners, pose[:3, 3], pose[:3, :3] @ d) for d in directions]
    ranges, triangles = np.array([e[0] for e in expected]), np.array([e[1] for e in expected])
    assert (triangles >= 0).sum() > 50
    assert (hits.triangle == triangles).mean() > 0.99  # rays through an edge may go either way
    same = hits.triangle == triangles
    np.testing.assert_allclose(hits.range_m[same], ranges[same], rtol=1e-4)
    hit = same & (triangles >= 0)
    assert (np.einsum("ij,ij->i", hits.normal, directions)[hit] <= 0).all()
    reach = np.where(np.isfinite(ranges), ranges, 50.0)[:, None] * directions
    assert world.blocked(np.zeros_like(reach), 1.01 * reach)[hit].all()
    assert not world.blocked(np.zeros_like(reach), 0.99 * reach)[same].any()


def test_open3d_absent_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(UserError, match=r"pip install rangecast\[sim\]"):
        scene.import_open3d()


@pytest.mark.parametrize("kind", [ImportError, OSError])
def test_a_missing_system_library_is_named(monkeypatch: pytest.MonkeyPatch, kind: type[Exception]) -> None:
    class Loader:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "open3d":
                raise kind("libusb-1.0.so.0: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "open3d", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loader(), *sys.meta_path])
    with pytest.raises(UserError, match=r"apt-get install libusb-1\.0-0"):
        scene.import_open3d()


@pytest.mark.parametrize(
    "solid",
    [
        box((2, 3, 4), (1, 2, 3), LOOK),
        frustum((-1, 1, -2, 2), (-0.5, 0.5, -1, 1), (0, 2), LOOK),
        tube((0, 0, 0), (1, 2, 3), (0.5, 0.2), LOOK),
    ],
)
def test_solids_are_closed(solid) -> None:
    """Every edge belongs to exactly two triangles."""
    edges = np.sort(np.concatenate([solid.triangles[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()


def test_joined_meshes_keep_shapes_and_owners() -> None:
    parts = [box((1, 1, 1), (0, 0, 0), LOOK).owned(5, 6), box((2, 2, 2), (9, 0, 0), LOOK).placed(0, 1, 0, 0.3).owned(7)]
    both = join(parts)
    np.testing.assert_array_equal(
        both.vertices[both.triangles], np.concatenate([p.vertices[p.triangles] for p in parts])
    )
    assert both.object_id.tolist() == [5] * 12 + [7] * 12
    assert both.instance.tolist() == [6] * 12 + [0] * 12
    assert len(join([]).triangles) == 0


def area(mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.triangles], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_flat_pieces_have_their_area() -> None:
    square = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 3], [0, 0, 3]], float)
    assert area(plates(np.stack([square, square + 9]), LOOK)) == pytest.approx(12.0)
    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0), [0.0]), -1).reshape(3, 4, 3)
    assert area(surface(grid, [LOOK] * 3)) == pytest.approx(6.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), s=st.floats(-300, 3000))
def test_the_centre_line_is_measured_by_arc_length(seed: int, s: float) -> None:
    line = Centreline(draw_plan(seed).bends)
    way = np.linspace(s, s + 20.0, 200)
    x, y = line.at(way)
    assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(20.0, rel=2e-3)
    left_x, left_y = line.at(s, 3.0)
    heading = float(line.heading(s))
    offset = np.array([left_x - x[0], left_y - y[0]])
    np.testing.assert_allclose(offset, 3.0 * np.array([-math.sin(heading), math.cos(heading)]), atol=1e-6)


def test_a_longer_table_does_not_move_the_line() -> None:
    short, long = (Centreline(draw_plan(3).bends) for _ in range(2))
    long.at(20_000.0)
    np.testing.assert_array_equal(short.at(np.arange(900.0)), long.at(np.arange(900.0)))


def test_a_flat_ground_comes_back_where_geometry_says() -> None:
    """On an endless plane each downward beam meets z = -1.73 m at its own range; the rest see nothing."""
    plane = box((400, 400, 1), (0, 0, -lidar.MOUNT_HEIGHT_M - 0.5), LOOK)
    scan = lidar.scan(
        scene.Scene(scene.Solid(plane, np.zeros(3)), join([]), np.eye(4)), np.eye(4), np.random.default_rng(0)
    )
    turn = lidar.revolution()
    expected = (turn.origins[:, 2] + lidar.MOUNT_HEIGHT_M) / np.maximum(-turn.directions[:, 2], 1e-9)
    near = expected < 12.0
    measured = np.linalg.norm(scan.points[:, :3] - (0.0, 0.0, 0.1), axis=1)
    assert (measured < 12.0).sum() == pytest.approx(near.sum(), rel=0.05)
    close = scan.points[measured < 12.0]
    assert abs(close[:, 2].mean() + lidar.MOUNT_HEIGHT_M) < 0.005
    assert close[:, 2].std() < 0.02
    assert set(scan.labels.tolist()) == {40}


def test_the_rays_of_a_turn() -> None:
    turn = lidar.revolution()
    np.testing.assert_allclose(np.linalg.norm(turn.directions, axis=1), 1.0, rtol=1e-12)
    elevation = np.degrees(np.arcsin(turn.directions[:, 2]))
    assert len(np.unique(np.round(elevation, 6))) == lidar.BEAMS
    assert (np.diff(elevation) < 1e-9).all()  # from the top down
    assert elevation[0] == pytest.approx(2.0, abs=0.05)
    assert elevation[-1] == pytest.approx(-24.33, abs=0.05)
    per_ring = np.unique(np.round(elevation, 6), return_counts=True)[1][::-1]
    assert (per_ring[:40] == lidar.COLUMNS).all()  # the roof is below the upper beams
    assert per_ring[-1] < 0.7 * lidar.COLUMNS


def test_road_users_move_and_keep_clear_of_the_ego_vehicle() -> None:
    """Nobody's body comes within 0.5 m of the ego vehicle's box in the first 20 s, in any of several streets."""
    for seed in range(6):
        street = Street(seed)
        for t in (0.0, 7.3, 20.0):
            pose = street.ego(t)
            here = street.plan.ego_speed_mps * t
            users = list(street.traffic.between(here - 60, here + 60, t))
            assert users
            for user in users:
                local = (user.vertices - pose[:3, 3]) @ pose[:3, :3]
                inside = (np.abs(local[:, 0]) < 2.8) & (np.abs(local[:, 1]) < 1.0)
                assert not inside.any(), (seed, t)
