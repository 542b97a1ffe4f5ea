"""Every format gives the same boxes in memory, and what is wrong with one is said in a line."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from errors import UserError
from formats.detection.dataset import joined
from formats.detection.reading import find_parts, read
from formats.detection.tracked_drives import Limits

H, W = 40, 60
BOX = [10.0, 12.0, 20.0, 18.0]  # columns 10..19, rows 12..17


def write_picture(path: Path, shape: tuple[int, ...] = (H, W, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(shape, 90, np.uint8))


def coco_values() -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": W, "height": H}],
        "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 12, 10, 6], "area": 31.5, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, W + 0.4, H], "area": 9, "iscrowd": 1},
        ],
    }


@pytest.fixture
def coco_file(tmp_path: Path) -> Path:
    """COCO's own layout: annotations/instances_val.json and val/a.jpg."""
    write_picture(tmp_path / "val" / "a.jpg")
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "instances_val.json"
    path.write_text(json.dumps(coco_values()))
    return path


def changed(path: Path, key: str, values: dict[str, Any]) -> None:
    """Change the first entry of a list in COCO's JSON."""
    data = json.loads(path.read_text())
    data[key][0].update(values)
    path.write_text(json.dumps(data))


def test_coco_is_read_with_its_own_numbers(coco_file: Path) -> None:
    data = read(coco_file)
    assert data.class_names == ("person", "car")
    assert data.category_ids == (1, 3)
    (picture,) = data.pictures
    assert (picture.image_id, picture.width, picture.height) == (7, W, H)
    assert picture.file == coco_file.parents[1] / "val" / "a.jpg"
    np.testing.assert_array_equal(picture.boxes, np.array([BOX, [0, 0, W, H]], np.float32))  # rounding is clipped
    assert picture.labels.tolist() == [1, 0]
    assert picture.ignored.tolist() == [False, True]
    assert picture.areas.tolist() == [31.5, 9.0]
    assert (picture.boxes.dtype, picture.labels.dtype) == (np.float32, np.int64)
    (coco_file.parent / "captions_val.json").write_text("{}")
    assert [part.name for part in find_parts(coco_file.parents[1])] == ["val"]


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("annotations", {"category_id": 99}, "annotation 1: category 99 is not among the 2 categories"),
        ("annotations", {"image_id": 8}, "annotation 1: its image 8 is not among the images"),
        ("annotations", {"bbox": [10, 12, 0, 6]}, r"annotation 1: box \(10, 12, 10, 18\) has no area"),
        ("annotations", {"bbox": [55, 12, 10, 6]}, r"annotation 1: .*lies outside its picture of 60 × 40 px"),
        ("annotations", {"bbox": [10, 12, 10]}, "annotation 1: bbox .*give .left, top, width, height"),
        ("annotations", {"bbox": [10, 12, 10, "x"]}, "annotation 1: bbox is 'x'"),
        ("images", {"width": 61}, "states 61 × 40 px, but .*a.jpg has 60 × 40"),
        ("images", {"file_name": "b.jpg"}, "its first picture b.jpg is not there"),
    ],
)
def test_what_is_wrong_in_coco_is_said_with_its_place(
    coco_file: Path, key: str, values: dict[str, Any], message: str
) -> None:
    changed(coco_file, key, values)
    with pytest.raises(UserError, match=message) as caught:
        read(coco_file)
    assert str(coco_file) in str(caught.value)


def test_bad_boxes_are_left_out_only_where_that_is_asked_for_and_said(coco_file: Path) -> None:
    changed(coco_file, "annotations", {"bbox": [10, 12, 0, 6]})
    data = read(coco_file, bad_boxes="leave-out")
    assert len(data.pictures[0].boxes) == 1
    assert len(data.notes) == 1
    assert "left out 1 boxes, the first: " in data.notes[0]


@pytest.mark.parametrize(
    ("name", "shape", "words"), [("a.png", (H, W), "grey"), ("a.png", (H, W, 4), "alpha"), ("a.jpg", (H, W), "grey")]
)
def test_pictures_that_are_not_plain_colour_are_counted(
    coco_file: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    write_picture(coco_file.parents[1] / "val" / name, shape)
    changed(coco_file, "images", {"file_name": name})
    (note,) = read(coco_file).notes
    assert note.startswith("1 pictures are not plain colour")
    assert words in note


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set with boxes"):
        read(tmp_path)
    path = tmp_path / "empty.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(UserError, match="has no images"):
        read(path)
    with pytest.raises(UserError, match="no such file or folder"):
        read(tmp_path / "nowhere")


def voc(folder: Path, name: str, objects: str, size: tuple[int, int] = (W, H)) -> None:
    write_picture(folder / "JPEGImages" / f"{name}.jpg")
    (folder / "Annotations").mkdir(exist_ok=True)
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><filename>{name}.jpg</filename><size><width>{size[0]}</width><height>{size[1]}</height>"
        f"<depth>3</depth></size>{objects}</annotation>"
    )


def voc_object(kind: str, box: tuple[int, int, int, int], difficult: int = 0) -> str:
    sides = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{kind}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"


def test_voc_counts_from_one_with_the_last_pixel_in(tmp_path: Path) -> None:
    voc(tmp_path, "000001", voc_object("car", (11, 13, 20, 18)) + voc_object("dog", (1, 1, W, H), 1))
    voc(tmp_path, "000002", "")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name, text in (("trainval", "000001\n"), ("test", "000002\n"), ("car_test", "000002 -1\n")):
        (tmp_path / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    data = read(tmp_path)
    np.testing.assert_array_equal(data.pictures[0].boxes, np.array([BOX, [0, 0, W, H]], np.float32))
    assert [data.class_names[label] for label in data.pictures[0].labels] == ["car", "dog"]
    assert data.pictures[0].ignored.tolist() == [False, True]
    assert data.pictures[1].boxes.shape == (0, 4)
    assert len(data.class_names) == 20
    parts = {part.name: part.read() for part in find_parts(tmp_path)}
    assert {name: [p.file.stem for p in part.pictures] for name, part in parts.items()} == {
        "test": ["000002"],
        "trainval": ["000001"],
    }
    voc(tmp_path, "000002", voc_object("tree", (1, 1, 5, 5)), size=(W, H + 1))
    with pytest.raises(UserError, match=r"000002\.xml: states 60 × 41 px"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", "is not XML"),
        ("<annotation><filename>a.jpg</filename></annotation>", "no size/width in <annotation>"),
    ],
)
def test_damaged_voc_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    with pytest.raises(UserError, match=rf"a\.xml: {message}"):
        read(tmp_path)


def kitti_line(kind: str, box: str, occluded: int = 0) -> str:
    return f"{kind} 0.00 {occluded} -1.57 {box} 1.5 1.8 4 0 1.6 20 0"


def test_kitti_objects_count_the_last_pixel_and_dont_care_is_of_every_class(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    write_picture(folder / "image_2" / "000008.png")
    (folder / "label_2").mkdir()
    file = folder / "label_2" / "000008.txt"
    lines = [kitti_line("Car", "10 12 19 17"), kitti_line("Cyclist", "0 0 59 39", 3), kitti_line("DontCare", "0 0 5 5")]
    file.write_text("\n".join(lines))
    data = read(folder, limits=Limits(most_hidden=0.9))
    (picture,) = data.pictures
    np.testing.assert_array_equal(picture.boxes[:3], np.array([BOX, [0, 0, W, H], [0, 0, 6, 6]], np.float32))
    assert picture.image_id == 8
    assert [data.class_names[label] for label in picture.labels[:2]] == ["Car", "Cyclist"]
    assert picture.ignored.tolist() == [False, True] + [True] * 8
    assert picture.labels[2:].tolist() == list(range(8))
    assert read(folder, limits=Limits(least_height_px=7)).pictures[0].ignored[0]
    for line, message in (
        (kitti_line("Boat", "10 12 19 17"), "type 'Boat' is not KITTI's"),
        ("Car 0 0", "3 fields instead of 15"),
        (kitti_line("Car", "10 12 19 nine"), "could not convert"),
    ):
        file.write_text(line)
        with pytest.raises(UserError, match=rf"000008\.txt, line 1: .*{message}"):
            read(folder)
    file.write_text("")
    (folder / "image_2" / "000008.png").unlink()
    with pytest.raises(UserError, match=r"its picture .*000008\.png is not there"):
        read(folder)


def test_kittis_tracking_benchmark_has_a_part_per_sequence(tmp_path: Path) -> None:
    for sequence in ("0000", "0001"):
        write_picture(tmp_path / "image_02" / sequence / "000000.png")
        (tmp_path / "label_02").mkdir(exist_ok=True)
        line = "0 5 Car 0 0 0 10 12 19 17 1.5 1.8 4 0 1.6 20 0\n"
        (tmp_path / "label_02" / f"{sequence}.txt").write_text(line)
    parts = find_parts(tmp_path, limits=Limits())
    assert [part.name for part in parts] == ["0000", "0001"]
    data = joined([part.read() for part in parts])
    assert [picture.image_id for picture in data.pictures] == [0, 1]
    for picture in data.pictures:
        np.testing.assert_array_equal(picture.boxes, np.array([BOX], np.float32))


def test_sets_of_other_classes_are_not_joined(coco_file: Path, tmp_path: Path) -> None:
    voc(tmp_path / "voc", "1", voc_object("car", (11, 13, 20, 18)))
    with pytest.raises(UserError, match="different classes cannot be joined"):
        joined([read(coco_file), read(tmp_path / "voc")])


def test_the_kitti_frame_of_the_shared_data_is_read_by_this_reader(shared_data: Path, tmp_path: Path) -> None:
    """Its true boxes come as JSON; written as KITTI writes them they come back, and lie in the picture."""
    place = shared_data / "kitti_object" / "mmdet3d_demo"
    (info,) = json.loads((place / "000008_info.json").read_text())["data_list"]
    boxes = [entry["bbox"] for entry in info["instances"]]
    for name in ("image_2", "label_2"):
        (tmp_path / name).mkdir()
    (tmp_path / "image_2" / "000008.png").symlink_to((place / "000008.png").resolve())
    lines = [kitti_line("Car", " ".join(f"{value:.6f}" for value in box)) for box in boxes]
    (tmp_path / "label_2" / "000008.txt").write_text("\n".join(lines))
    (picture,) = read(tmp_path).pictures
    assert (picture.width, picture.height) == (1242, 375)
    wanted = (np.add(boxes, [0, 0, 1, 1])).clip(0, [1242, 375, 1242, 375])
    np.testing.assert_allclose(picture.boxes, wanted, atol=1e-3)
