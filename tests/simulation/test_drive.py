"""The drive on disk: formats, determinism, agreement of LiDAR and camera, what happens to a folder that is in use."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.simulate import simulate as simulate_command
from errors import UserError
from simulation import drive, rig
from simulation.lidar import sweep as lidar
from simulation.street import Street

SEED = 7
KNOWN_LABELS = {0, 1, 10, 11, 13, 15, 16, 18, 20, 30, 31, 32, 40, 44, 48, 49, 50, 51, 52, 60, 70, 71, 72, 80, 81, 99}
KNOWN_LABELS |= set(range(252, 260))
WITH_INSTANCES = {10, 11, 13, 15, 18, 20, 30, *range(252, 260)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drive") / "a"
    drive.simulate(out, frames=2, seed=SEED)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def matrices(path: Path) -> dict[str, np.ndarray]:
    rows = (line.split(":") for line in path.read_text().splitlines())
    return {name: np.array(numbers.split(), float).reshape(3, 4) for name, numbers in rows}


def test_layout(made: Path) -> None:
    names = set(files(made))
    kinds = (("velodyne", "bin"), ("labels", "label"), ("image_2", "png"))
    frames = {f"{folder}/{k:06d}.{extension}" for folder, extension in kinds for k in range(2)}
    assert names == frames | {"calib.txt", "times.txt", "poses.txt", "drive.json"}
    assert cv2.imread(str(made / "image_2/000001.png")).shape == (375, 1242, 3)
    assert json.loads((made / "drive.json").read_text())["parameters"]["seed"] == SEED
    assert [float(x) for x in (made / "times.txt").read_text().split()] == [0.0, 0.1]


@pytest.mark.parametrize("frame", ["000000", "000001"])
def test_scans_and_labels(made: Path, frame: str) -> None:
    points = np.fromfile(made / f"velodyne/{frame}.bin", np.float32).reshape(-1, 4)
    labels = np.fromfile(made / f"labels/{frame}.label", np.uint32)
    assert 80_000 < len(points) == len(labels) < 64 * lidar.COLUMNS
    assert np.isfinite(points).all()
    ranges = np.linalg.norm(points[:, :3], axis=1)
    assert 2.0 < ranges.min() < ranges.max() < lidar.MAX_RANGE_M + 1.0
    assert points[:, 3].min() >= 0.0
    assert points[:, 3].max() < 1.0
    semantic, instance = labels & 0xFFFF, labels >> 16
    assert set(semantic.tolist()) <= KNOWN_LABELS
    thing = np.isin(semantic, list(WITH_INSTANCES))
    assert (instance[thing] > 0).all()
    assert (instance[~thing] == 0).all()
    assert {40, 48} <= set(semantic.tolist())


def test_points_lie_ring_by_ring_as_in_kitti(made: Path) -> None:
    """Within a ring the azimuth grows from straight ahead, counter-clockwise; 64 rings make 63 falls of it."""
    points = np.fromfile(made / "velodyne/000000.bin", np.float32).reshape(-1, 4)
    azimuth = np.mod(np.arctan2(points[:, 1], points[:, 0]), 2 * math.pi)
    assert (np.diff(azimuth) < -math.pi).sum() == lidar.BEAMS - 1
    starts = np.r_[0, np.flatnonzero(np.diff(azimuth) < -math.pi) + 1]
    elevation = np.arctan2(points[starts, 2], np.hypot(points[starts, 0], points[starts, 1]))
    assert elevation[:8].min() > elevation[-8:].max()


def test_the_same_seed_gives_the_same_bytes_whatever_the_length(made: Path, tmp_path: Path) -> None:
    drive.simulate(tmp_path / "b", frames=3, seed=SEED)
    first, longer = files(made), files(tmp_path / "b")
    for name, data in first.items():
        if name != "drive.json":
            assert longer[name].startswith(data) if name in ("times.txt", "poses.txt") else longer[name] == data, name


def test_another_seed_is_another_street(made: Path, tmp_path: Path) -> None:
    drive.simulate(tmp_path / "c", frames=1, seed=SEED + 1, images=False)
    assert not (tmp_path / "c/image_2").exists()
    assert (tmp_path / "c/velodyne/000000.bin").read_bytes() != (made / "velodyne/000000.bin").read_bytes()


def test_a_point_projects_onto_the_object_that_the_camera_sees_there(made: Path) -> None:
    """Through the matrices of calib.txt, for all points that nothing hides from the rig."""
    street = Street(SEED)
    moment = street.moment(0.1)
    scan = lidar.scan(moment, np.random.default_rng([SEED, 1]))
    assert scan.points.tobytes() == (made / "velodyne/000001.bin").read_bytes()
    calib = matrices(made / "calib.txt")
    in_camera = calib["Tr"] @ np.c_[scan.points[:, :3], np.ones(len(scan.points))].T
    u, v, depth = calib["P2"] @ np.vstack([in_camera, np.ones(len(scan.points))])
    u, v = u / depth, v / depth
    inside = np.flatnonzero((depth > 1) & (u >= 0) & (u <= rig.WIDTH - 1) & (v >= 0) & (v <= rig.HEIGHT - 1))
    centre, _ = rig.pixel_rays(u[:1], v[:1])
    pose = street.lidar_pose(0.1)
    turn, eye = pose[:3, :3], pose[:3, :3] @ centre + pose[:3, 3]
    reaches = 0.97 * (scan.points[inside, :3] - centre) @ turn.T
    visible = inside[~moment.scene.blocked(np.broadcast_to(eye, reaches.shape), reaches)]
    _, directions = rig.pixel_rays(np.round(u[visible]), np.round(v[visible]))  # the nearest pixel's own ray
    hits = moment.scene.cast(eye, directions @ turn.T)
    seen = np.where(hits.triangle >= 0, moment.scene.attribute("object_id")[hits.triangle], -1)
    assert len(visible) > 5000
    assert (seen == scan.object_ids[visible]).mean() >= 0.95


def test_camera_directions_invert_the_projection() -> None:
    u, v = np.array([0.0, 609.5593, 1241.0]), np.array([10.0, 172.854, 374.0])
    centre, directions = rig.pixel_rays(u, v)
    pixels, depth = rig.project(centre + 17.0 * directions)
    np.testing.assert_allclose(pixels, np.stack([u, v], 1), atol=1e-9)
    assert (depth > 0).all()


def test_poses_place_what_stands_still_at_the_same_spot(made: Path) -> None:
    """Ground points of both frames, moved by poses.txt into the first camera frame, lie on the same level road."""
    tr = np.vstack([matrices(made / "calib.txt")["Tr"], [0, 0, 0, 1]])
    poses = np.loadtxt(made / "poses.txt").reshape(-1, 3, 4)
    np.testing.assert_allclose(poses[0], np.eye(4)[:3], atol=1e-9)
    assert 0.5 < np.linalg.norm(poses[1][:, 3]) < 1.5  # 0.1 s at 8-10 m/s, speeding up or slowing down
    heights = []
    for k, pose in enumerate(poses):
        points = np.fromfile(made / f"velodyne/{k:06d}.bin", np.float32).reshape(-1, 4).astype(float)
        labels = np.fromfile(made / f"labels/{k:06d}.label", np.uint32) & 0xFFFF
        road = np.c_[points[labels == 40][:, :3], np.ones((labels == 40).sum())]
        world = pose @ tr @ road.T
        heights.append(np.median(world[1]))
        assert np.std(np.abs(world[1] - heights[-1])) < 0.2
    assert abs(heights[0] - heights[1]) < 0.02
    assert abs(heights[0] - (rig.LIDAR_HEIGHT_M - 0.08)) < 0.1


def test_a_finished_drive_is_kept_and_anything_else_refused(made: Path, tmp_path: Path) -> None:
    before = files(made)
    drive.simulate(made, frames=2, seed=SEED, on_frame=lambda k: pytest.fail("made again"))
    assert files(made) == before
    with pytest.raises(UserError, match=r"frames 2 instead of 5"):
        drive.simulate(made, frames=5, seed=SEED)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no simulated drive"):
        drive.simulate(tmp_path, frames=1, seed=1)
    with pytest.raises(UserError, match="holds no simulated drive"):
        drive.discard_unless_finished(tmp_path, frames=1, seed=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(UserError, match="is a file"):
        drive.simulate(tmp_path / "notes.txt", frames=1, seed=1)
    with pytest.raises(UserError, match="cannot be"):
        drive.simulate(tmp_path / "notes.txt" / "under", frames=1, seed=1)


@pytest.mark.parametrize(("frames", "seed", "named"), [(0, 1, "--frames 0"), (1, -1, "--seed -1")])
def test_wrong_numbers_are_refused_and_nothing_is_removed(made: Path, frames: int, seed: int, named: str) -> None:
    before = files(made)
    with pytest.raises(UserError, match=named):
        drive.simulate(made, frames=frames, seed=seed)
    with pytest.raises(UserError, match=named):
        drive.discard_unless_finished(made, frames=frames, seed=seed)
    assert files(made) == before


class KilledError(Exception):
    pass


def test_a_killed_run_is_known_as_unfinished_and_force_replaces_it(tmp_path: Path) -> None:
    def kill(frame: int) -> None:
        raise KilledError

    out = tmp_path / "d"
    with pytest.raises(KilledError):
        drive.simulate(out, frames=2, seed=3, on_frame=kill, images=False)
    assert not (out / "drive.json").exists()
    with pytest.raises(UserError, match="unfinished"):
        drive.simulate(out, frames=2, seed=3, images=False)
    (out / "notes.txt").write_text("mine")
    drive.discard_unless_finished(out, frames=2, seed=3)
    assert set(files(out)) == {"notes.txt"}


def test_the_command_says_that_a_drive_is_already_there(made: Path) -> None:
    app = typer.Typer()
    app.command()(simulate_command)
    result = CliRunner().invoke(app, ["--out", str(made), "--frames", "2", "--seed", str(SEED)])
    assert result.exit_code == 0
    assert "already there" in " ".join(result.output.split())
