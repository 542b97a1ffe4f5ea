"""Frames to look at: range images by range, remission and class, and camera pictures.

Those side by side show a real recording itself, and so fall under its licence; the simulated ones alone do not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from formats import images
from formats.labels import load_label_table, read_labels
from formats.pointcloud import read_bin
from models.range_view.projection import project
from simulation.statistics.compare import Report
from simulation.statistics.plots import labelled_or_first, new_figure
from simulation.statistics.quantities import FOV_DOWN_DEG, FOV_UP_DEG
from simulation.statistics.recordings import Recording

_HEIGHT, _WIDTH = 64, 1024


def draw_side_by_side(report: Report, out: Path) -> list[str]:
    """Write the frames of both sides and those of the simulated alone, where there are any: the names of the files."""
    names = []
    real, simulated = (labelled_or_first(group) for group in (report.real, report.simulated))
    if simulated:
        names.append("simulated-range-images.png")
        _range_images({"simulated": simulated.recording}, out / names[-1])
    if real and simulated:
        names.append("side-by-side-range-images.png")
        _range_images({"real": real.recording, "simulated": simulated.recording}, out / names[-1])
    real, simulated = (
        next((one for one in group if one.recording.pictures), None) for group in (report.real, report.simulated)
    )
    if real and simulated:
        names.append("side-by-side-pictures.png")
        _pictures({"real": real.recording, "simulated": simulated.recording}, out / names[-1])
    return names


def range_image_panels(points: np.ndarray, raw_labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Range, remission and class of a scan as RGB pictures uint8 [64,1024,3]; empty pixels are black."""
    from matplotlib import colormaps

    projection = project(points, height=_HEIGHT, width=_WIDTH, fov_up_deg=FOV_UP_DEG, fov_down_deg=FOV_DOWN_DEG)
    range_m, remission = projection.image[0], projection.image[4]
    empty = (range_m < 0)[..., None]
    depth = np.log(np.clip(range_m, 2.0, 80.0) / 2.0) / np.log(40.0)
    panels = {"range": _colour(colormaps["viridis_r"], depth), "remission": _colour(colormaps["gray"], remission * 1.6)}
    if raw_labels is not None:
        table = load_label_table()
        colours = np.array(table.colors_rgb, np.uint8)
        colours[0] = 90
        shown = np.flatnonzero(projection.point_range == range_m.ravel()[projection.point_pixel])
        classes = np.zeros(range_m.size, np.uint8)
        classes[projection.point_pixel[shown]] = table.to_train(raw_labels)[shown]
        panels["class"] = colours[classes.reshape(range_m.shape)]
    return {name: np.where(empty, np.uint8(0), picture) for name, picture in panels.items()}


def _colour(colour_map, share: np.ndarray) -> np.ndarray:
    return (255 * colour_map(np.clip(share, 0.0, 1.0))[..., :3]).astype(np.uint8)


def _range_images(recordings: dict[str, Recording], path: Path) -> None:
    panels: dict[str, list[tuple[str, np.ndarray]]] = {}
    for side, found in recordings.items():
        middle = len(found.scans) // 2
        points = read_bin(found.scans[middle])
        raw = read_labels(found.labels[middle], len(points))[0] if found.labels else None
        for name, image in range_image_panels(points, raw).items():
            panels.setdefault(name, []).append((f"{side}: {name}", image))
    shown = [panel for group in panels.values() for panel in group]  # real and simulated under each other
    figure = new_figure(13, 1.4 * len(shown))
    for axis, (title, image) in zip(figure.subplots(len(shown), 1, squeeze=False).ravel(), shown, strict=True):
        axis.imshow(image, aspect="auto", interpolation="nearest")
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_axis_off()
    figure.savefig(path, metadata={"Software": None})


def _pictures(recordings: dict[str, Recording], path: Path) -> None:
    shown = [
        (side, found.pictures[k]) for side, found in recordings.items() for k in sorted({0, len(found.pictures) // 2})
    ]
    figure = new_figure(13, 4.1 * len(shown))
    for axis, (side, file) in zip(figure.subplots(len(shown), 1, squeeze=False).ravel(), shown, strict=True):
        axis.imshow(images.read_image(file)[..., ::-1])
        axis.set_title(f"{side}: {file.name}", fontsize=9, loc="left")
        axis.set_axis_off()
    figure.savefig(path, metadata={"Software": None})
