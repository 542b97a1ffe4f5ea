"""What it takes to export each model: time, size and parity of each artifact, as a table.

    python -m profiling.exports [--models squeezesegv3-21:64x512,bcgnn-100] [--out FILE]

With random weights, every model in every size that it is used in; engines for SM80, SM86, SM89 and SM120. Nothing is
taken from the cache of other exports.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from errors import UserError
from export.available import problem
from export.cache import StepCache
from export.families import MODELS
from export.request import Build, ExportRequest, parse_size
from export.steps import Done, Export
from inference.manifest import Manifest
from profiling.tables import markdown

_CONSOLE = Console(highlight=False, width=160)
SIZES = dict.fromkeys(("squeezesegv3-21", "squeezesegv3-53"), ("64x512", "64x2048"))
"""Of models that come in several; the others have the one of their name."""
BUILDS = (
    Build("onnx", "fp32"),
    Build("openvino", "fp32"),
    Build("openvino", "bf16"),
    Build("tensorrt-rtx", "fp32"),
    Build("tensorrt-rtx", "fp16"),
)


def measure(model: str, size: str | None, builds: Sequence[Build]) -> list[tuple[str, ...]]:
    """Export one model at one size: a row for each step."""
    steps: list[Done] = []
    title = f"{model} {size or ''}".rstrip()

    def watch(name: str) -> Callable[[Done], None]:
        status = _CONSOLE.status(f"{title}: {name}")
        status.start()

        def tell(done: Done) -> None:
            status.stop()
            _CONSOLE.print(f"{title}: {name}, {done.result.seconds:.1f} s")
            steps.append(done)

        return tell

    height, width = parse_size(size) if size else (None, None)
    request = ExportRequest(model=model, weights=None, builds=tuple(builds), height=height, width=width)
    with tempfile.TemporaryDirectory(prefix="rangecast-") as folder:
        manifest = Export(request, Path(folder, "out"), StepCache(Path(folder, "cache")), watch=watch).run()
    return [_row(title, step, manifest) for step in steps if not step.result.hit]


def _row(title: str, step: Done, manifest: Manifest) -> tuple[str, ...]:
    assert manifest.parity is not None
    stages = {stage.name: stage for stage in manifest.parity.stages}
    stage = stages.get({"graph": "onnx", "openvino": "openvino fp32"}.get(step.name, step.name))
    relative = f"{stage.measures['relative_max']:.1e}" if stage and "relative_max" in stage.measures else ""
    size_mb = "" if step.name == "parity" else f"{step.size_bytes / 1e6:.1f}"
    return title, step.name, f"{step.result.seconds:.1f}", size_mb, relative


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling.exports", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--out", type=Path, help="file for the table, as Markdown")
    given = parser.parse_args()
    absent = problem("tensorrt-rtx")
    if absent:
        _CONSOLE.print(f"without engines: {absent}")
    builds = [build for build in BUILDS if build.target != "tensorrt-rtx" or not absent]
    rows = []
    try:
        for text in given.models.split(","):
            model, _, size_text = text.partition(":")
            for size in (size_text,) if size_text else SIZES.get(model, (None,)):
                rows += measure(model, size, builds)
    except UserError as error:
        sys.exit(f"error: {error}")
    table = markdown(("model", "step", "seconds", "MB", "relative difference"), rows)
    print(table)
    if given.out is not None:
        given.out.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
