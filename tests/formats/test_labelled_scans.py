"""Which labelled recordings and scans are found, what is read of them, and what is refused, by name."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from formats.labelled_scans import Recording, find_recordings, read_classes, read_scan, scans_of
from tests.support.labelled_drives import TABLE, make_recording


def make_empty(*folders: Path) -> None:
    for folder in folders:
        (folder / "velodyne").mkdir(parents=True)
        (folder / "labels").mkdir()


def names(folder: Path) -> list[str]:
    return [recording.name for recording in find_recordings(folder)]


def test_layouts(tmp_path: Path) -> None:
    make_empty(tmp_path / "kitti/sequences/00", tmp_path / "kitti/sequences/08", tmp_path / "streets/a")
    make_empty(tmp_path / "one", tmp_path / "streets/.unfinished")
    (tmp_path / "streets" / "notes").mkdir()
    (tmp_path / "streets/2011_09_26/drive/velodyne_points/data").mkdir(parents=True)
    assert names(tmp_path / "kitti") == names(tmp_path / "kitti/sequences") == ["00", "08"]
    assert names(tmp_path / "one") == ["one"]
    assert names(tmp_path / "streets") == ["2011_09_26/drive", "a"]
    assert [recording.has_labels for recording in find_recordings(tmp_path / "streets")] == [False, True]


def test_a_recording_is_named_as_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_empty(tmp_path / "disk")
    (tmp_path / "08").symlink_to(tmp_path / "disk")
    assert names(tmp_path / "08") == ["08"]
    monkeypatch.chdir(tmp_path / "disk")
    assert names(Path()) == names(Path("labels/..")) == ["disk"]


def test_nothing_with_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; give a SemanticKITTI root"):
        find_recordings(tmp_path / "none")
    with pytest.raises(UserError, match="no velodyne/ with labels/"):
        find_recordings(tmp_path)
    (tmp_path / "drive" / "velodyne").mkdir(parents=True)
    with pytest.raises(UserError, match="none of its 1 recordings has labels/"):
        find_recordings(tmp_path)
    with pytest.raises(UserError, match="drive/labels: no such folder"):
        find_recordings(tmp_path / "drive")


@pytest.mark.parametrize("layout", ["odometry", "raw"])
def test_scans_of_a_recording(tmp_path: Path, layout: str) -> None:
    folder = make_recording(tmp_path / "drive", scans=3, points=5, layout=layout)
    scans = scans_of(Recording("a/drive", folder))
    assert [(scan.sequence, scan.name) for scan in scans] == [("a/drive", f"00000{i}") for i in range(3)]
    assert all(scan.points.stem == scan.labels.stem == scan.name for scan in scans)


def test_scans_and_labels_pair_up(tmp_path: Path) -> None:
    drive = Recording("drive", make_recording(tmp_path / "drive", scans=3, points=5))
    (drive.folder / "labels" / "000001.label").unlink()
    with pytest.raises(UserError, match=r"labels/000001.label: not found; 1 of 3 scans have no such file"):
        scans_of(drive)
    (drive.folder / "velodyne" / "000001.bin").unlink()
    (drive.folder / "velodyne" / "000002.bin").unlink()
    with pytest.raises(UserError, match=r"labels/000002.label: there is no such scan; 1 files belong to none"):
        scans_of(drive)


def test_a_folder_that_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"velodyne: no \*\.bin files"):
        scans_of(Recording("drive", tmp_path))


def test_a_scan_and_its_classes(tmp_path: Path) -> None:
    folder = make_recording(tmp_path / "drive", scans=2, points=30)
    files = scans_of(Recording("drive", folder))[1]
    scan = read_scan(files, TABLE)
    cloud = np.fromfile(files.points, "<f4").reshape(-1, 4)
    np.testing.assert_array_equal(scan.points, cloud)
    raw = np.fromfile(files.labels, "<u4")
    assert TABLE.to_raw(scan.labels).tolist() == raw.tolist()
    assert read_classes(files.labels, TABLE).tolist() == scan.labels.tolist()
    cloud[:, 3] = 255
    cloud.tofile(files.points)
    assert (read_scan(files, TABLE).points[:, 3] == 1).all()  # as the LiDAR source brings it to 0..1


def test_what_is_wrong_in_a_file_names_it(tmp_path: Path) -> None:
    files = scans_of(Recording("drive", make_recording(tmp_path / "drive", scans=1, points=30)))[0]
    np.full(30, 9, "<u4").tofile(files.labels)
    with pytest.raises(UserError, match=r"000000.label: raw label 9 is not in the label table.*raw ids"):
        read_scan(files, TABLE)
    np.full(29, 40, "<u4").tofile(files.labels)
    with pytest.raises(UserError, match=r"000000.label: 29 labels for a scan of 30 points"):
        read_scan(files, TABLE)
    np.full((30, 4), -1, "<f4").tofile(files.points)
    with pytest.raises(UserError, match=r"000000.bin: remission runs from -1"):
        read_scan(files, TABLE)
