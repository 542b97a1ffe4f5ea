"""``train``: train a model by a recipe; stop it, resume it, spread it over GPUs with torchrun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.allocator import restart_with_kept_memory
from errors import UserError

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.task import Task

RUN = Path(__file__).resolve().parent.parent / "run.py"


def _segmentation() -> tuple[type[Recipe], Callable[..., Task]]:
    from training.segmentation import SegmentationRecipe, SegmentationTask

    return SegmentationRecipe, SegmentationTask


def _actions() -> tuple[type[Recipe], Callable[..., Task]]:
    from training.actions import ActionRecipe, ActionTask

    return ActionRecipe, ActionTask


def _proposals() -> tuple[type[Recipe], Callable[..., Task]]:
    from training.proposals.recipe import ProposalRecipe
    from training.proposals.task import ProposalTask

    return ProposalRecipe, ProposalTask


def _detection() -> tuple[type[Recipe], Callable[..., Task]]:
    from training.detection.recipe import DetectionRecipe
    from training.detection.task import DetectionTask

    return DetectionRecipe, DetectionTask


FAMILIES = {
    "squeezesegv3": _segmentation,
    "two-stream": _actions,
    "bcgnn": _proposals,
    "bmn": _proposals,
    "sliding-window": _proposals,
    "detector": _detection,
}
"""What can be trained: the recipe and the task of each family, imported when they are needed (torch)."""


def train(
    config: Annotated[Path, typer.Argument(help="The recipe, such as configs/training/squeezesegv3-21.yaml.")],
    data: Annotated[
        list[Path],
        typer.Option(help="SemanticKITTI, drives, pictures with boxes, or a folder of features and annotations."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, state and logs.")],
    more_data: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,  # --data A B: click gives B here
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the training in --out.")] = False,
    init: Annotated[Path | None, typer.Option(help="A checkpoint to take the first weights from.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: batch=2, model.sac=none")] = None,
) -> None:
    """Train a model: best.pt and last.pt in --out are what export and evaluate take.

    Ctrl-C saves and stops; --resume goes on to the same bits. Several GPUs: torchrun --nproc-per-node N run.py train …
    """
    from training.recipe import check_recipe, read_recipe

    values = read_recipe(config, set_ or [])
    family = values.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise UserError(f"{config}: family: {family!r} cannot be trained; give {' or '.join(FAMILIES)}")
    restart_with_kept_memory(RUN)
    kind, make_task = FAMILIES[family]()
    recipe = check_recipe(values, kind, config)

    from training.loop import train as run
    from training.state import check_folder

    check_folder(out, resume=resume, force=force)  # before the data are read
    task = make_task(recipe, [*data, *(more_data or [])])
    run(task, recipe, recipe.validation, out, resume=resume, force=force, init=init)
