"""``run.py evaluate proposals`` and ``run.py evaluate actions``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cli.evaluate.output import percent, prepare, save
from errors import UserError, require_known

if TYPE_CHECKING:
    from rich.table import Table

    from evaluation.actions.protocol import ActionScores
    from evaluation.proposals.chance import Chance
    from evaluation.proposals.protocol import RecallCurve
    from evaluation.videos import VideoNames
    from formats.temporal.annotations import AnnotatedVideo
    from formats.temporal.results import Proposals

NAMED = 3  # videos or labels in a remark
LISTED = 5  # classes at either end of the table

Predictions = Annotated[Path, typer.Option(help="ActivityNet's result JSON.")]
Annotations = Annotated[Path, typer.Option(help="ActivityNet's, BMN's or THUMOS' JSON; a simulated actions.json.")]
Subset = Annotated[str | None, typer.Option(help="Such as validation. Needed where the annotations have several.")]
Protocol = Annotated[str, typer.Option(help="activitynet or thumos: which tIoU and numbers of proposals.")]


def proposals(
    predictions: Predictions,
    annotations: Annotations,
    subset: Subset = None,
    protocol: Protocol = "activitynet",
    chance: Annotated[
        bool, typer.Option("--chance", help="Also score segments of the same lengths at random places.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and recall.png.")] = None,
) -> int:
    """Score temporal action proposals as ActivityNet does: AR@AN, and the area under it."""
    from evaluation.proposals.chance import by_chance
    from evaluation.proposals.protocol import PROTOCOLS, recall_curve
    from evaluation.proposals.report import report

    require_known("--protocol", protocol, PROTOCOLS)
    if out is not None:
        prepare(out, draws=True)
    given = _read(predictions, annotations, subset)
    _remark(given.names)
    truths = {name: video.segments_s for name, video in given.truths.items()}
    found = {name: video.segments_s for name, video in given.predictions.items()}
    curve = recall_curve(truths, found, PROTOCOLS[protocol])
    durations_s = {name: video.duration_s for name, video in given.truths.items()}
    anywhere = by_chance(truths, found, durations_s, PROTOCOLS[protocol]) if chance else None
    _print_recall(curve, PROTOCOLS[protocol].listed, anywhere)
    if out is not None:
        from evaluation.proposals.pictures import draw_recall

        about = _about("proposals", predictions, annotations, subset, protocol, given.names)
        listed = PROTOCOLS[protocol].listed
        values = report(curve, listed) | ({} if anywhere is None else {"by_chance": anywhere._asdict()})
        save(out, about | values, {"recall.png": lambda path: draw_recall(curve, listed, path)})
    return 0


def actions(
    predictions: Predictions,
    annotations: Annotations,
    subset: Subset = None,
    protocol: Protocol = "activitynet",
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json.")] = None,
) -> int:
    """Score detected actions (labelled segments) as ActivityNet does: mean average precision over temporal IoU."""
    from evaluation.actions.protocol import THRESHOLDS, score_actions
    from evaluation.actions.report import report

    require_known("--protocol", protocol, THRESHOLDS)
    if out is not None:
        prepare(out, draws=False)
    given = _read(predictions, annotations, subset)
    _remark(given.names)
    scores = score_actions(given.truths, given.predictions, THRESHOLDS[protocol])
    _print_precision(scores)
    if out is not None:
        about = _about("actions", predictions, annotations, subset, protocol, given.names)
        save(out, about | report(scores), {})
    return 0


class _Given(NamedTuple):
    """``truths``: the videos of the subset with at least one action; ``predictions`` by the names that they have."""

    truths: dict[str, AnnotatedVideo]
    predictions: dict[str, Proposals]
    names: VideoNames


def _read(predictions: Path, annotations: Path, subset: str | None) -> _Given:
    from evaluation.videos import match_names
    from formats.temporal.annotations import of_subset, read_annotations
    from formats.temporal.results import read_results

    known = read_annotations(annotations)
    chosen = of_subset(known, subset, annotations)
    truths = {name: video for name, video in chosen.items() if len(video.segments_s)}
    if not truths:
        of = "" if subset is None else f" of subset {subset}"
        raise UserError(f"{annotations}: no action{of} is annotated; there is no truth to score by")
    found = read_results(predictions)
    if not any(len(video.scores) for video in found.values()):
        raise UserError(f"{predictions}: has no predictions; there is nothing to score")
    by_name, names = match_names(found, truths.keys(), known.keys())
    return _Given(truths, by_name, names)


def _remark(names: VideoNames) -> None:
    """What does not go together is said before the numbers that it changes."""
    from cli.show import console

    if names.renamed:
        console.print(f"[yellow]names[/] v_ was {names.renamed} before the videos' names of the predictions")
    for videos, what in (
        (names.without_predictions, "annotated videos without predictions: all their actions are missed"),
        (names.not_annotated, "videos with predictions but no annotated action here: nothing in them can be right"),
    ):
        if videos:
            console.print(f"[yellow]{len(videos):,}[/] {what}: {_first(videos)}", soft_wrap=True, markup=True)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _about(
    task: str, predictions: Path, annotations: Path, subset: str | None, protocol: str, names: VideoNames
) -> dict[str, object]:
    from cli.records import versions

    return {
        "task": task,
        "predictions": str(predictions),
        "annotations": str(annotations),
        "subset": subset,
        "protocol": protocol,
        "annotated_without_predictions": names.without_predictions,
        "predicted_but_not_annotated": names.not_annotated,
        "versions": versions(),
    }


def _table(first: str, *columns: str) -> Table:
    """Numbers to the right, what they are to the left."""
    from rich.table import Table

    table = Table(first, *columns, box=None, pad_edge=False, collapse_padding=True)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    return table


def _print_recall(curve: RecallCurve, listed: Sequence[int], anywhere: Chance | None) -> None:
    from cli.show import console

    console.print("Recall in %, by the average number of proposals per video (AN)")
    table = _table("", *(f"@{number}" for number in listed))
    recall = [curve.at(number) for number in listed]
    table.add_row("AR", *(percent(at.mean()) for at in recall), style="bold")
    if anywhere is not None:
        table.add_row("by chance", *(percent(anywhere.recall[number]) for number in listed))
    for k, threshold in enumerate(curve.tiou):
        table.add_row(f"tIoU {threshold:.2f}", *(percent(at[k]) for at in recall))
    console.print(table)
    console.print(f"[bold]AUC {100 * curve.auc:.2f}[/] (AR over AN up to {curve.average_number[-1]:g})")
    if anywhere is not None:
        console.print(
            f"by chance {100 * anywhere.auc:.2f} ± {100 * anywhere.auc_std:.2f}: the same lengths at random places"
        )
    console.print(
        f"{curve.actions:,} actions in {curve.videos:,} videos, {curve.proposals:,} proposals, {curve.used:,} of them "
        f"at AN {curve.average_number[-1]:g}.",
        soft_wrap=True,
    )


def _print_precision(scores: ActionScores) -> None:
    """mAP, then the classes at either end."""
    import numpy as np

    from cli.show import console

    console.print("Average precision in %, by temporal IoU")
    table = _table("", "actions", "predicted", *(f"{threshold:.2f}" for threshold in scores.tiou), "mean")
    rows = scores.average_precision.T
    counts = scores.annotated, scores.predicted
    best_first = np.argsort(-rows.mean(axis=1), kind="stable").tolist()
    shown = best_first if len(best_first) <= 2 * LISTED else [*best_first[:LISTED], None, *best_first[-LISTED:]]

    def add(name: str, values: np.ndarray, annotated: int, predicted: int, style: str | None = None) -> None:
        cells = map(percent, (*values, values.mean()))
        table.add_row(name, f"{annotated:,}", f"{predicted:,}", *cells, style=style)

    add("mAP", scores.mean_average_precision, *(int(count.sum()) for count in counts), style="bold")
    for c in shown:
        if c is None:
            table.add_row("…")
        else:
            add(scores.classes[c], rows[c], *(int(count[c]) for count in counts))
    console.print(table)
    never = [label for label, count in zip(scores.classes, scores.predicted, strict=True) if not count]
    console.print(f"{len(scores.classes)} classes." + (f" Never predicted: {_first(never)}." if never else ""))
    if scores.other_labels:
        total, labels = sum(scores.other_labels.values()), list(scores.other_labels)
        console.print(f"[yellow]{total:,}[/] predictions of classes without an annotated action: {_first(labels)}")
