"""What an export is asked for, and whether it can be had."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from errors import UserError, require_known
from export.to_onnx_options import BF16_OPSET, ONE, OPSETS, Batch

Target = Literal["onnx", "openvino", "tensorrt", "tensorrt-rtx"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

PRECISIONS: dict[Target, tuple[Precision, ...]] = {
    "onnx": ("fp32", "fp16", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "tensorrt": ("fp32", "fp16", "bf16", "int8"),
    "tensorrt-rtx": ("fp32", "fp16", "bf16", "int8"),
}
"""What each target can be exported in. ONNX Runtime has next to no kernels for bf16; OpenVINO computes fp16 on a CPU as
fp32."""
DEFAULT_CAPABILITIES = ("SM80", "SM86", "SM89", "SM120")
"""What TensorRT-RTX builds for where nothing else is said: A100, RTX 30, RTX 40, RTX 50."""
RANDOM = "random"


class Build(NamedTuple):
    """One thing to make: a target in a precision."""

    target: Target
    precision: Precision

    def __str__(self) -> str:
        return f"{self.target} {self.precision}"


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``run.py export`` was asked for.

    Attributes:
        model: of :data:`export.families.MODELS`.
        weights: a checkpoint, the folder of an exported model, or None: random ones.
        builds: what to make.
        height, width, storage, trained_on: of the graph; None: as the checkpoint was trained.
        outputs: which of the family's the graph gives; None: the usual.
        opset: of the graph, and of those that are made of it; None: :data:`DEFAULT_OPSET`, bf16 its own.
        capabilities: GPUs that TensorRT-RTX builds for.
        version_compatible: TensorRT engines that later versions run.
        data: recordings to measure parity on; ``samples``: how many of their scans or frames.
        calibration: recordings to calibrate int8 on.
    """

    model: str
    weights: Path | None
    builds: tuple[Build, ...]
    height: int | None = None
    width: int | None = None
    batch: Batch = ONE
    opset: int | None = None
    outputs: str | None = None
    storage: str = "fp16"
    trained_on: str | None = None
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    version_compatible: bool = False
    data: Path | None = None
    samples: int = 9
    calibration: Path | None = None

    def __post_init__(self) -> None:
        if any(build.precision == "int8" for build in self.builds) and self.calibration is None:
            raise UserError("int8 needs real inputs to find its scales on: --calibrate DIR, a folder of recordings")
        if self.calibration is not None and all(build.precision != "int8" for build in self.builds):
            raise UserError("--calibrate is for --precision int8; leave it out, or add int8")
        if self.opset is not None and self.opset not in OPSETS:
            raise UserError(f"--opset {self.opset}: give {OPSETS.start} to {OPSETS.stop - 1}")
        engines = [build for build in self.builds if build.target.startswith("tensorrt")]
        if self.opset is not None and self.opset < BF16_OPSET and any(b.precision == "bf16" for b in engines):
            raise UserError(
                f"--opset {self.opset}: ONNX has bf16 from opset {BF16_OPSET} on; give that, or leave it out"
            )
        if self.version_compatible and all(build.target != "tensorrt" for build in self.builds):
            raise UserError("--version-compatible is for --to tensorrt; leave it out")

    @property
    def is_from_folder(self) -> bool:
        """Whether the graph is there already."""
        return self.weights is not None and self.weights.is_dir()


def builds(targets: Sequence[str], precisions: Sequence[str]) -> tuple[Build, ...]:
    """Each target in each precision that it has.

    Raises:
        UserError: a name that is none, a target that has none of the precisions, a precision that none of the targets
            has.
    """
    for what, given, known in (("--to", targets, PRECISIONS), ("--precision", precisions, PRECISIONS["tensorrt"])):
        for name in given:
            require_known(what, name, known)
    found = tuple(
        Build(target, precision) for target, has in PRECISIONS.items() if target in targets for precision in has
        if precision in precisions
    )  # fmt: skip
    for target, has in PRECISIONS.items():
        if target in targets and not any(build.target == target for build in found):
            raise UserError(f"--to {target} has no {' and no '.join(precisions)}; it has {', '.join(has)}")
    for precision in precisions:
        if not any(build.precision == precision for build in found):
            can = ", ".join(target for target, has in PRECISIONS.items() if precision in has)
            raise UserError(f"--precision {precision}: {', '.join(targets)} has none; these have it: {can}")
    return found


def parse_size(text: str) -> tuple[int, int]:
    """``64x512``: height and width."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise UserError(f"--size {text!r}: give height and width in pixels, as 64x512")
    return int(height), int(width)


def parse_batch(text: str) -> Batch:
    """``4``, or ``1:4:8``: smallest, usual, largest."""
    parts = text.split(":")
    if len(parts) not in (1, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UserError(f"--batch {text!r}: give a number, or smallest:usual:largest, as 1:4:8")
    sizes = [int(part) for part in parts] * (3 if len(parts) == 1 else 1)
    if sorted(sizes) != sizes:
        raise UserError(f"--batch {text!r}: smallest:usual:largest must not fall")
    return Batch(*sizes)
