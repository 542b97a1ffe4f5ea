"""``detect``: objects in pictures or a video, as COCO's result JSON and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from models.detection.exported import Found

RESULTS, PICTURES = "detections.json", "pictures"
_LEAST_WIDTH_PX = 960  # of a drawing, so that the words on it can be read


def detect(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Folder of a detector, exported or imported.")],
    source: Annotated[Path, typer.Argument(metavar="IMAGE|FOLDER|VIDEO", help="Pictures, a drive, or a video file.")],
    out: Annotated[Path, typer.Option(help="Folder for detections.json and pictures/.")],
    least_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="What scores less is no object. Default: as the model says.")
    ] = None,
    draw: Annotated[bool, typer.Option(help="Draw each picture with its objects.")] = True,
    backend: Annotated[str, typer.Option(help="auto, openvino, onnxruntime, …")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, …")] = "auto",
) -> None:
    """Find objects in pictures, a drive or a video, with a detector."""
    from rich.progress import track

    from cli.show import console
    from evaluation.detection.detector import Detector
    from formats.detection.results import Result, write_results

    images = _Images(source)
    results: list[Result] = []
    count = 0
    with Detector(model, least_score=least_score, backend=backend, precision=precision) as detector:
        _make_folder(out / PICTURES if draw else out)
        console.print(f"[dim]{model}:[/] {detector.description}", soft_wrap=True)
        for name, image in track(images, "detecting", total=images.count, transient=True, console=console):
            found = detector.find(image)
            count += 1
            results += detector.results(found, count, name)
            if draw:
                picture = _drawn(image, found, detector.class_names, detector.colors)
                _save(out / PICTURES / f"{name.replace('/', '-')}.jpg", picture)
    write_results(out / RESULTS, results)
    for note in images.notes:
        console.print(f"[yellow]note[/] {note}", soft_wrap=True)
    console.print(f"{out / RESULTS}: {len(results):,} objects in {count:,} pictures", soft_wrap=True)


class _Images:
    """Each picture, BGR uint8, with its name: a file's from ``source`` on, or the number of a video's frame.

    ``count`` None: nobody knows. ``notes``: what the user should know, once all are read.

    Raises:
        UserError: nothing there that can be seen.
    """

    def __init__(self, source: Path) -> None:
        from formats import recording
        from formats.images_in_time import ImagesInTime

        self._video = ImagesInTime(source) if recording.is_video(source) else None
        self._source, self.notes = source, []
        if self._video is not None:
            self.count, self.notes = self._video.count or None, self._video.notes
        else:
            self._files = recording.camera_frames(source, camera=2, nominal_rate_hz=10.0).files
            self.count = len(self._files)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        from formats.images import read_image

        if self._video is not None:
            for number, (_, image) in enumerate(self._video):
                yield f"{self._source.name}/{number:06d}", image
            return
        folder = self._source if self._source.is_dir() else self._source.parent
        for file in self._files:
            yield file.relative_to(folder).as_posix(), read_image(file)


def _drawn(
    image: np.ndarray, found: Found, names: tuple[str, ...], colors: tuple[tuple[int, int, int], ...]
) -> np.ndarray:
    """The picture, enlarged where it is small, with a box, a class and a score for each object, the best on top."""
    from viewing.camera_view import camera_view, detected
    from viewing.style import palette

    bgr = palette(colors).tolist()
    scale = max(1, -(-_LEAST_WIDTH_PX // image.shape[1]))
    boxes = detected(
        found.boxes,
        found.scores,
        [names[class_id] for class_id in found.class_ids],
        [tuple(bgr[class_id]) for class_id in found.class_ids],
    )
    return camera_view(image, scale * image.shape[1], scale * image.shape[0], boxes=boxes)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; give another --out") from error


def _save(path: Path, picture: np.ndarray) -> None:
    import cv2

    if not cv2.imwrite(str(path), picture):
        raise UserError(f"{path}: cannot be written; make room, or give another --out")
