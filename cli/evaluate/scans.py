"""``run.py evaluate segmentation``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.evaluate.output import percent, prepare, save
from errors import UserError

if TYPE_CHECKING:
    from evaluation.segmentation.predictors import Predictor
    from evaluation.segmentation.protocol import Scores
    from formats.labelled_scans import ScanFiles
    from formats.labels import LabelTable

DEFAULT_KNN = 5  # as the segmentation node has it


def segmentation(
    data: Annotated[Path, typer.Option(help="Labelled scans: SemanticKITTI root, sequence, or folder of drives.")],
    sequences: Annotated[str | None, typer.Option(help="08; 00,04; all. Default: 08 of a root, else all.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Score this checkpoint, in float32.")] = None,
    model: Annotated[Path | None, typer.Option(help="Score this exported model's folder.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Score .label files: sequences/NN/predictions.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and the pictures.")] = None,
    knn: Annotated[int | None, typer.Option(min=0, help="Neighbours that vote; 0: pixels carried to points.")] = None,
    backend: Annotated[str | None, typer.Option(help="Of --model: auto, openvino, onnxruntime, …")] = None,
    precision: Annotated[str | None, typer.Option(help="Of --model: auto, fp32, bf16.")] = None,
) -> int:
    """Score semantic segmentation as SemanticKITTI does: IoU per class, on points, unlabelled ones left out."""
    from evaluation.segmentation.selection import select_scans
    from formats.labels import load_label_table

    _refuse_unused(checkpoint, model, predictions, knn, backend, precision)
    if out is not None:
        prepare(out, draws=True)
    table = load_label_table()
    scans, left_out = select_scans(data, sequences)
    knn = DEFAULT_KNN if knn is None else knn
    predictor = _predictor(checkpoint, model, predictions, scans, table, knn, backend or "auto", precision or "auto")
    _run(data, scans, left_out, predictor, table, out)
    return 0


def _refuse_unused(
    checkpoint: Path | None,
    model: Path | None,
    predictions: Path | None,
    knn: int | None,
    backend: str | None,
    precision: str | None,
) -> None:
    """One thing to score, and no option that it would not heed."""
    if sum(source is not None for source in (checkpoint, model, predictions)) != 1:
        raise UserError("evaluate segmentation: give one of --checkpoint, --model and --predictions")
    if predictions is not None and knn is not None:
        raise UserError("--knn: predictions from files are scored as they are; leave it out")
    if model is None and (backend is not None or precision is not None):
        raise UserError("--backend and --precision are for --model; leave them out")


def _predictor(
    checkpoint: Path | None,
    model: Path | None,
    predictions: Path | None,
    scans: list[ScanFiles],
    table: LabelTable,
    knn: int,
    backend: str,
    precision: str,
) -> Predictor:
    from evaluation.segmentation import predictors

    if checkpoint is not None:
        return predictors.from_checkpoint(checkpoint, table, knn=knn)
    if model is not None:
        return predictors.from_model(model, table, knn=knn, backend=backend, precision=precision)
    assert predictions is not None
    return predictors.LabelFiles(predictions, scans, table)


def _run(
    data: Path, scans: list[ScanFiles], left_out: list[str], predictor: Predictor, table: LabelTable, out: Path | None
) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cli.records import versions
    from cli.show import console
    from evaluation.segmentation.protocol import scores
    from evaluation.segmentation.report import by_distance, report
    from evaluation.segmentation.score import count

    for what, value in predictor.description.items():
        console.print(f"[dim]{what}:[/] {value}", soft_wrap=True)
    if left_out:
        console.print(f"[yellow]left out[/] no labels/: {', '.join(left_out)}", soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scans", total=len(scans))
        counted = count(scans, predictor, table, on_scan=lambda: progress.advance(task))
    whole, parts = scores(counted.confusion), by_distance(counted)
    _print(whole, parts, table, len(scans))
    if out is not None:
        about = {"task": "segmentation", "data": str(data), "left_out": left_out, "predictor": predictor.description}
        _save(out, about | report(counted, table) | {"versions": versions()}, whole, parts, table)


def _print(whole: Scores, parts: list[Scores], table: LabelTable, frames: int) -> None:
    """IoU per class and bin, then what is computed of them. A class without points there has no number."""
    from rich.table import Table

    from cli.show import console
    from evaluation.segmentation.pictures import distance_names, short

    console.print("IoU in %, over all points and by their distance from the sensor in m")
    shown = Table("class", "points", "all", *distance_names(), box=None, pad_edge=False, collapse_padding=True)
    for column in shown.columns:
        column.justify, column.no_wrap = "right", True
    shown.columns[0].justify = "left"
    everything = [whole, *parts]
    for c in range(1, len(table.names)):
        cells = [percent(part.iou[c]) if part.support[c] else "-" for part in everything]
        shown.add_row(table.names[c], f"{whole.support[c]:,}", *cells, style=None if whole.support[c] else "dim")
    shown.add_row()
    classes = len(table.names) - 1
    totals = {
        f"mIoU official ({classes})": [percent(part.miou) for part in everything],
        "mIoU present": [percent(part.miou_present) for part in everything],
        "classes present": [str(part.present.sum()) for part in everything],
        "accuracy": [percent(part.accuracy) for part in everything],
        "accuracy official": [percent(part.accuracy_official) for part in everything],
        "points labelled": [short(part.labelled) for part in everything],
    }
    for name, cells in totals.items():
        shown.add_row(name, "", *cells, style="bold" if name.startswith("mIoU") else None)
    console.print(shown)
    points = int(whole.support.sum())
    console.print(
        f"{frames:,} scans, {points:,} points, {whole.support[0]:,} of them unlabelled and not scored. "
        "Official mIoU: a class that is not there counts as 0; present: it is left out.",
        soft_wrap=True,
    )


def _save(out: Path, values: dict[str, Any], whole: Scores, parts: list[Scores], table: LabelTable) -> None:
    import numpy as np

    from evaluation.segmentation.pictures import draw_confusion, draw_iou_by_distance

    counts = np.array(values["confusion"])
    pictures = {
        "confusion.png": lambda path: draw_confusion(counts, table.names, path),
        "iou_by_distance.png": lambda path: draw_iou_by_distance(whole, parts, table.names, path),
    }
    save(out, values, pictures)
