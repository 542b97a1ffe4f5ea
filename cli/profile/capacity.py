"""``run.py profile capacity``: the highest input rate that holds a latency bound without a drop."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    from profiling.capacity.probe import Prober
    from profiling.capacity.search import Probe, Result
    from profiling.capacity.sensors import Recording
    from profiling.result import Profile


def capacity(
    config: Annotated[Path, typer.Argument(help="The graph file, such as configs/pipelines/kitti.yaml.")],
    p99: Annotated[float, typer.Option(help="The bound: 99 % of the fused frames within so many ms since due.")],
    data: Annotated[Path | None, typer.Option(help="The recording: ${data} in the graph.")] = None,
    sensors: Annotated[int, typer.Option(help="Copies of each source and of all that follows; share nothing.")] = 1,
    seconds: Annotated[float, typer.Option(help="Of each probe, after the warm-up.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Searches; with 2 or more, --against knows the noise.")] = 1,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: nodes.segmentation.params.knn=0")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the samples as JSON, for a later --against.")] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with what an earlier --out wrote.")] = None,
) -> int:
    """Search for the rate: each probe is a real run in new processes; the answer has held twice."""
    from cli.play import absolute_data, refuse_unused
    from profiling.against import require_comparable
    from profiling.capacity.probe import Prober
    from profiling.capacity.sensors import read_recording
    from profiling.result import finish, read, require_writable

    _require_above_0("--p99", p99)
    _require_above_0("--sensors", sensors)
    _require_above_0("--seconds", seconds)
    refuse_unused(data, config, set_ or [])
    configuration = {"graph": config.stem, "p99 ms": f"{p99:g}", "sensors": str(sensors), "seconds": f"{seconds:g}"}
    configuration["overrides"] = " ".join(set_ or [])
    if out is not None:
        require_writable(out)
    if against is not None:
        require_comparable(read(against), _profile(configuration, []), against)

    prober = Prober(config, None if data is None else absolute_data(data), sensors, seconds, set_ or [])
    with tempfile.TemporaryDirectory(prefix="rc-") as folder:
        recording = read_recording(prober.load(Path(folder)))
    each = f", of each of {sensors} sensors" if sensors > 1 else ""
    print(f"recorded: {recording.frames} frames at {recording.rate_hz:.3g} frames/s{each}; bound: p99 {p99:g} ms")
    results = [_search(prober, recording, p99) for _ in range(repeats)]
    return finish(_profile(configuration, results), out, against)


def _require_above_0(option: str, value: float) -> None:
    if not 0 < value < 1e6:
        raise UserError(f"{option} {value:g}: give a number above 0")


def _search(prober: Prober, recording: Recording, bound_ms: float) -> Result:
    """One search, told probe by probe. Raises :class:`UserError` where no rate holds."""
    from profiling.capacity.search import search

    def probe(rate_hz: float) -> Probe:
        found = prober.run(recording, rate_hz)
        _tell(found, bound_ms)
        return found

    result = search(probe, recording.rate_hz, bound_ms)
    if result.rate_hz is None:
        best = min(result.probes, key=lambda p: (p.dropped > 0 or p.incomplete > 0, p.p99_ms))
        lowest_hz = min(p.rate_hz for p in result.probes)
        raise UserError(
            f"no rate down to {lowest_hz:.3g} frames/s holds p99 {bound_ms:g} ms with every frame whole; the best seen"
            f" is p99 {best.p99_ms:.1f} ms with {best.dropped} drops and {best.incomplete} frames without an input at"
            f" {best.rate_hz:.3g} frames/s: give a higher --p99"
        )
    frames = sum(run.frames for run in result.confirmed)
    print(f"capacity: {result.rate_hz:.3g} frames/s per sensor ({len(result.confirmed)} runs, {frames} frames)")
    return result


def _tell(found: Probe, bound_ms: float) -> None:
    reasons = {"dropped": found.dropped, "incomplete": found.incomplete, "too late": found.p99_ms > bound_ms}
    verdict = ", ".join(reason for reason, is_so in reasons.items() if is_so) or "holds"
    print(
        f"  {found.rate_hz:7.2f} frames/s: p50 {found.p50_ms:8.1f} ms, p99 {found.p99_ms:8.1f} ms,"
        f" {found.dropped} drops, {found.incomplete} of {found.frames} frames without an input: {verdict}",
        flush=True,
    )


def _profile(configuration: dict[str, str], results: list[Result]) -> Profile:
    from profiling.result import Series, taken_now

    rates_hz = [[result.rate_hz] for result in results if result.rate_hz is not None]
    series = [Series(name="capacity", unit="1/s", better="higher", runs=rates_hz)]
    return taken_now("capacity", sys.argv[1:], configuration, series)
