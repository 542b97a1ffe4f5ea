"""From the frames of a video to snippets: the inputs of the two-stream encoder, the same in training, offline and live.

A snippet covers ``snippet_s`` seconds and is sampled at ``frames`` evenly spaced times, at any frame rate: its middle
sample is the RGB input, the flow from each sample to the next is the flow input (Wang et al., *Temporal
Segment Networks*, ECCV 2016). Whole frames are shrunk to the network's size, so nothing at the edges is lost.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from errors import UserError

# Of ImageNet's pictures (0..1), as every network trained on them takes them.
RGB_MEANS, RGB_STDS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FLOW_LIMIT_PX = 20.0  # per sample; what is faster is cut off, as in TSN
FLOW_UNIT_PX = 5.0
LONGEST_GAP_S = 10.0
_MIDWAY = 1e-6  # of a sample; stamps are rounded


@dataclasses.dataclass(frozen=True, kw_only=True)
class SnippetSettings:
    """How a video becomes snippets. ``height`` and ``width``: pixels of the network's inputs."""

    snippet_s: float = 0.6
    frames: int = 3
    height: int = 96
    width: int = 160

    def __post_init__(self) -> None:
        if not self.snippet_s > 0 or self.frames < 2 or self.height < 32 or self.width < 32:
            raise ValueError(f"a snippet has a length, two frames or more, and at least 32 x 32 pixels, not {self}")

    @property
    def sample_s(self) -> float:
        """From one sample to the next."""
        return self.snippet_s / self.frames

    @property
    def flow_channels(self) -> int:
        """Two (x, y) of each pair of neighbouring samples."""
        return 2 * (self.frames - 1)


class Snippet(NamedTuple):
    """A snippet [start_s, end_s) of a video, ready for the network.

    ``rgb`` [3, h, w] and ``flow`` [2·(frames − 1), h, w], float32. ``repeated``: how many of its samples show the same
    frame as the sample before, because the video has no newer one: it is slow, or has a gap.
    """

    start_s: float
    end_s: float
    rgb: np.ndarray
    flow: np.ndarray
    repeated: int


class Snippeter:
    """Takes frames one by one and gives snippets as soon as they are complete; memory does not grow.

    The first frame's time is where the first snippet starts; each further one starts ``stride`` samples after the one
    before (default ``settings.frames``: they follow each other without overlap). A sample is the frame nearest to its
    time, the earlier of two, and is known once a frame at or after that time is there; :meth:`finish` gives what waits
    for a frame that does not come.
    """

    def __init__(self, settings: SnippetSettings, stride: int | None = None) -> None:
        self._settings, self._stride = settings, settings.frames if stride is None else stride
        if self._stride < 1:
            raise ValueError(f"stride is {stride} samples; give 1 or more")
        self._samples: deque[_Sample] = deque(maxlen=settings.frames)
        self._taken = 0
        self._first_s = 0.0
        self._last: _Frame | None = None
        self._interval_s = 0.0  # between the last two frames

    def add(self, image_bgr: np.ndarray, stamp_s: float) -> list[Snippet]:
        """Take the next frame, [H, W, 3] uint8, and give the snippets that it completes. It is kept until the next.

        Raises:
            UserError: not an image, no pixels, or time stamps that do not rise or leave out more than 10 s.
        """
        self._check(image_bgr, stamp_s)
        frame = _Frame(image_bgr, stamp_s)
        if self._last is None:
            self._first_s, self._last = stamp_s, frame
        found = []
        while (due_s := self._due_s()) <= stamp_s + _MIDWAY * self._settings.sample_s:
            before_s, after_s = due_s - self._last.stamp_s, stamp_s - due_s
            nearest = self._last if before_s <= after_s + _MIDWAY * self._settings.sample_s else frame
            found += self._take(nearest)
        self._interval_s, self._last = stamp_s - self._last.stamp_s, frame
        return found

    def finish(self) -> list[Snippet]:
        """At the end of the video: what the last frame leaves complete, which lasts as long as the one before. What was
        seen of an incomplete snippet is left out."""
        found = []
        while self._last is not None and self._due_s() - self._last.stamp_s < self._interval_s / 2:
            found += self._take(self._last)
        return found

    def _due_s(self) -> float:
        return self._first_s + self._taken * self._settings.sample_s

    def _take(self, frame: _Frame) -> list[Snippet]:
        """Make ``frame`` the next sample."""
        settings = self._settings
        previous = self._samples[-1] if self._samples else None
        repeated = previous is not None and previous.stamp_s == frame.stamp_s
        small = previous.image_bgr if previous and repeated else shrunk(frame.image_bgr, settings)
        self._samples.append(_Sample(small, frame.stamp_s, repeated))
        self._taken += 1
        first = self._taken - settings.frames
        if first < 0 or first % self._stride:
            return []
        start_s = self._first_s + first * settings.sample_s
        images = [sample.image_bgr for sample in self._samples]
        repeats = sum(sample.repeated for sample in self._samples)
        return [Snippet(start_s, start_s + settings.snippet_s, *network_inputs(images), repeats)]

    def _check(self, image_bgr: np.ndarray, stamp_s: float) -> None:
        if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8 or not image_bgr.size:
            raise UserError(
                f"the frame at {stamp_s:.3f} s is {image_bgr.dtype} {list(image_bgr.shape)}; a frame is uint8 "
                f"[height, width, 3] with at least one pixel"
            )
        if not math.isfinite(stamp_s):
            raise UserError(f"a frame's time stamp is {stamp_s}; give seconds")
        if self._last is not None and not 0 < stamp_s - self._last.stamp_s <= LONGEST_GAP_S:
            raise UserError(
                f"the frame at {stamp_s:.3f} s follows one at {self._last.stamp_s:.3f} s; time stamps must rise, by "
                f"{LONGEST_GAP_S:g} s at most: mend or cut the video there"
            )


class _Frame(NamedTuple):
    image_bgr: np.ndarray
    stamp_s: float


class _Sample(NamedTuple):
    """A frame at the network's size."""

    image_bgr: np.ndarray
    stamp_s: float
    repeated: bool


def shrunk(image_bgr: np.ndarray, settings: SnippetSettings) -> np.ndarray:
    """The whole frame at the network's size, uint8 [h, w, 3]; each pixel the mean of those it covers."""
    return cv2.resize(image_bgr, (settings.width, settings.height), interpolation=cv2.INTER_AREA)


def network_inputs(images_bgr: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """``rgb`` [3, h, w] and ``flow`` [2·(K − 1), h, w], float32, of a snippet's K samples, uint8 [h, w, 3]."""
    rgb = images_bgr[len(images_bgr) // 2][..., ::-1].astype(np.float32) / 255
    rgb = (rgb - np.float32(RGB_MEANS)) / np.float32(RGB_STDS)
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images_bgr]
    flows = [flow_px(before, after) for before, after in pairwise(grey)]
    flow = np.clip(np.concatenate(flows, axis=2), -FLOW_LIMIT_PX, FLOW_LIMIT_PX) / np.float32(FLOW_UNIT_PX)
    return tuple(np.ascontiguousarray(part.transpose(2, 0, 1)) for part in (rgb, flow))


def flow_px(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Optical flow [h, w, 2] float32, pixels to the right and down, between grey images [h, w] uint8.

    Dense inverse search (Kroeger et al., ECCV 2016), about 1.4 ms for 96 x 160 pixels; the same bytes for the same
    images on one machine.
    """
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before, after, None)
