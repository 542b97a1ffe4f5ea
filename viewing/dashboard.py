"""One picture of everything known of a frame: camera, range image, bird's-eye view, classes, objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from viewing.birds_eye import Footprint, birds_eye
from viewing.camera_view import Box, camera_view
from viewing.header import draw_header
from viewing.range_view import label_picture, range_picture, strip
from viewing.style import (
    BACKGROUND,
    MUTED,
    PANEL,
    TEXT,
    blank,
    palette,
    put_text,
    range_colors,
    shorten,
    text_width,
)
from viewing.timeline import Stretch, caption, timeline

Rect = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True)
class RangeStrips:
    """A range image's ranges ``[H, W]`` (negative: empty), and each point's pixel and range ``[N]`` in it."""

    range_m: np.ndarray
    point_pixel: np.ndarray
    point_range_m: np.ndarray


@dataclass(frozen=True)
class Actions:
    """What happened in the ``span_s`` seconds before ``now_s``, in seconds of the video."""

    stretches: tuple[Stretch, ...]
    now_s: float
    span_s: float


@dataclass(frozen=True)
class Scene:
    """What there is to draw of one frame. Boxes in pixels of the camera's image, the rest in metres.

    ``camera_aspect``: width / height of the camera's image; its panel is kept, with a note, where this frame has no
    ``image``; None: there is no camera. ``has_objects`` keeps a panel for objects, even where there are none now.
    ``actions``: None: nobody looks for any. ``pixels`` is NaN where a point is not in view. ``status`` is shown at the
    top left, ``warning`` after it, ``measured`` at the top right.
    """

    points: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = ()
    class_colors: tuple[tuple[int, int, int], ...] = ()
    image: np.ndarray | None = None
    camera_aspect: float | None = None
    pixels: np.ndarray | None = None
    range_strips: RangeStrips | None = None
    boxes: tuple[Box, ...] = ()
    footprints: tuple[Footprint, ...] = ()
    actions: Actions | None = None
    has_objects: bool = False
    status: str = ""
    warning: str = ""
    measured: str = ""


@dataclass(frozen=True)
class Layout:
    """Where the panels are, each as left, top, width, height. A panel that is None is not there."""

    width: int
    height: int
    unit: float  # a hundredth of the width
    margin: int
    header: Rect
    camera: Rect | None
    strips: tuple[Rect, Rect] | None
    birds_eye: Rect
    classes: Rect
    objects: Rect | None
    timeline: Rect | None


def layout(
    width: int, camera_aspect: float | None, *, has_range_image: bool, has_objects: bool, has_actions: bool = False
) -> Layout:
    """Divide a 16:9 canvas of ``width``. With a camera the bird's-eye view stands beside it; without one it lies below
    the strips and has the forward direction to the right. Actions lie at the bottom, all across."""
    width -= width % 2
    height = round(width * 9 / 32) * 2
    unit = width / 100
    margin, header_height, gap = round(unit), round(3.1 * unit), round(1.9 * unit)
    top, inner = header_height + gap, width - 2 * margin
    bottom, line = height - margin, None
    if has_actions:
        line = (margin, bottom - round(8.2 * unit), inner, round(8.2 * unit))
        bottom = line[1] - gap
    has_camera = camera_aspect is not None
    left_width = round(0.68 * inner) if has_camera else inner
    strip_height = round((5.2 if has_camera else 6.5) * unit)
    strips_height = 2 * (strip_height + gap) if has_range_image else 0
    y = top
    camera = None
    if has_camera:
        available = bottom - top - strips_height - gap - round((6 if has_actions else 13) * unit)
        camera_height = min(round(left_width / camera_aspect), available)
        camera = (margin, y, min(left_width, round(camera_height * camera_aspect)), camera_height)
        y += camera_height + gap
    strips = None
    if has_range_image:
        strips = tuple((margin, y + i * (strip_height + gap), left_width, strip_height) for i in range(2))
        y += strips_height
    rest = bottom - y
    if has_camera:
        right = margin + left_width + margin
        eye = (right, top, width - margin - right, bottom - top)
        beside_camera = left_width - camera[2] - margin
        if not has_objects:
            classes, objects = (margin, y, left_width, rest), None
        elif beside_camera > 25 * unit:  # a camera that is not wide leaves room for the objects
            classes, objects = (
                (margin, y, left_width, rest),
                (camera[2] + 2 * margin, camera[1], beside_camera, camera[3]),
            )
        else:
            objects = (margin + left_width - round(24 * unit), y, round(24 * unit), rest)
            classes = (margin, y, objects[0] - 2 * margin, rest)
    else:
        classes_width = round(15 * unit)
        eye = (margin, y, inner - classes_width - margin, rest)
        classes, objects = (width - margin - classes_width, y, classes_width, rest), None
    header = (margin, 0, inner, header_height)
    return Layout(width, height, unit, margin, header, camera, strips, eye, classes, objects, line)


def dashboard(scene: Scene, width: int = 1600) -> np.ndarray:
    """Draw a scene. Returns uint8 BGR ``[height, width, 3]``, 16:9, both even."""
    plan = layout(
        width,
        scene.camera_aspect,
        has_range_image=scene.range_strips is not None,
        has_objects=scene.has_objects or bool(scene.boxes),
        has_actions=scene.actions is not None,
    )
    canvas = blank(plan.width, plan.height, BACKGROUND)
    x, y, z = scene.points[:, 0], scene.points[:, 1], scene.points[:, 2]
    range_m = np.sqrt(x * x + y * y + z * z)
    has_classes = len(scene.class_names) > 0
    class_colors = palette(scene.class_colors)
    colors = np.take(class_colors, scene.labels, axis=0) if has_classes else range_colors(range_m)

    draw_header(canvas, plan.header, plan.unit, status=scene.status, warning=scene.warning, measured=scene.measured)
    if plan.camera:
        _draw_camera(canvas, plan, scene, range_m, colors)
    if plan.strips:
        _draw_strips(canvas, plan, scene, colors, has_classes)
    _caption(canvas, plan, plan.birds_eye, "Bird's-eye view")
    *_, eye_width, eye_height = plan.birds_eye
    _place(canvas, plan.birds_eye, birds_eye(scene.points, colors, eye_width, eye_height, footprints=scene.footprints))
    _draw_classes(canvas, plan, scene, class_colors)
    if plan.objects:
        _draw_objects(canvas, plan, scene)
    if plan.timeline and scene.actions:
        _draw_actions(canvas, plan, plan.timeline, scene.actions)
    return canvas


def _draw_camera(canvas: np.ndarray, plan: Layout, scene: Scene, range_m: np.ndarray, colors: np.ndarray) -> None:
    _caption(canvas, plan, plan.camera, "Camera" if scene.pixels is None else "Camera with LiDAR points")
    left, top, width, height = plan.camera
    if scene.image is None:
        cv2.rectangle(canvas, (left, top), (left + width - 1, top + height - 1), PANEL, cv2.FILLED)
        note, size = "no image for this scan", 1.1 * plan.unit
        put_text(canvas, note, (left + (width - text_width(note, size)) / 2, top + height / 2), size, MUTED)
        return
    seen = {} if scene.pixels is None else {"pixels": scene.pixels, "range_m": range_m, "colors": colors}
    _place(canvas, plan.camera, camera_view(scene.image, width, height, **seen, boxes=scene.boxes))


def _draw_strips(canvas: np.ndarray, plan: Layout, scene: Scene, colors: np.ndarray, has_classes: bool) -> None:
    strips = scene.range_strips
    above, below = plan.strips
    _caption(canvas, plan, above, "Range image: distance, bright is near")
    _place(canvas, above, strip(range_picture(strips.range_m), *above[2:]))
    _caption(canvas, plan, below, "Range image: class" if has_classes else "Range image: no classes for this scan")
    classes = label_picture(strips.range_m, strips.point_pixel, strips.point_range_m, colors)
    _place(canvas, below, strip(classes if has_classes else np.full_like(classes, PANEL), *below[2:]))


def _draw_classes(canvas: np.ndarray, plan: Layout, scene: Scene, class_colors: np.ndarray) -> None:
    """A legend of the classes present, most points first, each with its share of the points."""
    left, top, width, height = plan.classes
    _caption(canvas, plan, plan.classes, "Classes")
    counts = np.bincount(scene.labels, minlength=len(scene.class_names))[: len(scene.class_names)]
    present = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    if not present:
        put_text(canvas, "none for this scan: colour is distance", (left, top + plan.unit), 0.8 * plan.unit, MUTED)
        return
    row_height = 1.75 * plan.unit
    rows = max(int(height / row_height), 1)
    columns = max(min(-(-len(present) // rows), int(width / (9 * plan.unit))), 1)
    column_width = min((width - (columns - 1) * plan.margin) / columns, 22 * plan.unit)
    swatch, size = round(1.0 * plan.unit), 0.8 * plan.unit
    for place, index in enumerate(present[: rows * columns]):
        x = round(left + (place // rows) * (column_width + plan.margin))
        y = round(top + (place % rows) * row_height)
        color = tuple(class_colors[index].tolist())
        share = counts[index] / len(scene.labels)
        percent = f"{100 * share:.1f}%" if share >= 0.001 else "<0.1%"
        cv2.rectangle(canvas, (x, y), (x + swatch, y + swatch), color, cv2.FILLED, cv2.LINE_AA)
        baseline = y + swatch - 0.1 * plan.unit
        name_x, percent_x = x + swatch + 0.7 * plan.unit, x + column_width - text_width(percent, size)
        name = shorten(scene.class_names[index], size, percent_x - name_x - 0.5 * plan.unit)
        put_text(canvas, name, (name_x, baseline), size, TEXT)
        put_text(canvas, percent, (percent_x, baseline), size, MUTED)


def _draw_objects(canvas: np.ndarray, plan: Layout, scene: Scene) -> None:
    """The objects, near ones first."""
    left, top, _, height = plan.objects
    _caption(canvas, plan, plan.objects, "Objects")
    rows = [(box.text, box.color) for box in sorted(scene.boxes, key=lambda b: b.order)]
    if not rows:
        put_text(canvas, "none", (left, top + plan.unit), 0.8 * plan.unit, MUTED)
    row_height, swatch = 1.75 * plan.unit, round(1.0 * plan.unit)
    visible = min(len(rows), int(height / row_height))
    for place, (text, color) in enumerate(rows[:visible]):
        y = round(top + place * row_height)
        cv2.rectangle(canvas, (left, y), (left + swatch, y + swatch), color, 1, cv2.LINE_AA)
        more = f"   and {len(rows) - visible} more" if place == visible - 1 and len(rows) > visible else ""
        baseline = y + swatch - 0.1 * plan.unit
        put_text(canvas, text + more, (left + swatch + 0.7 * plan.unit, baseline), 0.8 * plan.unit, TEXT)


def _draw_actions(canvas: np.ndarray, plan: Layout, panel: Rect, actions: Actions) -> None:
    _caption(canvas, plan, panel, caption(actions.span_s))
    line = timeline(actions.stretches, actions.now_s, *panel[2:], span_s=actions.span_s, unit=plan.unit)
    _place(canvas, panel, line)


def _caption(canvas: np.ndarray, plan: Layout, panel: Rect, text: str) -> None:
    put_text(canvas, text, (panel[0], panel[1] - 0.5 * plan.unit), 0.72 * plan.unit, MUTED)


def _place(canvas: np.ndarray, panel: Rect, picture: np.ndarray) -> None:
    left, top, width, height = panel
    canvas[top : top + height, left : left + width] = picture
