"""``run.py evaluate detection``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.evaluate.output import percent, prepare, save
from errors import UserError

if TYPE_CHECKING:
    from evaluation.detection.joining import Joined
    from evaluation.detection.protocol import DetectionScores

NAMED = 5  # classes in a remark


def detection(
    predictions: Annotated[Path, typer.Option(help="COCO's result JSON, such as run.py detect writes.")],
    annotations: Annotated[Path, typer.Option(help="COCO's instances JSON; a drive, KITTI object or VOC folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and precision_recall.png.")] = None,
) -> int:
    """Score detected boxes as COCO does: average precision over IoU 0.50 to 0.95, by class and by size."""
    from evaluation.detection.joining import join
    from evaluation.detection.protocol import score_coco_form
    from evaluation.detection.truth import read_truth
    from formats.detection.results import read_results

    if out is not None:
        prepare(out, draws=True)
    results = read_results(predictions)
    truth = read_truth(annotations)
    joined = join(results, truth, predictions)
    _remark(joined)
    try:
        scores = score_coco_form(truth, joined.results)
    except UserError as error:
        raise UserError(f"{annotations}: {error}") from error
    _print(scores)
    if out is not None:
        _save(out, {"predictions": str(predictions), "annotations": str(annotations)}, joined, scores)
    return 0


def _remark(joined: Joined) -> None:
    """What does not go together is said before the numbers that it changes."""
    from cli.show import console

    if joined.without_results:
        console.print(f"[yellow]{joined.without_results:,}[/] annotated pictures without results: nothing found there")
    if joined.other_classes:
        names = sorted(joined.other_classes, key=joined.other_classes.__getitem__, reverse=True)
        shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        total = sum(joined.other_classes.values())
        console.print(f"[yellow]{total:,}[/] results left out, of classes without annotations: {shown}", soft_wrap=True)


def _print(scores: DetectionScores) -> None:
    """The classes with something to find, and what they make together."""
    from rich.table import Table

    from cli.show import console

    console.print("Average precision in %")
    table = Table("class", "objects", "detections", "AP", "AP50", "AP75", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    counts = scores.annotated.tolist(), scores.predicted.tolist()
    for name, annotated, predicted, row in zip(scores.class_names, *counts, scores.class_ap, strict=True):
        if annotated or predicted:
            table.add_row(name, f"{annotated:,}", f"{predicted:,}", *map(percent, row))
    whole = map(percent, (scores.ap, scores.ap50, scores.ap75))
    table.add_row("all", *(f"{sum(count):,}" for count in counts), *whole, style="bold")
    console.print(table)
    small, medium, large = map(percent, scores.ap_by_size)
    one, ten, hundred = map(percent, scores.ar)
    console.print(f"AP of small objects (below 32² pixels) {small}, medium {medium}, large (above 96²) {large}")
    console.print(f"Average recall with 1, 10, 100 detections of a class in a picture: {one}, {ten}, {hundred}")
    console.print(f"{scores.pictures:,} pictures; a class without objects to find does not count.")


def _save(out: Path, about: dict[str, str], joined: Joined, scores: DetectionScores) -> None:
    from cli.records import versions
    from evaluation.detection.pictures import draw_precision_recall
    from evaluation.detection.report import report

    remarks = {"pictures_without_results": joined.without_results, "results_of_other_classes": joined.other_classes}
    values = {"task": "detection"} | about | remarks | report(scores) | {"versions": versions()}
    save(out, values, {"precision_recall.png": lambda path: draw_precision_recall(scores, path)})
