"""How far each stage of an export is from the network, and which layer is the first to differ where it is too far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from export.families import Arrays, Family, Sample
from export.layers import Difference
from inference.manifest import Manifest, Stage

_NOT_FINITE = 1e30
"""Written for what is not a number: JSON has none for it."""

Run = Callable[[Arrays], Arrays]


class Bound(NamedTuple):
    """What a measure must keep."""

    measure: str
    at_least: bool
    limit: float

    def __str__(self) -> str:
        return f"{self.measure} {'>=' if self.at_least else '<='} {self.limit:g}"

    def is_kept(self, measures: Mapping[str, float]) -> bool:
        """Whether it is."""
        value = measures[self.measure]
        return value >= self.limit if self.at_least else value <= self.limit


FindLayer = Callable[[], Difference | None]


def outputs_of(run: Run, samples: Iterable[Sample], on_sample: Callable[[], None] = lambda: None) -> list[Arrays]:
    """What ``run`` makes of each sample, copied: a session writes to the same memory each time."""
    outputs = []
    for sample in samples:
        outputs.append({name: np.array(values) for name, values in run(sample.inputs).items()})
        on_sample()
    return outputs


def stage(
    name: str,
    backend: str,
    precision: str,
    found: Sequence[Arrays],
    expected: Sequence[Arrays],
    samples: Sequence[Sample],
    family: Family,
    manifest: Manifest,
    find_layer: FindLayer | None = None,
) -> Stage:
    """Compare what a stage gave with what the network gives.

    Bounds: float32 outputs within what the family says, on adversarial inputs too; in fp16 and bf16, and where a graph
    gives no scores, what the family says its task allows, on real inputs where there are any; int8 has none, what it
    costs is stated. Nothing may be infinite or NaN.
    """
    measures = compare(found, expected, samples, family, manifest)
    bounds = _bounds(precision, measures, family)
    passed = measures["finite"] == 1 and all(bound.is_kept(measures) for bound in bounds)
    difference = find_layer() if find_layer is not None and not passed else None
    return Stage(
        name=name,
        backend=backend,
        precision=precision,
        passed=passed,
        bound=", ".join(map(str, bounds)),
        measures=measures,
        first_difference=str(difference) if difference else None,
    )


def compare(
    found: Sequence[Arrays],
    expected: Sequence[Arrays],
    samples: Sequence[Sample],
    family: Family,
    manifest: Manifest,
) -> dict[str, float]:
    """Named measures of how far ``found`` is from ``expected``; see docs/export.md for what each is."""
    kinds = {sample.kind for sample in samples}
    usual = [i for i, s in enumerate(samples) if s.kind != "adversarial" and (s.kind != "made up" or len(kinds) < 3)]
    names = family.by_value(manifest)
    errors = [relative_errors(ours, theirs, names) for ours, theirs in zip(found, expected, strict=True)]
    finite = all(np.isfinite(values).all() for arrays in found for values in arrays.values())
    measures = {"finite": float(finite)}
    if names:
        unusual = [i for i in range(len(samples)) if samples[i].kind == "adversarial"]
        measures["relative_max"] = _worst(errors[i].max() for i in usual)
        measures["relative_q999"] = _worst(np.quantile(errors[i], 0.999) for i in usual)
        measures["adversarial_relative_max"] = _worst(errors[i].max() for i in unusual)
    return measures | family.measure(
        manifest, [found[i] for i in usual], [expected[i] for i in usual], [samples[i] for i in usual]
    )


def _bounds(precision: str, measures: Mapping[str, float], family: Family) -> list[Bound]:
    if precision == "int8":
        return []
    if precision == "fp32" and "relative_max" in measures:
        return [Bound(what, False, family.fp32_relative) for what in ("relative_max", "adversarial_relative_max")]
    least = family.least_alike["fp32" if precision == "fp32" else "half"]
    return [Bound(what, True, limit) for what, limit in least.items()]


def relative_errors(ours: Arrays, theirs: Arrays, names: Sequence[str]) -> np.ndarray:
    """Of the outputs of these names: |difference| / largest |expected|."""
    parts = [
        np.abs(np.float64(ours[name]) - theirs[name]).ravel() / max(float(np.abs(theirs[name]).max()), 1e-12)
        for name in names
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _worst(values: Iterable[float]) -> float:
    worst = max((float(value) for value in values), default=0.0)
    return worst if np.isfinite(worst) else _NOT_FINITE
