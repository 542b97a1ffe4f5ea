"""All detectors on this CPU, backend by backend in turns, as a Markdown table.

    python -m profiling.detectors [--model retinanet-r18,…] [--size HxW] [--rounds N] [--threads N] [--graphs DIR]

Graphs are what ``run.py export`` makes, decoding in them, with random weights: these compute nothing, but as fast. What
of a picture lies outside of the graph is timed too: to its input, and from 300 boxes to objects, as on a busy street.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from errors import UserError
from export.families import MODELS, Request, find
from export.families.detectors import INPUT, DetectorFamily
from export.request import parse_size
from export.to_onnx_options import DEFAULT_OPSET, ONE
from inference.auto import bf16_instructions, open_engine
from inference.detection import describe
from inference.manifest import Manifest, load_manifest, write_manifest
from inference.session import Engine
from inference.threads import session_threads
from models.detection.exported import ExportedDetector
from profiling import machine, tables
from profiling.interleaved import Times, interleave

PICTURE = (375, 1242)  # KITTI's
IN_SUPPRESSION = 300
_CONSOLE = Console(stderr=True)


class Measured(NamedTuple):
    """``graphs``: of each backend, ``outside``: what is before and after the graph. ``parameters``: how many."""

    height: int
    width: int
    parameters: int
    graphs: dict[str, Times]
    outside: Times


def compare(folder: Path, rounds: int, threads: int) -> Measured:
    """Every backend in turns on the same picture; round 0 is not timed."""
    manifest = load_manifest(folder)
    image = np.random.default_rng(0).integers(0, 256, (*PICTURE, 3), np.uint8)
    with _open(folder, manifest, threads) as engines:
        arguments = describe(folder, manifest).arguments()
        picture, placed = ExportedDetector(**arguments).prepare(image)
        boxes, scores = (np.array(values) for values in next(iter(engines.values())).run([picture]))
        threshold = float(np.partition(scores.ravel(), -IN_SUPPRESSION)[-IN_SUPPRESSION])
        exported = ExportedDetector(**arguments | {"score_threshold": threshold})

        def outside(_: np.ndarray) -> object:
            exported.prepare(image)
            return exported.objects({"boxes": boxes, "scores": scores}, placed)

        versions: dict[str, Callable[[np.ndarray], object]] = {
            name: lambda given, engine=engine: engine.run([given]) for name, engine in engines.items()
        }
        times = interleave(versions | {"outside": outside}, [picture] * (1 + rounds))
    height, width = arguments["height"], arguments["width"]
    return Measured(height, width, _parameters(folder / manifest.graph), times, times.pop("outside"))


def backends() -> dict[str, tuple[str, str]]:
    """What is timed here: title → backend and precision."""
    found = {"ONNX Runtime fp32": ("onnxruntime", "fp32"), "OpenVINO fp32": ("openvino", "fp32")}
    return found | ({"OpenVINO bf16": ("openvino", "bf16")} if bf16_instructions() else {})


@contextmanager
def _open(folder: Path, manifest: Manifest, threads: int) -> Iterator[dict[str, Engine]]:
    with ExitStack() as opened:
        engines = {}
        for name, (backend, precision) in backends().items():
            engines[name] = open_engine(folder, manifest, backend, precision, threads)
            opened.callback(engines[name].close)
        yield engines


def make_graph(model: str, size: tuple[int, int] | None, folder: Path) -> None:
    """The model's graph with random weights, without the proof that an export brings."""
    import onnx

    from export.to_onnx import to_onnx

    family = find(model)
    height, width = size or (None, None)
    network = family.load(Request(None, height, width, ONE, family.outputs[0], "fp32", DEFAULT_OPSET, None))
    manifest = network.manifest
    names = [output.name for output in manifest.outputs]
    example = family.made_up(manifest)[0].inputs
    graph, _ = to_onnx(network.exact, manifest.inputs, names, {INPUT: example[INPUT]})
    folder.mkdir(parents=True)
    onnx.save(graph, folder / manifest.graph)
    write_manifest(folder, manifest)


def _parameters(graph: Path) -> int:
    """Of the layers: constants such as anchors are no parameters."""
    import onnx

    model = onnx.load(graph).graph
    weights = {w.name: int(np.prod(w.dims)) for w in model.initializer}
    used = {name for node in model.node if node.op_type in ("Conv", "Gemm", "MatMul") for name in node.input}
    return sum(size for name, size in weights.items() if name in used)


def row(model: str, found: Measured) -> list[str]:
    """Of the table: milliseconds, median (fastest–slowest)."""
    cells = [f"{t.median_ms:.0f} ({t.spread_ms[0]:.0f}–{t.spread_ms[1]:.0f})" for t in found.graphs.values()]
    best = min(times.median_ms for times in found.graphs.values())
    rate_hz = 1e3 / (best + found.outside.median_ms)
    sizes = f"{found.height}×{found.width}", f"{found.parameters / 1e6:.1f}"
    return [model, *sizes, *cells, f"{found.outside.median_ms:.1f}", f"{rate_hz:.1f}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit code 2: a mistake of the user's."""
    given = _parse(arguments)
    try:
        threads = session_threads(given.threads)
        size = parse_size(given.size) if given.size else None
        with tempfile.TemporaryDirectory() as scratch:
            folders = {}
            for model in given.model:
                folders[model] = (given.graphs or Path(scratch)) / f"{model}-{given.size or 'usual'}"
                if not folders[model].exists():
                    with _CONSOLE.status(f"{model}: making its graph"):
                        make_graph(model, size, folders[model])
            here = machine.in_words(machine.describe())
            print(f"{here}; {threads} threads; median (fastest–slowest) of {given.rounds}.\n")
            titles = ("model", "input", "parameters, M", *(f"{name}, ms" for name in backends()), "outside, ms")
            print(tables.markdown([*titles, "pictures/s"], []), end="", flush=True)
            for model, folder in folders.items():
                with _CONSOLE.status(model):
                    cells = row(model, compare(folder, given.rounds, threads))
                print(f"| {' | '.join(cells)} |", flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = [name for name in MODELS if isinstance(find(name), DetectorFamily)]
    parser = argparse.ArgumentParser(prog="python -m profiling.detectors", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=lambda text: text.split(","), default=known, help="default: all detectors")
    parser.add_argument("--size", help="HxW of the input (default: each model's usual)")
    parser.add_argument("--rounds", type=int, default=10, help="timed rounds (default: 10)")
    parser.add_argument("--threads", type=int, help="compute threads (default: the cores this process may use)")
    parser.add_argument("--graphs", type=Path, help="keep the graphs here, and take those that are there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
