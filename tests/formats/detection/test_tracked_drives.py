"""A drive as a COCO data set, read by COCO's own tools."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from errors import UserError
from formats.detection import tracked_drives
from formats.detection.tracked_drives import Limits
from simulation.actors import Kind

H, W = 40, 60
CAR, BUS = 1, 4  # numbers of their categories


def label(frame: int, track_id: int, kind: str, box: tuple[int, int, int, int], occluded: int = 0) -> str:
    return f"{frame} {track_id} {kind} 0 {occluded} 0 {box[0]} {box[1]} {box[2]} {box[3]} 1.5 1.8 4 0 1.6 20 0"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Two frames of KITTI's layout with a car in both, and a bus that is largely hidden in the first."""
    for folder in ("image_2", "label_02"):
        (tmp_path / folder).mkdir()
    for frame in range(2):
        cv2.imwrite(str(tmp_path / "image_2" / f"{frame:06d}.png"), np.zeros((H, W, 3), np.uint8))
    (tmp_path / "times.txt").write_text("0.0\n0.1\n")
    lines = [label(0, 5, "Car", (10, 12, 19, 17)), label(0, 6, "Misc", (30, 0, 59, 20), 2)]
    lines += [label(1, 5, "Car", (11, 12, 20, 17)), "1 -1 DontCare -1 -1 -10 40 0 50 9 -1 -1 -1 -1 -1 -1 -1"]
    (tmp_path / "label_02" / "0000.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def measure(drive: Path) -> None:
    """Add the file of a simulated drive: the Misc is a bus of which 77 % are hidden."""
    entries = [(5, "car", 0.0, 50), (6, "bus", 0.77, 123)]
    frames = [
        {"frame": k, "objects": [
            {"track_id": i, "kind": kind, "image_2": {"occlusion": hidden, "pixels": pixels}}
            for i, kind, hidden, pixels in entries[: 2 - k]
        ]} for k in range(2)
    ]  # fmt: skip
    (drive / "objects.jsonl").write_text("".join(json.dumps(f) + "\n" for f in frames))


def opened(data: dict[str, Any], folder: Path) -> Any:
    tools = pytest.importorskip("pycocotools.coco")
    (folder / "coco.json").write_text(json.dumps(data))
    with contextlib.redirect_stdout(io.StringIO()):
        return tools.COCO(str(folder / "coco.json"))


def test_kittis_labels_become_annotations(drive: Path) -> None:
    data = tracked_drives.as_coco([drive], relative_to=drive)
    kinds = ["Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc"]
    assert [c["name"] for c in data["categories"]] == kinds
    assert [c["id"] for c in data["categories"]] == list(range(1, 9))
    assert [(i["id"], i["file_name"], i["width"], i["height"]) for i in data["images"]] == [
        (0, "image_2/000000.png", W, H),
        (1, "image_2/000001.png", W, H),
    ]
    car = data["annotations"][0]
    assert (car["bbox"], car["area"], car["iscrowd"], car["category_id"]) == ([10, 12, 10, 6], 60, 0, 1)
    # Nothing of any category counts there.
    regions = [a for a in data["annotations"] if a["track_id"] == -1]
    assert [(a["iscrowd"], a["category_id"]) for a in regions] == [(1, number) for number in range(1, 9)]
    assert len({a["id"] for a in data["annotations"]}) == len(data["annotations"]) == 3 + 8


def test_a_simulated_drives_kinds_and_shares_are_used(drive: Path) -> None:
    measure(drive)
    data = tracked_drives.as_coco([drive], relative_to=drive)
    assert [c["name"] for c in data["categories"]] == list(get_args(Kind))
    assert [a["category_id"] for a in data["annotations"][:3]] == [CAR, BUS, CAR]
    bus = data["annotations"][1]
    assert (bus["area"], bus["occlusion"], bus["iscrowd"]) == (123, 0.77, 0)
    for limits, wanted in ((Limits(most_hidden=0.7), [0, 1]), (Limits(least_height_px=7), [1, 0])):
        data = tracked_drives.as_coco([drive], relative_to=drive, limits=limits)
        assert [a["iscrowd"] for a in data["annotations"][:2]] == wanted


def test_what_is_hidden_and_what_is_outside_the_picture_add_up(drive: Path) -> None:
    measure(drive)
    objects = drive / "objects.jsonl"
    objects.write_text(objects.read_text().replace('"occlusion": 0.77', '"occlusion": 0.5, "truncation": 0.5'))
    for most, wanted in ((0.74, [0, 1]), (0.76, [0, 0])):  # a quarter of the bus is to be seen
        data = tracked_drives.as_coco([drive], relative_to=drive, limits=Limits(most_hidden=most))
        assert [a["iscrowd"] for a in data["annotations"][:2]] == wanted


def test_cocos_evaluation_gives_full_marks_to_the_truth_and_ignores_what_is_filtered(drive: Path) -> None:
    measure(drive)
    truth = opened(tracked_drives.as_coco([drive], relative_to=drive, limits=Limits(most_hidden=0.7)), drive)
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    for category, boxes in ((CAR, [(0, [10, 12, 10, 6]), (1, [11, 12, 10, 6])]), (BUS, [(0, [30, 0, 30, 21])])):
        found = [{"image_id": k, "category_id": category, "bbox": b, "score": 0.9} for k, b in boxes]
        with contextlib.redirect_stdout(io.StringIO()):
            scores = evaluation.COCOeval(truth, truth.loadRes(found), "bbox")
            scores.params.catIds = [category]
            scores.evaluate()
            scores.accumulate()
            scores.summarize()
        assert scores.stats[0] == (
            1.0 if category == CAR else -1.0
        )  # -1: nothing was asked for, nothing held against it


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_masks_are_those_of_the_pictures_of_instances(drive: Path) -> None:
    (drive / "instances_2").mkdir()
    rng = np.random.default_rng(0)
    pictures = [rng.choice(np.array([0, 5, 6], np.uint16), (H, W)) for _ in range(2)]
    for frame, picture in enumerate(pictures):
        cv2.imwrite(str(drive / "instances_2" / f"{frame:06d}.png"), picture)
    tool = opened(tracked_drives.as_coco([drive], relative_to=drive), drive)
    for annotation in tool.loadAnns(tool.getAnnIds(iscrowd=False)):
        mask = tool.annToMask(annotation)
        np.testing.assert_array_equal(mask, pictures[annotation["image_id"]] == annotation["track_id"])


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_run_lengths_are_decoded_to_the_mask(mask: np.ndarray) -> None:
    lengths = tracked_drives.run_lengths(mask)["counts"]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    np.testing.assert_array_equal(flat.reshape(mask.shape, order="F"), mask)


def test_a_raw_drives_masks_are_found_by_its_pictures_names(drive: Path) -> None:
    """There the folder is instances_02 and frames have ten digits."""
    (drive / "instances_02").mkdir()
    (drive / "image_2").rename(drive / "pictures")
    (drive / "image_02" / "data").mkdir(parents=True)
    for frame in range(2):
        (drive / "pictures" / f"{frame:06d}.png").rename(drive / "image_02" / "data" / f"{frame:010d}.png")
        cv2.imwrite(str(drive / "instances_02" / f"{frame:010d}.png"), np.full((H, W), 5, np.uint16))
    stamps = "".join(f"2011-09-26 12:00:00.{k}00000000\n" for k in range(2))
    (drive / "image_02" / "timestamps.txt").write_text(stamps)
    data = tracked_drives.as_coco([drive], relative_to=drive)
    assert data["images"][1]["file_name"] == "image_02/data/0000000001.png"
    assert [a["segmentation"]["counts"] for a in data["annotations"][:2]] == [[0, H * W], [H * W]]


@pytest.fixture
def two_drives(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A folder, and the drive twice in it, each in a folder of its own; the second has pictures of instances."""
    measure(drive)
    base = tmp_path_factory.mktemp("several")
    folders = [base / "set" / name for name in "ab"]
    for folder in folders:
        for name in ("image_2", "label_02"):
            shutil.copytree(drive / name, folder / name)
        for name in ("times.txt", "objects.jsonl"):
            shutil.copy(drive / name, folder / name)
    (folders[1] / "instances_2").mkdir()
    for frame in range(2):
        picture = np.full((H, W), 5 + frame, np.uint16)
        cv2.imwrite(str(folders[1] / "instances_2" / f"{frame:06d}.png"), picture)
    return base, folders


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_several_drives_become_one_set(two_drives: tuple[Path, list[Path]], capsys: pytest.CaptureFixture[str]) -> None:
    """Numbered through, files found from where the set lies, each drive's annotations on its own pictures."""
    base, folders = two_drives
    out = base / "coco.json"
    assert tracked_drives.main([*map(str, folders), "--out", str(out), "--most-hidden", "0.7"]) == 0
    assert "4 pictures" in capsys.readouterr().out
    data = json.loads(out.read_text())
    assert [i["id"] for i in data["images"]] == [0, 1, 2, 3]
    assert [i["file_name"] for i in data["images"]] == [f"set/{d}/image_2/{k:06d}.png" for d in "ab" for k in range(2)]
    assert all((base / i["file_name"]).is_file() for i in data["images"])
    assert [a["id"] for a in data["annotations"]] == list(range(1, len(data["annotations"]) + 1))
    alone = tracked_drives.as_coco([folders[0]], relative_to=folders[0], limits=Limits(most_hidden=0.7))["annotations"]
    joined = [{k: v for k, v in a.items() if k not in ("id", "segmentation")} for a in data["annotations"]]
    alone = [{k: v for k, v in a.items() if k != "id"} for a in alone]
    assert joined == alone + [{**a, "image_id": a["image_id"] + 2} for a in alone]
    masks = [a["segmentation"]["counts"] for a in data["annotations"] if "segmentation" in a and not a["iscrowd"]]
    assert masks == [[0, H * W], [H * W]]  # the car is all of its first picture and nothing of its second
    assert opened(data, base).getImgIds() == [0, 1, 2, 3]


def test_a_set_that_cannot_be_made_is_refused_in_a_line_and_nothing_is_overwritten(
    two_drives: tuple[Path, list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    base, folders = two_drives
    kept = base / "kept.json"
    kept.write_text("{}")
    assert tracked_drives.main([str(folders[0]), "--out", str(kept)]) == 2
    assert capsys.readouterr().err == f"error: {kept}: exists already; choose another --out\n"
    assert kept.read_text() == "{}"
    (folders[1] / "objects.jsonl").unlink()
    assert tracked_drives.main([*map(str, folders), "--out", str(base / "new.json")]) == 2
    assert f"{folders[1]}: has no objects.jsonl" in capsys.readouterr().err
    assert not (base / "new.json").exists()
    text = (folders[0] / "objects.jsonl").read_text()
    (folders[0] / "objects.jsonl").write_text(text.replace('"bus"', '"tram"'))
    with pytest.raises(UserError, match="kind 'tram' is none of car, van"):
        tracked_drives.as_coco([folders[0]], relative_to=folders[0])


def test_what_cannot_be_converted_is_said(drive: Path) -> None:
    (drive / "instances_2").mkdir()
    with pytest.raises(UserError, match=r"instances_2/000000\.png: missing"):
        tracked_drives.as_coco([drive], relative_to=drive)
    (drive / "instances_2").rmdir()
    (drive / "objects.jsonl").write_text("nonsense\n")
    with pytest.raises(UserError, match=r"objects\.jsonl: is not the objects\.jsonl of a simulated drive"):
        tracked_drives.as_coco([drive], relative_to=drive)
    (drive / "objects.jsonl").unlink()
    with (drive / "label_02" / "0000.txt").open("a") as file:
        file.write(label(9, 5, "Car", (1, 2, 3, 4)) + "\n")
    with pytest.raises(UserError, match="frame 9 has labels but no picture"):
        tracked_drives.as_coco([drive], relative_to=drive)
    (drive / "label_02" / "0000.txt").unlink()
    with pytest.raises(UserError, match="needs a drive with KITTI tracking labels"):
        tracked_drives.as_coco([drive], relative_to=drive)
