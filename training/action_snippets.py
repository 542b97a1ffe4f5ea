"""Snippets of filmed drives whose actions are annotated, as the encoder learns from them: pictures and what happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from errors import UserError
from formats.images import read_image
from formats.labelled_scans import Recording
from formats.recording import camera_frames
from formats.stamps import NS_PER_S
from formats.temporal.annotations import read_annotations
from models.two_stream.snippets import SnippetSettings, shrunk

ACTIONS = "actions.json"
NO_ACTION = "no action"
_CAMERA, _RATE_HZ = 2, 10.0  # KITTI's left colour camera; drives without times.txt
_SMALLEST_CROP, _BRIGHTER = 0.85, 0.25


class FilmedDrive(NamedTuple):
    """``images_bgr`` [S, h, w, 3] uint8: a frame, at the network's size, per sample time (every
    :attr:`SnippetSettings.sample_s` from the first frame on). ``segments_s`` [N, 2] and ``labels``: its N actions."""

    name: str
    images_bgr: np.ndarray
    segments_s: np.ndarray
    labels: tuple[str, ...]


def is_filmed(recording: Recording) -> bool:
    """Whether it has annotated actions, and pictures of them."""
    folders = (recording.folder / "image_2", recording.folder / "image_02")
    return (recording.folder / ACTIONS).is_file() and any(folder.is_dir() for folder in folders)


def read_drive(recording: Recording, settings: SnippetSettings) -> FilmedDrive:
    """Read the pictures that samples are taken from, and the actions.

    Raises:
        UserError: a file is missing or damaged, a frame has no time stamp, or ``actions.json`` is of several videos.
    """
    path = recording.folder / ACTIONS
    videos = read_annotations(path)
    if len(videos) != 1:
        raise UserError(f"{path}: is of {len(videos)} videos; a drive has one")
    frames = camera_frames(recording.folder, _CAMERA, _RATE_HZ)
    if None in frames.stamps_ns:
        raise UserError(f"{recording.folder}: frames without a time stamp; complete times.txt or timestamps.txt")
    stamps_s = (np.array(frames.stamps_ns) - frames.stamps_ns[0]) / NS_PER_S
    due_s = np.arange(0, stamps_s[-1] + settings.sample_s / 2, settings.sample_s)
    nearest = np.abs(due_s[:, None] - stamps_s).argmin(axis=1)
    images = np.stack([shrunk(read_image(frames.files[k]), settings) for k in nearest])
    (video,) = videos.values()
    return FilmedDrive(recording.name, images, video.segments_s, video.labels)


def happening(drive: FilmedDrive, classes: Sequence[str], start_s: float, end_s: float) -> np.ndarray:
    """[C] float32: 1 for each class that happens in [start_s, end_s), :data:`NO_ACTION` where nothing does.

    An action happens where it overlaps half of the snippet, or half of itself. What is not among the classes does not
    count, neither as itself nor as no action.
    """
    shared_s = np.minimum(drive.segments_s[:, 1], end_s) - np.maximum(drive.segments_s[:, 0], start_s)
    shorter_s = np.minimum(drive.segments_s[:, 1] - drive.segments_s[:, 0], end_s - start_s)
    there = {label for label, is_there in zip(drive.labels, shared_s >= shorter_s / 2, strict=True) if is_there}
    return np.array([label in there or (label == NO_ACTION and not there) for label in classes], np.float32)


def augmented(images_bgr: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A snippet's samples [K, h, w, 3], all cut to the same part and made brighter or darker alike."""
    height, width = images_bgr.shape[1:3]
    share = rng.uniform(_SMALLEST_CROP, 1)
    crop_h, crop_w = round(share * height), round(share * width)
    top, left = rng.integers(height - crop_h + 1), rng.integers(width - crop_w + 1)
    gain = np.exp(rng.uniform(-_BRIGHTER, _BRIGHTER))
    cut = images_bgr[:, top : top + crop_h, left : left + crop_w]
    resized = [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in cut]
    return cv2.convertScaleAbs(np.stack(resized).reshape(-1, width, 3), alpha=gain).reshape(images_bgr.shape)


def mirrored(images_bgr: np.ndarray, truth: np.ndarray, twins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples with left and right exchanged; ``twins`` [C] (:func:`twin_classes`) says which classes that makes."""
    return np.ascontiguousarray(images_bgr[:, :, ::-1]), truth[twins]


def twin_classes(classes: Sequence[str]) -> np.ndarray:
    """[C] int64: of each class the one that it is in a mirror: ``vehicle turns left`` is ``vehicle turns right``.

    Where the other one is not among the classes, itself.
    """
    exchanged = {" left": " right", " right": " left"}
    names = [next((c.replace(a, b) for a, b in exchanged.items() if c.endswith(a)), c) for c in classes]
    return np.array([classes.index(name) if name in classes else i for i, name in enumerate(names)])
