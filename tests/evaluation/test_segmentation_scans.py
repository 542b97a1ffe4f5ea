"""Which scans are scored, and what is refused: nothing is left out without a word."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from evaluation.segmentation.scans import find_scans, read_scan
from tests.evaluation.drives import TABLE, make_recording


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences 00, 08 and, without labels, 11."""
    folder = tmp_path_factory.mktemp("root")
    for i, name in enumerate(("00", "08", "11")):
        make_recording(folder / "sequences" / name, scans=2 + i, points=20)
    for file in (folder / "sequences/11/labels").iterdir():
        file.unlink()
    (folder / "sequences/11/labels").rmdir()
    return folder


def names(data: Path, sequences: str | None = None) -> list[str]:
    return [f"{scan.sequence}/{scan.name}" for scan in find_scans(data, sequences).scans]


def test_of_a_root_the_validation_sequence_unless_others_are_named(root: Path) -> None:
    assert names(root) == ["08/000000", "08/000001", "08/000002"]
    assert names(root, "00") == ["00/000000", "00/000001"]
    assert names(root, "08, 00") == [*names(root), *names(root, "00")]


def test_all_says_which_have_no_labels(root: Path) -> None:
    assert find_scans(root, "all").left_out == ["11"]
    assert names(root, "all") == [*names(root, "00"), *names(root)]


def test_one_sequence_a_folder_of_drives_and_a_raw_drive(root: Path, tmp_path: Path) -> None:
    assert names(root / "sequences" / "00") == names(root, "00")
    make_recording(tmp_path / "a", points=5)
    make_recording(tmp_path / "b" / "2011_09_26" / "drive", scans=1, points=5, layout="raw")
    assert names(tmp_path / "b" / "2011_09_26" / "drive") == ["drive/000000"]
    assert names(tmp_path / "b") == ["2011_09_26/drive/000000"]
    assert names(tmp_path, "all") == names(tmp_path) == ["a/000000", "a/000001"]


@pytest.mark.parametrize(
    ("sequences", "problem"),
    [
        ("08,09", r"no sequence '09'; give --sequences all, or some of 00, 08, 11"),
        (",", r"no sequence ','"),
        ("11", r"sequences/11/labels: no \*.label files"),
    ],
)
def test_a_sequence_that_cannot_be_scored(root: Path, sequences: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        find_scans(root, sequences)


def test_nothing_to_score(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_scans(tmp_path / "none")
    with pytest.raises(UserError, match="no velodyne"):
        find_scans(tmp_path)
    with pytest.raises(UserError, match="is one recording; leave --sequences out"):
        find_scans(root / "sequences" / "00", "00")
    (tmp_path / "drive" / "velodyne").mkdir(parents=True)
    with pytest.raises(UserError, match="none of its 1 recordings has labels/"):
        find_scans(tmp_path, "all")


def test_scans_and_labels_pair_up(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "drive", scans=3, points=5)
    (folder / "labels" / "000001.label").unlink()
    with pytest.raises(UserError, match=r"labels/000001.label: not found; 1 of 3 scans have no such file"):
        find_scans(folder)
    (folder / "velodyne" / "000001.bin").unlink()
    (folder / "velodyne" / "000002.bin").unlink()
    with pytest.raises(UserError, match=r"labels/000002.label: there is no such scan; 1 files belong to none"):
        find_scans(folder)


def test_a_scan_and_its_truth(tmp_path: Path) -> None:
    files = find_scans(make_recording(tmp_path / "drive", scans=1, points=30)).scans[0]
    scan = read_scan(files, TABLE)
    cloud = np.fromfile(files.points, "<f4").reshape(-1, 4)
    np.testing.assert_array_equal(scan.points, cloud)
    raw = np.fromfile(files.labels, "<u4")
    assert TABLE.to_raw(scan.truth).tolist() == raw.tolist()
    cloud[:, 3] = 255
    cloud.tofile(files.points)
    assert (read_scan(files, TABLE).points[:, 3] == 1).all()  # as the LiDAR source brings it to 0..1


def test_what_is_wrong_in_a_file_names_it(tmp_path: Path) -> None:
    files = find_scans(make_recording(tmp_path / "drive", scans=1, points=30)).scans[0]
    np.full(30, 9, "<u4").tofile(files.labels)
    with pytest.raises(UserError, match=r"000000.label: raw label 9 is not in the label table.*raw ids"):
        read_scan(files, TABLE)
    np.full(29, 40, "<u4").tofile(files.labels)
    with pytest.raises(UserError, match=r"000000.label: 29 labels for a scan of 30 points"):
        read_scan(files, TABLE)
    np.full((30, 4), -1, "<f4").tofile(files.points)
    with pytest.raises(UserError, match=r"000000.bin: remission runs from -1"):
        read_scan(files, TABLE)
