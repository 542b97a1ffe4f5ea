"""The file of a profile: read back as it was written; whole, or not at all."""

import json

import pytest

from errors import UserError
from profiling.result import Profile, Series, read, require_writable, write

PROFILE = Profile(
    kind="model",
    command=["profile", "model", "tiny"],
    started_utc="2026-01-01T00:00:00+00:00",
    machine={"cpu": "one"},
    versions={"numpy": "2.0"},
    configuration={"model": "tiny"},
    series=[Series(name="a.inference", unit="ms", better="lower", runs=[[1.0, 2.5], [3.0]])],
)


def test_read_back_as_it_was_written(tmp_path):
    path = tmp_path / "profile.json"
    path.write_text("an earlier one")
    write(PROFILE, path)
    assert read(path) == PROFILE
    assert read(path).series[0].samples == [1.0, 2.5, 3.0]
    assert [file.name for file in tmp_path.iterdir()] == ["profile.json"]


@pytest.mark.parametrize("name", ["nowhere/profile.json", "."])
def test_what_cannot_be_written_is_told_before_and_leaves_nothing(tmp_path, name):
    for attempt in (require_writable, lambda path: write(PROFILE, path)):
        with pytest.raises(UserError, match=r"--out .*: (cannot be written|is a folder)"):
            attempt(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_asking_leaves_what_is_there(tmp_path):
    path = tmp_path / "profile.json"
    write(PROFILE, path)
    require_writable(path)
    assert read(path) == PROFILE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a profile"),
        ("[1, 2]", "is not a profile"),
        ('{"format_version": 1, "kind": "model"}', "is not a profile .*missing required field"),
        ('{"format_version": 7}', "profile format 7, this Rangecast reads 1"),
    ],
)
def test_what_is_no_profile_is_told(tmp_path, text, message):
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read(tmp_path / "profile.json")


def test_two_series_of_one_name_are_refused(tmp_path):
    path = tmp_path / "profile.json"
    write(PROFILE, path)
    text = json.loads(path.read_text())
    text["series"] *= 2
    path.write_text(json.dumps(text))
    with pytest.raises(UserError, match=r"two series are called 'a\.inference'"):
        read(path)
