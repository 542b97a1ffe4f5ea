"""Every mistake at the door: one clear line, the right exit code, no traceback, nothing half-written."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
import zmq

from tests.support.runs import ROOT, remove, run_py, short_folder
from tests.support.tiny_models import make_tiny_segmenter

CLASSES = ("unlabeled", "road", "car", "building", "vegetation", "terrain")  # a label sink knows these
LIDAR = str(ROOT / "configs/pipelines/lidar.yaml")
KITTI = str(ROOT / "configs/pipelines/kitti.yaml")


@pytest.fixture
def here() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def scans(folder: Path, count: int = 3, points: int = 200) -> Path:
    """A bare folder of scans."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        xyzr = rng.uniform((-20, -20, -1.5, 0), (20, 20, 1, 1), (points, 4)).astype(np.float32)
        (folder / f"{index:06d}.bin").write_bytes(xyzr.tobytes())
    return folder


def images(folder: Path, count: int = 3) -> Path:
    """Images of a sequence."""
    import cv2

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:06d}.png"), rng.integers(0, 255, (40, 60, 3), np.uint8))
    return folder


def sequence(folder: Path, count: int = 3, times: int | None = None) -> Path:
    """A sequence in the odometry layout."""
    scans(folder / "velodyne", count)
    images(folder / "image_2", count)
    (folder / "times.txt").write_text("".join(f"{k / 10:.6f}\n" for k in range(count if times is None else times)))
    return folder


def play(
    here: Path, data: Path | str, *more: str, config: str = LIDAR, model: Path | None = None
) -> subprocess.CompletedProcess[str]:
    model = model or make_tiny_segmenter(here / "model", class_names=CLASSES)
    settings = ["--set", f"nodes.segmentation.params.model={model}"]
    return run_py("play", config, "--data", str(data), "--out", str(here / "out"), *settings, *more)


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """The complaint is one line with all of ``words``; there is no traceback anywhere."""
    everything = done.stdout + done.stderr
    assert done.returncode == code, everything
    assert "Traceback" not in everything
    telling = [line for line in everything.splitlines() if all(word in line for word in words)]
    assert telling, f"no line says {words}:\n{everything}"


def test_a_good_recording_plays(here: Path) -> None:
    done = play(here, scans(here / "d"), "--rate", "max")
    assert done.returncode == 0, done.stdout + done.stderr
    labels = sorted((here / "out" / "labels").glob("*.label"))
    assert [len(path.read_bytes()) for path in labels] == [800, 800, 800]


def test_missing_folder(here: Path) -> None:
    assert_one_line(play(here, here / "nowhere"), "nowhere", "no such")
    assert not (here / "out").exists()


def test_empty_folder(here: Path) -> None:
    (here / "d").mkdir()
    assert_one_line(play(here, here / "d"), str(here / "d"))
    assert not (here / "out").exists()


def test_every_scan_has_a_wrong_size(here: Path) -> None:
    scans(here / "d", 2)
    for path in (here / "d").glob("*.bin"):
        path.write_bytes(path.read_bytes()[:-3])
    assert_one_line(play(here, here / "d", "--rate", "max"), "000000.bin", "16")


def test_one_scan_of_a_wrong_size_is_skipped_and_named(here: Path) -> None:
    path = scans(here / "d") / "000001.bin"
    path.write_bytes(path.read_bytes()[:-3])
    done = play(here, here / "d", "--rate", "max")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout
    assert "000001" in done.stdout
    assert len(list((here / "out" / "labels").glob("*.label"))) == 2


def test_strict_makes_it_an_error(here: Path) -> None:
    path = scans(here / "d") / "000001.bin"
    path.write_bytes(path.read_bytes()[:-3])
    assert_one_line(play(here, here / "d", "--rate", "max", "--strict"), "strict", "000001", code=1)


def test_no_finite_point_anywhere(here: Path) -> None:
    folder = scans(here / "d", 1)
    (folder / "000000.bin").write_bytes(np.full((50, 4), np.nan, np.float32).tobytes())
    assert_one_line(play(here, folder, "--rate", "max"), "000000", "finite")


def test_some_points_not_finite_are_counted_and_keep_their_label_entries(here: Path) -> None:
    folder = scans(here / "d", 2)
    points = np.frombuffer((folder / "000001.bin").read_bytes(), np.float32).reshape(-1, 4).copy()
    points[3, 1], points[7, 0] = np.nan, np.inf
    (folder / "000001.bin").write_bytes(points.tobytes())
    done = play(here, folder, "--rate", "max")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "points_not_finite 2" in done.stdout
    assert len((here / "out" / "labels" / "000001.label").read_bytes()) == 800
    assert play(here, folder, "--rate", "max", "--strict", "--overwrite").returncode == 1


def test_a_truncated_png_is_skipped_and_named_and_fatal_where_all_are(here: Path) -> None:
    folder = sequence(here / "d")
    first = folder / "image_2" / "000000.png"
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    done = play(here, folder, "--rate", "max", config=KITTI)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("skipped" in line and "000000" in line and "camera" in line for line in done.stdout.splitlines())
    for path in (folder / "image_2").glob("*.png"):
        path.write_bytes(path.read_bytes()[:100])
    assert_one_line(play(here, folder, "--rate", "max", "--overwrite", config=KITTI), "000000.png")


def camera_only(here: Path) -> str:
    document = {
        "nodes": {
            "camera": {"type": "camera_source", "params": {"path": "${data}"}},
            "last": {"type": "tests.support.stream_nodes:CountFrames", "inputs": {"image": "camera"}},
        }
    }
    path = here / "camera.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def play_camera(here: Path, data: Path) -> subprocess.CompletedProcess[str]:
    return run_py("play", camera_only(here), "--data", str(data), "--out", str(here / "out"), "--rate", "max")


def test_a_video_with_no_frames(here: Path) -> None:
    import cv2

    path = here / "empty.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)).release()
    assert path.stat().st_size > 0
    assert_one_line(play_camera(here, path), "empty.avi")


def test_a_file_that_is_no_video(here: Path) -> None:
    path = here / "noise.mp4"
    path.write_bytes(b"this is not a video" * 100)
    assert_one_line(play_camera(here, path), "noise.mp4")


def test_fewer_times_than_frames(here: Path) -> None:
    assert_one_line(play(here, sequence(here / "d", 3, times=2)), "times.txt", "2", "3")


def edited_model(here: Path, edit: Callable[[dict[str, object]], None]) -> Path:
    folder = make_tiny_segmenter(here / "edited")
    manifest = json.loads((folder / "model.json").read_text())
    edit(manifest)
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def test_a_manifest_with_a_wrong_sha256(here: Path) -> None:
    model = edited_model(here, lambda manifest: manifest.update(graph_sha256="0" * 64))
    assert_one_line(play(here, scans(here / "d"), model=model), "model.onnx", "sha256")
    assert not (here / "out").exists()


def test_an_onnx_file_that_is_garbage(here: Path) -> None:
    import hashlib

    model = make_tiny_segmenter(here / "garbage")
    noise = np.random.default_rng(0).bytes(5000)
    (model / "model.onnx").write_bytes(noise)
    manifest = json.loads((model / "model.json").read_text())
    manifest["graph_sha256"] = hashlib.sha256(noise).hexdigest()
    (model / "model.json").write_text(json.dumps(manifest))
    assert_one_line(play(here, scans(here / "d"), model=model), "model.onnx")


def test_a_model_of_another_size(here: Path) -> None:
    model = make_tiny_segmenter(here / "wide", width=1024)
    assert_one_line(play(here, scans(here / "d"), "--rate", "max", model=model), "512", "1024")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("nodes.segmentation.params.kn=3", ("kn", "knn")),
        ("nodes.segmentation.inputs.range_image=projektion", ("projektion", "projection")),
        ("nodes.projection.type=projecton", ("projecton", "projection")),
        ("nodes.segmentation.inputs.range_image=lidar", ("LidarScan", "RangeImage")),
        ("nodes.projection.params.width=wide", ("width",)),
        ("nodes.lidar.deadline=3", ("deadline",)),
    ],
)
def test_mistakes_in_a_graph(here: Path, setting: str, words: tuple[str, ...]) -> None:
    assert_one_line(play(here, scans(here / "d"), "--set", setting), *words)
    assert not (here / "out").exists()


def test_a_recording_that_the_graph_does_not_read(here: Path) -> None:
    path = here / "graph.yaml"
    path.write_text(yaml.safe_dump({"nodes": {"scans": {"type": "tests.support.stream_nodes:Scans"}}}))
    assert_one_line(run_py("play", str(path), "--data", str(here), "--out", str(here / "out")), "${data}", str(here))


def test_a_cycle(here: Path) -> None:
    stream = "tests.support.stream_nodes"
    document = {
        "nodes": {
            "scans": {"type": f"{stream}:Scans"},
            "one": {"type": f"{stream}:Fuse", "inputs": {"scan": "scans", "semantics": "two"}},
            "two": {"type": f"{stream}:Echo", "inputs": {"fused": "one"}},
        }
    }
    path = here / "cycle.yaml"
    path.write_text(yaml.safe_dump(document))
    assert_one_line(run_py("validate", str(path)), "cycle", "one", "two")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pley", "x.yaml"), ("pley", "play")),
        (("play",), ("config",)),
        (("play", LIDAR, "--rtae", "1"), ("--rtae", "--rate")),
        (("play", LIDAR, "--rate", "fast"), ("fast", "max")),
        (("play", LIDAR, "--rate", "-1"), ("-1",)),
        (("play", LIDAR), ("${data}", "--data")),
        (("play", "nowhere.yaml"), ("nowhere.yaml",)),
        (("graph",), ("graph",)),
    ],
)
def test_mistakes_on_the_command_line(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_one_line(run_py(*arguments), *words)


def test_a_port_in_use(here: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        setting = f"nodes.fusion.bind=tcp://127.0.0.1:{port}"
        assert_one_line(play(here, scans(here / "d"), "--set", setting), str(port), "in use")


def test_an_endpoint_that_nothing_would_use(here: Path) -> None:
    setting = "nodes.projection.transport=tcp"
    done = play(here, scans(here / "d"), "--set", setting)
    assert_one_line(done, "projection", "no effect", "segmentation in the same process", "placement: process")


def test_an_output_folder_that_cannot_be_written(here: Path) -> None:
    (here / "out").write_text("a file where the folder should be")
    assert_one_line(play(here, scans(here / "d")), str(here / "out"))


def test_an_output_folder_with_something_in_it_is_not_touched(here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "thesis.txt").write_text("years of work")
    assert_one_line(play(here, scans(here / "d"), "--overwrite"), str(here / "out"))
    assert (here / "out" / "thesis.txt").read_text() == "years of work"


def test_a_truncated_point_cloud_file(here: Path) -> None:
    pytest.importorskip("open3d")
    (here / "d").mkdir()
    (here / "d" / "a.pcd").write_bytes(b"# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\n" + struct.pack("<f", 1))
    assert_one_line(play(here, here / "d", "--rate", "max"), "a.pcd")


def test_an_interpreter_without_the_libraries_is_told_what_to_run() -> None:
    # -S leaves site-packages out: what a system's python3 sees that knows nothing of the .venv.
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "run.py"), "doctor"], capture_output=True, text=True, check=False
    )
    assert_one_line(done, "not installed", "make setup")
