"""The exported model that is profiled: a folder, the weights the project ships, or one that is exported for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from errors import UserError
from inference.manifest import Manifest, load_manifest

_WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


class Target(NamedTuple):
    """``weights``: where they are from, in words."""

    folder: Path
    manifest: Manifest
    weights: str

    @property
    def name(self) -> str:
        return self.manifest.model or self.manifest.family


@contextlib.contextmanager
def open_target(name: str, size: str | None, on_export: Callable[[str], None] = lambda _: None) -> Iterator[Target]:
    """The model called ``name``, or in the folder of that name, with inputs of ``size`` (``64x512``; None: its own).

    Where no weights of that size are shipped it is exported, with random weights where none are shipped at all; the
    cache of :mod:`export.cache` makes the second time quick. ``on_export`` is told of each step.

    Raises:
        UserError: there is no such model or folder; the folder's model is of another size.
    """
    if Path(name).is_dir():
        yield _of_folder(Path(name), size)
        return
    if "/" in name:
        raise UserError(f"{name}: no such folder; give the folder of an exported model, or a model's name")
    from export.families import find

    family = find(name)
    shipped = family.shipped if size is None else _WEIGHTS / f"{name}-{size}"
    if shipped is not None and shipped.is_dir():
        yield Target(shipped, load_manifest(shipped), f"shipped, weights/{shipped.name}")
        return
    with TemporaryDirectory(prefix="rangecast-") as scratch:
        yield _exported(name, size, Path(scratch, "model"), on_export)


def _of_folder(folder: Path, size: str | None) -> Target:
    manifest = load_manifest(folder)
    own = size_of(manifest)
    if size is not None and size != own:
        raise UserError(f"--size {size}: the model in {folder} takes {own}; leave --size out, or give a model's name")
    return Target(folder, manifest, f"of {folder}")


def _exported(name: str, size: str | None, folder: Path, on_export: Callable[[str], None]) -> Target:
    """At a size nobody trained, weights are random even where others are shipped: the time does not depend on them."""
    from export.available import problem
    from export.cache import StepCache
    from export.request import Build, ExportRequest, parse_size
    from export.steps import Done, Export

    def watch(step: str) -> Callable[[Done], None]:
        on_export(step)
        return lambda _: None

    if what := problem("checkpoint"):
        raise UserError(f"{name}{'' if size is None else f' at {size}'} must be exported first: {what}")
    height, width = parse_size(size) if size is not None else (None, None)
    request = ExportRequest(model=name, weights=None, builds=(Build("onnx", "fp32"),), height=height, width=width)
    manifest = Export(request, folder, StepCache(), watch=watch).run()
    return Target(folder, manifest, "random (none are shipped at this size; times do not depend on them, labels do)")


def size_of(manifest: Manifest) -> str:
    """Of the model's input: ``64x512`` of a range image, else the shape."""
    if manifest.sensor is not None:
        return f"{manifest.sensor.height}x{manifest.sensor.width}"
    return "x".join("?" if size is None else str(size) for size in manifest.inputs[0].shape)
