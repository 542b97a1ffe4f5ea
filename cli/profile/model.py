"""``run.py profile model``: what a model costs on this machine, in every backend, side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    from profiling.model.measure import Found, Request
    from profiling.model.pairs import Choice
    from profiling.result import Profile

ITEMS = 9


def model(
    name: Annotated[str, typer.Argument(metavar="MODEL|DIR", help="See: run.py export list. Or an exported folder.")],
    backend: Annotated[str, typer.Option(help="openvino, onnxruntime, …; several: A,B; auto: all that work.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, bf16, …; several: A,B; auto: all that work.")] = "auto",
    scenario: Annotated[str, typer.Option(help="single: one after the other; offline; rate:HZ.")] = "single",
    size: Annotated[str | None, typer.Option(help="HxW of the input. Default: the model's own.")] = None,
    data: Annotated[Path | None, typer.Option(help="Recordings to infer. Default: a made-up scan.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Processes to measure in; 5 or more to compare.")] = 10,
    samples: Annotated[int, typer.Option(min=1, help="Of each backend in each process.")] = 12,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each backend. Default: the cores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all samples, as JSON.")] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with what --out wrote. Exit code 1: slower.")] = None,
) -> int:
    """What a model costs on this machine: all backends in turn, every stage, memory, layers."""
    from cli.show import console
    from inference.threads import session_threads
    from profiling.against import require_comparable
    from profiling.model import scenarios
    from profiling.model.measure import Request, empty_profile
    from profiling.model.pairs import choose
    from profiling.model.stages import items_for
    from profiling.model.target import open_target
    from profiling.result import finish, read, require_writable

    wanted = scenarios.parse(scenario)
    if data is not None and not data.is_dir():
        raise UserError(f"--data {data}: no such folder; give a folder of recordings")
    if out is not None:
        require_writable(out)
    baseline = read(against) if against is not None else None
    count = session_threads(threads)
    with open_target(name, size, lambda step: console.print(f"exporting: {step}")) as target:
        choice = choose(target.folder, _names(backend), _names(precision), count)
        items = items_for(target.manifest, data, ITEMS)
        request = Request(target, choice.pairs, wanted, items, count, repeats, samples)
        profile = empty_profile(request, sys.argv[1:])
        if baseline is not None and against is not None:
            require_comparable(baseline, profile, against)
        _print_heading(request, choice)
        found = _measure(request, profile)
    _print_found(request, found)
    return finish(found.profile, out, against)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print_heading(request: Request, choice: Choice) -> None:
    from cli.show import console
    from profiling import machine
    from profiling.model.scenarios import streams_of
    from profiling.model.target import size_of

    target = request.target
    streams, threads = streams_of(request.scenario, request.threads)
    at_once = f"{streams} at once with {threads} threads each" if streams > 1 else f"{threads} threads"
    lines = [
        f"{target.name}, {size_of(target.manifest)}, weights {target.weights}; items: {request.items.about}",
        f"machine: {machine.in_words(machine.describe())}",
        f"{request.scenario}: {at_once}; {request.samples} samples in each of {request.repeats} processes, all in turn",
        *(f"left out: {', '.join(pairs)}: {why}" for why, pairs in _by_reason(choice).items()),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _by_reason(choice: Choice) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for pair, why in choice.left_out.items():
        grouped.setdefault(why, []).append(pair)
    return grouped


def _measure(request: Request, profile: Profile) -> Found:
    from rich.progress import Progress

    from cli.show import console
    from profiling.model.measure import measure, steps

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("in turn", total=steps(request))
        return measure(request, profile, lambda what: progress.update(task, advance=1, description=what))


def _print_found(request: Request, found: Found) -> None:
    from cli.show import console
    from profiling.model.show import machine_rates, tables

    rates = ", ".join(f"{name} {rate / 1e12:.2f} TFLOP/s" for name, rate in machine_rates(found.profile).items())
    console.print(f"{found.flops / 1e9:.1f} GFLOP; the machine's own matrix products: {rates}", soft_wrap=True)
    for table in tables(request, found):
        console.print()
        console.print(table)
    console.print()
