"""How inputs come: one after the other, as fast as possible, or at a rate. Each gives samples by name."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Literal, NamedTuple

from errors import UserError, require_known
from inference.session import Session
from profiling.model.stages import Arrays, Stages

STAGES = ("pre-processing", "inference", "copies", "post-processing")
MOST_STREAMS = 4
IMAGES_PER_STREAM = 4
Samples = dict[str, list[float]]


class Scenario(NamedTuple):
    """``rate_hz`` is that of arrivals; 0 for the other kinds."""

    kind: Literal["single", "offline", "rate"]
    rate_hz: float = 0.0

    def __str__(self) -> str:
        return f"rate:{self.rate_hz:g}" if self.kind == "rate" else self.kind


def parse(text: str) -> Scenario:
    """``single``, ``offline``, or ``rate:HZ``.

    Raises:
        UserError: anything else.
    """
    kind, _, rate = text.partition(":")
    if text in ("single", "offline"):
        return Scenario("single" if text == "single" else "offline")
    require_known("--scenario", kind if kind == "rate" else text, ("single", "offline", "rate", "rate:HZ"))
    try:
        rate_hz = float(rate)
    except ValueError:
        rate_hz = math.nan
    if not (rate_hz > 0 and math.isfinite(rate_hz)):
        raise UserError(f"--scenario {text!r}: give the rate of arrivals in Hz, as rate:10")
    return Scenario("rate", rate_hz)


def streams_of(scenario: Scenario, threads: int) -> tuple[int, int]:
    """How many sessions infer at once, and the threads of each.

    As fast as possible means several inputs at a time, each on few cores, which then wait for one another less.
    """
    streams = min(threads, MOST_STREAMS) if scenario.kind == "offline" else 1
    return streams, threads // streams


def single(session: Session, stages: Stages, item: Arrays) -> Samples:
    """One item by itself: what each stage takes, in ms."""
    times = [time.perf_counter()]
    inputs, context = stages.before(item)
    times.append(time.perf_counter())
    outputs = session.infer(inputs)
    times.append(time.perf_counter())
    kept = stages.copy(outputs)
    times.append(time.perf_counter())
    stages.after(kept, context)
    times.append(time.perf_counter())
    return {name: [1e3 * (times[i + 1] - times[i])] for i, name in enumerate(STAGES)}


def offline(sessions: Sequence[Session], inputs: Sequence[Arrays]) -> Samples:
    """Some images for each session, all sessions at once: images a second. Inference alone, the inputs are ready."""
    images = IMAGES_PER_STREAM * len(sessions)
    queue = islice(cycle(inputs), images)

    def work(session: Session) -> None:
        for arrays in queue:  # one iterator for all: each takes the next as soon as it is done
            session.infer(arrays)

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(sessions)) as pool:
        for done in [pool.submit(work, session) for session in sessions]:
            done.result()
    return {"throughput": [images / (time.perf_counter() - begun)]}


def at_rate(
    session: Session,
    stages: Stages,
    items: Sequence[Arrays],
    arrivals: int,
    rate_hz: float,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Samples:
    """``arrivals`` items, one every 1 / ``rate_hz`` s, all of their stages one after the other.

    As under the pipeline's policy ``latest`` with a queue of one: of those that wait the newest is taken, the others
    are missed. ``latency`` in ms is from the arrival to the end; ``missed`` is the share of all arrivals, in %.
    """
    latency_ms: list[float] = []
    begun = clock()
    newest = -1
    while newest < arrivals - 1:
        arrived = min(int((clock() - begun) * rate_hz), arrivals - 1)
        if arrived == newest:
            sleep(max(0.0, begun + (newest + 1) / rate_hz - clock()))
            continue
        newest = arrived
        single(session, stages, items[newest % len(items)])
        latency_ms.append(1e3 * (clock() - begun - newest / rate_hz))
    return {"latency": latency_ms, "missed": [100 * (1 - len(latency_ms) / arrivals)]}


def join(parts: Sequence[Mapping[str, Sequence[float]]]) -> Samples:
    """The samples of several, in their order."""
    joined: Samples = defaultdict(list)
    for part in parts:
        for name, samples in part.items():
            joined[name] += samples
    return dict(joined)
