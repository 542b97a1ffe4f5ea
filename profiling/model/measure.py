"""Profile a model: repetitions in processes of their own, memory, operations, layers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from inference.manifest import Manifest
from profiling.model import layers, operations
from profiling.model.layers import Layers, layer_times
from profiling.model.memory import memory_of_inference
from profiling.model.pairs import Pair
from profiling.model.scenarios import Samples, Scenario
from profiling.model.stages import Items, stages_of
from profiling.model.target import Target, size_of
from profiling.model.worker import Work, save_items
from profiling.result import Profile, Series, taken_now

MEMORY_RUNS = 2
_ROOT = Path(__file__).resolve().parents[2]
_UNITS = {"throughput": ("1/s", "higher"), "peak memory": ("MB", "lower"), "missed": ("%", "lower")}


class Request(NamedTuple):
    """What is measured. ``threads``: of each pair; ``samples``: of each of the ``repeats`` processes."""

    target: Target
    pairs: Sequence[Pair]
    scenario: Scenario
    items: Items
    threads: int
    repeats: int
    samples: int


class Found(NamedTuple):
    """What was measured. ``flops``: of one run of the graph; ``layers``: by pair, where its backend says."""

    profile: Profile
    flops: int
    layers: dict[str, Layers]


def empty_profile(request: Request, command: Sequence[str]) -> Profile:
    """All of it but the series: what a baseline is checked against before anything is measured."""
    target = request.target
    return taken_now(
        "model",
        command,
        versions={"graph": target.manifest.graph_sha256[:12]},
        configuration={
            "model": target.name,
            "size": size_of(target.manifest),
            "scenario": str(request.scenario),
            "backends": ", ".join(map(str, request.pairs)),
            "threads": str(request.threads),
            "items": request.items.about,
        },
    )


def steps(request: Request) -> int:
    """How often :func:`measure` calls ``on_step``."""
    rounds = 1 if request.scenario.kind == "rate" else request.samples
    return request.repeats * rounds + len(request.pairs) * (MEMORY_RUNS + 1)


def measure(request: Request, profile: Profile, on_step: Callable[[str], None]) -> Found:
    """Fill ``profile``. ``on_step`` is told what is being done, after each bit of it."""
    with tempfile.TemporaryDirectory(prefix="rangecast-") as scratch:
        items = Path(scratch, "items.npz")
        save_items(items, request.items.arrays)
        runs = [_repetition(request, items, lambda: on_step("in turn")) for _ in range(request.repeats)]
        series = [_series(name, [run[name] for run in runs]) for name in runs[0]]
        for pair in request.pairs:
            peaks = []
            for _ in range(MEMORY_RUNS):
                peaks.append([memory_of_inference(_work(request, [pair]), items).peak_mb])
                on_step("memory")
            series.append(_series(f"{pair}.peak memory", peaks))
    graph = request.target.folder / request.target.manifest.graph
    found_layers = {}
    for pair in request.pairs:
        if pair.backend in layers.BACKENDS:
            found_layers[str(pair)] = _layers(request, pair)
        on_step("layers")
    return Found(msgspec.structs.replace(profile, series=series), operations.total(graph), found_layers)


def _series(name: str, runs: list[list[float]]) -> Series:
    unit, better = _UNITS.get(name.rpartition(".")[2], ("ms", "lower"))
    return Series(name=name, unit=unit, better="higher" if better == "higher" else "lower", runs=runs)


def _work(request: Request, pairs: Sequence[Pair]) -> Work:
    return Work(
        folder=str(request.target.folder.resolve()),
        pairs=[(pair.backend, pair.precision) for pair in pairs],
        threads=request.threads,
        scenario=str(request.scenario),
        samples=request.samples,
    )


def _repetition(request: Request, items: Path, on_round: Callable[[], None]) -> Samples:
    """What :mod:`profiling.model.worker` measures in a fresh process.

    Raises:
        RuntimeError: that process failed; with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="rangecast-") as scratch, Path(scratch, "errors").open("w+") as errors:
        asked, result = Path(scratch, "work.json"), Path(scratch, "result.json")
        asked.write_bytes(msgspec.json.encode(_work(request, request.pairs)))
        command = [sys.executable, "-m", "profiling.model.worker", str(asked), str(items), str(result)]
        with _process(command, errors.fileno()) as process:
            assert process.stdout is not None
            for _ in process.stdout:
                on_round()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read().strip()}")
        return msgspec.json.decode(result.read_bytes(), type=Samples)


@contextlib.contextmanager
def _process(command: Sequence[str], errors: int) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive this block, whatever ends it."""
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _layers(request: Request, pair: Pair) -> Layers:
    folder, manifest = request.target.folder, request.target.manifest
    inputs, _ = stages_of(folder, manifest).before(request.items.arrays[0])
    return layer_times(_graph(folder, manifest, pair), pair.backend, pair.precision, request.threads, inputs)


def _graph(folder: Path, manifest: Manifest, pair: Pair) -> Path:
    made = manifest.artifact(pair.backend, pair.precision)
    return folder / (made.entry if made is not None else manifest.graph)
