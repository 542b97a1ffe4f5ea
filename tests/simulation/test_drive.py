"""A drive on disk: the same bytes however it is made, resumed where it stopped, never at the cost of others' files."""

import errno
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from simulation import drive
from simulation.frame import FrameMaker
from simulation.recipe import Recipe
from simulation.rig import LIDAR_TO_CAMERA
from simulation.settings import LidarSettings, Settings, changed

SEED = 7
BARE = Recipe(frames=2, seed=SEED, cameras=())  # no pictures: quick
SPARSE = Recipe(frames=2, seed=SEED, every=3, truth=("flow", "scene-flow"))
EVERYTHING = Recipe(frames=2, seed=SEED, truth=("depth", "flow", "scene-flow", "instances", "point-times"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drive") / "bare"
    drive.simulate(out, BARE)
    return out


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drive") / "everything"
    drive.simulate(out, EVERYTHING)
    return out


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drive") / "sparse"
    drive.simulate(out, SPARSE)
    return out


@pytest.fixture
def copy(bare: Path, tmp_path: Path) -> Path:
    """A finished drive to do harm to."""
    return Path(shutil.copytree(bare, tmp_path / "copy"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_there_is(everything: Path) -> None:
    folders = {"velodyne": "bin", "labels": "label", "image_2": "png", "depth_2": "npz"}
    folders |= {"flow_2": "npz", "scene_flow": "npz", "scene_flow_2": "npz", "instances_2": "png"}
    folders |= {"point_times": "npy"}
    frames = {f"{folder}/{k:06d}.{suffix}" for folder, suffix in folders.items() for k in range(2)}
    texts = {"calib.txt", "times.txt", "poses.txt", "label_02/0000.txt", "objects.jsonl", "actions.json", "drive.json"}
    assert set(files(everything)) == frames | texts


def test_the_card_says_what_it_was_made_from(everything: Path) -> None:
    card = json.loads((everything / "drive.json").read_text())
    assert card["parameters"]["seed"] == SEED
    assert card["parameters"]["settings"]["traffic"] == {"vehicles": 1, "pedestrians": 1, "cyclists": 1}
    assert card["weather"]["visibility_m"] > 1000
    assert card["street"]["lane_m"] > 2
    labels = np.concatenate([np.fromfile(p, np.uint32) & 0xFFFF for p in everything.glob("labels/*.label")])
    assert card["points"]["total"] == len(labels)
    assert {int(k): n for k, n in card["points"]["per_label"].items()} == dict(
        zip(*(a.tolist() for a in np.unique(labels, return_counts=True)), strict=True)
    )


def test_two_processes_write_the_same_bytes_as_one(bare: Path, tmp_path: Path) -> None:
    said = []
    summary = drive.simulate(tmp_path / "b", BARE, jobs=2, on_frame=said.append)
    assert sorted(said) == [0, 1]
    assert summary.made == 2
    assert summary.seconds["lidar"] > 0
    assert files(tmp_path / "b") == files(bare)
    assert not multiprocessing.active_children()


def test_a_frame_does_not_depend_on_how_many_follow_nor_on_what_else_is_written(bare: Path, everything: Path) -> None:
    for name in ("velodyne/000000.bin", "velodyne/000001.bin", "labels/000001.label"):
        assert (bare / name).read_bytes() == (everything / name).read_bytes()
    assert (bare / "poses.txt").read_bytes().startswith((everything / "poses.txt").read_bytes())


def test_pictures_and_truth_are_the_same_whoever_makes_them(everything: Path, tmp_path: Path) -> None:
    drive.simulate(tmp_path / "again", EVERYTHING, jobs=2)
    assert files(tmp_path / "again") == files(everything)


def test_another_seed_or_setting_is_another_street(bare: Path, tmp_path: Path) -> None:
    other = Recipe(frames=1, seed=SEED + 1, cameras=())
    exact = Recipe(frames=1, seed=SEED, cameras=(), settings=Settings(lidar=LidarSettings(noise=0.0)))
    first = (bare / "velodyne/000000.bin").read_bytes()
    for number, recipe in enumerate((other, exact)):
        drive.simulate(tmp_path / str(number), recipe)
        assert (tmp_path / str(number) / "velodyne/000000.bin").read_bytes() != first


def test_every_third_frame_is_what_the_whole_drive_has_there(sparse: Path, everything: Path) -> None:
    whole = FrameMaker(Recipe(frames=4, seed=SEED)).make(3)
    for product, suffix in (("velodyne", "bin"), ("labels", "label"), ("image_2", "png")):
        assert (sparse / f"{product}/000000.{suffix}").read_bytes() == (
            everything / f"{product}/000000.{suffix}"
        ).read_bytes()
        assert (sparse / f"{product}/000001.{suffix}").read_bytes() == whole.files[product]
    kept, there = (
        json.loads((sparse / "objects.jsonl").read_text().splitlines()[1]),
        json.loads(whole.record["objects"]),
    )
    assert (kept["frame"], kept["t_s"]) == (1, 0.3)
    assert kept["objects"] == there["objects"]
    frames = [int(line.split()[0]) for line in (sparse / "label_02/0000.txt").read_text().splitlines()]
    assert set(frames) == {0, 1}


def test_every_third_frame_lies_three_tenths_of_a_second_after_the_last(sparse: Path) -> None:
    assert [float(line) for line in (sparse / "times.txt").read_text().split()] == pytest.approx([0.0, 0.3])
    assert json.loads((sparse / "drive.json").read_text())["period_s"] == 0.3
    [video] = json.loads((sparse / "actions.json").read_text())["database"].values()
    assert (video["duration"], video["fps"]) == (0.6, pytest.approx(1 / 0.3, abs=1e-3))


def test_flow_leads_to_the_next_frame_that_is_kept(sparse: Path) -> None:
    """What stands has moved in the LiDAR's axes as the poses say."""
    points = np.fromfile(sparse / "velodyne/000000.bin", np.float32).reshape(-1, 4)[:, :3].astype(float)
    flow = np.load(sparse / "scene_flow/000000.npz")
    stands = flow["valid"] & (flow["own_m"] == 0.0).all(1)
    pose = np.vstack([np.loadtxt(sparse / "poses.txt")[1].reshape(3, 4), [0, 0, 0, 1]])
    to_next = np.linalg.inv(LIDAR_TO_CAMERA) @ np.linalg.inv(pose) @ LIDAR_TO_CAMERA
    then = points @ to_next[:3, :3].T + to_next[:3, 3]
    assert stands.mean() > 0.5
    assert np.abs(then[stands] - points[stands] - flow["total_m"][stands]).max() < 1e-3
    assert np.linalg.norm(to_next[:3, 3]) > 0.5


class StoppedError(Exception):
    pass


def stop(frame: int) -> None:
    raise StoppedError


def test_a_stopped_run_goes_on_where_it_was(bare: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    with pytest.raises(StoppedError):
        drive.simulate(out, BARE, on_frame=stop)
    assert not (out / "drive.json").exists()
    assert drive.frames_done(out, BARE) == 1
    (out / "velodyne" / "000001.bin.tmp").write_bytes(b"half")  # as a killed run leaves it
    with pytest.raises(UserError, match=r"unfinished \(frames 2 instead of 3\)"):
        drive.simulate(out, Recipe(frames=3, seed=SEED, cameras=()))
    said: list[int] = []
    drive.simulate(out, BARE, on_frame=said.append)
    assert said == [1]
    assert files(out) == files(bare)


def test_a_worker_that_is_killed_is_noticed_and_leaves_no_orphans(tmp_path: Path) -> None:
    def kill(frame: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(UserError, match="a worker process ended"):
        drive.simulate(tmp_path / "d", BARE, jobs=2, on_frame=kill)
    assert not multiprocessing.active_children()


def test_what_a_worker_cannot_write_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "d" / ".unfinished").mkdir(parents=True)
    (tmp_path / "d" / "velodyne" / "000001.bin.tmp").mkdir(parents=True)  # nothing can be written there
    with pytest.raises(UserError, match="cannot be written"):
        drive.simulate(tmp_path / "d", BARE, jobs=2)


def test_a_full_disk_leaves_no_half_file_and_the_run_goes_on_when_there_is_room(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.write_bytes

    def half(path: Path, data: bytes) -> int:
        if path.name == "000001.label.tmp":
            whole(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", half)
        with pytest.raises(UserError, match="the disk is full; make room and run the same command again"):
            drive.simulate(tmp_path / "d", BARE)
    assert not list((tmp_path / "d").rglob("*.tmp"))
    assert not (tmp_path / "d" / "labels" / "000001.label").exists()
    (tmp_path / "d" / "velodyne" / "000000.bin").unlink()  # this frame has to be made again, too
    drive.simulate(tmp_path / "d", BARE)
    assert files(tmp_path / "d") == files(bare)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(UserError, match=r"2 frames need up to [56] MB and the disk has 1 MB left"):
        drive.simulate(tmp_path / "d", BARE)
    assert not (tmp_path / "d").exists()


def test_a_finished_drive_is_kept(copy: Path) -> None:
    before = files(copy)
    drive.simulate(copy, BARE, on_frame=lambda k: pytest.fail("made again"))
    drive.discard_another(copy, BARE)
    assert files(copy) == before


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (Recipe(frames=5, seed=SEED, cameras=()), "frames 2 instead of 5"),
        (Recipe(frames=2, seed=8, cameras=()), "seed 7 instead of 8"),
        (Recipe(frames=2, seed=SEED, every=2, cameras=()), "every 1 instead of 2"),
        (Recipe(frames=2, seed=SEED), r"cameras \[\] instead of \[2\]"),
        (Recipe(frames=2, seed=SEED, cameras=(), settings=Settings(light="night")), "settings.light any instead of"),
    ],
)
def test_another_drive_is_refused_and_left_alone(copy: Path, recipe: Recipe, named: str) -> None:
    before = files(copy)
    with pytest.raises(UserError, match=named):
        drive.simulate(copy, recipe)
    assert files(copy) == before


def test_force_replaces_another_drive_and_nothing_else(copy: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    (copy / "velodyne" / "mine.bin").write_text("mine")
    drive.discard_another(copy, Recipe(frames=1, seed=SEED, cameras=()))
    assert set(files(copy)) == {"notes.txt", "velodyne/mine.bin"}


def test_a_finished_drive_with_a_file_missing_is_no_finished_drive(copy: Path) -> None:
    (copy / "velodyne" / "000001.bin").unlink()
    with pytest.raises(UserError, match="files of frame 1 are missing"):
        drive.simulate(copy, BARE)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "velodyne").mkdir()
    (tmp_path / "velodyne" / "000000.bin").write_text("mine")
    yield tmp_path
    assert files(tmp_path) == {"velodyne/000000.bin": b"mine"}


def test_a_folder_without_a_card_is_refused_and_left_alone(foreign: Path) -> None:
    with pytest.raises(UserError, match="holds no simulated drive"):
        drive.simulate(foreign, BARE)
    with pytest.raises(UserError, match="holds no simulated drive"):
        drive.discard_another(foreign, BARE)
    with pytest.raises(UserError, match="is a file"):
        drive.simulate(foreign / "velodyne" / "000000.bin", BARE)
    with pytest.raises(UserError, match="cannot be"):
        drive.simulate(foreign / "velodyne" / "000000.bin" / "under", BARE)


def test_a_card_that_is_none_is_refused(copy: Path) -> None:
    (copy / "drive.json").write_text("{}")
    with pytest.raises(UserError, match="is not the card of a simulated drive"):
        drive.simulate(copy, BARE)


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (Recipe(frames=0, seed=1), "--frames 0"),
        (Recipe(frames=1, seed=-1), "--seed -1"),
        (Recipe(frames=1, seed=1, every=0), "--every 0: must be from 1"),
        (Recipe(frames=1, seed=1, settings=Settings(sensor="hdl-64")), "did you mean 'hdl-64e'"),
        (Recipe(frames=1, seed=1, cameras=(), truth=("depth",)), "--truth depth: is the left camera's"),
        (Recipe(frames=1, seed=1, settings=changed(Settings(), ["street.district=downtown"])), "no such district"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_removed(copy: Path, recipe: Recipe, named: str) -> None:
    before = files(copy)
    for attempt in (drive.simulate, drive.discard_another):
        with pytest.raises(UserError, match=named):
            attempt(copy, recipe)
    assert files(copy) == before


def test_settings_by_name() -> None:
    settings = changed(Settings(), ["traffic.vehicles=0.5", "lidar.compensate=false", "camera.exposure_s=0.01"])
    assert settings.traffic.vehicles == 0.5
    assert settings.lidar.compensate is False
    assert settings.camera.exposure_s == 0.01
    assert changed(settings, ["camera.exposure_s=null"]).camera.exposure_s is None


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("traffic.vehicle=1", "did you mean 'traffic.vehicles'?"),
        ("nothing=1", "choose one of street.district"),
        ("traffic.vehicles", "give group.key=value"),
        ("traffic.vehicles=9", "<= 5.0"),
        ("traffic.vehicles=nan", ">= 0.0"),
        ("traffic.vehicles=many", "expected a number"),
        ("camera.blur=maybe", "expected true or false"),
        ("weather=fog", "use --weather fog"),
    ],
)
def test_settings_that_are_wrong(assignment: str, named: str) -> None:
    with pytest.raises(UserError) as caught:
        changed(Settings(), [assignment])
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
