"""BC-GNN on this CPU, naive and ours side by side in one run, as Markdown tables.

    python -m profiling.bcgnn [--model bcgnn-100,bcgnn-128] [--rounds N] [--threads N]

All versions take turns on the same window, with the same random weights. The naive one is the paper's formulation over
lists of nodes and edges (:mod:`profiling.bcgnn.naive`) in PyTorch; ours is what ``run.py export`` makes.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from errors import UserError, require_known
from export.cache import StepCache
from export.families import find
from export.families.bcgnn import INPUT, RANDOM_FEATURES
from export.request import Build, ExportRequest
from export.steps import Export
from inference.auto import bf16_instructions, open_session
from inference.threads import session_threads
from models.bcgnn.checkpoint import Checkpoint, save_checkpoint
from models.bcgnn.network import BCGNN
from profiling import tables
from profiling.bcgnn.naive import NaiveBCGNN
from profiling.interleaved import Times, interleave

Version = Callable[[np.ndarray], list[np.ndarray]]
"""Features [1, D, l_w] float32 → start, end and content, valid until the version runs again."""

NAIVE = "naive, PyTorch fp32"
_MAX_DURATION = {"bcgnn-100": 99, "bcgnn-128": 64}
_LENGTH = {"bcgnn-100": 100, "bcgnn-128": 128}
_TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
_CONSOLE = Console(stderr=True)


class Measured(NamedTuple):
    """``difference``: the largest of any probability from the naive version's."""

    times: Times
    difference: float


def compare(model: str, rounds: int, threads: int) -> dict[str, Measured]:
    """Every version in turns on the made-up windows that an export is proven on; round 0 is not timed."""
    torch.manual_seed(0)
    network = BCGNN(RANDOM_FEATURES, _LENGTH[model], _MAX_DURATION[model])
    values = {"arguments": network.arguments, "step": 0, "network": network.state_dict(), "trained_on": "nothing"}
    weights = Checkpoint(**values, style="rescaled", step_s=None)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, folder = Path(scratch, "random.pt"), Path(scratch, "model")
        save_checkpoint(checkpoint, weights)
        request = ExportRequest(model=model, weights=checkpoint, builds=(Build("onnx", "fp32"),), storage="fp32")
        with _CONSOLE.status(f"{model}: exporting"):
            manifest = Export(request, folder, StepCache()).run()
        inputs = [sample.inputs[INPUT] for sample in find(model).made_up(manifest)]
        windows = [inputs[i % len(inputs)] for i in range(1 + rounds)]
        with _open_versions(weights, folder, threads) as versions, Progress(console=_CONSOLE) as progress:
            task = progress.add_task(model, total=len(windows) * len(versions))
            differences, reference = dict.fromkeys(versions, 0.0), []

            def done(name: str, _: int, output: list[np.ndarray]) -> None:
                progress.advance(task)
                if name == NAIVE:
                    reference[:] = [np.array(values) for values in output]
                largest = max(float(np.abs(a - b).max()) for a, b in zip(output, reference, strict=True))
                differences[name] = max(differences[name], largest)

            times = interleave(versions, windows, done)
    return {name: Measured(times[name], differences[name]) for name in times}


@contextmanager
def _open_versions(weights: Checkpoint, folder: Path, threads: int) -> Iterator[dict[str, Version]]:
    """The naive version first; bf16 where the CPU has instructions for it."""
    torch.set_num_threads(threads)
    network = NaiveBCGNN(weights.arguments, weights.network)

    def naive(features: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [output.numpy() for output in network(torch.from_numpy(features))]

    backends = [("onnxruntime", "fp32"), ("openvino", "fp32")]
    backends += [("openvino", "bf16")] if bf16_instructions() else []
    with ExitStack() as opened:
        versions: dict[str, Version] = {NAIVE: naive}
        for backend, precision in backends:
            session = opened.enter_context(
                open_session(folder, backend=backend, precision=precision, threads=threads, allow_failed_parity=True)
            )
            versions[f"ours, {_TITLES[backend]} {precision}"] = lambda features, session=session: list(
                session.infer({INPUT: features}).values()
            )
        yield versions


def table(model: str, found: dict[str, Measured]) -> str:
    """Markdown."""
    naive_ms = found[NAIVE].times.median_ms
    rows = []
    for name, (times, difference) in found.items():
        p95_ms = statistics.quantiles(times.ms, n=20)[-1]
        fastest_ms, slowest_ms = times.spread_ms
        rows.append(
            (
                name,
                f"{times.median_ms:.1f}",
                f"{p95_ms:.1f}",
                f"{fastest_ms:.1f}–{slowest_ms:.1f}",
                f"{naive_ms / times.median_ms:.1f}",
                f"{difference:.1e}",
            )
        )
    titles = ("version", "p50 ms", "p95 ms", "fastest–slowest", "× naive", "largest difference")
    rounds = len(found[NAIVE].times.ms)
    return f"### {model}\n\nOne window, {rounds} rounds in turns.\n\n{tables.markdown(titles, rows)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit code 2: a mistake of the user's."""
    given = _parse(arguments)
    try:
        threads = session_threads(given.threads)
        for model in given.model:
            require_known("--model", model, _LENGTH)
        print(f"Machine: {platform.machine()}, {threads} threads, {bf16_instructions() or 'no bf16 instructions'}.\n")
        for model in given.model:
            print(table(model, compare(model, given.rounds, threads)), flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m profiling.bcgnn", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=lambda text: text.split(","), default=list(_LENGTH), help="default: both")
    parser.add_argument("--rounds", type=_several, default=40, help="timed rounds (default: 40)")
    parser.add_argument("--threads", type=int, help="compute threads (default: the cores this process may use)")
    return parser.parse_args(arguments)


def _several(text: str) -> int:
    if int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text}: give 2 or more")
    return int(text)


if __name__ == "__main__":
    main()
