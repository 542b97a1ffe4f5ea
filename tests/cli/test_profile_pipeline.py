"""``run.py profile pipeline`` and ``--trace``, as a user calls them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from profiling.result import read
from tests.support.runs import lidar_graph, remove, run_py, short_folder


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def graph(out: Path, delay_ms: float) -> Path:
    """Labels take ``delay_ms``; whatever the graph writes goes to the run's own folder."""
    path = out / "graph.yaml"
    document = lidar_graph(out, label={"params": {"delay_ms": delay_ms}}, scans={"params": {"count": 25}})
    document["nodes"]["lines"]["params"]["out"] = "${out}/lines.txt"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def test_a_profile_names_the_node_that_became_slower(out: Path) -> None:
    before = out / "before.json"
    common = ("profile", "pipeline", str(graph(out, 5.0)), "--repeats", "2")
    first = run_py(*common, "--out", str(before), "--trace", str(out / "run.pftrace"))
    assert first.returncode == 0, first.stderr
    for word in ("scans → label → fuse", "processor ms per frame", "first frame", "frames/s"):
        assert word in first.stdout
    names = {series.name for series in read(before).series}
    assert {"label.compute", "label.queue", "fuse.transport", "fuse.latency", "fuse.runtime", "throughput"} <= names
    assert (out / "run.pftrace").stat().st_size > 1000

    graph(out, 50.0)
    second = run_py(*common, "--against", str(before))
    assert second.returncode == 1, second.stdout
    slower = [line for line in second.stdout.splitlines() if "regression" in line]
    assert any("label.compute" in line for line in slower)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--trace", "missing/run.pftrace"), "--trace missing/run.pftrace: cannot be written"),
        (("--out", "missing/profile.json"), "--out missing/profile.json: cannot be written"),
        (("--report", "graph.yaml"), "--report graph.yaml: cannot be written"),
        (("--against", "none.json"), "none.json: cannot be read"),
        (("--rate", "fast"), "--rate fast: give a number above 0"),
        (("--data", "x"), "has no ${data}"),
    ],
)
def test_a_mistake_is_one_line_before_the_run(out: Path, arguments: tuple[str, ...], told: str) -> None:
    path = graph(out, 0.0)
    result = run_py("profile", "pipeline", path.name, *arguments, cwd=out)
    assert result.returncode == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [entry.name for entry in out.iterdir()] == ["graph.yaml"]


def test_play_writes_a_trace_or_says_before_that_it_cannot(out: Path) -> None:
    path = graph(out, 0.0)
    refused = run_py("play", str(path), "--rate", "max", "--out", str(out / "o"), "--trace", str(out / "no" / "t"))
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr
    assert not (out / "o").exists()
    assert (
        run_py("play", str(path), "--rate", "max", "--out", str(out / "o"), "--trace", str(out / "t")).returncode == 0
    )
    assert (out / "t").read_bytes()
