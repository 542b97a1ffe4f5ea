"""``run.py detect``, and ``run.py evaluate detection --model``: with a detector that finds coloured cells."""

import json
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from tests.formats.test_video import write_video
from tests.support.tiny_detector import CELL, make_tiny_detector

cv2 = pytest.importorskip("cv2")
BLUE, GREEN, RED = np.eye(3, dtype=np.uint8) * 255
HEIGHT, WIDTH = 2 * 96, 2 * 320
"""Of the pictures: twice the input's, so a cell is twice as wide and high there."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_detector(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """``0.png`` has a red cell in row 1, column 2, and a green one at the right bottom; ``1.png`` is black."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    side = 2 * CELL
    image[side : 2 * side, 2 * side : 3 * side] = RED
    image[-side:, -side:] = GREEN
    cv2.imwrite(str(folder / "0.png"), image)
    cv2.imwrite(str(folder / "1.png"), np.zeros((HEIGHT, WIDTH), np.uint8))  # grey
    return folder


def run(*arguments: str | Path) -> int:
    return main(["detect", *map(str, arguments), "--backend", "onnxruntime"])


def results(out: Path) -> list[dict]:
    return json.loads((out / "detections.json").read_text())


def test_a_folder_of_pictures(detector: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(detector, pictures, "--out", tmp_path / "out") == 0
    found = sorted(results(tmp_path / "out"), key=lambda entry: entry["category_id"])
    expected = {"image_id": 1, "file_name": "0.png", "score": 1.0}
    assert found == [
        expected | {"category_id": 2, "category": "car", "bbox": [WIDTH - 64, HEIGHT - 64, 64, 64]},
        expected | {"category_id": 3, "category": "person", "bbox": [128, 64, 64, 64]},
    ]
    assert "2 objects in 2 pictures" in capsys.readouterr().out
    drawn = [cv2.imread(str(tmp_path / "out" / "pictures" / f"{k}.png.jpg")) for k in range(2)]
    assert all(picture.shape == (2 * HEIGHT, 2 * WIDTH, 3) for picture in drawn)  # enlarged, to be read
    assert drawn[0][100:128, 256:384].max() > 150  # the label above the red cell
    assert drawn[1].max() < 30


def test_one_picture_undrawn_with_what_scores_little(detector: Path, pictures: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(pictures / "dark.png"), np.full((HEIGHT, WIDTH, 3), 51, np.uint8))
    options = ["--no-draw", "--least-score", "0.1"]
    assert run(detector, pictures / "dark.png", "--out", tmp_path / "out", *options) == 0
    found = results(tmp_path / "out")
    assert len(found) == 3 * 10  # of each cell its best class
    assert {entry["file_name"] for entry in found} == {"dark.png"}
    assert [entry["score"] for entry in found] == pytest.approx([0.2] * len(found))
    assert not (tmp_path / "out" / "pictures").exists()


def test_a_video(detector: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", [0, 40, 80])
    assert run(detector, tmp_path / "a.mkv", "--out", tmp_path / "out") == 0
    drawn = sorted(path.name for path in (tmp_path / "out" / "pictures").iterdir())
    assert drawn == [f"a.mkv-{number:06d}.jpg" for number in range(3)]


def test_a_model_is_scored_as_its_results_are(detector: Path, pictures: Path, tmp_path: Path) -> None:
    assert run(detector, pictures, "--out", tmp_path / "out") == 0
    truth = {
        "images": [{"id": k + 5, "file_name": f"{k}.png", "width": WIDTH, "height": HEIGHT} for k in range(2)],
        "categories": [{"id": 9, "name": "person"}, {"id": 4, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 9, "bbox": [128, 64, 64, 64], "area": 4096, "iscrowd": 0},
            {"id": 2, "image_id": 5, "category_id": 4, "bbox": [0, 0, 64, 64], "area": 4096, "iscrowd": 0},
        ],
    }
    (pictures / "truth.json").write_text(json.dumps(truth))
    common = ["evaluate", "detection", "--annotations", str(pictures / "truth.json"), "--out"]
    model = ["--model", str(detector), "--backend", "onnxruntime"]
    files = ["--predictions", str(tmp_path / "out" / "detections.json")]
    scores = []
    for name, what in (("a", model), ("b", files)):
        assert main([*common, str(tmp_path / name), *what]) == 0
        scores.append(json.loads((tmp_path / name / "scores.json").read_text()))
    by_class = [{entry["name"]: entry["ap"] for entry in each["classes"]} for each in scores]
    assert by_class[0] == pytest.approx({"car": 0.0, "person": 1.0})
    assert by_class[0] == by_class[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "nothing", "pictures", "--out", "out"], "nothing"),
        (["detect", "model", "nothing", "--out", "out"], "no such file or folder: nothing"),
        (["detect", "model", "empty", "--out", "out"], "empty is empty"),
        (["detect", "model", "pictures", "--out", "file"], "file/pictures: cannot be written"),
        (["evaluate", "detection", "--annotations", "t.json"], "give one of --predictions and --model"),
        (
            ["evaluate", "detection", "--annotations", "t.json", "--predictions", "p.json", "--backend", "auto"],
            "--backend and --precision are for --model",
        ),
        (["evaluate", "detection", "--annotations", "nowhere", "--model", "model"], "nowhere: no such file or folder"),
    ],
)
def test_a_mistake_is_one_line(
    detector: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(detector)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()
