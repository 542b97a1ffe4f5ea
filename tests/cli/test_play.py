"""The main job, end to end: recordings in, labels, frames and video out; twice the same; and downstream consumers."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simulation.drive import simulate
from simulation.recipe import Recipe
from tests.support.runs import ROOT, remove, run_py, short_folder
from tests.support.tiny_models import make_tiny_segmenter

CLASSES = ("unlabeled", "road", "car", "building", "vegetation", "terrain")
PIPELINES = ROOT / "configs" / "pipelines"


@pytest.fixture
def here() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """A tiny network: what is tested here is the pipeline."""
    folder = short_folder()
    yield make_tiny_segmenter(folder / "model", class_names=CLASSES)
    remove(folder)


@pytest.fixture(scope="module")
def drive() -> Iterator[Path]:
    """Four simulated frames, with images."""
    folder = short_folder()
    simulate(folder / "drive", Recipe(frames=4, seed=1))
    yield folder / "drive"
    remove(folder)


def play(
    config: str, data: Path, out: Path, model: Path, *more: str, rate: str = "max"
) -> subprocess.CompletedProcess[str]:
    setting = f"nodes.segmentation.params.model={model}"
    return run_py(
        "play", str(PIPELINES / config), "--data", str(data), "--rate", rate, "--out", str(out), "--set", setting, *more
    )


def digests(out: Path) -> dict[str, str]:
    """What must be the same in every run: the labels' bytes, and the fused frames without their latencies."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("labels/*.label"))}
    for line in (out / "fused.jsonl").read_text().splitlines():
        frame = json.loads(line)
        del frame["latency"]
        found[f"frame {frame['seq']}"] = json.dumps(frame, sort_keys=True)
    return found


def point_counts(folder: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_size // 16 for path in folder.glob("*.bin")}


def label_counts(out: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_size // 4 for path in (out / "labels").glob("*.label")}


def test_a_simulated_drive_with_images_gives_everything_and_the_account(here: Path, model: Path, drive: Path) -> None:
    import cv2

    done = play("kitti.yaml", drive, here / "o", model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert label_counts(here / "o") == point_counts(drive / "velodyne")
    frames = [json.loads(line) for line in (here / "o" / "fused.jsonl").read_text().splitlines()]
    assert [frame["name"] for frame in frames] == ["000000", "000001", "000002", "000003"]
    video = cv2.VideoCapture(str(here / "o" / "video.mp4"))
    assert sum(1 for _ in iter(lambda: video.read()[0], False)) == 4
    account = json.loads((here / "o" / "run" / "report.json").read_text())
    assert account["unexplained"] == 0
    assert account["losses"] == []
    assert {entry["node"] for entry in account["nodes"]} >= {"lidar", "camera", "projection", "segmentation", "fusion"}
    setup = json.loads((here / "o" / "run" / "setup.json").read_text())
    assert setup["versions"]["numpy"]


def test_the_resolved_graph_of_a_run_plays_the_same(here: Path, model: Path, drive: Path) -> None:
    assert play("lidar.yaml", drive, here / "a", model).returncode == 0
    resolved = (here / "a" / "run" / "graph.yaml").read_text().replace(str(here / "a"), str(here / "b"))
    (here / "again.yaml").write_text(resolved)
    done = run_py("play", str(here / "again.yaml"), "--rate", "max", "--out", str(here / "b"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert label_counts(here / "b") == label_counts(here / "a")


STEPS = ("lidar", "projection", "segmentation", "fusion")  # threads of one process, as the file has them
PROCESSES = [f"nodes.{node}.placement=process" for node in STEPS]
SECURED = [f"nodes.{node}.{key}" for node in STEPS for key in ("transport=tcp", "curve=true")]


@pytest.mark.parametrize("settings", [PROCESSES, [*PROCESSES, *SECURED]], ids=["processes", "secured tcp"])
def test_processes_and_secured_tcp_give_the_same_outputs(
    here: Path, model: Path, drive: Path, settings: list[str]
) -> None:
    assert play("kitti.yaml", drive, here / "a", model).returncode == 0
    done = play("kitti.yaml", drive, here / "b", model, *(word for text in settings for word in ("--set", text)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(here / "a") == digests(here / "b")


@pytest.mark.parametrize(
    ("recording", "velodyne", "camera"),
    [
        ("kitti_raw/2011_09_26/2011_09_26_drive_unknown_sync", "velodyne_points/data", True),
        ("semantickitti/sequences/00", "velodyne", False),
        ("semantickitti/sequences/04", "velodyne", False),
    ],
)
def test_real_recordings_lose_nothing_and_give_the_same_bytes_twice(
    here: Path, model: Path, shared_data: Path, recording: str, velodyne: str, camera: bool
) -> None:
    data = shared_data / recording
    for name in ("a", "b"):
        done = play("kitti.yaml", data, here / name, model)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("left out camera" in done.stdout) is not camera
        assert label_counts(here / name) == point_counts(data / velodyne)
    assert digests(here / "a") == digests(here / "b")


def test_the_example_consumer_gets_every_frame_of_a_lossless_run(here: Path, model: Path, drive: Path) -> None:
    endpoint = f"ipc://{here}/o/fused.sock"
    example = [sys.executable, str(ROOT / "examples" / "print_fused.py"), endpoint]
    assert len((ROOT / "examples" / "print_fused.py").read_text().splitlines()) <= 20
    setting = f"nodes.segmentation.params.model={model}"
    settings = ["--set", setting, "--set", "nodes.fusion.publish.wait_for=1"]
    graph = [str(PIPELINES / "lidar.yaml"), "--data", str(drive), "--rate", "max", "--out", str(here / "o")]
    run = subprocess.Popen([sys.executable, str(ROOT / "run.py"), "play", *graph, *settings], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (here / "o").is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)
    heard = subprocess.run(example, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert run.wait(30) == 0
    assert [line.split()[0] for line in heard] == ["000000", "000001", "000002", "000003"]
    assert all(" ms " in line for line in heard)


def test_live_playback_keeps_the_order_and_explains_every_drop(here: Path, model: Path, drive: Path) -> None:
    done = play("lidar.yaml", drive, here / "o", model, rate="2.0")
    assert done.returncode == 0, done.stdout + done.stderr
    account = json.loads((here / "o" / "run" / "report.json").read_text())
    assert account["unexplained"] == 0
    names = [json.loads(line)["name"] for line in (here / "o" / "fused.jsonl").read_text().splitlines()]
    assert names == sorted(names)


def test_doctor_looks_at_this_machine() -> None:
    done = run_py("doctor")
    assert "ZeroMQ" in done.stdout
    assert "onnxruntime" in done.stdout
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stdout + done.stderr


def test_labels_are_what_the_nodes_give_when_called_by_hand(here: Path, model: Path, drive: Path) -> None:
    """The pipeline adds nothing and takes nothing away: same labels as three calls in one process."""
    from formats.labels import load_label_table, read_labels
    from nodes.lidar_source import LidarSource
    from nodes.projection import Projection
    from nodes.segmentation import Segmentation

    assert play("lidar.yaml", drive, here / "o", model, "--frames", "2").returncode == 0
    projection, segmentation = Projection(), Segmentation(str(model), knn=5)
    projection.open()
    segmentation.open()
    table = load_label_table()
    for scan in list(LidarSource(str(drive)).messages())[:2]:
        labels = segmentation.process(projection.process(scan)).labels
        written, _ = read_labels(here / "o" / "labels" / f"{scan.header.name}.label")
        expected = np.array([table.names.index(name) for name in CLASSES], np.uint8)[labels]
        assert np.array_equal(table.to_train(written), expected)
    segmentation.close()
