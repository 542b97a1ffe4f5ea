"""Which recordings are found, and how they are split."""

import pytest

from errors import UserError
from training.drives import find_drives, split


def make(*folders):
    for folder in folders:
        (folder / "velodyne").mkdir(parents=True)
        (folder / "labels").mkdir()


def test_layouts(tmp_path):
    make(tmp_path / "kitti/sequences/00", tmp_path / "kitti/sequences/08", tmp_path / "streets/a", tmp_path / "one")
    (tmp_path / "streets" / "notes").mkdir()
    assert list(find_drives([tmp_path / "kitti"])) == ["00", "08"]
    assert list(find_drives([tmp_path / "streets", tmp_path / "one"])) == ["a", "one"]


def test_one_name_in_two_folders_is_two_drives(tmp_path):
    make(tmp_path / "x/00", tmp_path / "y/00")
    drives = find_drives([tmp_path / "x", tmp_path / "y"])
    assert split(drives, ["00"], [])[0] == [tmp_path / "x/00", tmp_path / "y/00"]


def test_what_is_validated_on_is_not_trained_on(tmp_path):
    make(*(tmp_path / name for name in ("a1", "a2", "b1")))
    training, validation = split(find_drives([tmp_path]), ["*"], ["a*"])
    assert training == [tmp_path / "b1"]
    assert validation == [tmp_path / "a1", tmp_path / "a2"]


def test_what_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        find_drives([tmp_path / "none"])
    with pytest.raises(UserError, match="no velodyne/ with labels/"):
        find_drives([tmp_path])
    make(tmp_path / "00")
    drives = find_drives([tmp_path])
    with pytest.raises(UserError, match=r"data\.validation: no drive '08' in --data; there are 00"):
        split(drives, ["*"], ["08"])
    with pytest.raises(UserError, match="nothing is left to train on"):
        split(drives, ["*"], ["00"])
