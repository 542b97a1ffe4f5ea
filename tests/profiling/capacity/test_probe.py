"""Probes and the verb on real processes: a node whose speed is known sets the capacity."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.main import main
from errors import UserError
from profiling import result as results
from profiling.capacity import probe as probes
from profiling.capacity.probe import Prober
from profiling.capacity.search import Probe
from profiling.capacity.sensors import Recording, read_recording
from tests.support.runs import lidar_graph, remove, short_folder


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def config(out: Path, delay_ms: float, **fuse: object) -> Path:
    """Ten scans at 20 per second, labelled in ``delay_ms``; what is written goes to the probe's own folder."""
    document = lidar_graph(
        Path("${out}"),
        scans={"params": {"count": 10, "rate_hz": 20.0}},
        label={"params": {"delay_ms": delay_ms}},
        fuse=dict(fuse),
    )
    path = out / "graph.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def test_probes_count_frames_drops_and_latency_since_due(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "WARM_UP_S", 0.0)
    prober = Prober(config(out, 40.0), None, sensors=2, seconds=0.1)
    recording = read_recording(prober.load(out))
    slow = prober.run(recording, 10.0)
    assert (slow.frames, slow.dropped, slow.incomplete) == (30, 0, 0)
    assert slow.p50_ms >= 40
    assert len(slow.latency_ms) == 30
    fast = prober.run(recording, 200.0)
    assert fast.dropped > 10
    assert not fast.holds(1e6)


def test_frames_without_their_labels_do_not_hold(out: Path) -> None:
    """Labels that come after the timeout are no drop on any edge, and the frame without them is quick."""
    prober = Prober(config(out, 60.0, sync={"timeout_ms": 20}), None, sensors=1, seconds=0.1)
    found = prober.run(read_recording(prober.load(out)), 10.0)
    assert (found.frames, found.dropped, found.incomplete) == (30, 0, 30)
    assert not found.holds(1e6)


def test_a_graph_that_waits_for_consumers_is_one_line(out: Path) -> None:
    path = config(out, 0.0, publish={"bind": "ipc://${out}/fused", "wait_for": 1})
    with pytest.raises(UserError, match=r"--set nodes\.fuse\.publish\.wait_for=0"):
        Prober(path, None, 1, 1.0).load(out)
    Prober(path, None, 1, 1.0, ["nodes.fuse.publish.wait_for=0"]).load(out)


def test_a_run_that_fails_is_one_line(out: Path) -> None:
    document = yaml.safe_load(config(out, 0.0).read_text())
    document["nodes"]["label"]["params"]["refuse_at"] = 3
    (out / "graph.yaml").write_text(yaml.safe_dump(document))
    prober = Prober(out / "graph.yaml", None, 1, 0.1)
    with pytest.raises(UserError, match=r"the run at 20 frames/s failed: node label: scan 3 is not for me"):
        prober.run(read_recording(prober.load(out)), 20.0)


@pytest.fixture
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run takes 40 ms a frame, up to 33 frames per second."""

    def run(self: Prober, recording: Recording, rate_hz: float) -> Probe:
        return Probe(rate_hz, 35.0, 40.0, 30, 9 if rate_hz > 33 else 0, 0, [40.0] * 30)

    monkeypatch.setattr(Prober, "run", run)


@pytest.mark.usefixtures("quiet_machine")
def test_the_verb_tells_each_probe_and_saves_what_it_found(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = out / "capacity.json"
    command = ["profile", "capacity", str(config(out, 0.0)), "--p99", "50", "--repeats", "2"]
    assert main([*command, "--out", str(saved)]) == 0
    said = capsys.readouterr().out
    assert "recorded: 10 frames at 20 frames/s; bound: p99 50 ms" in said
    assert (
        "   40.00 frames/s: p50     35.0 ms, p99     40.0 ms, 9 drops, 0 of 30 frames without an input: dropped" in said
    )
    assert said.count("capacity: 32.2 frames/s per sensor (2 runs, 60 frames)") == 2
    [series] = results.read(saved).series
    assert (series.name, series.better) == ("capacity", "higher")
    assert series.runs == [[pytest.approx(32.2, abs=0.1)]] * 2
    assert main([*command, "--against", str(saved)]) == 0
    assert main([*command[:3], "--p99", "60", "--against", str(saved)]) == 2
    assert "p99" in capsys.readouterr().err


@pytest.mark.usefixtures("quiet_machine")
def test_a_bound_that_no_rate_holds_is_one_line_with_the_best_seen(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = out / "capacity.json"
    assert main(["profile", "capacity", str(config(out, 0.0)), "--p99", "10", "--out", str(saved)]) == 2
    assert capsys.readouterr().err == (
        "error: no rate down to 0.625 frames/s holds p99 10 ms with every frame whole; the best seen is p99 40.0 ms"
        " with 0 drops and 0 frames without an input at 20 frames/s: give a higher --p99\n"
    )
    assert not saved.exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--p99", "0"], "--p99 0: give a number above 0"),
        (["--p99", "100", "--sensors", "0"], "--sensors 0: give a number above 0"),
        (["--p99", "100", "--seconds", "-1"], "--seconds -1: give a number above 0"),
        (["--p99", "100", "--out", "/nowhere/x.json"], "--out /nowhere/x.json: cannot be written"),
        (["--p99", "100", "--against", "/nowhere/x.json"], "/nowhere/x.json: cannot be read"),
    ],
)
def test_mistakes_are_one_line(out: Path, options: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "capacity", str(config(out, 0.0)), *options]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert len(said.strip().splitlines()) == 1
