"""What proposals would find by chance: as many segments, of the same lengths, anywhere in their videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from errors import UserError
from evaluation.proposals.protocol import Protocol, RecallCurve, recall_curve

DRAWS, _SEED = 20, 0


class Chance(NamedTuple):
    """Means and standard deviations over :data:`DRAWS` draws: ``auc`` and ``auc_std``; by AN ``recall`` and
    ``recall_std``, of AR. Shares, not percent."""

    auc: float
    auc_std: float
    recall: dict[int, float]
    recall_std: dict[int, float]


def by_chance(
    truths: Mapping[str, np.ndarray],
    proposals: Mapping[str, np.ndarray],
    durations_s: Mapping[str, float | None],
    protocol: Protocol,
) -> Chance:
    """Score the proposals' lengths at random places, in random order. The same arguments give the same numbers.

    Args:
        truths, proposals, protocol: see :func:`evaluation.proposals.protocol.recall_curve`.
        durations_s: of the videos of ``truths``.

    Raises:
        UserError: a video's duration is not known.
    """
    for name in truths:
        if not durations_s[name]:
            raise UserError(f"--chance: the annotations do not say how long video {name!r} is; add its duration")
    rng = np.random.default_rng(_SEED)
    curves: list[RecallCurve] = []
    for _ in range(DRAWS):
        drawn = {
            name: _anywhere(segments, float(durations_s.get(name) or 0.0), rng) for name, segments in proposals.items()
        }
        curves.append(recall_curve(truths, drawn, protocol))
    recall = {number: [float(curve.at(number).mean()) for curve in curves] for number in protocol.listed}
    return Chance(
        auc=float(np.mean([curve.auc for curve in curves])),
        auc_std=float(np.std([curve.auc for curve in curves])),
        recall={number: float(np.mean(values)) for number, values in recall.items()},
        recall_std={number: float(np.std(values)) for number, values in recall.items()},
    )


def _anywhere(segments_s: np.ndarray, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """The lengths of ``segments_s`` [K, 2] in random order, each evenly likely anywhere within [0, ``duration_s``]."""
    lengths_s = rng.permutation(segments_s[:, 1] - segments_s[:, 0])
    starts_s = rng.random(len(lengths_s)) * np.maximum(duration_s - lengths_s, 0.0)
    return np.stack([starts_s, starts_s + lengths_s], axis=1)
