"""SqueezeSegV3 on this CPU, naive and ours side by side in one run, as Markdown tables.

    python -m profiling.segmentation [--layers 21,53] [--size 64x512,64x2048] [--checkpoint FILE] [--out FILE.json]

All versions take turns on the same scan. What ours costs in detail (stages, memory, layers): ``run.py profile model``.
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
from profiling.interleaved import Times, interleave
from profiling.segmentation.flops import squeezesegv3_flops
from profiling.segmentation.random_weights import write_random_checkpoint
from profiling.segmentation.versions import EXPORTED, NAIVE, export_naive, export_ours, open_versions
from profiling.tables import markdown

_CONSOLE = Console(stderr=True)


class Case(NamedTuple):
    """One network at one size of range image, in pixels."""

    layers: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"SqueezeSegV3-{self.layers}, {self.height}×{self.width}"


class Comparison(NamedTuple):
    """What one case gave. ``agreement``: share of pixels with a point that get the label naive PyTorch gives them."""

    weights: str
    flops: int
    times: dict[str, Times]
    agreement: dict[str, float]


def compare(
    case: Case, checkpoint: Path, weights: str, images: Sequence[np.ndarray], names: Sequence[str], threads: int
) -> Comparison:
    """Time every version, one image a round (round 0 is not timed), and compare its labels with naive PyTorch's."""
    with tempfile.TemporaryDirectory() as folder:
        with _CONSOLE.status(f"{case}: exporting"):
            models = {
                form: export(checkpoint, case.height, case.width, Path(folder, form))
                for form, export in (("naive", export_naive), ("ours", export_ours))
                if any(EXPORTED[name][0] == form for name in names)
            }
        with open_versions(checkpoint, models, names, threads) as versions:
            counted = {name: np.zeros(2, np.int64) for name in versions}  # pixels that agree, pixels
            reference = np.empty((case.height, case.width), np.uint8)
            with Progress(console=_CONSOLE) as progress:
                task = progress.add_task(str(case), total=len(images) * len(versions))

                def done(name: str, i: int, output: np.ndarray) -> None:
                    progress.advance(task)
                    if name == NAIVE:
                        reference[:] = output
                    same = (output == reference)[images[i][0, 0] != 0]
                    counted[name] += same.sum(), same.size

                times = interleave(versions, images, done)
    return Comparison(
        weights=weights,
        flops=squeezesegv3_flops(*case),
        times=times,
        agreement={name: float(same / pixels) for name, (same, pixels) in counted.items()},
    )


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
    root = Path(os.environ.get("RANGECAST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
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
    print(f"Machine: {machine}. {len(scans)} scans in turn.\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for layers in given.layers:
            checkpoint, weights = given.checkpoint, "of the checkpoint"
            if layers != trained:
                checkpoint, weights = Path(folder, f"random-{layers}.pt"), "random"
                write_random_checkpoint(checkpoint, layers, range_images(scans[:1], 64, 512)[0])
            for height, width in given.size:
                case = Case(layers, height, width)
                images = _images_for(checkpoint, scans, height, width)
                chosen = [images[i % len(images)] for i in range(1 + given.rounds)]
                found = compare(case, checkpoint, weights, chosen, given.versions, threads)
                print(_table(str(case), found), flush=True)
                cases[str(case)] = found._asdict() | {"times": {name: times.ms for name, times in found.times.items()}}
                _save(results, given.out)


def _table(case: str, found: Comparison) -> str:
    rounds = len(found.times[NAIVE].ms)
    titles = ("version", "ms", "fastest–slowest", "× naive PyTorch", "TFLOP/s", "same label")
    about = f"Weights: {found.weights}. {found.flops / 1e9:.1f} GFLOP a scan. Median of {rounds} rounds."
    return f"### {case}\n\n{about}\n\n{markdown(titles, [_row(found, name) for name in found.times])}"


def _row(found: Comparison, name: str) -> tuple[str, ...]:
    times = found.times[name]
    fastest, slowest = times.spread_ms
    return (
        name,
        f"{times.median_ms:.0f}",
        f"{fastest:.0f}–{slowest:.0f}",
        f"{found.times[NAIVE].median_ms / times.median_ms:.1f}",
        f"{found.flops / times.median_ms / 1e9:.2f}",
        f"{100 * found.agreement[name]:.2f} %",
    )


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
    parser.add_argument(
        "--versions",
        nargs="+",
        choices=list(EXPORTED),
        default=list(EXPORTED),
        metavar="NAME",
        help=f"beside {NAIVE!r}; all are in memory at once (default: {', '.join(map(repr, EXPORTED))})",
    )
    parser.add_argument("--data", type=Path, nargs="+", metavar="SCAN", help="KITTI scans (.bin), used in turn")
    parser.add_argument("--checkpoint", type=Path, help="weights for the network it is of; random ones for the other")
    parser.add_argument("--threads", type=_count, help="compute threads (default: the cores this process may use)")
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
