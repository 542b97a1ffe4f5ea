"""One frame of the preview: camera with boxes, camera with points, bird's eye, range image by class and remission."""

from __future__ import annotations

import cv2
import numpy as np

from models.range_view.projection import project
from simulation.preview import birds_eye
from simulation.preview.boxes import EDGES, corners, kind_colors
from simulation.preview.drive_files import FrameFiles
from viewing.camera_view import Box, camera_view
from viewing.range_view import label_picture, strip
from viewing.style import BACKGROUND, MUTED, PANEL, TEXT, blank, palette, put_text, shorten, text_width

WIDTH, HEIGHT = 1600, 920
_GAP, _HEADER, _STRIP, _ACTIONS = 6, 34, 84, 70
_CAMERA_W, _CAMERA_H = 1066, 322
_UPPER = 2 * _CAMERA_H + _GAP
_STRIP_COLUMNS = 1024
_ACTIONS_SHOWN = 8  # in four columns
_NAMED_PX = 20  # a box drawn lower than this has no room for its name: its 3-D box alone is drawn
_NEAR_M = 0.2  # a box's edge is drawn from here on


def draw(frame: FrameFiles) -> np.ndarray:
    """The frame as a picture uint8 [920,1600,3] BGR."""
    canvas = blank(WIDTH, HEIGHT, BACKGROUND)
    kinds = kind_colors(frame.table)
    colors = _label_colors(frame)[frame.labels]
    _header(canvas, frame)
    top = _HEADER
    if frame.image is None:
        left, pixels_per_m = _GAP, 9.0
    else:
        _paste(canvas, _camera_with_boxes(frame, kinds), _GAP, top)
        _paste(canvas, _camera_with_points(frame, colors), _GAP, top + _CAMERA_H + _GAP)
        left, pixels_per_m = _CAMERA_W + 2 * _GAP, 8.0
    seen = (frame.points, colors, frame.objects, kinds, frame.path)
    _paste(canvas, birds_eye.draw(WIDTH - left - _GAP, _UPPER, *seen, pixels_per_m=pixels_per_m), left, top)
    top += _UPPER + _GAP
    for picture, name in zip(_strips(frame, colors), ("class", "remission"), strict=True):
        _paste(canvas, picture, _GAP, top)
        cv2.rectangle(canvas, (_GAP, top), (_GAP + 12 + text_width(name, 9), top + 18), PANEL, cv2.FILLED)
        put_text(canvas, name, (_GAP + 6, top + 13), 9, TEXT)
        top += _STRIP + _GAP
    _actions(canvas, frame, top)
    return canvas


def _header(canvas: np.ndarray, frame: FrameFiles) -> None:
    end = put_text(canvas, f"frame {frame.number}  {frame.t_s:.1f} s", (_GAP + 4, 23), 13, TEXT, bold=True)
    speed = 0.0
    if len(frame.path) > 1:
        speed = np.linalg.norm(np.gradient(frame.path, axis=0)[frame.number]) / frame.period_s
    moving = sum(thing["moving"] for thing in frame.objects)
    counts = f"{speed:4.1f} m/s  {len(frame.points)} points  {len(frame.objects)} objects, {moving} moving"
    put_text(canvas, f"{frame.title}   {counts}", (end + 30, 23), 11, MUTED)


def _camera_with_boxes(frame: FrameFiles, kinds: dict[str, tuple[int, int, int]]) -> np.ndarray:
    """2-D boxes of the tracking labels, and the 3-D boxes of the same objects."""
    scale = _CAMERA_W / frame.image.shape[1]
    things = {thing["track_id"]: thing for thing in frame.objects}
    boxes = tuple(
        Box(
            tracked.box_px,
            f"{things[tracked.track_id]['kind']} {tracked.track_id}",
            kinds[things[tracked.track_id]["kind"]],
            tracked.location_m[2],
        )
        for tracked in frame.tracked
        if (tracked.box_px[3] - tracked.box_px[1]) * scale >= _NAMED_PX
    )
    view = camera_view(frame.image, _CAMERA_W, _CAMERA_H, boxes=boxes)
    for tracked in frame.tracked:
        thing = things[tracked.track_id]
        _wireframe(view, frame.lidar_to_image, corners(thing["box"]), kinds[thing["kind"]], scale)
    return view


def _wireframe(
    view: np.ndarray, lidar_to_image: np.ndarray, points: np.ndarray, color: tuple[int, int, int], scale: float
) -> None:
    image = np.c_[points, np.ones(len(points))] @ lidar_to_image.T
    for a, b in EDGES:
        start, end = image[a], image[b]
        if max(start[2], end[2]) < _NEAR_M:
            continue
        if min(start[2], end[2]) < _NEAR_M:  # cut off what is behind the camera
            share = (_NEAR_M - start[2]) / (end[2] - start[2])
            cut = start + share * (end - start)
            start, end = (cut, end) if start[2] < _NEAR_M else (start, cut)
        ends = np.clip([scale * start[:2] / start[2], scale * end[:2] / end[2]], -1e4, 1e4)
        cv2.line(view, *np.round(ends * 16).astype(int).tolist(), color, 1, cv2.LINE_AA, 4)


def _camera_with_points(frame: FrameFiles, colors: np.ndarray) -> np.ndarray:
    image = np.c_[frame.points[:, :3], np.ones(len(frame.points))] @ frame.lidar_to_image.T
    ahead = image[:, 2] > 0.5
    pixels = image[ahead, :2] / image[ahead, 2:]
    return camera_view(frame.image, _CAMERA_W, _CAMERA_H, pixels=pixels, range_m=image[ahead, 2], colors=colors[ahead])


def _strips(frame: FrameFiles, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The range image of the scan, by class and by remission."""
    fitting = frame.projection
    seen = project(
        frame.points,
        height=fitting.height,
        width=_STRIP_COLUMNS,
        fov_up_deg=fitting.fov_up_deg,
        fov_down_deg=fitting.fov_down_deg,
    )
    range_m, remission = seen.image[0], seen.image[4]
    classes = label_picture(range_m, seen.point_pixel, seen.point_range, colors)
    bright = np.uint8(255 * np.sqrt(np.clip(remission, 0.0, 1.0)))
    remissions = np.where((range_m >= 0)[..., None], cv2.applyColorMap(bright, cv2.COLORMAP_INFERNO), np.uint8(PANEL))
    return strip(classes, WIDTH - 2 * _GAP, _STRIP), strip(remissions, WIDTH - 2 * _GAP, _STRIP)


def _actions(canvas: np.ndarray, frame: FrameFiles, top: int) -> None:
    """What goes on in view now, each with a bar of how much of it is over."""
    if not frame.actions:
        put_text(canvas, "no action in view", (_GAP + 4, top + 20), 10, MUTED)
    column_w = (WIDTH - 2 * _GAP) // 4
    for place, action in enumerate(frame.actions[:_ACTIONS_SHOWN]):
        left, line = _GAP + place % 4 * column_w, top + place // 4 * 34
        start_s, end_s = action["segment"]
        text = f"{action['label']} {action['track_id']}  {start_s:.1f}-{end_s:.1f} s"
        put_text(canvas, shorten(text, 10, column_w - 16), (left + 4, line + 14), 10, TEXT)
        over = (frame.t_s - start_s) / (end_s - start_s)
        cv2.rectangle(canvas, (left + 4, line + 20), (left + column_w - 12, line + 25), PANEL, cv2.FILLED)
        end = left + 4 + round(over * (column_w - 16))
        cv2.rectangle(canvas, (left + 4, line + 20), (end, line + 25), (64, 178, 255), cv2.FILLED)


def _label_colors(frame: FrameFiles) -> np.ndarray:
    """BGR uint8 [65536,3] of every raw label."""
    raw = list(frame.table.raw_colors_rgb)
    colors = np.zeros((65536, 3), np.uint8)
    colors[raw] = palette(tuple(frame.table.raw_colors_rgb[label] for label in raw))
    return colors


def _paste(canvas: np.ndarray, picture: np.ndarray, left: int, top: int) -> None:
    height, width = picture.shape[:2]
    canvas[top : top + height, left : left + width] = picture
