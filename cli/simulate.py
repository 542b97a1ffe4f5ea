"""``simulate``: make a drive of a procedural street, in KITTI's format with full ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_console = Console()


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the drive into.")],
    frames: Annotated[int, typer.Option(help="How many frames, ten a second.")] = 100,
    seed: Annotated[int, typer.Option(help="Which street: each seed is another one.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace another or an unfinished simulated drive.")] = False,
) -> None:
    """Simulate a drive down a street: LiDAR, camera, calibration, poses and a label for every point."""
    from simulation import drive

    if force:
        drive.discard_unless_finished(out, frames=frames, seed=seed)
    if drive.is_finished(out, frames=frames, seed=seed):
        _console.print(f"{out}: this drive is already there ({frames} frames, seed {seed}); kept", highlight=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        task = progress.add_task(f"street {seed}", total=frames)
        drive.simulate(out, frames=frames, seed=seed, on_frame=lambda _: progress.advance(task))
    _console.print(f"{out}: {frames} frames written", highlight=False)
