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
    from formats.detection.dataset import DetectionSet
    from formats.detection.results import Result

NAMED = 5  # classes in a remark


def detection(
    annotations: Annotated[Path, typer.Option(help="COCO's instances JSON; drives, a KITTI object or VOC folder.")],
    predictions: Annotated[Path | None, typer.Option(help="Score COCO's result JSON, as run.py detect writes.")] = None,
    model: Annotated[Path | None, typer.Option(help="Score this detector, on the annotated pictures.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Table that brings annotated classes together, such as road-users.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for scores.json and precision_recall.png.")] = None,
    backend: Annotated[str | None, typer.Option(help="Of --model: auto, openvino, onnxruntime, …")] = None,
    precision: Annotated[str | None, typer.Option(help="Of --model: auto, fp32, bf16, …")] = None,
) -> int:
    """Score detected boxes as COCO does: average precision over IoU 0.50 to 0.95, by class and by size."""
    from evaluation.detection.joining import join
    from evaluation.detection.protocol import score_coco_form
    from evaluation.detection.truth import as_coco, read_coco
    from formats.detection.results import read_results

    if (predictions is None) == (model is None):
        raise UserError("evaluate detection: give one of --predictions and --model")
    if model is None and (backend is not None or precision is not None):
        raise UserError("--backend and --precision are for --model; leave them out")
    if out is not None:
        prepare(out, draws=True)
    about = {"annotations": str(annotations), "classes": classes}
    if model is not None:
        data = _read_set(annotations, classes)
        truth, results, how = as_coco(data), *_detect(model, data, backend or "auto", precision or "auto")
        about |= {"model": str(model), "session": how}
    else:
        results = read_results(predictions)
        is_coco = annotations.suffix.lower() == ".json" and classes is None  # then the pictures need not be there
        truth = read_coco(annotations) if is_coco else as_coco(_read_set(annotations, classes))
        about |= {"predictions": str(predictions)}
    joined = join(results, truth, predictions or model)
    _remark(joined)
    try:
        scores = score_coco_form(truth, joined.results)
    except UserError as error:
        raise UserError(f"{annotations}: {error}") from error
    _print(scores)
    if out is not None:
        _save(out, about, joined, scores)
    return 0


def _read_set(annotations: Path, classes: str | None) -> DetectionSet:
    """The pictures with their objects; what the user should know of them is said."""
    from cli.show import console
    from formats.detection.classes import load_classes, with_classes
    from formats.detection.reading import read

    data = read(annotations)
    if classes is not None:
        data = with_classes(data, load_classes(classes))
    for note in data.notes:
        console.print(f"[yellow]note[/] {note}", soft_wrap=True)
    return data


def _detect(model: Path, data: DetectionSet, backend: str, precision: str) -> tuple[list[Result], str]:
    """What a detector finds in the pictures, and how it was run."""
    from rich.progress import track

    from cli.show import console
    from evaluation.detection.detector import LEAST_SCORE, Detector
    from formats.detection.pictures import read_picture

    results: list[Result] = []
    with Detector(model, least_score=LEAST_SCORE, backend=backend, precision=precision) as detector:
        console.print(f"[dim]{model}:[/] {detector.description}", soft_wrap=True)
        for k, picture in enumerate(track(data.pictures, "detecting", transient=True, console=console)):
            image = read_picture(picture.file, picture.width, picture.height)
            results += detector.results(detector.find(image), k)
        return results, detector.description


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


def _save(out: Path, about: dict[str, str | None], joined: Joined, scores: DetectionScores) -> None:
    from cli.records import versions
    from evaluation.detection.pictures import draw_precision_recall
    from evaluation.detection.report import report

    remarks = {"pictures_without_results": joined.without_results, "results_of_other_classes": joined.other_classes}
    values = {"task": "detection"} | about | remarks | report(scores) | {"versions": versions()}
    save(out, values, {"precision_recall.png": lambda path: draw_precision_recall(scores, path)})
