"""The typed messages that travel between nodes.

A message is a small frozen struct: a :class:`Header` and named fields, some of them NumPy arrays. Arrays are annotated
with their dtype and shape (``Annotated[np.ndarray, float32("N", 4)]``); names in a shape must agree within one message.
The codec checks them when it encodes and when it decodes, so a node may rely on them. Arrays that arrive are read-only.

Units: stamps in integer nanoseconds of sensor time; hop times in nanoseconds of the host's monotonic clock; metres;
pixels of the original image.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np


class ArraySpec:
    """dtype and shape of an array field. A string in ``shape`` is a size that must agree across the message."""

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: str, shape: tuple[int | str, ...]) -> None:
        self.dtype = np.dtype(dtype)
        self.shape = shape

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def float32(*shape: int | str) -> ArraySpec:
    """``Annotated[np.ndarray, float32("N", 4)]``: an array field of that dtype and shape."""
    return ArraySpec("float32", shape)


def float64(*shape: int | str) -> ArraySpec:
    """See :func:`float32`."""
    return ArraySpec("float64", shape)


def uint8(*shape: int | str) -> ArraySpec:
    """See :func:`float32`."""
    return ArraySpec("uint8", shape)


def int32(*shape: int | str) -> ArraySpec:
    """See :func:`float32`."""
    return ArraySpec("int32", shape)


class Hop(msgspec.Struct, frozen=True):
    """One node's part in a message, from the input that completed its call to the end of the call.

    Nanoseconds of the host's monotonic clock: comparable on one machine only. The input was handed over by its
    publisher (``published_ns``: encoded and offered to the edge), left (``sent_ns``) and was decoded (``received_ns``);
    the node's own code ran from ``started_ns`` to ``finished_ns``. A source has no input: its first three are when the
    measurement was due, and reading counts as its code only as far as it made the measurement late.

    So the hops of a message, one after the other, leave no time out: see :mod:`pipeline.stages`.
    """

    node: str
    published_ns: int
    sent_ns: int
    received_ns: int
    started_ns: int
    finished_ns: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Who measured what, and when.

    ``seq`` and ``name`` are the source's: they stay with a measurement on its whole way through the graph, so that a
    loss can be named. ``due_ns`` is the host time at which the source was to release it (playback clock); latency is
    counted from there. ``deadline_ns``, host time, is when the work is no longer wanted.
    """

    source: str = ""
    seq: int = 0
    stamp_ns: int = 0
    frame_id: str = ""
    name: str = ""
    due_ns: int = 0
    deadline_ns: int | None = None
    hops: tuple[Hop, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every message. Subclasses are known by class name; ``version`` rises when a field changes meaning."""

    version: ClassVar[int] = 1
    header: Header = Header()


class LidarScan(Message, frozen=True, kw_only=True):
    """One sweep of a LiDAR. ``points``: x forward, y left, z up in metres, remission 0..1."""

    points: Annotated[np.ndarray, float32("N", 4)]


class RangeImage(Message, frozen=True, kw_only=True):
    """A scan in spherical projection, with the way back from pixels to points.

    ``image`` channels: range, x, y, z, remission; an empty pixel is -1 in all five. ``point_pixel`` is each point's
    pixel as ``row * W + column``, or -1 where the point could not be projected (zero range or not finite).
    ``point_range`` is each point's range in metres (0 where not projected).
    """

    image: Annotated[np.ndarray, float32(5, "H", "W")]
    point_pixel: Annotated[np.ndarray, int32("N")]
    point_range: Annotated[np.ndarray, float32("N")]


class CameraFrame(Message, frozen=True, kw_only=True):
    """One rectified image, BGR as OpenCV decodes it.

    ``lidar_to_image``: the 3x4 matrix that takes a LiDAR point (x y z 1) to homogeneous pixels, or None where the
    recording has no calibration. Row 3 gives the depth in metres along the optical axis.
    """

    image: Annotated[np.ndarray, uint8("H", "W", 3)]
    lidar_to_image: Annotated[np.ndarray, float64(3, 4)] | None = None


class SemanticScan(Message, frozen=True, kw_only=True):
    """A class per point, in the order of the scan's points. ``class_names`` and ``class_colors`` (RGB) index it."""

    labels: Annotated[np.ndarray, uint8("N")]
    class_names: tuple[str, ...]
    class_colors: tuple[tuple[int, int, int], ...]


class Detections(Message, frozen=True, kw_only=True):
    """Boxes x1 y1 x2 y2 in pixels of the original frame."""

    boxes: Annotated[np.ndarray, float32("K", 4)]
    scores: Annotated[np.ndarray, float32("K")]
    class_ids: Annotated[np.ndarray, int32("K")]
    class_names: tuple[str, ...]


class Tracks(Message, frozen=True, kw_only=True):
    """Boxes that carry an identity over time."""

    boxes: Annotated[np.ndarray, float32("K", 4)]
    scores: Annotated[np.ndarray, float32("K")]
    class_ids: Annotated[np.ndarray, int32("K")]
    track_ids: Annotated[np.ndarray, int32("K")]
    class_names: tuple[str, ...]


class SnippetFeatures(Message, frozen=True, kw_only=True):
    """Features of the video snippet [start_s, end_s): seconds after the video's first frame, at ``begin_ns``."""

    features: Annotated[np.ndarray, float32("D")]
    start_s: float
    end_s: float
    begin_ns: int = 0


class ActionProposal(msgspec.Struct, frozen=True):
    """A stretch of time in which something happens. A final proposal never changes; a provisional one may."""

    start_s: float
    end_s: float
    score: float
    final: bool


class ActionProposals(Message, frozen=True, kw_only=True):
    """What is known at ``header.stamp_ns`` of the last while's actions: seconds after the first frame, at ``begin_ns``.

    Provisional proposals as they stand; final ones in each message from when they became final until they are some
    windows old, so that a consumer may miss a message. What ends after ``open_after_s`` may be going on still.
    ``complete``: the video is over, this is the last message.
    """

    proposals: tuple[ActionProposal, ...] = ()
    begin_ns: int = 0
    open_after_s: float = float("inf")
    complete: bool = False


class InputStatus(msgspec.Struct, frozen=True):
    """What became of one input of a synchronised set.

    ``reason``: ``ok``, or why it is missing: ``timeout`` (did not come in time), ``passed`` (only later ones came),
    ``ended`` (its stream is over), ``absent`` (not connected in this graph).
    """

    topic: str
    reason: str
    stamp_ns: int | None = None


class FusedObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object seen in the image, with what the LiDAR knows of it. Box in pixels, distances in metres."""

    box: tuple[float, float, float, float]
    class_name: str
    score: float
    track_id: int | None = None
    distance_m: float | None = None
    extent_min: tuple[float, float, float] | None = None
    extent_max: tuple[float, float, float] | None = None
    point_count: int = 0


class FusedFrame(Message, frozen=True, kw_only=True):
    """What the pipeline knows of one LiDAR scan. The product: published to consumers and written by the sinks.

    ``labels`` is 0 (unlabelled) throughout where ``semantics`` is missing in ``inputs``. ``colors`` is each point's
    BGR from the image and ``pixels`` its image coordinates (u, v); NaN (and colour 0) where the point is not in view.
    ``proposals`` are the actions that are going on, in seconds of sensor time (as ``header.stamp_ns`` / 1e9).
    """

    points: Annotated[np.ndarray, float32("N", 4)]
    labels: Annotated[np.ndarray, uint8("N")]
    class_names: tuple[str, ...] = ()
    class_colors: tuple[tuple[int, int, int], ...] = ()
    colors: Annotated[np.ndarray, uint8("N", 3)] | None = None
    pixels: Annotated[np.ndarray, float32("N", 2)] | None = None
    objects: tuple[FusedObject, ...] = ()
    proposals: tuple[ActionProposal, ...] = ()
    inputs: tuple[InputStatus, ...] = ()


class ArrayField(msgspec.Struct, frozen=True):
    """An array field of a message class: its name, what it must hold, whether it may be None."""

    name: str
    spec: ArraySpec
    optional: bool


def array_fields(cls: type[Message]) -> tuple[ArrayField, ...]:
    """The array fields of a message class, in declaration order."""
    cached = cls.__dict__.get("_array_fields_cache")
    if cached is not None:
        return tuple(cached)
    found = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        options = [hint] if get_origin(hint) is Annotated else list(get_args(hint))
        for option in options:
            metadata = getattr(option, "__metadata__", ())
            if metadata and isinstance(metadata[0], ArraySpec):
                found.append(ArrayField(name, metadata[0], type(None) in options))
    fields = tuple(found)
    type.__setattr__(cls, "_array_fields_cache", fields)
    return fields


def message_types() -> dict[str, type[Message]]:
    """Every message class that has been defined, by name."""
    return {cls.__name__: cls for cls in _subclasses(Message)}


def _subclasses(cls: type[Message]) -> list[type[Message]]:
    direct = cls.__subclasses__()
    return direct + [sub for child in direct for sub in _subclasses(child)]


def check_arrays(message: Message) -> None:
    """Raise :class:`ValueError` where an array's dtype or shape is not what its class declares."""
    sizes: dict[str, int] = {}
    for field in array_fields(type(message)):
        array = getattr(message, field.name)
        if array is None and field.optional:
            continue
        problem = _mismatch(array, field.spec, sizes)
        if problem:
            raise ValueError(f"{type(message).__name__}.{field.name}: expected {field.spec}, got {problem}")


def _mismatch(array: Any, spec: ArraySpec, sizes: dict[str, int]) -> str | None:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    matches = array.dtype == spec.dtype and array.ndim == len(spec.shape)
    if matches:
        for size, wanted in zip(array.shape, spec.shape, strict=True):
            expected = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            matches = matches and size == expected
    if matches:
        return None
    known = f" where {', '.join(f'{k}={v}' for k, v in sizes.items())}" if sizes else ""
    return f"{array.dtype}{list(array.shape)}{known}"
