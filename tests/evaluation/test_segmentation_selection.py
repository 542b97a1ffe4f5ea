"""Which scans are scored, and what is refused: nothing is left out without a word."""

from pathlib import Path

import pytest

from errors import UserError
from evaluation.segmentation.selection import select_scans
from tests.support.labelled_drives import make_recording


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
    return [f"{scan.sequence}/{scan.name}" for scan in select_scans(data, sequences).scans]


def test_of_a_root_the_validation_sequence_unless_others_are_named(root: Path) -> None:
    assert names(root) == ["08/000000", "08/000001", "08/000002"]
    assert names(root, "00") == ["00/000000", "00/000001"]
    assert names(root, "08, 00") == [*names(root), *names(root, "00")]


def test_all_says_which_have_no_labels(root: Path) -> None:
    assert select_scans(root, "all").left_out == ["11"]
    assert names(root, "all") == [*names(root, "00"), *names(root)]


def test_one_sequence_a_folder_of_drives_and_a_raw_drive(root: Path, tmp_path: Path) -> None:
    assert names(root / "sequences" / "00") == names(root / "sequences" / "00", "all") == names(root, "00")
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
        select_scans(root, sequences)


def test_one_recording_has_no_others(root: Path) -> None:
    with pytest.raises(UserError, match="is one recording; leave --sequences out"):
        select_scans(root / "sequences" / "00", "00")
