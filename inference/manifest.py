"""The manifest of an exported model, ``model.json`` beside the graph: what it takes and gives, and who made it."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from errors import UserError
from whole_files import write_whole

MANIFEST_NAME = "model.json"
FORMAT_VERSION = 2


class Tensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input or output of the graph. A size is a number, a name (the same wherever it is repeated) or null (any)."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]

    def __post_init__(self) -> None:
        try:
            canonical = np.dtype(self.dtype).name
        except TypeError:
            canonical = ""
        if self.dtype != canonical:
            raise ValueError(f"tensor {self.name!r}: {self.dtype!r} is not the name of a NumPy dtype such as 'float32'")

    @property
    def is_static(self) -> bool:
        """Whether every size is a number."""
        return all(isinstance(size, int) for size in self.shape)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if s is None else str(s) for s in self.shape)}]"


class Normalisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per channel: ``(value - mean) / std``, before the graph."""

    means: tuple[float, ...]
    stds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.means) != len(self.stds):
            raise ValueError(f"normalisation has {len(self.means)} means but {len(self.stds)} stds")
        if not all(math.isfinite(v) for v in self.means) or not all(math.isfinite(v) and v > 0 for v in self.stds):
            raise ValueError("normalisation: means must be finite, stds finite and above 0")


class Labels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The classes, in the order of the graph's channels. ``colors`` are RGB, 0..255."""

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.colors):
            raise ValueError(f"labels: {len(self.names)} names and {len(self.colors)} colors; one colour per name")
        if not all(0 <= value <= 255 for color in self.colors for value in color):
            raise ValueError("labels: colors are RGB values of 0..255")


class SensorProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The projection the model was trained for: the range image's size in pixels, the vertical field of view."""

    name: str
    height: int
    width: int
    fov_up_deg: float
    fov_down_deg: float

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"sensor: a range image of {self.height}x{self.width} pixels has no pixels")


class SnippetProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a video becomes the model's inputs: samples per snippet, their size in pixels
    (:mod:`models.two_stream.snippets`)."""

    snippet_s: float
    frames: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if not self.snippet_s > 0 or self.frames < 2:
            raise ValueError(f"snippet: {self.frames} frames in {self.snippet_s} s; give two or more, in some time")


class WindowProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a video's snippets became the windows that a temporal model was trained on.

    ``style``: ``rescaled``, the whole video is one window; ``sliding``, the snippets as they are. ``step_s``, of
    sliding windows: seconds from one snippet to the next; None: not known.
    """

    style: Literal["rescaled", "sliding"]
    step_s: float | None = None

    def __post_init__(self) -> None:
        if self.step_s is not None and (self.style == "rescaled" or not 0 < self.step_s < math.inf):
            raise ValueError(f"windows: step_s is {self.step_s} of {self.style} windows; it is a time, of sliding ones")


class DetectorProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a picture becomes a detector's input, and how its outputs become objects (``docs/detectors.md``).

    ``models.detection.exported.ExportedDetector`` takes the same fields. The classes are the manifest's labels, without
    a background. ``normalisation`` is per channel in the graph's order, of values 0..255; without one the graph takes
    these values as they are.

    Attributes:
        height, width: of the input, in pixels.
        channels: the order in which the graph takes colours.
        layout: ``nchw`` [1, 3, H, W] or ``nhwc`` [1, H, W, 3].
        fit: how a picture of any size is brought to the input's (:mod:`models.detection.fitting`).
        pad_value: 0..255, before normalisation: of the pixels that a letterbox leaves over.
        decoding: what the outputs mean: a name in ``models.detection.decoding.DECODINGS``.
        numbers: the decoding's own: strides, anchors.
        outputs: what the decoding calls an output → what the graph calls it; only those that differ.
        score_threshold: 0..1; what scores less is not an object.
        nms_iou: 0..1: of two objects of a class that overlap by more, the better one stays. None: no suppression, the
            graph has its own or needs none.
        max_detections: of a picture; the best ones.
    """

    height: int
    width: int
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    fit: Literal["letterbox", "letterbox-corner", "stretch"] = "letterbox"
    pad_value: int = 114
    decoding: str
    numbers: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    score_threshold: float = 0.3
    nms_iou: float | None = 0.5
    max_detections: int = 100

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"detector: an input of {self.height}x{self.width} pixels has no pixels")
        if not 0 <= self.pad_value <= 255:
            raise ValueError(f"detector: pad_value is {self.pad_value}; give a value of 0..255")
        if not 0 <= self.score_threshold <= 1 or not (self.nms_iou is None or 0 <= self.nms_iou <= 1):
            raise ValueError("detector: score_threshold and nms_iou are of 0..1")
        if self.max_detections < 1:
            raise ValueError(f"detector: max_detections is {self.max_detections}; give 1 or more")


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the weights come from. ``tools``: name → version of what exported them; ``request``: what was asked for."""

    trained_on: str
    weights_sha256: str
    tools: dict[str, str] = {}
    request: dict[str, str] = {}


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of an export, and how far what it made is from the network.

    Attributes:
        name: of the step: ``onnx``, ``openvino bf16``.
        backend, precision: what was run, as :func:`inference.auto.open_session` calls them.
        passed: whether ``bound`` was kept; None: it could not be run where it was exported, ``note`` says why.
        bound: what had to be kept, in words: ``relative_max <= 0.0001``.
        measures: what was measured, by name.
        first_difference: where it was not kept, the first layer whose values are too far from the network's.
    """

    name: str
    backend: str
    precision: str
    passed: bool | None
    bound: str = ""
    measures: dict[str, float] = {}
    first_difference: str | None = None
    note: str | None = None


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an exported model is from its network, step by step. ``inputs``: on how many of which kind."""

    inputs: dict[str, int]
    stages: tuple[Stage, ...]

    @property
    def passed(self) -> bool:
        """Whether no stage failed; those that could not be run did not."""
        return all(stage.passed is not False for stage in self.stages)

    def of(self, backend: str, precision: str) -> Stage | None:
        """What was measured of this backend and precision: the first stage that failed, else the last one."""
        stages = [stage for stage in self.stages if (stage.backend, stage.precision) == (backend, precision)]
        return next((stage for stage in stages if stage.passed is False), stages[-1] if stages else None)


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was made of the graph for one backend: files beside it.

    ``files``: name → sha256, the one to open first. ``built_for``: what an engine is tied to: library, version, GPU.
    """

    backend: str
    precision: str
    files: dict[str, str]
    built_for: dict[str, str] = {}

    def __post_init__(self) -> None:
        if not self.files or any(Path(name).name != name for name in self.files):
            raise ValueError(f"artifact {self.backend} {self.precision}: its files are names in the model's own folder")

    @property
    def entry(self) -> str:
        """The file to open."""
        return next(iter(self.files))


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``model.json`` holds. What a family has no use for (a sensor, say) is null.

    ``model`` is its name in ``run.py export``. ``precision`` is that of the graph as it is stored (``fp32``, ``fp16
    weights``); how it is computed is chosen when a session is opened. ``graph_sha256`` is filled in by
    :func:`write_manifest`. The graph is one file that holds its weights, so that the sha256 covers them.
    """

    family: str
    model: str = ""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precision: str
    provenance: Provenance
    normalisation: Normalisation | None = None
    labels: Labels | None = None
    sensor: SensorProfile | None = None
    snippet: SnippetProfile | None = None
    windows: WindowProfile | None = None
    detector: DetectorProfile | None = None
    parity: Parity | None = None
    artifacts: tuple[Artifact, ...] = ()
    graph: str = "model.onnx"
    graph_sha256: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if not self.inputs or not self.outputs:
            raise ValueError("a model has at least one input and one output")
        if len({(a.backend, a.precision, str(a.built_for)) for a in self.artifacts}) != len(self.artifacts):
            raise ValueError("two artifacts are for the same backend and precision")
        if Path(self.graph).name != self.graph:
            raise ValueError(f"graph {self.graph!r} must be the name of a file in the model's own folder")

    def output(self, name: str) -> Tensor | None:
        """The output called ``name``, or None."""
        return next((tensor for tensor in self.outputs if tensor.name == name), None)

    def artifact(self, backend: str, precision: str) -> Artifact | None:
        """What was made for this backend and precision, or None."""
        return next((a for a in self.artifacts if (a.backend, a.precision) == (backend, precision)), None)


def read_manifest(folder: str | Path) -> Manifest:
    """Read ``folder/model.json``, without a look at the files that it describes.

    Raises:
        UserError: no such folder or file, not JSON, or not a manifest.
    """
    folder = Path(folder)
    path = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; give the folder of an exported model ({MANIFEST_NAME} and its graph)"
        )
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {folder} is not an exported model, or its export did not finish") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); make it readable or export the model again"
        ) from error
    return _decode(path, text)


def load_manifest(folder: str | Path) -> Manifest:
    """:func:`read_manifest`, and check the graph beside it against its sha256.

    Raises:
        UserError: as there, or the graph is not the one described.
    """
    manifest = read_manifest(folder)
    require_unchanged(folder, {manifest.graph: manifest.graph_sha256})
    return manifest


def require_unchanged(folder: str | Path, files: Mapping[str, str]) -> None:
    """Raise :class:`UserError` where a file in ``folder`` (name → sha256) is not what its manifest describes."""
    for name, expected in files.items():
        path = Path(folder, name)
        try:
            found = sha256_of(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); export the model again") from error
        if found != expected:
            raise UserError(
                f"{path}: is not the file {MANIFEST_NAME} describes (sha256 {found[:12]}…, expected "
                f"{expected[:12] or 'none'}…); copy the whole folder again or export the model again"
            )


def write_manifest(folder: str | Path, manifest: Manifest) -> Manifest:
    """Write ``folder/model.json`` with the sha256 of the graph there, all or nothing; return what was written.

    Raises:
        UserError: the graph is not in ``folder``, or ``folder`` cannot be written.
    """
    folder = Path(folder)
    try:
        manifest = msgspec.structs.replace(manifest, graph_sha256=sha256_of(folder / manifest.graph))
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
        write_whole(folder / MANIFEST_NAME, text)
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}; the manifest was not written") from error
    return manifest


def _decode(path: Path, text: bytes) -> Manifest:
    try:
        version = msgspec.json.decode(text, type=_Versioned).format_version
        if version != FORMAT_VERSION:
            raise UserError(
                f"{path}: manifest format {version}, this Rangecast reads {FORMAT_VERSION}; export the model again"
            )
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}{_suggestion(str(error))}; correct it or export the model again") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not JSON ({error}); the file is damaged, export the model again") from error


class _Versioned(msgspec.Struct):
    """Of a manifest of any version, what says which. Later versions may have other keys."""

    format_version: int = FORMAT_VERSION


def _suggestion(problem: str) -> str:
    unknown = re.search(r"unknown field `(.+?)`", problem)
    near = difflib.get_close_matches(unknown[1], _field_names(Manifest), n=1) if unknown else []
    return f" (did you mean {near[0]!r}?)" if near else ""


def _field_names(struct: type[msgspec.Struct]) -> set[str]:
    names: set[str] = set()
    nested: list[Any] = [msgspec.inspect.type_info(struct)]
    while nested:
        info = nested.pop()
        if isinstance(info, msgspec.inspect.StructType):
            names.update(field.encode_name for field in info.fields)
            nested.extend(field.type for field in info.fields)
        elif isinstance(info, msgspec.inspect.UnionType):
            nested.extend(info.types)
        elif isinstance(info, msgspec.inspect.VarTupleType):
            nested.append(info.item_type)
    return names


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
