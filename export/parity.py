"""How far each stage of an export is from the network, and which layer is the first to differ where it is too far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from export.families import Arrays, Family, Sample
from export.layers import Difference
from inference.manifest import Stage

FP32_RELATIVE = 1e-4
"""Largest difference of a float32 stage's outputs, relative to the largest value of that output."""
FP32_SAME_LABEL = 0.999
"""Of equal scores, rounding decides: a float32 stage that gives labels alone may differ in so many."""
HALF_SAME_LABEL = 0.995
_NOT_FINITE = 1e30
"""Written for what is not a number: JSON has none for it."""

Run = Callable[[Arrays], Arrays]
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
    find_layer: FindLayer | None = None,
) -> Stage:
    """Compare what a stage gave with what the network gives.

    Bounds: float32 outputs within :data:`FP32_RELATIVE`, on adversarial inputs too; in fp16 and bf16 the same label on
    :data:`HALF_SAME_LABEL` of what the task counts, on real inputs where there are any; int8 has none, what it costs is
    stated. Nothing may be infinite or NaN.
    """
    measures = compare(found, expected, samples, family)
    bounds = _bounds(precision, measures)
    passed = measures["finite"] == 1 and all(_kept(measures[what], bound) for what, bound in bounds.items())
    difference = find_layer() if find_layer is not None and not passed else None
    return Stage(
        name=name,
        backend=backend,
        precision=precision,
        passed=passed,
        bound=", ".join(f"{what} {'>=' if bound > 0.5 else '<='} {bound:g}" for what, bound in bounds.items()),
        measures=measures,
        first_difference=str(difference) if difference else None,
    )


def compare(
    found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample], family: Family
) -> dict[str, float]:
    """Named measures of how far ``found`` is from ``expected``; see docs/export.md for what each is."""
    kinds = {sample.kind for sample in samples}
    usual = [i for i, s in enumerate(samples) if s.kind != "adversarial" and (s.kind != "made up" or len(kinds) < 3)]
    errors = [_errors(ours, theirs) for ours, theirs in zip(found, expected, strict=True)]
    finite = all(np.isfinite(values).all() for arrays in found for values in arrays.values())
    measures = {"finite": float(finite)}
    if any(each.size for each in errors):
        unusual = [i for i in range(len(samples)) if samples[i].kind == "adversarial"]
        measures["relative_max"] = _worst(errors[i].max() for i in usual)
        measures["relative_q999"] = _worst(np.quantile(errors[i], 0.999) for i in usual)
        measures["adversarial_relative_max"] = _worst(errors[i].max() for i in unusual)
    return measures | family.measure(
        [found[i] for i in usual], [expected[i] for i in usual], [samples[i] for i in usual]
    )


def _bounds(precision: str, measures: dict[str, float]) -> dict[str, float]:
    if precision == "int8":
        return {}
    if precision != "fp32":
        return {"same_label": HALF_SAME_LABEL}
    relative = {"relative_max": FP32_RELATIVE, "adversarial_relative_max": FP32_RELATIVE}
    return relative if "relative_max" in measures else {"same_label": FP32_SAME_LABEL}


def _kept(value: float, bound: float) -> bool:
    return value >= bound if bound > 0.5 else value <= bound


def _errors(ours: Arrays, theirs: Arrays) -> np.ndarray:
    """Of all floating-point outputs: |difference| / largest |expected|."""
    parts = [
        np.abs(np.float64(ours[name]) - values).ravel() / max(float(np.abs(values).max()), 1e-12)
        for name, values in theirs.items()
        if np.issubdtype(values.dtype, np.floating)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _worst(values: Iterable[float]) -> float:
    worst = max((float(value) for value in values), default=0.0)
    return worst if np.isfinite(worst) else _NOT_FINITE
