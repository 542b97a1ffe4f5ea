"""A drive as a COCO data set, read by COCO's own tools."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from errors import UserError
from formats import coco

H, W = 40, 60


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
    data = coco.from_drive(drive)
    assert [c["name"] for c in data["categories"]] == ["Car", "Misc"]
    assert [(i["id"], i["file_name"], i["width"], i["height"]) for i in data["images"]] == [
        (0, "image_2/000000.png", W, H),
        (1, "image_2/000001.png", W, H),
    ]
    car = data["annotations"][0]
    assert (car["bbox"], car["area"], car["iscrowd"], car["category_id"]) == ([10, 12, 10, 6], 60, 0, 1)
    # Nothing of any category counts there.
    regions = [a for a in data["annotations"] if a["track_id"] == -1]
    assert [(a["iscrowd"], a["category_id"]) for a in regions] == [
        (1, 1),
        (1, 2),
    ]
    assert len({a["id"] for a in data["annotations"]}) == len(data["annotations"]) == 5


def test_a_simulated_drives_kinds_and_shares_are_used(drive: Path) -> None:
    measure(drive)
    data = coco.from_drive(drive)
    assert [c["name"] for c in data["categories"]] == ["bus", "car"]
    bus = data["annotations"][1]
    assert (bus["area"], bus["occlusion"], bus["iscrowd"]) == (123, 0.77, 0)
    assert [a["iscrowd"] for a in coco.from_drive(drive, most_hidden=0.7)["annotations"][:2]] == [0, 1]
    assert [a["iscrowd"] for a in coco.from_drive(drive, least_height_px=7)["annotations"][:2]] == [1, 0]


def test_cocos_evaluation_gives_full_marks_to_the_truth_and_ignores_what_is_filtered(drive: Path) -> None:
    measure(drive)
    truth = opened(coco.from_drive(drive, most_hidden=0.7), drive)
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    for category, boxes in ((2, [(0, [10, 12, 10, 6]), (1, [11, 12, 10, 6])]), (1, [(0, [30, 0, 30, 21])])):
        found = [{"image_id": k, "category_id": category, "bbox": b, "score": 0.9} for k, b in boxes]
        with contextlib.redirect_stdout(io.StringIO()):
            scores = evaluation.COCOeval(truth, truth.loadRes(found), "bbox")
            scores.params.catIds = [category]
            scores.evaluate()
            scores.accumulate()
            scores.summarize()
        assert scores.stats[0] == (1.0 if category == 2 else -1.0)  # -1: nothing was asked for, nothing held against it


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_masks_are_those_of_the_pictures_of_instances(drive: Path) -> None:
    (drive / "instances_2").mkdir()
    rng = np.random.default_rng(0)
    pictures = [rng.choice(np.array([0, 5, 6], np.uint16), (H, W)) for _ in range(2)]
    for frame, picture in enumerate(pictures):
        cv2.imwrite(str(drive / "instances_2" / f"{frame:06d}.png"), picture)
    tool = opened(coco.from_drive(drive), drive)
    for annotation in tool.loadAnns(tool.getAnnIds(iscrowd=False)):
        mask = tool.annToMask(annotation)
        np.testing.assert_array_equal(mask, pictures[annotation["image_id"]] == annotation["track_id"])


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_run_lengths_are_decoded_to_the_mask(mask: np.ndarray) -> None:
    lengths = coco.run_lengths(mask)["counts"]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    np.testing.assert_array_equal(flat.reshape(mask.shape, order="F"), mask)


def test_what_cannot_be_converted_is_said(drive: Path) -> None:
    (drive / "instances_2").mkdir()
    with pytest.raises(UserError, match=r"instances_2/000000\.png: missing"):
        coco.from_drive(drive)
    (drive / "instances_2").rmdir()
    (drive / "objects.jsonl").write_text("nonsense\n")
    with pytest.raises(UserError, match=r"objects\.jsonl: is not the objects\.jsonl of a simulated drive"):
        coco.from_drive(drive)
    (drive / "objects.jsonl").unlink()
    with (drive / "label_02" / "0000.txt").open("a") as file:
        file.write(label(9, 5, "Car", (1, 2, 3, 4)) + "\n")
    with pytest.raises(UserError, match="frame 9 has labels but no picture"):
        coco.from_drive(drive)
    (drive / "label_02" / "0000.txt").unlink()
    with pytest.raises(UserError, match="needs a drive with KITTI tracking labels"):
        coco.from_drive(drive)
