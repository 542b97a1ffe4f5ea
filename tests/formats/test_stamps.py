"""Time stamps: exact to the nanosecond, against independent arithmetic; frames find their line."""

import itertools
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from formats.stamps import (
    date_time_to_ns,
    frame_numbers,
    nominal_stamps,
    read_times,
    read_timestamps,
    seconds_to_ns,
    stamps_of,
)


@pytest.mark.parametrize(
    ("text", "stamp_ns"),
    [
        ("0", 0),
        ("0.1037359", 103_735_900),
        ("1.037359e-01", 103_735_900),
        ("  4.706870e+02\n", 470_687_000_000),
        ("1317042145.951199337", 1_317_042_145_951_199_337),  # a float keeps only …_199_219
        ("0.0000000005", 0),  # a half goes to the even
        ("0.0000000015", 2),
        ("-0.5", -500_000_000),
    ],
)
def test_seconds(text, stamp_ns):
    assert seconds_to_ns(text) == stamp_ns


@given(st.integers(-(2**62), 2**62))
def test_every_nanosecond_survives(stamp_ns):
    sign, (seconds, rest) = "-" if stamp_ns < 0 else "", divmod(abs(stamp_ns), 10**9)
    assert seconds_to_ns(f"{sign}{seconds}.{rest:09d}") == stamp_ns


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1e400", "1,5", "9300000000"])
def test_what_is_no_time_in_seconds(text):
    with pytest.raises(ValueError, match="time in seconds"):
        seconds_to_ns(text)


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2261, 12, 31)).map(lambda d: d.replace(microsecond=0)),
    st.integers(0, 10**9 - 1),
)
def test_date_and_time_against_the_calendar_of_the_standard_library(moment, fraction_ns):
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    assert date_time_to_ns(f"{moment:%Y-%m-%d %H:%M:%S}.{fraction_ns:09d}") == seconds * 10**9 + fraction_ns


def test_date_and_time_of_kitti():
    assert date_time_to_ns("2011-09-26 13:02:25.967790592") == 1_317_042_145_967_790_592
    assert date_time_to_ns("2011-09-26 13:02:25") == 1_317_042_145_000_000_000
    assert date_time_to_ns("2011-09-26 13:02:25.5") == 1_317_042_145_500_000_000


@pytest.mark.parametrize(
    "text",
    [
        "13:02:25",
        "2011-02-30 00:00:00",
        "2011-13-01 00:00:00",
        "2011-09-26 24:00:00",
        "2011-09-26 13:02:25.1234567891",
        "2262-05-01 00:00:00",
    ],
)
def test_what_is_no_date_and_time(text):
    with pytest.raises(ValueError, match="date and time"):
        date_time_to_ns(text)


def test_an_empty_line_keeps_its_place(tmp_path):
    path = tmp_path / "timestamps.txt"
    path.write_text("2011-09-26 13:02:25.1\n\n2011-09-26 13:02:25.3\n\n\n")
    first, absent, third = read_timestamps(path)
    assert absent is None
    assert third - first == 200_000_000


def test_a_line_that_is_no_stamp_is_named(tmp_path):
    path = tmp_path / "times.txt"
    path.write_text("0\n0.1\n0.2x\n")
    with pytest.raises(UserError, match=r"times\.txt, line 3: '0\.2x' is not a time"):
        read_times(path)
    path.write_bytes(b"\xff\xfe0\n")
    with pytest.raises(UserError, match="cannot be read as a list of time stamps"):
        read_times(path)


def files(*names: str) -> list[Path]:
    return [Path("velodyne") / name for name in names]


def test_a_line_belongs_to_the_frame_of_its_number():
    where = Path("times.txt")
    assert stamps_of(files("000000.bin", "000002.bin"), [0, 10, 20], where) == [0, 20]
    assert stamps_of(files("a.bin", "b.bin"), [0, 10], where) == [0, 10]
    # Numbers beyond the lines, but one line for each: in order.
    assert stamps_of(files("000100.bin", "000101.bin"), [0, 10], where) == [0, 10]


def test_counts_that_do_not_fit_are_both_named():
    with pytest.raises(UserError, match=r"times\.txt has 2 lines for 3 frames in velodyne"):
        stamps_of(files("0.bin", "1.bin", "2.bin"), [0, 10], Path("times.txt"))
    for names in (("a.bin", "b.bin"), ("000007.bin", "000008.bin")):
        with pytest.raises(UserError, match=r"has 3 lines for 2 frames.*do not say which line is whose"):
            stamps_of(files(*names), [0, 10, 20], Path("times.txt"))


def test_frame_numbers():
    assert frame_numbers(files("0000000042.bin", "7.png")) == [42, 7]
    assert frame_numbers(files("42.bin", "a7.bin")) is None
    assert frame_numbers(files("²3.bin")) is None  # isdigit() is true of a superscript


@given(st.lists(st.integers(0, 10**6), max_size=20), st.floats(0.5, 1000))
def test_nominal_stamps_are_within_half_a_nanosecond(numbers, rate_hz):
    for number, stamp_ns in zip(numbers, nominal_stamps(numbers, rate_hz), strict=True):
        assert abs(stamp_ns - number * 10**9 / Fraction(rate_hz)) <= Fraction(1, 2)


def test_a_number_too_large_to_count_frames():
    with pytest.raises(UserError, match="frame number 1532402927647951"):
        nominal_stamps([1532402927647951], 0.1)


def test_real_time_stamps(shared_data):
    drive = shared_data / "kitti_raw_0001_meta" / "2011_09_26_drive_0001_sync"
    paths = sorted(drive.glob("*/timestamps*.txt"))
    assert len(paths) == 8
    for path in paths:
        stamps = read_timestamps(path)
        assert len(stamps) == 108
        steps = [b - a for a, b in itertools.pairwise(stamps)]
        assert 90_000_000 < min(steps) <= max(steps) < 120_000_000
        last = path.read_text().split("\n")[107]
        seconds = int(datetime.strptime(last[:19] + "+0000", "%Y-%m-%d %H:%M:%S%z").timestamp())
        assert stamps[-1] == seconds * 10**9 + int(last[20:])
    times = read_times(shared_data / "semantickitti" / "sequences" / "00" / "times.txt")
    assert len(times) == 21
    assert times[20] == 2_073_666_000
