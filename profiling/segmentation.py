"""SqueezeSegV3 on this CPU, naive and ours side by side in one run, as Markdown tables.

    python -m profiling.segmentation [--layers 21,53] [--size 64x512,64x2048] [--checkpoint FILE] [--out FILE.json]
    python -m profiling.segmentation --memory 1000

All versions take turns on the same scan, and so do the matrix products that say what the machine can do at best. With
``--memory`` nothing is timed: each model runs that many scans in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress

from errors import UserError
from formats.pointcloud import read_bin
from inference.auto import bf16_instructions
from inference.threads import session_threads
from models.range_view.normalize import HDL64_MEANS, HDL64_STDS, normalize
from models.range_view.projection import project
from models.range_view.settings import HDL64_FOV_DOWN_DEG, HDL64_FOV_UP_DEG
from models.squeezesegv3.checkpoint import load_checkpoint
from models.squeezesegv3.network import BLOCKS
from profiling import tables
from profiling.bf16_rate import bf16_products
from profiling.flops import squeezesegv3_flops
from profiling.interleaved import Times, interleave
from profiling.layer_times import LayerKind, layer_times
from profiling.memory import Memory, memory_of_inference
from profiling.random_weights import write_random_checkpoint
from profiling.squeezesegv3_versions import NAIVE, export_naive, export_ours, open_versions

_CONSOLE = Console(stderr=True)


class Case(NamedTuple):
    """One network at one size of range image, in pixels."""

    layers: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"SqueezeSegV3-{self.layers}, {self.height}×{self.width}"


class Comparison(NamedTuple):
    """What one case gave. ``agreement``: share of pixels with a point that get the label naive PyTorch gives them.

    ``product_flops_per_s``: the median rate of each of the machine's own matrix products, taken in the same rounds.
    """

    weights: str
    flops: int
    times: dict[str, Times]
    agreement: dict[str, float]
    product_flops_per_s: dict[str, float]
    layer_kinds: list[LayerKind]


def compare(case: Case, checkpoint: Path, weights: str, images: Sequence[np.ndarray], threads: int) -> Comparison:
    """Time every version, one image a round (round 0 is not timed), and compare its labels with naive PyTorch's."""
    with tempfile.TemporaryDirectory() as folder:
        with _CONSOLE.status(f"{case}: exporting"):
            models = {
                "naive": export_naive(checkpoint, case.height, case.width, Path(folder, "naive")),
                "ours": export_ours(checkpoint, case.height, case.width, Path(folder, "ours")),
            }
        with open_versions(checkpoint, models, threads) as versions:
            products = bf16_products(threads) if bf16_instructions() else {}
            counted = {name: np.zeros(2, np.int64) for name in versions}  # pixels that agree, pixels
            reference = np.empty((case.height, case.width), np.uint8)
            with Progress(console=_CONSOLE) as progress:
                task = progress.add_task(str(case), total=len(images) * (len(versions) + len(products)))

                def done(name: str, i: int, output: object) -> None:
                    progress.advance(task)
                    if name == NAIVE:
                        reference[:] = output
                    if name in counted:
                        same = (output == reference)[images[i][0, 0] != 0]
                        counted[name] += same.sum(), same.size

                times = interleave({**versions, **{name: p.run for name, p in products.items()}}, images, done)
        kinds = layer_times(models["ours"] / "model.onnx", threads, images[0]) if products else []
    return Comparison(
        weights=weights,
        flops=squeezesegv3_flops(*case),
        times={name: times[name] for name in versions},
        agreement={name: float(same / pixels) for name, (same, pixels) in counted.items()},
        product_flops_per_s={name: 1e3 * p.flops / times[name].median_ms for name, p in products.items()},
        layer_kinds=kinds,
    )


def measure_memory(
    case: Case, checkpoint: Path, images: Sequence[np.ndarray], threads: int, scans: int
) -> dict[str, Memory]:
    """Memory of our model in OpenVINO (bf16 where the CPU can) and in ONNX Runtime."""
    precision = "bf16" if bf16_instructions() else "fp32"
    with tempfile.TemporaryDirectory() as folder, _CONSOLE.status(f"{case}: {scans} scans"):
        ours = export_ours(checkpoint, case.height, case.width, Path(folder))
        return {
            f"{backend} {precision}": memory_of_inference(ours, backend, precision, threads, images, scans)
            for backend, precision in (("openvino", precision), ("onnxruntime", "fp32"))
        }


def range_images(
    scans: Sequence[Path],
    height: int,
    width: int,
    *,
    fov_deg: tuple[float, float] = (HDL64_FOV_UP_DEG, HDL64_FOV_DOWN_DEG),
    means: Sequence[float] = HDL64_MEANS,
    stds: Sequence[float] = HDL64_STDS,
) -> list[np.ndarray]:
    """KITTI scans as the network takes them: [1, 5, H, W] float32 each."""
    sensor = {"height": height, "width": width, "fov_up_deg": fov_deg[0], "fov_down_deg": fov_deg[1]}
    return [normalize(project(read_bin(scan), **sensor).image, means, stds)[None] for scan in scans]


def find_scans() -> list[Path]:
    """The scans of SemanticKITTI sequences in ``RANGECAST_DATA``, by default ``../shared/data``."""
    root = Path(os.environ.get("RANGECAST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    scans = sorted(root.glob("semantickitti/sequences/*/velodyne/*.bin"))
    if not scans:
        raise UserError(f"{root}: no semantickitti/sequences/*/velodyne/*.bin; give scans: --data SCAN.bin …")
    return scans


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        _run(_parse(arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _run(given: argparse.Namespace) -> None:
    logging.getLogger("inference").setLevel(logging.ERROR)  # else it warns of the naive graph, as it should elsewhere
    threads = session_threads(given.threads)
    scans = given.data or find_scans()
    trained = _layers_of(given.checkpoint, given.layers) if given.checkpoint else None
    machine = f"{platform.machine()}, {threads} threads, {bf16_instructions() or 'no bf16 instructions'}"
    cases: dict[str, object] = {}
    results = {"machine": machine, "scans": [scan.name for scan in scans], "cases": cases}
    _save(results, given.out)  # a file that cannot be written is told now, not after the measurement
    print(tables.heading(machine, len(scans)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for layers in given.layers:
            checkpoint, weights = given.checkpoint, "of the checkpoint"
            if layers != trained:
                checkpoint, weights = Path(folder, f"random-{layers}.pt"), "random"
                write_random_checkpoint(checkpoint, layers, range_images(scans[:1], 64, 512)[0])
            for height, width in given.size:
                case = Case(layers, height, width)
                images = _images_for(checkpoint, scans, height, width)
                if given.memory:
                    found = measure_memory(case, checkpoint, images, threads, given.memory)
                    print(tables.memory(str(case), found), flush=True)
                else:
                    chosen = [images[i % len(images)] for i in range(1 + given.rounds)]
                    found = compare(case, checkpoint, weights, chosen, threads)
                    print(tables.comparison(str(case), found), flush=True)
                cases[str(case)] = tables.as_json(found)
                _save(results, given.out)


def _images_for(checkpoint: Path, scans: Sequence[Path], height: int, width: int) -> list[np.ndarray]:
    c = load_checkpoint(checkpoint)
    return range_images(scans, height, width, fov_deg=(c.fov_up_deg, c.fov_down_deg), means=c.means, stds=c.stds)


def _save(results: dict[str, object], out: Path | None) -> None:
    if out is None:
        return
    try:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error


def _layers_of(checkpoint: Path, wanted: Sequence[int]) -> int:
    loaded = load_checkpoint(checkpoint)
    if loaded.sac != "isk":
        raise UserError(
            f"{checkpoint}: SAC variant {loaded.sac!r}; the naive network has only 'isk', the paper's model"
        )
    if loaded.layers not in wanted:
        raise UserError(f"{checkpoint}: has {loaded.layers} layers; add {loaded.layers} to --layers")
    return loaded.layers


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m profiling.segmentation", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--layers", type=_layers, default=_layers("21,53"), help="21, 53 or both (default: 21,53)")
    parser.add_argument(
        "--size", type=_sizes, default=_sizes("64x512,64x2048"), help="HxW, … (default: 64x512,64x2048)"
    )
    parser.add_argument("--rounds", type=_count, default=5, help="timed rounds, one scan each (default: 5)")
    parser.add_argument("--data", type=Path, nargs="+", metavar="SCAN", help="KITTI scans (.bin), used in turn")
    parser.add_argument("--checkpoint", type=Path, help="weights for the network it is of; random ones for the other")
    parser.add_argument("--threads", type=_count, help="compute threads (default: the cores this process may use)")
    parser.add_argument("--memory", type=_count, metavar="SCANS", help="measure memory over that many scans instead")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too, after each case")
    return parser.parse_args(arguments)


def _layers(text: str) -> list[int]:
    layers = [int(part) for part in text.split(",")]
    if not set(layers) <= BLOCKS.keys():
        raise argparse.ArgumentTypeError(f"{text}: give {' or '.join(map(str, BLOCKS))}, or both with a comma")
    return layers


def _sizes(text: str) -> list[tuple[int, int]]:
    sizes = [tuple(int(n) for n in part.split("x")) for part in text.split(",")]
    if any(len(size) != 2 or min(size) < 1 or size[1] % 8 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text}: give HEIGHTxWIDTH, the width a multiple of 8")
    return sizes


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
