"""One repetition, in a process of its own: open every session, warm up, then all of them in turn.

    python -m profiling.model.worker WORK.json ITEMS.npz RESULT.json

A line on standard output for each finished round. The process imports what a pipeline does, and no torch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np

from inference.auto import open_session
from inference.manifest import read_manifest
from inference.session import Session
from profiling.matrix_rate import products
from profiling.model import scenarios
from profiling.model.scenarios import Samples, Scenario
from profiling.model.stages import Arrays, stages_of
from profiling.result import MACHINE

FEWEST_WARM_UPS, MOST_WARM_UPS = 2, 10
STILL_FASTER = 0.97
"""A round of the warm-up that took less than this of the fastest before it: the machine is not warm yet."""


class Work(msgspec.Struct, frozen=True):
    """What a repetition does. ``pairs``: (backend, precision); ``threads``: of each pair, in all."""

    folder: str
    pairs: list[tuple[str, str]]
    threads: int
    scenario: str
    samples: int


def run(work: Work, items: Sequence[Arrays], on_round: Callable[[], None]) -> Samples:
    """Samples by the name of their series."""
    scenario, found = scenarios.parse(work.scenario), {}
    with ExitStack() as opened:
        turns: dict[str, Callable[[int], Samples]] = {}
        for backend, precision in work.pairs:
            begun = time.perf_counter()
            sessions = open_sessions(work, (backend, precision), opened)
            found[f"{backend} {precision}.open"] = [1e3 * (time.perf_counter() - begun)]
            turns[f"{backend} {precision}"] = _turn(work, scenario, sessions, items)
        for precision, product in products(work.threads).items():
            turns[f"{MACHINE}{precision}"] = _timed(product)
        _warm_up(turns)
        rounds: list[Samples] = []
        for i in range(1 if scenario.kind == "rate" else work.samples):
            for name, turn in turns.items():
                rounds.append({f"{name}.{what}": samples for what, samples in turn(i).items()})
            on_round()
    return found | scenarios.join(rounds)


def open_sessions(work: Work, pair: tuple[str, str], opened: ExitStack) -> list[Session]:
    """As many sessions of ``pair`` as infer at once, closed with ``opened``."""
    streams, threads = scenarios.streams_of(scenarios.parse(work.scenario), work.threads)
    backend, precision = pair
    return [
        opened.enter_context(
            open_session(work.folder, backend=backend, precision=precision, threads=threads, allow_failed_parity=True)
        )
        for _ in range(streams)
    ]


def _turn(
    work: Work, scenario: Scenario, sessions: Sequence[Session], items: Sequence[Arrays]
) -> Callable[[int], Samples]:
    """What a pair does when it is its turn. Turn −1 is of the warm-up."""
    stages = stages_of(Path(work.folder), read_manifest(work.folder))
    if scenario.kind == "offline":
        inputs = [stages.before(item)[0] for item in items]
        return lambda _: scenarios.offline(sessions, inputs)
    if scenario.kind == "rate":
        return lambda i: scenarios.at_rate(sessions[0], stages, items, work.samples if i >= 0 else 1, scenario.rate_hz)
    return lambda i: scenarios.single(sessions[0], stages, items[i % len(items)])


def _timed(function: Callable[[], object]) -> Callable[[int], Samples]:
    def turn(_: int) -> Samples:
        begun = time.perf_counter()
        function()
        return {"matrix product": [1e3 * (time.perf_counter() - begun)]}

    return turn


def _warm_up(turns: dict[str, Callable[[int], Samples]]) -> None:
    """Until a round is no faster than those before."""
    fastest_s = float("inf")
    for i in range(MOST_WARM_UPS):
        begun = time.perf_counter()
        for turn in turns.values():
            turn(-1)
        taken_s = time.perf_counter() - begun
        if i + 1 >= FEWEST_WARM_UPS and taken_s > STILL_FASTER * fastest_s:
            return
        fastest_s = min(fastest_s, taken_s)


def load_items(path: Path) -> list[Arrays]:
    """As :func:`save_items` left them."""
    items: dict[int, dict[str, np.ndarray]] = {}
    with np.load(path) as file:
        for key in file.files:
            number, _, name = key.partition("/")
            items.setdefault(int(number), {})[name] = file[key]
    return [items[number] for number in sorted(items)]


def save_items(path: Path, items: Sequence[Arrays]) -> None:
    """As one ``.npz``, for the process that infers them."""
    np.savez(path, **{f"{i}/{name}": array for i, item in enumerate(items) for name, array in item.items()})


def main() -> None:
    """The process of one repetition."""
    work, items, result = map(Path, sys.argv[1:])
    samples = run(
        msgspec.json.decode(work.read_bytes(), type=Work), load_items(items), lambda: print("round", flush=True)
    )
    result.write_bytes(msgspec.json.encode(samples))


if __name__ == "__main__":
    main()
