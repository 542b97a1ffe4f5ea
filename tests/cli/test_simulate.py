"""``run.py simulate`` as a user calls it: what it says, what it refuses, and that stopping it costs nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import main
from simulation import drive
from simulation.recipe import Recipe
from tests.support.runs import ROOT, remove, run_py, short_folder


@pytest.fixture
def here() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--frames", "0"], "--frames 0: must be from 1"),
        (["--seed", "-3"], "--seed -3: must be from 0"),
        (["--sensor", "hdl-46e"], "did you mean 'hdl-64e'"),
        (["--weather", "fgo"], "--weather 'fgo' is not known; did you mean 'fog'?"),
        (["--light", "noon"], "--light 'noon' is not known; choose one of any, day, dusk, night"),
        (["--camera", "front"], "--camera 'front' is not known; choose one of left, right, both, none"),
        (["--layout", "odometri"], "did you mean 'odometry'?"),
        (["--truth", "depth,flwo"], "--truth 'flwo' is not known; did you mean 'flow'?"),
        (["--truth", "depth", "--camera", "none"], "--truth depth: is the left camera's"),
        (["--set", "traffic.vehicle=2"], "did you mean 'traffic.vehicles'?"),
        (["--set", "street.bends=many"], "--set street.bends=many: expected a number"),
        (["--set", "street.district=downtown"], "street.district=downtown"),
        (["--jobs", "0"], "--jobs 0: must be from 1"),
        (["--every", "0"], "--every 0: must be from 1"),
        (["--streets", "0"], "--streets 0: must be from 1"),
        (["--streets", "2", "--frames", "0"], "--frames 0: must be from 1"),
    ],
)
def test_a_wrong_argument_is_one_line_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    assert main(["simulate", "--out", str(tmp_path / "d"), *arguments]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
    assert not (tmp_path / "d").exists()


def test_a_drive_its_summary_and_its_preview(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    call = ("simulate", "--out", str(here / "d"), "--frames", "2", "--seed", "7", "--jobs", "1")
    done = run_py(*call)
    assert done.returncode == 0, done.stderr
    assert "2 frames in" in done.stdout
    assert "frames/s with 1 process" in done.stdout
    for stage in ("traffic", "world", "lidar", "camera", "truth", "writing"):
        assert stage in done.stdout
    with av.open(str(here / "d" / "preview.mp4")) as video:
        pictures = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(920, 1600, 3)] * 2

    before = files(here / "d")
    again = run_py(*call)
    assert again.returncode == 0
    assert "already there" in again.stdout
    assert main([*call[:-3], "8"]) == 2
    assert "seed 7 instead of 8" in capsys.readouterr().err
    assert files(here / "d") == before


def test_a_set_of_streets_and_previews_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["simulate", "--out", str(tmp_path), "--streets", "2", "--seed", "7", "--frames", "1"]
    call += ["--camera", "none", "--jobs", "1"]
    assert main(call) == 0
    assert "2 frames in" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"7", "8"}
    assert not list(tmp_path.rglob("preview.mp4"))
    before = files(tmp_path)
    assert main([*call, "--preview"]) == 0
    assert "2 of 2 drives are there already; kept" in capsys.readouterr().out
    after = files(tmp_path)
    assert set(after) - set(before) == {"7/preview.mp4", "8/preview.mp4"}
    assert {name: after[name] for name in before} == before


def processes_of(group: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until(true: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on_later(here: Path, end: signal.Signals) -> None:
    """Ctrl-C goes to the whole group, as a terminal sends it; SIGKILL to the first process alone."""
    call = ["simulate", "--out", str(here / "d"), "--frames", "400", "--camera", "none", "--no-preview", "--jobs", "2"]
    run = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *call],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - background jobs ignore it
    )
    try:
        records = here / "d" / ".unfinished"
        wait_until(lambda: len(list(records.glob("0*.json"))) >= 2 or run.poll() is not None)
        if end == signal.SIGINT:
            os.killpg(run.pid, end)
        else:
            run.kill()
        said, _ = run.communicate(timeout=60)
        wait_until(lambda: not processes_of(run.pid))
    finally:
        if processes_of(run.pid):
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL)
    if end == signal.SIGINT:
        assert "the same command goes on from there" in " ".join(said.split())
    assert not (here / "d" / "drive.json").exists()
    assert 2 <= drive.frames_done(here / "d", Recipe(frames=400, seed=0, cameras=())) < 400
