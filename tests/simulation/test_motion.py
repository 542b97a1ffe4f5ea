"""Optical flow and scene flow against vertices carried by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from simulation import rig
from simulation.actors import Moment
from simulation.scene import Body, Placed
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, box
from simulation.truth import motion, visibility
from tests.support.small_street import actor, car_box, corners_of, in_camera, look, moment, pose, weights_of_pixels

WIDTH, HEIGHT, FOCAL_PX, CENTRE_U, CENTRE_V = rig.KITTI_OPTICS
WALKER, CAR, GONE = 40001, 40002, 40003


def stretched(body: Body, factor: float) -> Body:
    """The same triangles with other vertices, as a walker's next step has."""
    return Body(replace(body.mesh, vertices=body.mesh.vertices * (factor, 2 - factor, 1.0) + (0.0, 0.0, 0.05)))


@pytest.fixture(scope="module")
def pair() -> tuple[Moment, Moment]:
    """Two moments 0.1 s apart: the ego vehicle has turned and driven; one body has changed its shape, one has gone."""
    walker, car, gone = car_box(WALKER, (1.0, 1.2, 1.8)), car_box(CAR), car_box(GONE)
    post = Placed(Body(box((0.3, 0.3, 3.0), (0, 0, 1.5), Look(80, Material.METAL, (0.5, 0.5, 0.5)))), pose(11.0, -1.0))
    now = moment(
        [
            actor(WALKER, Placed(walker, pose(12.0, 2.0, yaw=0.4), np.array([1.0, -8.0, 0.0])), "pedestrian"),
            actor(CAR, Placed(car, pose(18.0, -3.0, yaw=2.5), np.array([-9.0, 4.0, 0.0]), yaw_rate_radps=1.5)),
            actor(GONE, Placed(gone, pose(30.0, 6.0))),
        ],
        props=[post],
    )
    then = moment(
        [
            actor(CAR, Placed(car, pose(17.1, -2.6, yaw=2.65), np.array([-9.0, 4.0, 0.0]), yaw_rate_radps=1.5)),
            actor(WALKER, Placed(stretched(walker, 1.2), pose(12.1, 1.2, yaw=0.5)), "pedestrian"),
        ],
        ego=pose(1.0, 0.05, yaw=0.02, pitch=0.01),
        t_s=0.1,
        props=[post],
    )
    return now, then


def nearest_triangle(corners: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth [N] (inf: none) and number [N] of the first of the triangles [T,3,3] that each pixel's ray meets."""
    depth, which = np.full(len(u), np.inf), np.full(len(u), -1)
    for number, triangle in enumerate(corners):
        if abs(np.linalg.det(triangle)) < 1e-9:
            continue
        weights = weights_of_pixels(triangle, u, v)
        here = np.where((weights >= 0).all(1), 1.0 / weights.sum(1), np.inf)
        which[here < depth], depth = number, np.minimum(depth, here)
    return depth, which


def all_corners(at: Moment) -> np.ndarray:
    standing = at.scene.standing.mesh
    parts = [in_camera(at, standing.vertices)[standing.triangles]]
    return np.concatenate([*parts, *(corners_of(at, placed) for placed in at.scene.placed)])


def followed(now: Moment, then: Moment, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Camera coordinates of what pixels see, now and then, from the triangles' corners at both times; NaN: gone."""
    before = all_corners(now)
    own = {int(p.body.mesh.instance[0]): corners_of(then, p) for p in then.scene.placed}
    standing = then.scene.standing.mesh
    parts = [in_camera(then, standing.vertices)[standing.triangles]]
    for placed in now.scene.placed:
        track_id = int(placed.body.mesh.instance[0])
        parts.append(own.get(track_id, np.full((len(placed.body.mesh.triangles), 3, 3), np.nan)))
    after = np.concatenate(parts)
    depth, which = nearest_triangle(before, u, v)
    here, there = np.full((2, len(u), 3), np.nan)
    for n in np.flatnonzero(which >= 0):
        weights = weights_of_pixels(before[which[n]], u[n : n + 1], v[n : n + 1])[0] * depth[n]
        here[n], there[n] = weights @ before[which[n]], weights @ after[which[n]]
    return here, there


def test_flow_carries_each_pixel_with_the_corners_of_its_triangle(pair: tuple[Moment, Moment]) -> None:
    now, then = pair
    hits = look(now)
    instances = visibility.instance_image(now, hits)
    rng = np.random.default_rng(0)
    flat = [rng.choice(np.flatnonzero(instances.ravel() == i), 300) for i in (WALKER, CAR, GONE, 0)]
    flat.append(np.flatnonzero((now.scene.which(hits.triangle) == 3) & (hits.triangle >= 0))[::5])  # the post
    v, u = np.divmod(np.unique(np.concatenate(flat)), WIDTH)
    here, there = followed(now, then, u, v)
    seen = motion.follow(now, hits, then)
    flow, space = motion.optical_flow(seen), motion.pixel_scene_flow(seen)

    is_followed = np.isfinite(there).all(1)
    assert (flow.valid[v, u] == (is_followed & (there[:, 2] > 0.1))).all()
    assert (space.valid[v, u] == is_followed).all()
    assert not flow.valid[instances == GONE].any()
    v, u, here, there = v[is_followed], u[is_followed], here[is_followed], there[is_followed]
    np.testing.assert_allclose(space.total_m[v, u], there - here, atol=2e-3)
    pixels = there[:, :2] / there[:, 2:] * FOCAL_PX + (CENTRE_U, CENTRE_V)
    np.testing.assert_allclose(flow.uv[v, u], pixels - np.stack([u, v], 1), atol=0.05)
    still = instances[v, u] == 0
    assert still.sum() > 50
    np.testing.assert_allclose(space.own_m[v, u][still], 0.0, atol=1e-6)

    first, _ = nearest_triangle(all_corners(then), pixels[:, 0], pixels[:, 1])
    hidden = first < there[:, 2] * 0.99 - 0.05
    outside = (pixels < 0).any(1) | (pixels > (WIDTH - 1, HEIGHT - 1)).any(1)
    assert (flow.occluded[v, u] == (hidden | outside)).mean() > 0.99
    assert hidden.sum() > 5
    assert outside.sum() > 5
    assert not flow.occluded[~flow.valid].any()
    assert (flow.uv[~flow.valid] == 0).all()


@pytest.mark.parametrize("compensated", [True, False])
def test_scene_flow_of_a_scan_leads_to_where_the_next_turn_meets_the_body(
    pair: tuple[Moment, Moment], compensated: bool
) -> None:
    """Each point is measured at its own time, and met again 0.1 s later; what stands has no motion of its own."""
    now, then = pair
    rng = np.random.default_rng(1)
    first = 2 + 12  # after the ground's triangles and the walker's: the car's
    triangle = np.concatenate([rng.integers(first, first + 12, 60), [0, 1, -1, first + 12]])
    dt = rng.uniform(-0.05, 0.05, len(triangle))
    car, car_then = now.actors[1].placed, then.actors[0].placed
    inside = rng.dirichlet(np.ones(3), 60)
    mesh = car.body.mesh
    local = np.einsum("ni,nij->nj", inside, mesh.vertices[mesh.triangles[triangle[:60] - first]])
    ground = np.array([[9.0, 1.0, 0.0], [-6.0, 3.0, 0.0]])
    places = np.stack([car.pose_at(t)[:3, :3] @ p + car.pose_at(t)[:3, 3] for t, p in zip(dt, local, strict=False)])
    later = [car_then.pose_at(t)[:3, :3] @ p + car_then.pose_at(t)[:3, 3] for t, p in zip(dt, local, strict=False)]
    places = np.concatenate([places, ground, [[0, 0, 5.0], [30, 6, 1.0]]])
    later = np.concatenate([np.stack(later), ground, np.full((2, 3), np.nan)])

    def in_lidar(at: Moment, points: np.ndarray) -> np.ndarray:
        frames = np.linalg.inv(at.lidar_poses(np.zeros(len(dt)) if compensated else dt))
        return np.einsum("nij,nj->ni", frames[:, :3, :3], points) + frames[:, :3, 3]

    points = in_lidar(now, places)
    flow = motion.point_scene_flow(now, points.astype(np.float32), triangle, dt, then, compensated=compensated)
    assert flow.valid.tolist() == [True] * 62 + [False] * 2
    np.testing.assert_allclose(flow.total_m[:62], (in_lidar(then, later) - points)[:62], atol=1e-4)
    np.testing.assert_allclose(flow.own_m[:62], (in_lidar(now, later) - points)[:62], atol=1e-4)
    np.testing.assert_allclose(flow.own_m[60:62], 0.0, atol=1e-9)
    assert (flow.total_m[62:] == 0).all()
    assert np.linalg.norm(flow.own_m[:60], axis=1).min() > 0.5


def test_a_noisy_point_moves_with_the_body_not_with_its_noise(pair: tuple[Moment, Moment]) -> None:
    """Off its triangle by centimetres, as a measured point is, it is displaced as the surface beside it."""
    now, then = pair
    car, car_then = now.actors[1].placed, then.actors[0].placed
    mesh = car.body.mesh
    corners = mesh.vertices[mesh.triangles]
    centres = corners.mean(1)
    noisy = centres + np.random.default_rng(2).normal(0, 0.03, centres.shape)
    frame = np.linalg.inv(now.lidar_pose())
    world = noisy @ car.pose[:3, :3].T + car.pose[:3, 3]
    points = world @ frame[:3, :3].T + frame[:3, 3]
    flow = motion.point_scene_flow(now, points, 14 + np.arange(12), np.zeros(12), then)
    moved = (car_then.pose - car.pose)[:3]
    expected = centres @ moved[:, :3].T + moved[:, 3]
    turned = abs(math.remainder(2.65 - 2.5, 2 * math.pi))
    np.testing.assert_allclose(flow.own_m, expected @ frame[:3, :3].T, atol=4 * 0.03 * turned)
