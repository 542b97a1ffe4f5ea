"""``run.py evaluate detection`` as a user calls it: COCO's files, what is said, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.evaluation.test_detection_protocol import made_up_files, public

TRUTH: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "a/0.png"}, {"id": 9, "file_name": "b/0.png"}],
    "categories": [{"id": 1, "name": "Car"}, {"id": 3, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 50, 50], "area": 2500, "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0, 0, 50, 50], "area": 2500, "iscrowd": 0},
    ],
}
FOUND: dict[str, Any] = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 50, 50], "score": 0.9}


def run(folder: Path, results: Any, truth: Any = TRUTH, *options: str) -> int:
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(results if isinstance(results, str) else json.dumps(results))
    files = ["--predictions", str(folder / "found.json"), "--annotations", str(folder / "truth.json")]
    return main(["evaluate", "detection", *files, *options])


def test_the_public_evaluators_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, results = made_up_files(tmp_path)
    arguments = ["--predictions", str(results), "--annotations", str(truth), "--out", str(tmp_path / "out")]
    assert main(["evaluate", "detection", *arguments]) == 0
    said = capsys.readouterr().out
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    names = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100"]
    assert [scores[name] for name in names] == public(truth, results)[:9].tolist()
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert rows["all"][3:] == [f"{100 * scores[name]:.1f}" for name in names[:3]]
    assert rows["dog"][1] == "0"
    assert rows["dog"][3:] == ["-", "-", "-"]
    assert scores["classes"][2]["ap"] is None
    assert (tmp_path / "out" / "precision_recall.png").read_bytes().startswith(b"\x89PNG")


def test_names_go_before_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = [
        {**FOUND, "image_id": 1, "category_id": 80, "file_name": "set/a/0.png", "category": "car"},
        {**FOUND, "image_id": 2, "category_id": 81, "file_name": "b/0.png", "category": "person"},
        {**FOUND, "image_id": 2, "category_id": 82, "file_name": "b/0.png", "category": "dog"},
    ]
    assert run(tmp_path, named) == 0
    said = capsys.readouterr().out
    assert "1 results left out, of classes without annotations: dog" in said
    assert next(line.split() for line in said.splitlines() if line.startswith("all"))[1:4] == ["2", "2", "100.0"]


def test_pictures_without_results_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, [FOUND]) == 0
    assert "1 annotated pictures without results" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "found.json: has no results"),
        (TRUTH, "found.json: is a JSON object, as annotations are; give a list of results"),
        ("[{", "found.json: is not COCO's result JSON"),
        ([{**FOUND, "score": "high"}], "Expected `float`, got `str` - at `$[0].score`"),
        ([{**FOUND, "bbox": [0, 0, -1, 5]}], "result 0: bbox [0.0, 0.0, -1.0, 5.0], score 0.9; give left, top, width"),
        ([FOUND, {**FOUND, "image_id": 8}], "result 1: image_id 8 is not annotated"),
        ([{**FOUND, "file_name": "c/0.png"}], "fits 2 annotated pictures; name its folders too"),
        ([{**FOUND, "file_name": "a/1.png"}], "result 0: 'a/1.png' is not annotated"),
        ([{**FOUND, "category_id": 2}], "category_id 2 is not annotated; the annotations have 1 car, 3 person"),
        ([{**FOUND, "category": "persn"}], "none of its classes is annotated; of 'persn': did you mean 'person'?"),
    ],
)
def test_wrong_results_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], results: Any, said: str
) -> None:
    assert run(tmp_path, results) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"annotations": []}, "truth.json: no object is annotated"),
        ({"categories": None}, "truth.json: 'categories' is a JSON NoneType"),
        ({"annotations": [{**TRUTH["annotations"][0], "image_id": 5}]}, "annotation 0: image_id is 5, which the file"),
        ({"annotations": [{**TRUTH["annotations"][0], "category_id": 5}]}, "annotation 0: category_id is 5, which"),
        (
            {"annotations": [{**TRUTH["annotations"][0], "bbox": [1, 2, 3]}]},
            "annotation 0: bbox is [1.0, 2.0, 3.0]; give",
        ),
    ],
)
def test_wrong_annotations_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], said: str
) -> None:
    assert run(tmp_path, [FOUND], TRUTH | change) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
