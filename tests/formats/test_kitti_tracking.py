"""KITTI's tracking labels, read and written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from formats.kitti_tracking import TYPES, TrackedObject, format_line, read

# In the manner of the devkit's readme; the numbers are made up.
CAR = "3 17 Car 0 1 -1.793451 296.74 161.75 455.22 292.37 2.0 1.82 4.43 -4.55 1.86 13.41 -2.115488"
REGION = "3 -1 DontCare -1 -1 -10 219.31 188.49 245.50 218.56 -1000 -1000 -1000 -10 -1 -1 -1"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "0000.txt"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_a_line_is_read_field_by_field(tmp_path: Path) -> None:
    car, region = read(write(tmp_path, CAR, REGION))
    assert car == TrackedObject(
        3, 17, "Car", 0, 1, -1.793451, (296.74, 161.75, 455.22, 292.37), (2.0, 1.82, 4.43), (-4.55, 1.86, 13.41),
        -2.115488,
    )  # fmt: skip
    assert (region.type, region.track_id, region.box_px) == ("DontCare", -1, (219.31, 188.49, 245.50, 218.56))


def test_results_have_a_score_and_the_evaluations_name_is_understood(tmp_path: Path) -> None:
    (person,) = read(write(tmp_path, CAR.replace("Car", "Person") + " 0.75"))
    assert (person.type, person.score) == ("Person_sitting", 0.75)


numbers = st.floats(-999, 999).map(lambda x: round(x, 6))
fours, threes = st.tuples(*[numbers] * 4), st.tuples(*[numbers] * 3)


@given(
    st.builds(
        TrackedObject, st.integers(0, 10**6), st.integers(-1, 65535), st.sampled_from(TYPES), st.integers(-1, 2),
        st.integers(-1, 3), numbers, fours, threes, threes, numbers, st.none() | numbers,
    )
)  # fmt: skip
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, label: TrackedObject) -> None:
    assert read(write(tmp_path_factory.mktemp("labels"), format_line(label), "")) == [label]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("3 17 Car 0 1", "line 2: 5 fields instead of 17"),
        (CAR.replace("Car", "Tank"), "line 2: type 'Tank' is not KITTI's"),
        (CAR.replace("296.74", "left"), "line 2: could not convert string to float: 'left'"),
        (CAR.replace("296.74", "nan"), "line 2: holds a number that is not finite"),
        (CAR.replace("3 17", "inf 17"), "line 2: cannot convert float infinity"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(write(tmp_path, CAR, line))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read as KITTI tracking labels"):
        read(tmp_path / "0000.txt")
