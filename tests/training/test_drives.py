"""How recordings are split by their names."""

from pathlib import Path

import pytest

from errors import UserError
from formats.labelled_scans import Recording
from training.drives import split


def drives(*names):
    return [Recording(name, Path("data", name)) for name in names]


def test_one_name_in_two_folders_is_two_drives():
    both = [Recording("00", Path("x/00")), Recording("00", Path("y/00"))]
    assert split([*both, *drives("01")], ["00"], [])[0] == both


def test_what_is_validated_on_is_not_trained_on():
    training, validation = split(drives("b1", "a2", "a1"), ["*"], ["a*"])
    assert training == drives("b1")
    assert validation == drives("a1", "a2")


def test_raw_drives_go_by_their_day_or_all_of_their_name():
    given = drives("2011_09_26/drive_0001", "2011_09_28/drive_0002")
    assert split(given, ["*"], ["2011_09_28*"])[1] == given[1:]
    assert split(given, ["*"], ["*_0002"])[1] == given[1:]


def test_what_is_not_there():
    with pytest.raises(UserError, match=r"data\.validation: nothing named '08' in --data; there are 00"):
        split(drives("00"), ["*"], ["08"])
    with pytest.raises(UserError, match="nothing is left to train on"):
        split(drives("00"), ["*"], ["00"])
