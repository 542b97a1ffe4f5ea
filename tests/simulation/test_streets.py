"""Many streets at a time: the bytes of drives made one by one, resumed where they stopped, never beside other files."""

import multiprocessing
import shutil
from pathlib import Path

import pytest

from errors import UserError
from simulation import drive, streets
from simulation.recipe import Recipe

FIRST = Recipe(frames=2, seed=7, every=5, cameras=())
SECOND = Recipe(frames=2, seed=8, every=5, cameras=())


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class StoppedError(Exception):
    pass


def stop() -> None:
    raise StoppedError


def test_streets_that_two_processes_share_are_the_drives_made_alone(tmp_path: Path) -> None:
    out = tmp_path / "streets"
    with pytest.raises(StoppedError):
        streets.simulate(out, FIRST, 2, on_frame=stop)
    assert drive.frames_done(out / "7", FIRST) == 1
    assert streets.simulate(out, FIRST, 2, jobs=2).made == 3
    assert not multiprocessing.active_children()
    for recipe in (FIRST, SECOND):
        alone = tmp_path / "alone" / str(recipe.seed)
        drive.simulate(alone, recipe)
        assert "drive.json" in files(alone)
        assert files(out / str(recipe.seed)) == files(alone)
    before = files(out)
    assert streets.simulate(out, FIRST, 2, jobs=2, on_frame=lambda: pytest.fail("made again")).made == 0
    assert files(out) == before


def test_a_street_whose_folder_is_not_free_stops_all_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="8: is not empty and holds no simulated drive"):
        streets.simulate(tmp_path, FIRST, 2)
    assert files(tmp_path) == {"8/notes.txt": b"mine"}


def test_streets_are_not_put_into_a_single_drive(tmp_path: Path) -> None:
    (tmp_path / "drive.json").write_text("{}")
    with pytest.raises(UserError, match="holds a single drive"):
        streets.simulate(tmp_path, FIRST, 2)


@pytest.mark.parametrize(
    ("recipe", "count", "jobs", "named"),
    [
        (FIRST, 0, 1, "--streets 0: must be from 1"),
        (FIRST, 2, 0, "--jobs 0: must be from 1"),
        (Recipe(frames=1, seed=2**63 - 1, cameras=()), 2, 1, "--seed 9223372036854775808: must be from 0"),
    ],
)
def test_streets_that_cannot_be_made(tmp_path: Path, recipe: Recipe, count: int, jobs: int, named: str) -> None:
    with pytest.raises(UserError, match=named):
        streets.simulate(tmp_path / "out", recipe, count, jobs=jobs)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_has_no_room_for_all_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil._ntuple_diskusage(10**9, 10**9 - 6 * 10**6, 6 * 10**6)  # enough for one street of the two
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    with pytest.raises(UserError, match=r"4 frames need up to 11 MB and the disk has 6 MB left"):
        streets.simulate(tmp_path / "out", FIRST, 2)
    assert not (tmp_path / "out").exists()
