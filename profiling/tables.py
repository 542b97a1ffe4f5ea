"""The figures of :mod:`profiling.segmentation` as Markdown and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiling.squeezesegv3_versions import NAIVE, OURS_BF16

if TYPE_CHECKING:
    from profiling.memory import Memory
    from profiling.segmentation import Comparison


_SMALLEST_SHARE = 0.01  # of a pass: kinds of layer below it share a row


def heading(machine: str, scans: int) -> str:
    return f"Machine: {machine}. {scans} scans in turn.\n"


def comparison(case: str, found: Comparison) -> str:
    """Three tables: the versions, the fraction of the machine's rate, where the time goes."""
    rounds = len(found.times[NAIVE].ms)
    best = max(found.product_flops_per_s.values(), default=0.0)
    parts = [
        f"### {case}\n",
        f"Weights: {found.weights}. {found.flops / 1e9:.1f} GFLOP a scan. Median of {rounds} rounds.\n",
        markdown(
            ("version", "ms", "fastest–slowest", "× naive PyTorch", "TFLOP/s", "same label"),
            [_version_row(found, name) for name in found.times],
        ),
    ]
    if best:
        reached = 1e3 * found.flops / found.times[OURS_BF16].median_ms
        product = max(found.product_flops_per_s, key=found.product_flops_per_s.__getitem__)
        parts.append(
            f"{OURS_BF16}: {reached / 1e12:.2f} TFLOP/s, **{reached / best:.2f}** of the machine's own "
            f"{best / 1e12:.2f} TFLOP/s ({product}, the fastest of those in the same rounds).\n"
        )
        parts.append(_layers(found, best))
    return "\n".join(parts)


def memory(case: str, found: Mapping[str, Memory]) -> str:
    """Resident memory of each runtime, in MiB."""
    marks = sorted(next(iter(found.values())).after_mib)
    rows = [
        (
            name,
            f"{m.before_mib:.0f}",
            *(f"{m.after_mib[n]:.0f}" for n in marks),
            f"{m.peak_mib:.0f}",
            f"{m.growth_mib:+.1f}",
        )
        for name, m in found.items()
    ]
    titles = ("MiB", "before opening", *(f"scan {n}" for n in marks), "peak", f"growth, scan {marks[0]} to {marks[-1]}")
    return f"### {case}\n\n{markdown(titles, rows)}"


def as_json(value: Any) -> Any:
    """Named tuples as objects, numbers and text as they are."""
    if hasattr(value, "_asdict"):
        return as_json(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def _version_row(found: Comparison, name: str) -> tuple[str, ...]:
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


def _layers(found: Comparison, best_flops_per_s: float) -> str:
    total_ms = sum(kind.ms for kind in found.layer_kinds)
    large = [kind for kind in found.layer_kinds if kind.ms >= _SMALLEST_SHARE * total_ms]
    small = [kind for kind in found.layer_kinds if kind.ms < _SMALLEST_SHARE * total_ms]
    rows = []
    for kind in large:
        rate = 1e3 * kind.flops / kind.ms
        reached = (f"{rate / 1e12:.2f}", f"{rate / best_flops_per_s:.2f}") if kind.flops else ("", "")
        rows.append((kind.kind, str(kind.layers), f"{kind.ms:.1f}", f"{100 * kind.ms / total_ms:.1f} %", *reached))
    if small:
        number, ms = sum(kind.layers for kind in small), sum(kind.ms for kind in small)
        rows.append((f"{len(small)} more kinds", str(number), f"{ms:.1f}", f"{100 * ms / total_ms:.1f} %", "", ""))
    return markdown(("layers of ours, OpenVINO bf16", "number", "ms", "share", "TFLOP/s", "of the rate"), rows)


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
