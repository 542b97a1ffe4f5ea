"""By how much two sets of repeated measurements differ, and how sure that is.

Samples that follow one another resemble one another, and so do those of one repetition: a process keeps the memory and
the cores it was given, a neighbour on the machine is busy for a while. To count samples as if each were new evidence
calls noise a change. So whole repetitions are drawn again, and blocks of neighbours within them: a hierarchical block
bootstrap (Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013; Künsch, "The jackknife and the
bootstrap for general stationary observations", Annals of Statistics 17, 1989).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 500
AT_ONCE = 2_000_000  # samples drawn at a time: bounds the memory
_LEAST = 1e-9  # stands for a median of 0, of which there is no logarithm

Runs = Sequence[Sequence[float]]


class Change(NamedTuple):
    """The ratio of two medians, after to before, and the interval that holds the true one."""

    ratio: float
    low: float
    high: float


def change(before: Runs, after: Runs, confidence: float, seed: int = 0) -> Change:
    """The ratio of the median of all samples of ``after`` to that of ``before``.

    The interval is symmetric on the logarithm: its half width is the bootstrap's standard error, times √(R / (R − 1))
    for R repetitions (a bootstrap of few underestimates by that: Hesterberg, "What teachers should know about the
    bootstrap", The American Statistician 69, 2015), times Student's t for the repetitions there are.

    Args:
        before, after: samples ≥ 0, a sequence for each repetition; two repetitions at least, none empty.
        confidence: 0 to 1.
        seed: of the resampling. The same samples and seed give the same interval.
    """
    rng = np.random.default_rng(seed)
    errors = [_standard_error(runs, rng) for runs in (before, after)]
    half_width = student_t(confidence, len(before) + len(after) - 2) * math.hypot(*errors)
    difference = _log_median(after) - _log_median(before)
    return Change(*(math.exp(difference + offset) for offset in (0, -half_width, half_width)))


def _standard_error(runs: Runs, rng: np.random.Generator) -> float:
    arrays = [np.asarray(run, float) for run in runs]
    at_once = max(1, AT_ONCE // (len(arrays) * max(map(len, arrays))))
    medians = [_resampled_medians(arrays, min(at_once, RESAMPLES - i), rng) for i in range(0, RESAMPLES, at_once)]
    logs = np.log(np.maximum(np.concatenate(medians), _LEAST))
    return float(np.std(logs)) * math.sqrt(len(arrays) / (len(arrays) - 1))


def _resampled_medians(runs: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """The medians [count] of so many resamples, each of as many repetitions, drawn with replacement."""
    lengths = np.array([len(run) for run in runs])
    chosen = rng.integers(len(runs), size=(count, len(runs)))
    drawn = np.full((*chosen.shape, lengths.max()), np.inf)
    for i, run in enumerate(runs):
        places = chosen == i
        drawn[places, : len(run)] = _blocks(run, int(places.sum()), rng)
    ordered = np.sort(drawn.reshape(count, -1), axis=1)  # what was not drawn, as infinity, goes to the end
    samples = lengths[chosen].sum(axis=1)
    each = np.arange(count)
    return (ordered[each, (samples - 1) // 2] + ordered[each, samples // 2]) / 2


def _blocks(run: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` resamples [count, len(run)]: blocks of √n neighbours from random places; the run is a ring."""
    length = max(1, round(math.sqrt(len(run))))
    starts = rng.integers(len(run), size=(count, -(-len(run) // length)))
    places = (starts[:, :, None] + np.arange(length)).reshape(count, -1)[:, : len(run)]
    return run[places % len(run)]


def _log_median(runs: Runs) -> float:
    return math.log(max(float(np.median(np.concatenate(runs))), _LEAST))


def student_t(confidence: float, degrees: int) -> float:
    r"""What \|T\| stays below with probability ``confidence``, for Student's t of so many degrees of freedom."""
    low, high = 0.0, 1e6
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    r"""The probability of \|T\| ≤ t. Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0 if degrees == 1 else term
    for k in range(2 if odd else 1, degrees - 1, 2):
        term *= k / (k + 1) * math.cos(angle) ** 2
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
