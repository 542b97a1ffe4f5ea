"""KITTI's object lines: what is known of an object is written as the benchmark wants it, and read back."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from errors import UserError
from nodes.kitti_object_sink import KittiObjectSink
from pipeline.messages import CameraFrame, FusedFrame, FusedObject, Header, InputStatus

INTRINSICS = np.array([[700.0, 0, 600], [0, 700, 180], [0, 0, 1]])
MOTION = np.array([[0.0, -1, 0, 0.06], [0, 0, -1, -0.08], [1, 0, 0, -0.27]])
CAR = FusedObject(
    box=(100.0, 50.0, 201.0, 121.0),
    class_name="car",
    score=0.75,
    distance_m=12.0,
    extent_min=(10.0, -1.0, -1.6),
    extent_max=(14.0, 1.0, -0.2),
    point_count=40,
)
PERSON = FusedObject(box=(1.0, 2.0, 31.0, 82.0), class_name="Person", score=0.9)


def frame(*objects: FusedObject, name: str = "000007") -> FusedFrame:
    return FusedFrame(
        header=Header(name=name, seq=7),
        points=np.zeros((0, 4), np.float32),
        labels=np.zeros(0, np.uint8),
        objects=objects,
    )


def camera(lidar_to_image: np.ndarray | None = INTRINSICS @ MOTION) -> CameraFrame:
    return CameraFrame(image=np.zeros((2, 2, 3), np.uint8), lidar_to_image=lidar_to_image)


@pytest.fixture
def sink(tmp_path: Path) -> KittiObjectSink:
    KittiObjectSink.check(str(tmp_path / "objects"))
    return KittiObjectSink(str(tmp_path / "objects"))


def lines(sink: KittiObjectSink, name: str = "000007") -> list[list[str]]:
    return [line.split() for line in (sink.out / f"{name}.txt").read_text().splitlines()]


def test_an_object_with_points_stands_in_space(sink: KittiObjectSink) -> None:
    sink.process(frame(CAR), camera())
    ((kind, truncated, occluded, alpha, *numbers),) = lines(sink)
    assert (kind, truncated, occluded) == ("Car", "-1", "-1")
    box, size_m, location_m, (rotation_y, score) = (
        [float(n) for n in part] for part in (numbers[:4], numbers[4:7], numbers[7:10], numbers[10:])
    )
    assert box == [100, 50, 200, 120]  # the last column and row are counted in
    assert size_m == [1.4, 2.0, 4.0]  # height, width, length
    assert location_m == pytest.approx([0.06, 1.6 - 0.08, 12.0 - 0.27], abs=0.005)
    assert rotation_y == pytest.approx(-math.pi / 2, abs=0.005)  # away from the camera
    assert float(alpha) == pytest.approx(rotation_y - math.atan2(0.06, 11.73), abs=0.01)
    assert score == 0.75


def test_without_points_or_calibration_the_fields_are_placeholders(sink: KittiObjectSink) -> None:
    sink.process(frame(PERSON), camera())
    want = "Pedestrian -1 -1 -10.00 1.00 2.00 30.00 81.00 -1.00 -1.00 -1.00 -1000.00 -1000.00 -1000.00 -10.00 0.9000"
    assert lines(sink) == [want.split()]
    for number, image in enumerate((None, camera(None))):
        sink.process(frame(CAR, name=f"{number}"), image)
        assert lines(sink, f"{number}")[0][8:15] == want.split()[8:15]


def test_best_first_and_an_empty_file_where_there_is_nothing(sink: KittiObjectSink) -> None:
    sink.process(frame(CAR, PERSON), None)
    assert [line[0] for line in lines(sink)] == ["Pedestrian", "Car"]
    sink.process(frame(name=""), None)  # scan 7, too
    sink.process(frame(name="9"), None)
    assert lines(sink) == lines(sink, "9") == []
    assert sorted(path.name for path in sink.out.iterdir()) == ["000007.txt", "9.txt"]


def test_a_class_without_a_type_is_counted_and_told_once(
    sink: KittiObjectSink, caplog: pytest.LogCaptureFixture
) -> None:
    chair = FusedObject(box=(0.0, 0.0, 5.0, 5.0), class_name="chair", score=0.5)
    for _ in range(2):
        sink.process(frame(chair, CAR), camera())
    assert [line[0] for line in lines(sink)] == ["Car"]
    assert sink.counters == {"objects": 2, "objects_without_type": 2}
    assert [record.getMessage() for record in caplog.records if "chair" in record.getMessage()] == [
        f"KITTI has no type for 'chair': objects of this class are left out of {sink.out}"
    ]


def test_files_are_what_kittis_reader_takes(sink: KittiObjectSink, tmp_path: Path) -> None:
    import cv2

    from formats.detection.kitti_object import read_kitti_object
    from formats.detection.tracked_drives import Limits

    sink.process(frame(CAR, PERSON), camera())
    sink.out.rename(tmp_path / "label_2")
    (tmp_path / "image_2").mkdir()
    cv2.imwrite(str(tmp_path / "image_2" / "000007.png"), np.zeros((200, 300, 3), np.uint8))
    (picture,) = read_kitti_object(tmp_path, None, Limits()).pictures
    np.testing.assert_allclose(picture.boxes, [PERSON.box, CAR.box])


@pytest.mark.parametrize("reason", ["absent", "timeout"])
def test_where_nobody_looked_there_is_no_file(sink: KittiObjectSink, reason: str) -> None:
    seen = InputStatus("detections", "ok", 0), InputStatus("tracks", "absent")
    sink.process(msgspec.structs.replace(frame(), inputs=seen), None)
    unseen = InputStatus("detections", reason), InputStatus("tracks", "absent"), InputStatus("image", "ok", 0)
    sink.process(msgspec.structs.replace(frame(name="8"), inputs=unseen), None)
    assert [path.name for path in sink.out.iterdir()] == ["000007.txt"]
    assert sink.counters["scans_without_detections"] == 1


def test_where_nothing_can_be_written(tmp_path: Path, sink: KittiObjectSink) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        KittiObjectSink.check(str(tmp_path / "file" / "objects"))
    with pytest.raises(ValueError, match="not a file name"):
        sink.process(frame(CAR, name="../x"), None)
