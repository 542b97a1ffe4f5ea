"""What a profile of a model says, as tables."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from profiling.matrix_rate import FLOPS, like
from profiling.model.layers import BACKENDS as CPU_BACKENDS
from profiling.model.layers import Layers
from profiling.model.measure import Found, Request
from profiling.model.scenarios import STAGES
from profiling.result import MACHINE, Profile

PERCENTILES = (50, 90, 95, 99, 100)
SMALLEST_SHARE = 0.02  # of a run: kinds of layer below it share a row


def tables(request: Request, found: Found) -> list[Table]:
    """Those of the scenario, then the layers of each pair."""
    whole = {"single": _single, "offline": _offline, "rate": _at_rate}[request.scenario.kind]
    return [*whole(request, found), *(_layers(pair, layers) for pair, layers in found.layers.items())]


def machine_rates(profile: Profile) -> dict[str, float]:
    """Floating-point operations a second of the machine's own matrix products, median, by precision."""
    return {
        series.name.removeprefix(MACHINE).split(".")[0]: FLOPS / (1e-3 * float(np.median(series.samples)))
        for series in profile.series
        if series.name.startswith(MACHINE)
    }


def _single(request: Request, found: Found) -> list[Table]:
    stages = _table("Median of each stage, and of all together, in ms", "backend", *STAGES, "all", "images/s")
    ms = _table("Inference in ms, and the share of the machine's own rate", "backend", *_percentile_titles())
    for title in ("TFLOP/s", "of the rate", "open ms", "peak MB"):
        ms.add_column(title, justify="right")
    best = machine_rates(found.profile)
    for pair in request.pairs:
        of_stages = [_samples(found.profile, f"{pair}.{stage}") for stage in STAGES]
        together = float(np.median(np.sum(of_stages, axis=0)))
        medians = (f"{np.median(stage):.2f}" for stage in of_stages)
        stages.add_row(str(pair), *medians, f"{together:.1f}", f"{1e3 / together:.1f}")
        inference = of_stages[STAGES.index("inference")]
        flops_per_s = 1e3 * found.flops / float(np.median(inference))
        ms.add_row(
            str(pair),
            *_percentiles(inference),
            f"{flops_per_s / 1e12:.3f}",
            f"{flops_per_s / best[like(pair.precision)]:.2f}" if pair.backend in CPU_BACKENDS else "",
            *_once(found.profile, str(pair)),
        )
    return [stages, ms]


def _offline(request: Request, found: Found) -> list[Table]:
    titles = ("backend", "median", "lowest", "highest", "TFLOP/s", "open ms", "peak MB")
    table = _table("Images a second, inference alone", *titles)
    for pair in map(str, request.pairs):
        rate = _samples(found.profile, f"{pair}.throughput")
        figures = [f"{value:.2f}" for value in (np.median(rate), rate.min(), rate.max())]
        flops_per_s = found.flops * float(np.median(rate))
        table.add_row(pair, *figures, f"{flops_per_s / 1e12:.3f}", *_once(found.profile, pair))
    return [table]


def _at_rate(request: Request, found: Found) -> list[Table]:
    table = _table("From arrival to labels, all stages and waiting, in ms", "backend", *_percentile_titles())
    for title in ("missed", "open ms", "peak MB"):
        table.add_column(title, justify="right")
    for pair in map(str, request.pairs):
        missed = _samples(found.profile, f"{pair}.missed")
        table.add_row(
            pair,
            *_percentiles(_samples(found.profile, f"{pair}.latency")),
            f"{missed.mean():.1f} %",
            *_once(found.profile, pair),
        )
    return [table]


def _layers(pair: str, layers: Layers) -> Table:
    kinds, rate = layers
    total_ms = sum(kind.ms for kind in kinds)
    table = _table(
        f"Layers, {pair}, {total_ms:.0f} ms in all", "kind", "number", "ms", "share", "TFLOP/s", "of the rate"
    )
    large = [kind for kind in kinds if kind.ms >= SMALLEST_SHARE * total_ms]
    for kind in large:
        reached = 1e3 * kind.flops / kind.ms
        flops = (f"{reached / 1e12:.3f}", f"{reached / rate:.2f}") if kind.flops else ("", "")
        table.add_row(kind.kind, str(kind.layers), f"{kind.ms:.1f}", f"{kind.ms / total_ms:.1%}", *flops)
    small = kinds[len(large) :]
    if small:
        number, ms = sum(kind.layers for kind in small), sum(kind.ms for kind in small)
        table.add_row(f"{len(small)} more kinds", str(number), f"{ms:.1f}", f"{ms / total_ms:.1%}", "", "")
    return table


def _table(title: str, *titles: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for i, heading in enumerate(titles):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    return table


def _percentile_titles() -> list[str]:
    return [f"p{p}" if p < 100 else "max" for p in PERCENTILES]


def _percentiles(samples: np.ndarray) -> list[str]:
    return [f"{value:.1f}" for value in np.percentile(samples, PERCENTILES)]


def _once(profile: Profile, pair: str) -> tuple[str, str]:
    """What opening took, median, and the most memory."""
    return (
        f"{np.median(_samples(profile, f'{pair}.open')):.0f}",
        f"{_samples(profile, f'{pair}.peak memory').max():.0f}",
    )


def _samples(profile: Profile, name: str) -> np.ndarray:
    return np.array(next(series.samples for series in profile.series if series.name == name))
