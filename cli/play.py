"""``run.py play``: run a graph on a recording or a live sensor."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def play(
    config: Annotated[Path, typer.Argument(help="The graph file, such as configs/pipelines/kitti.yaml.")],
    data: Annotated[Path | None, typer.Option(help="The recording: ${data} in the graph.")] = None,
    rate: Annotated[str, typer.Option(help="1.0 as recorded, 2.0 twice as fast, max lossless at full speed.")] = "1.0",
    frames: Annotated[int | None, typer.Option(min=1, help="Stop every source after this many messages.")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder; default out/<graph>-<time>.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run's folder.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Bad frames, failures and restarts end the run.")] = False,
    metrics: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve Prometheus metrics at http://127.0.0.1:PORT/metrics.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Write the run for Perfetto (ui.perfetto.dev).")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: nodes.segmentation.params.knn=0")] = None,
) -> int:
    """Run a graph: progress while it runs, the account and the latencies at the end."""
    from cli.records import save_account, save_setup
    from cli.show import Display, print_summary
    from pipeline.graph import load_graph
    from pipeline.live.observer import Observer, Observers
    from pipeline.live.status_socket import StatusPublisher
    from pipeline.supervisor import RunOptions, Supervisor
    from pipeline.trace import read_trace
    from profiling.perfetto import require_writable, write

    speed = playback_rate(rate)
    folder = out or ROOT / "out" / f"{config.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    refuse_unused(data, config, set_ or [])
    values = {"out": str(folder.absolute())} | ({"data": str(absolute_data(data))} if data is not None else {})
    policy = "all" if speed is None else "latest"
    if trace is not None:
        require_writable(trace)
    _refuse_occupied(folder, overwrite)
    graph = load_graph(config, values=values, overrides=set_ or (), default_policy=policy)
    with contextlib.ExitStack() as stack:
        observers: list[Observer] = []
        if metrics is not None:
            from pipeline.live.prometheus import MetricsServer

            observers.append(stack.enter_context(MetricsServer(metrics)))
        logs = _make_folder(folder, overwrite)
        save_setup(folder, graph, arguments=sys.argv[1:])
        observers.append(stack.enter_context(StatusPublisher(folder)))
        observers.append(stack.enter_context(Display(graph)))
        traces = _trace_folder(folder) if trace is not None else None
        options = RunOptions(rate=speed, frames=frames, strict=strict, logs=logs, key_folder=folder, trace=traces)
        report = Supervisor(graph, options, Observers(*observers)).run()
        save_account(folder, report)
    if trace is not None and traces is not None:
        write(trace, read_trace(traces), report.losses)
    print_summary(report, folder)
    return report.exit_code


def playback_rate(text: str) -> float | None:
    """``--rate`` as a number; None for ``max``. Raises :class:`UserError`."""
    if text == "max":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UserError(f"--rate {text}: give a number above 0 (1.0 is as recorded) or max")
    return value


def refuse_unused(data: Path | None, config: Path, overrides: list[str]) -> None:
    """A recording that the graph does not read would be a run on something else."""
    if data is None or not config.is_file():
        return
    written = config.read_text(encoding="utf-8", errors="replace")
    if "${data}" not in written + " ".join(overrides):
        raise UserError(f"--data {data}: {config} has no ${{data}} and would not read it; leave --data out")


def absolute_data(data: Path) -> str:
    """Absolute, so that it means the same in every process; an address or a device stays what it is."""
    return str(data.absolute()) if data.exists() else str(data).replace(":/", "://", 1)


def _refuse_occupied(folder: Path, overwrite: bool) -> None:
    """Old outputs among new ones would be taken for new ones."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise UserError(f"{folder}: not empty; give another --out, or --overwrite to replace an earlier run")
    if not (folder / "run" / "graph.yaml").is_file():
        raise UserError(f"{folder}: not an earlier run's folder, so --overwrite does not touch it; give another --out")


def _trace_folder(folder: Path) -> Path:
    traces = folder / "run" / "trace"
    traces.mkdir()
    return traces


def _make_folder(folder: Path, overwrite: bool) -> Path:
    logs = folder / "run" / "logs"
    try:
        if overwrite and folder.is_dir():
            shutil.rmtree(folder)
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written: {error.strerror}; give another folder") from None
    return logs
