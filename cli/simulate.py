"""``simulate``: make drives down procedural streets, in KITTI's formats with full ground truth."""

from __future__ import annotations

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

from errors import require_known

if TYPE_CHECKING:
    from simulation.drive import Summary
    from simulation.recipe import Recipe

_console = Console(highlight=False, soft_wrap=True)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the drive into; with --streets, the drives' folders.")],
    frames: Annotated[int, typer.Option(help="How many frames; ten a second, but see --every.")] = 100,
    seed: Annotated[int, typer.Option(help="Which street: each seed is another one.")] = 0,
    every: Annotated[int, typer.Option(help="Keep every Nth frame alone: they lie N/10 s apart.")] = 1,
    streets: Annotated[
        int | None, typer.Option(help="Make so many drives, each in OUT/<seed>: a street for each seed from --seed on.")
    ] = None,
    sensor: Annotated[str, typer.Option(help="LiDAR: a profile in configs/sensors.")] = "hdl-64e",
    weather: Annotated[str, typer.Option(help="any, clear, overcast, rain or fog.")] = "any",
    light: Annotated[str, typer.Option(help="any, day, dusk or night.")] = "any",
    layout: Annotated[str, typer.Option(help="odometry (SemanticKITTI sequence) or raw (KITTI drive).")] = "odometry",
    camera: Annotated[str, typer.Option(help="left, right, both or none.")] = "left",
    truth: Annotated[str, typer.Option(help="More truth: depth,flow,scene-flow,instances,point-times or some.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting: traffic.vehicles=0.5")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default 2, or 1 on one core.")] = None,
    preview: Annotated[
        bool | None, typer.Option("--preview/--no-preview", help="An annotated video; default yes, with --streets no.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace other simulated drives there.")] = False,
) -> None:
    """Simulate drives down streets: LiDAR, cameras, calibration, poses, and what is true of every point and body.

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
        every=every,
        settings=changed(settings, set_ or []),
        layout=_one_of("--layout", layout, get_args(LayoutName)),
        cameras=cameras[_one_of("--camera", camera, cameras)],
        truth=tuple(name for name in get_args(TruthName) if name in _several("--truth", truth, get_args(TruthName))),
    )
    jobs = min(2, _cores()) if jobs is None else jobs
    if streets is None:
        _run(out, recipe, jobs=jobs, force=force, preview=preview is not False)
    else:
        _run_streets(out, recipe, streets, jobs=jobs, force=force, preview=preview is True)


def _run(out: Path, recipe: Recipe, *, jobs: int, force: bool, preview: bool) -> None:
    from simulation import drive
    from simulation.folder import PREVIEW

    if force:
        drive.discard_another(out, recipe)
    done = _frames_done(out, recipe)
    if done == recipe.frames:
        _console.print(f"{out}: this drive is already there ({recipe.frames} frames, seed {recipe.seed}); kept")
    elif done:
        _console.print(f"{out}: {done} of {recipe.frames} frames are there already; going on from there")
    with _stoppable(out):
        with _progress("frames", recipe.frames, done) as advance:
            summary = drive.simulate(out, recipe, jobs=jobs, on_frame=lambda _: advance())
        if preview:
            _preview({out: recipe})
    if summary.made:
        _print_summary(summary, jobs)
    _console.print(f"{summary.root}: the recording" + (f"; {out / PREVIEW}: look at it" if preview else ""))


def _run_streets(out: Path, recipe: Recipe, count: int, *, jobs: int, force: bool, preview: bool) -> None:
    from simulation import drive, streets

    drives = streets.drives(out, recipe, count)
    if force:
        for folder, one in drives.items():
            drive.discard_another(folder, one)
    done = [_frames_done(folder, one) for folder, one in drives.items()]
    if any(done):
        whole = sum(frames == recipe.frames for frames in done)
        _console.print(f"{out}: {whole} of {count} drives are there already; kept")
    with _stoppable(out):
        with _progress(f"frames of {count} drives", count * recipe.frames, sum(done)) as advance:
            summary = streets.simulate(out, recipe, count, jobs=jobs, on_frame=advance)
        if preview:
            _preview(drives)
    if summary.made:
        _print_summary(summary, jobs)
    _console.print(f"{out}: {count} drives, {recipe.seed} to {recipe.seed + count - 1}")


def _frames_done(out: Path, recipe: Recipe) -> int:
    from simulation import drive

    return recipe.frames if drive.is_finished(out, recipe) else drive.frames_done(out, recipe)


def _preview(drives: dict[Path, Recipe]) -> None:
    """Make the videos that are not there yet."""
    from simulation.folder import PREVIEW
    from simulation.preview import make_preview

    missing = {out: recipe for out, recipe in drives.items() if not (out / PREVIEW).exists()}
    with _progress("preview", sum(recipe.frames for recipe in missing.values()), 0) as advance:
        for out, recipe in missing.items():
            make_preview(out, recipe, on_frame=lambda _: advance())


@contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _console.print(f"{out}: stopped; what is done stays, and the same command goes on from there")
        raise


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
    require_known(option, value, choices)
    return value


def _several(option: str, text: str, choices: Collection[str]) -> set[str]:
    """Names with commas between them."""
    return {_one_of(option, name.strip(), choices) for name in text.split(",") if name.strip()}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
