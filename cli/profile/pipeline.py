"""``run.py profile pipeline``: where a frame's milliseconds go, through all processes, and what limits the rate."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    from pipeline.graph import Graph
    from profiling.pipeline.figures import RunFigures
    from profiling.pipeline.run import Observed
    from profiling.result import Profile


def pipeline(
    config: Annotated[Path, typer.Argument(help="The graph file, such as configs/pipelines/kitti.yaml.")],
    data: Annotated[Path | None, typer.Option(help="The recording: ${data} in the graph.")] = None,
    rate: Annotated[str, typer.Option(help="max lossless at full speed, 1.0 as recorded, 0.5 half as fast.")] = "max",
    frames: Annotated[int | None, typer.Option(min=1, help="Stop every source after this many messages.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs, in new processes; with 2 or more noise is known.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Folder for pictures of the last run.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write the last run for Perfetto (ui.perfetto.dev).")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: nodes.segmentation.params.knn=0")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all samples, as JSON.")] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with what --out wrote. Exit code 1: slower.")] = None,
) -> int:
    """Run a graph with its trace on: queue wait, compute and transport of every node, latency by path, drops, CPU and
    memory, start, and what limits the rate."""
    from cli.play import playback_rate, refuse_unused
    from cli.show import Display, console
    from inference.threads import available_cores
    from profiling import perfetto
    from profiling.against import require_comparable
    from profiling.pipeline import figures, limits, pictures, show, startup
    from profiling.pipeline.run import observe
    from profiling.result import finish, read, require_writable

    speed = playback_rate(rate)
    refuse_unused(data, config, set_ or [])
    configuration = {"graph": config.stem, "data": str(data), "rate": rate, "frames": str(frames)}
    configuration["overrides"] = " ".join(set_ or [])
    if out is not None:
        require_writable(out)
    if trace is not None:
        perfetto.require_writable(trace)
    if report is not None:
        _prepare(report)
    if against is not None:
        require_comparable(read(against), _profile(configuration, []), against)

    command_ns = startup.command_began_ns()
    runs: list[RunFigures] = []
    starts: list[dict[str, float]] = []
    for number in range(repeats):
        console.print(f"run {number + 1} of {repeats}")
        load = partial(_load, config=config, data=data, speed=speed, overrides=set_ or [])
        seen = observe(load, Display, rate=speed, frames=frames)
        fused = _fused(seen)
        runs.append(figures.figures(seen, fused, paced=speed is not None))
        starts.append(startup.stages_ms(seen.traces, seen.begin_ns if number else command_ns, fused))
    show.print_tables(console, runs, starts[0])
    console.print(limits.in_words(runs[-1], available_cores()), soft_wrap=True)
    if trace is not None:
        perfetto.write(trace, seen.traces, seen.report.losses)
    if report is not None:
        for path in pictures.save(report, runs[-1], seen.traces):
            console.print(f"wrote {path}", soft_wrap=True)
    return finish(_profile(configuration, runs), out, against)


def _prepare(report: Path) -> None:
    from profiling.pipeline import pictures

    pictures.require_matplotlib()
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--report {report}: cannot be written: {error.strerror}; give another folder") from None


def _load(folder: Path, config: Path, data: Path | None, speed: float | None, overrides: list[str]) -> Graph:
    from cli.play import absolute_data
    from pipeline.graph import load_graph

    values = {"out": str(folder)} | ({"data": absolute_data(data)} if data is not None else {})
    policy = "all" if speed is None else "latest"
    graph = load_graph(config, values=values, overrides=overrides, default_policy=policy)
    for node in graph.nodes.values():
        if node.publish is not None and node.publish.wait_for:
            raise UserError(f"node {node.name} waits for consumers: --set nodes.{node.name}.publish.wait_for=0")
    return graph


def _fused(seen: Observed) -> str:
    from profiling.pipeline.run import fused_node

    fused = fused_node(seen.graph)
    if not any(not call.failed for call in seen.traces[fused].calls):
        raise UserError(f"node {fused} made nothing, so there is nothing to account for; try it with: run.py play")
    return fused


def _profile(configuration: dict[str, str], runs: list[RunFigures]) -> Profile:
    from profiling.pipeline.figures import series
    from profiling.result import taken_now

    return taken_now("pipeline", sys.argv[1:], configuration, series(runs) if runs else [])
