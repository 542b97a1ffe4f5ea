"""``simulate``: make a drive of a procedural street, in KITTI's formats with full ground truth."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from errors import UserError

if TYPE_CHECKING:
    from simulation.drive import Summary
    from simulation.recipe import Recipe

_console = Console(highlight=False, soft_wrap=True)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the drive into.")],
    frames: Annotated[int, typer.Option(help="How many frames, ten a second.")] = 100,
    seed: Annotated[int, typer.Option(help="Which street: each seed is another one.")] = 0,
    sensor: Annotated[str, typer.Option(help="LiDAR: a profile in configs/sensors.")] = "hdl-64e",
    weather: Annotated[str, typer.Option(help="any, clear, overcast, rain or fog.")] = "any",
    light: Annotated[str, typer.Option(help="any, day, dusk or night.")] = "any",
    layout: Annotated[str, typer.Option(help="odometry (SemanticKITTI sequence) or raw (KITTI drive).")] = "odometry",
    camera: Annotated[str, typer.Option(help="left, right, both or none.")] = "left",
    truth: Annotated[str, typer.Option(help="More truth: depth,flow,scene-flow,instances,point-times or some.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting: traffic.vehicles=0.5")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default 2, or 1 on one core.")] = None,
    no_preview: Annotated[bool, typer.Option("--no-preview", help="Make no annotated video.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace another simulated drive in that folder.")] = False,
) -> None:
    """Simulate a drive down a street: LiDAR, cameras, calibration, poses, and what is true of every point and body.

    A run that was stopped goes on where it was when the same command is given again.
    """
    from simulation.recipe import LEFT, RIGHT, LayoutName, Recipe, TruthName
    from simulation.settings import Settings, changed
    from simulation.weather import LightName, WeatherName

    cameras = {"left": (LEFT,), "right": (RIGHT,), "both": (LEFT, RIGHT), "none": ()}
    settings = Settings(
        sensor=sensor,
        weather=_one_of("--weather", weather, get_args(WeatherName)),
        light=_one_of("--light", light, get_args(LightName)),
    )
    recipe = Recipe(
        frames=frames,
        seed=seed,
        settings=changed(settings, set_ or []),
        layout=_one_of("--layout", layout, get_args(LayoutName)),
        cameras=cameras[_one_of("--camera", camera, cameras)],
        truth=tuple(name for name in get_args(TruthName) if name in _several("--truth", truth, get_args(TruthName))),
    )
    _run(out, recipe, jobs=min(2, _cores()) if jobs is None else jobs, force=force, preview=not no_preview)


def _run(out: Path, recipe: Recipe, *, jobs: int, force: bool, preview: bool) -> None:
    from simulation import drive
    from simulation.folder import PREVIEW
    from simulation.preview import make_preview

    if force:
        drive.discard_another(out, recipe)
    done = recipe.frames if drive.is_finished(out, recipe) else drive.frames_done(out, recipe)
    if done == recipe.frames:
        _console.print(f"{out}: this drive is already there ({recipe.frames} frames, seed {recipe.seed}); kept")
    elif done:
        _console.print(f"{out}: {done} of {recipe.frames} frames are there already; going on from there")
    try:
        with _progress("frames", recipe.frames, done) as advance:
            summary = drive.simulate(out, recipe, jobs=jobs, on_frame=lambda _: advance())
        if preview and not (out / PREVIEW).exists():
            with _progress("preview", recipe.frames, 0) as advance:
                make_preview(out, recipe, on_frame=lambda _: advance())
    except KeyboardInterrupt:
        _console.print(f"{out}: stopped; what is done stays, and the same command goes on from there")
        raise
    if summary.made:
        _print_summary(summary, jobs)
    _console.print(f"{summary.root}: the recording" + (f"; {out / PREVIEW}: look at it" if preview else ""))


def _print_summary(summary: Summary, jobs: int) -> None:
    processes = "1 process" if jobs == 1 else f"{jobs} processes"
    rate = summary.made / summary.wall_s
    _console.print(f"{summary.made} frames in {summary.wall_s:.1f} s: {rate:.2f} frames/s with {processes}")
    table = Table("stage", "ms per frame", "share", box=None)
    table.columns[1].justify = table.columns[2].justify = "right"
    whole = sum(summary.seconds.values())
    for stage, seconds in summary.seconds.items():
        table.add_row(stage, f"{1000 * seconds / summary.made:.1f}", f"{seconds / whole:.0%}")
    _console.print(table)


@contextmanager
def _progress(what: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A progress bar; call what this yields once for each frame."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda: progress.advance(task)


class _Rate(ProgressColumn):
    """Frames per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} frames/s" if task.speed else "")


def _one_of(option: str, value: str, choices: Collection[str]) -> str:
    if value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(choices)}"
    raise UserError(f"{option} {value}: unknown; {hint}")


def _several(option: str, text: str, choices: Collection[str]) -> set[str]:
    """Names with commas between them."""
    return {_one_of(option, name.strip(), choices) for name in text.split(",") if name.strip()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
