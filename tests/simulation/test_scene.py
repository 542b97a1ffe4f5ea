"""Ray casting and geometry against slow references."""

import math
import sys

import numpy as np
import pytest

from errors import UserError
from simulation import scene
from simulation.culling import near_bodies
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, leaves
from simulation.world.centreline import turn

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
    """Each ray meets the moving body where it is when the ray is sent, at street coordinates far from the origin."""
    rng = np.random.default_rng(1)
    centre = np.array([300.0, 40.0, 0.0])
    standing = leaves(rng.uniform(-8, 8, (200, 3)) + centre, 2.0, rng, LOOK)
    own = leaves(rng.uniform(-5, 5, (120, 3)), 2.0, rng, LOOK)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(2, 0.4) @ turn(1, 0.1), centre + np.array([1.0, 2.0, 0.0])
    body = scene.Placed(scene.Body(own), pose, np.array([30.0, -20.0, 1.0]), yaw_rate_radps=8.0)
    world = scene.Scene(scene.Solid(standing, (290.0, 30.0, 0.0)), [body])
    directions = rng.normal(size=(150, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    eye, dt = centre + np.array([-1.0, 1.0, 0.5]), rng.uniform(-0.05, 0.05, 150)
    hits = world.cast(eye, directions, dt)
    still = standing.vertices[standing.triangles]
    ranges, triangles = np.empty(150), np.empty(150, int)
    for n, direction in enumerate(directions):
        now = body.pose_at(dt[n])
        corners = np.concatenate([still, own.vertices[own.triangles] @ now[:3, :3].T + now[:3, 3]])
        ranges[n], triangles[n] = slow_cast(corners, eye, direction)
    assert (triangles >= 0).sum() > 50
    assert (triangles >= len(still)).sum() > 15
    assert (hits.triangle == triangles).mean() > 0.98  # rays through an edge may go either way
    same = hits.triangle == triangles
    np.testing.assert_allclose(hits.range_m[same], ranges[same], rtol=1e-4)
    hit = same & (triangles >= 0)
    assert (np.einsum("ij,ij->i", hits.normal, directions)[hit] <= 0).all()
    np.testing.assert_allclose(np.linalg.norm(hits.normal[hit], axis=1), 1.0, rtol=1e-5)
    assert (world.which(hits.triangle[hit]) == np.where(triangles[hit] < len(still), -1, 0)).all()
    reach = np.where(np.isfinite(ranges), ranges, 50.0)[:, None] * directions
    eyes = np.broadcast_to(eye, reach.shape)
    assert world.blocked(eyes, 1.01 * reach, dt)[hit].all()
    assert not world.blocked(eyes, 0.99 * reach, dt)[same].any()


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


@pytest.mark.parametrize("scattered", [False, True])
def test_bodies_that_rays_may_meet_are_those_whose_balls_they_pass_through(scattered: bool) -> None:
    """Cones round neighbouring rays leave out no body: rays of a turn, and rays in no order at all."""
    rng = np.random.default_rng(4)
    azimuth = np.linspace(0, 2 * np.pi, 2000)
    directions = np.stack([np.cos(azimuth), np.sin(azimuth), rng.normal(0, 0.1, 2000)], 1)
    if scattered:
        directions = rng.normal(size=directions.shape)
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    starts = rng.normal(0, 0.3, (2000, 3)).astype(np.float32)
    dt = np.linspace(-0.05, 0.05, 2000, dtype=np.float32)
    balls = np.column_stack([rng.normal(0, 20, (30, 3)), rng.normal(0, 10, (30, 3)), rng.uniform(0.3, 6, 30)])
    reach = np.where(np.arange(2000) % 5, rng.uniform(1, 60, 2000), np.inf).astype(np.float32)
    ray, body = near_bodies(np.hstack([starts, directions]), dt, balls, reach)
    way = balls[:, :3] + dt[:, None, None].astype(float) * balls[:, 3:6] - starts[:, None].astype(float)
    along, radius = (way * directions[:, None]).sum(2), balls[:, 6]
    expected = (along >= -radius) & (along - radius <= reach[:, None]) & ((way**2).sum(2) - along**2 < radius**2)
    got = np.zeros_like(expected)
    got[ray, body] = True
    assert expected.sum() > 200
    assert (got != expected).sum() <= 1  # rounding, where a ray touches a ball


def test_points_of_a_body_are_carried_into_its_frame() -> None:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(2, 0.4), (301.0, 42.0, 0.5)
    mesh = leaves(np.random.default_rng(0).uniform(-2, 2, (9, 3)), 0.5, np.random.default_rng(1), LOOK)
    body = scene.Placed(scene.Body(mesh), pose, np.array([30.0, -20.0, 1.0]), yaw_rate_radps=3.0)
    world = scene.Scene(scene.Solid(mesh, (290.0, 30.0, 0.0)), [body])
    own, dt = mesh.vertices[:6], np.linspace(-0.05, 0.05, 6)
    on_street = np.stack([body.pose_at(t)[:3, :3] @ p + body.pose_at(t)[:3, 3] for p, t in zip(own, dt, strict=True)])
    triangle = np.array([9, 10, 17, 9, 8, -1])  # the last two are not the body's
    got = world.in_own_frame(on_street, triangle, dt)
    np.testing.assert_allclose(got[:4], own[:4], atol=1e-4)
    np.testing.assert_array_equal(got[4:], on_street[4:])
