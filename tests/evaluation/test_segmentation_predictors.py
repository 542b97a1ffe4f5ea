"""Predictions of each kind are what they should be, point by point; and scoring holds two scans at most."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from evaluation.segmentation import score
from evaluation.segmentation.predictors import LabelFiles, from_checkpoint, from_model
from evaluation.segmentation.protocol import confusion
from evaluation.segmentation.selection import select_scans
from formats.labelled_scans import read_scan
from nodes.projection import Projection
from nodes.segmentation import Segmentation
from pipeline.messages import LidarScan
from tests.support.labelled_drives import TABLE, make_predictions, make_recording, truth_of
from tests.support.tiny_models import make_tiny_segmenter

HEIGHT, WIDTH = 16, 64


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("drives") / "00", scans=3, points=2000)


@pytest.mark.parametrize("knn", [0, 5])
def test_a_model_is_scored_as_the_nodes_run_it(drive: Path, tmp_path: Path, knn: int) -> None:
    folder = make_tiny_segmenter(tmp_path, HEIGHT, WIDTH, "labels", TABLE.names)
    predictor = from_model(folder, TABLE, knn=knn, backend="onnxruntime")
    assert predictor.description["backend"] == "onnxruntime"
    projection, node = Projection(height=HEIGHT, width=WIDTH), Segmentation(str(folder), backend="onnxruntime", knn=knn)
    projection.open()
    node.open()
    for files in select_scans(drive).scans:
        points = read_scan(files, TABLE).points
        expected = node.process(projection.process(LidarScan(points=points))).labels
        assert len(np.unique(expected)) > 3
        np.testing.assert_array_equal(predictor.predict(files, points), expected)
    node.close()


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_segmenter(tmp_path, HEIGHT, WIDTH)
    with pytest.raises(UserError, match="its 6 classes are not the 20 that are scored"):
        from_model(folder, TABLE, knn=5)


def test_a_checkpoint_gives_what_its_network_says(drive: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.range_view.normalize import normalize
    from models.range_view.projection import project
    from models.squeezesegv3.checkpoint import Checkpoint, save_checkpoint
    from models.squeezesegv3.network import SqueezeSegV3

    torch.manual_seed(0)
    network = SqueezeSegV3(21, 20)
    save_checkpoint(
        tmp_path / "c.pt",
        Checkpoint(
            layers=21, classes=20, sac="isk", height=8, width=32, step=7, network=network.state_dict(),
            label_names=TABLE.names, trained_on="nothing",
        ),
    )  # fmt: skip
    predictor = from_checkpoint(tmp_path / "c.pt", TABLE, knn=0)
    assert predictor.description["step"] == 7
    files = select_scans(drive).scans[0]
    points = read_scan(files, TABLE).points
    projection = project(points, height=8, width=32, fov_up_deg=3, fov_down_deg=-25)
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(normalize(projection.image))[None])[0].numpy()
    best = np.sort(logits, axis=0)
    sure = (best[-1] - best[-2] > 1e-4).reshape(-1)[projection.point_pixel] & (projection.point_pixel >= 0)
    expected = logits.argmax(axis=0).reshape(-1)[projection.point_pixel]
    found = predictor.predict(files, points)
    assert sure.sum() > 1500
    assert (found[sure] == expected[sure]).all()
    assert (found[projection.point_pixel < 0] == 0).all()


@pytest.mark.parametrize("place", ["submission", "flat"])
def test_label_files_are_counted_point_by_point(drive: Path, tmp_path: Path, place: str) -> None:
    made_in = tmp_path / "sequences" / "00" / "predictions" if place == "submission" else tmp_path
    predicted = make_predictions(made_in, drive)
    scans = select_scans(drive).scans
    counted = score.count(scans, LabelFiles(tmp_path, scans, TABLE), TABLE)
    assert counted.frames == {"00": 3}
    assert (counted.confusion == confusion(truth_of(drive), predicted, 20)).all()
    assert counted.by_distance[0].sum() == 3 * (len(range(0, 2000, 97)) + len(range(50, 2000, 97)))


def test_missing_and_left_over_predictions(drive: Path, tmp_path: Path) -> None:
    scans = select_scans(drive).scans
    make_predictions(tmp_path, drive)
    (tmp_path / "000001.label").rename(tmp_path / "000009.label")
    with pytest.raises(UserError, match=r"000001.label: not found; 1 of 3 scans"):
        LabelFiles(tmp_path, scans, TABLE)
    with pytest.raises(UserError, match=r"000009.label: there is no such scan"):
        LabelFiles(tmp_path, [scans[0], scans[2]], TABLE)
    with pytest.raises(UserError, match=r"no \*.label files; give the folder that has them"):
        LabelFiles(drive, scans, TABLE)
    with pytest.raises(UserError, match=r"none/sequences/00/predictions: no such folder"):
        LabelFiles(tmp_path / "none", scans, TABLE)


def test_predictions_of_several_sequences_are_not_looked_for_in_one_folder(drive: Path, tmp_path: Path) -> None:
    make_predictions(tmp_path, drive)
    make_recording(tmp_path / "drives" / "a", scans=1)
    make_recording(tmp_path / "drives" / "b", scans=1)
    with pytest.raises(UserError, match="sequences/a/predictions: no such folder"):
        LabelFiles(tmp_path, select_scans(tmp_path / "drives").scans, TABLE)


def test_a_prediction_of_another_length_or_table(drive: Path, tmp_path: Path) -> None:
    scans = select_scans(drive).scans
    make_predictions(tmp_path, drive)
    predictor = LabelFiles(tmp_path, scans, TABLE)
    np.full(1999, 40, "<u4").tofile(tmp_path / "000002.label")
    with pytest.raises(UserError, match=r"000002.label: 1999 labels for a scan of 2000 points"):
        score.count(scans, predictor, TABLE)
    np.full(2000, 9, "<u4").tofile(tmp_path / "000000.label")
    with pytest.raises(UserError, match=r"000000.label: raw label 9 .*raw ids, 40 for road"):
        score.count(scans, predictor, TABLE)


def test_one_scan_is_read_ahead_and_no_more(drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = select_scans(drive).scans * 5
    make_predictions(tmp_path, drive)
    begun, done, most = 0, 0, 0

    def counting(*arguments: object) -> object:
        nonlocal begun, most
        begun += 1
        most = max(most, begun - done)
        return read_scan(*arguments)

    def on_scan() -> None:
        nonlocal done
        done += 1

    monkeypatch.setattr(score, "read_scan", counting)
    score.count(scans, LabelFiles(tmp_path, scans[:3], TABLE), TABLE, on_scan)
    assert begun == done == 15
    assert most <= 2


def test_truth_that_says_nothing(tmp_path: Path) -> None:
    drive = make_recording(tmp_path / "drive", scans=1, points=10)
    np.zeros(10, "<u4").tofile(drive / "labels" / "000000.label")
    make_predictions(tmp_path / "predictions", drive)
    scans = select_scans(drive).scans
    with pytest.raises(UserError, match="no point has a label"):
        score.count(scans, LabelFiles(tmp_path / "predictions", scans, TABLE), TABLE)
