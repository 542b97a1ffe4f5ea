"""The cache of steps: whole results or none, whatever is killed, and no key for two results."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from errors import UserError
from export.cache import StepCache, code_sha256, versions

KEY = {"graph": "abc", "precision": "fp16"}


def writing(text: str):
    return lambda folder: (folder / "file").write_text(text)


def never(folder: Path) -> None:
    raise AssertionError("made again")


def test_a_step_is_made_once(tmp_path):
    cache = StepCache(tmp_path)
    made = cache.step("graph", KEY, writing("one"))
    assert not made.hit
    found = cache.step("graph", dict(reversed(KEY.items())), never)
    assert found.hit
    assert (found.folder / "file").read_text() == "one"


@pytest.mark.parametrize("other", [{"graph": "abd"}, {"precision": "fp32"}, {"more": "x"}])
def test_another_key_is_another_result(tmp_path, other):
    cache = StepCache(tmp_path)
    cache.step("graph", KEY, writing("one"))
    assert not cache.step("graph", KEY | other, writing("two")).hit
    assert not cache.step("engine", KEY, writing("three")).hit


@pytest.mark.parametrize("damage", ["other bytes", "gone", "no key"])
def test_a_damaged_result_is_made_again(tmp_path, damage):
    cache = StepCache(tmp_path)
    folder = cache.step("graph", KEY, writing("one")).folder
    if damage == "other bytes":
        (folder / "file").write_text("two")
    else:
        (folder / ("file" if damage == "gone" else "key.json")).unlink()
    assert not cache.step("graph", KEY, writing("one")).hit
    assert cache.step("graph", KEY, never).hit


def test_a_step_that_fails_leaves_nothing(tmp_path):
    def failing(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise UserError("no such thing")

    with pytest.raises(UserError, match="no such thing"):
        StepCache(tmp_path).step("graph", KEY, failing)
    assert StepCache(tmp_path).entries() == []
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_killed_step_is_never_found_and_its_rest_goes(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from export.cache import StepCache
def make(folder):
    (folder / "file").write_text("half")
    print("making", flush=True)
    time.sleep(60)
StepCache(Path({str(tmp_path)!r})).step("graph", {KEY!r}, make)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert process.stdout.readline() == "making\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(list(tmp_path.glob(".graph-*.partial-*"))) == 1
    cache = StepCache(tmp_path)
    assert cache.entries() == []
    assert not cache.step("graph", KEY, writing("whole")).hit
    assert list(tmp_path.glob(".graph-*.partial-*")) == []


def _make_slowly(folder: str, log: str) -> None:
    def make(place: Path) -> None:
        with Path(log).open("a") as file:
            file.write("made\n")
        time.sleep(0.5)
        (place / "file").write_text("one")

    StepCache(Path(folder)).step("graph", KEY, make)


def test_two_that_want_the_same_make_it_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    arguments = (str(tmp_path / "cache"), str(tmp_path / "log"))
    processes = [context.Process(target=_make_slowly, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "log").read_text() == "made\n"


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"export cache cannot be written: Not a directory; .*RANGECAST_CACHE"):
        StepCache(tmp_path / "file" / "cache").step("graph", KEY, writing("one"))


def test_a_full_disk_leaves_nothing(tmp_path):
    """A limit on the size of files stands for the disk that is full."""
    code = f"""
import resource, sys
from pathlib import Path
from errors import UserError
from export.cache import StepCache
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    StepCache(Path({str(tmp_path)!r})).step("graph", {KEY!r}, lambda folder: (folder / "file").write_bytes(bytes(5000)))
except UserError as error:
    sys.exit(str(error))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    assert "the export cache cannot be written: File too large; make room" in run.stderr
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_prune_removes_what_was_not_used(tmp_path):
    cache = StepCache(tmp_path)
    old = cache.step("graph", KEY, writing("one")).folder
    new = cache.step("engine", KEY, writing("two")).folder
    long_ago = time.time() - 40 * 86_400
    os.utime(old, (long_ago, long_ago))
    assert [entry.folder for entry in cache.prune(30)] == [old]
    assert [entry.folder for entry in cache.entries()] == [new]


def test_a_result_that_is_used_stays_young(tmp_path):
    cache = StepCache(tmp_path)
    folder = cache.step("graph", KEY, writing("one")).folder
    os.utime(folder, (0, 0))
    cache.step("graph", KEY, never)
    assert cache.prune(30) == []


def test_our_code_is_part_of_the_key():
    assert code_sha256("export/layers.py") != code_sha256("export/cache.py")
    assert code_sha256("export/families") == code_sha256("export/families")
    assert code_sha256("export") != code_sha256("models")


def test_versions_are_told_without_importing():
    found = versions(("numpy", "no-such-package"))
    assert found["numpy"][0].isdigit()
    assert found["no-such-package"] == "none"
