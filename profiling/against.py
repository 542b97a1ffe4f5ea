"""Two profiles of the same thing: what got slower, what got faster, what is noise."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from errors import UserError
from profiling.result import MACHINE, Profile, Series
from profiling.statistics import Change, change

CONFIDENCE = 0.95
"""That the intervals of all series together hold the true changes: each is made wider for it (Bonferroni)."""
SMALLEST_CHANGE = 0.02
"""The whole interval must be further than this from no change: a machine drifts by as much between two profiles."""
SMALLEST_DIFFERENCE = {"ms": 0.05, "MB": 1.0, "%": 1.0}
"""Less than this is noise, too, by unit: 40 % of ten microseconds are nobody's concern."""

Verdict = Literal["regression", "improvement", "noise", "not compared"]


class Finding(NamedTuple):
    """What became of one series. ``change`` is None where a profile has a single repetition: its noise is unknown."""

    name: str
    unit: str
    before: float
    after: float
    change: Change | None
    verdict: Verdict


class Comparison(NamedTuple):
    """What became of all series, and what else differs. ``machine``: the series that time the machine itself;
    ``explained``: what it alone may have changed, as the least and the largest ratio, (1, 1) where it did not."""

    findings: list[Finding]
    machine: list[Finding]
    explained: tuple[float, float]
    versions: list[str]
    only_one: list[str]

    @property
    def regressions(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == "regression"]


def require_comparable(before: Profile, after: Profile, path: Path) -> None:
    """Raise :class:`UserError`, which says what differs, where ``before`` (from ``path``) is no baseline of ``after``.

    ``after`` need not have any series yet: asked before minutes are spent on measuring.
    """
    if before.kind != after.kind:
        raise UserError(f"--against {path}: is a profile of a {before.kind}, this is one of a {after.kind}")
    for what in ("machine", "configuration"):
        different = _differences(getattr(before, what), getattr(after, what))
        if different:
            raise UserError(f"--against {path}: another {what}: {'; '.join(different)}; profile the baseline again")


def compare(before: Profile, after: Profile, path: Path) -> Comparison:
    """Judge every series that both have.

    Raises:
        UserError: ``before``, which was read from ``path``, is of another machine or configuration.
    """
    require_comparable(before, after, path)
    earlier, later = ({series.name: series for series in profile.series} for profile in (before, after))
    both = [name for name in later if name in earlier]
    judged = [name for name in both if not name.startswith(MACHINE)]
    confidence = 1 - (1 - CONFIDENCE) / max(len(judged), 1)
    machine = [_judge(earlier[name], later[name], CONFIDENCE, (1.0, 1.0)) for name in both if name.startswith(MACHINE)]
    explained = _explained(machine)
    return Comparison(
        findings=[_judge(earlier[name], later[name], confidence, explained) for name in judged],
        machine=machine,
        explained=explained,
        versions=_differences(before.versions, after.versions),
        only_one=sorted(earlier.keys() ^ later.keys()),
    )


def _explained(machine: Sequence[Finding]) -> tuple[float, float]:
    """Between the ends of the intervals of those products of the machine that certainly changed, and no change."""
    changed = [finding.change for finding in machine if finding.change is not None and finding.verdict != "noise"]
    return min([1.0, *(found.low for found in changed)]), max([1.0, *(found.high for found in changed)])


def _judge(before: Series, after: Series, confidence: float, explained: tuple[float, float]) -> Finding:
    medians = [statistics.median(series.samples) for series in (before, after)]
    found = None
    if min(len(before.runs), len(after.runs)) > 1:
        found = change(before.runs, after.runs, confidence)
    return Finding(after.name, after.unit, *medians, found, _verdict(after, *medians, found, explained))


def _verdict(
    series: Series, before: float, after: float, found: Change | None, explained: tuple[float, float]
) -> Verdict:
    if found is None:
        return "not compared"
    least, most = explained if series.better == "lower" else (1 / explained[1], 1 / explained[0])  # a rate falls
    is_certain = found.low > most * (1 + SMALLEST_CHANGE) or found.high < least * (1 - SMALLEST_CHANGE)
    if not (is_certain and abs(after - before) > SMALLEST_DIFFERENCE.get(series.unit, 0.0)):
        return "noise"
    return "regression" if (after > before) == (series.better == "lower") else "improvement"


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [
        f"{key} was {before.get(key, 'not told')}, is {after.get(key, 'not told')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def show(comparison: Comparison) -> None:
    """Print it: a row for each series, then what got worse, by name."""
    from rich.table import Table

    from cli.show import console

    table = Table(title="Against the baseline", title_justify="left", box=None, pad_edge=False)
    for title in ("series", "before", "after", "unit", "change", "interval", ""):
        table.add_column(title, justify="left" if title in ("series", "unit", "") else "right", no_wrap=True)
    for finding in [*comparison.findings, *comparison.machine]:
        table.add_row(*_row(finding), style={"regression": "red", "improvement": "green"}.get(finding.verdict))
    console.print(table)
    if comparison.findings:
        console.print(
            f"Change of the median. All intervals together hold the true changes with {CONFIDENCE:.0%} confidence; "
            f"those that are not wholly beyond {SMALLEST_CHANGE:.0%} are noise.",
            soft_wrap=True,
        )
    if comparison.explained != (1.0, 1.0):
        least, most = comparison.explained
        console.print(
            f"The machine itself changed, by {_percent(least)} to {_percent(most)}: only what is beyond that is "
            "judged. Profile the baseline again, when the machine is as it is now.",
            soft_wrap=True,
        )
    for text in comparison.versions:
        console.print(f"another version: {text}", soft_wrap=True)
    if comparison.only_one:
        console.print(f"in one of the profiles only: {', '.join(comparison.only_one)}", soft_wrap=True)
    console.print(in_words(comparison), soft_wrap=True)


def in_words(comparison: Comparison) -> str:
    """One line: what got worse, and by how much; or that nothing did."""
    parts = []
    for verdict in ("regression", "improvement"):
        named = [
            f"{finding.name} {_percent(finding.change.ratio)}"
            for finding in comparison.findings
            if finding.verdict == verdict and finding.change is not None
        ]
        if named:
            parts.append(f"{verdict}: {', '.join(named)}")
    untold = [finding.name for finding in comparison.findings if finding.verdict == "not compared"]
    if untold:
        parts.append(f"not compared, as a profile has one repetition of it: {', '.join(untold)}")
    return "; ".join(parts) or "noise: no series changed by more than it varies"


def _row(finding: Finding) -> tuple[str, ...]:
    found = finding.change
    how_much = (_percent(found.ratio), f"{_percent(found.low)} … {_percent(found.high)}") if found else ("", "")
    verdict = "" if finding.name.startswith(MACHINE) else finding.verdict
    return finding.name, f"{finding.before:.4g}", f"{finding.after:.4g}", finding.unit, *how_much, verdict


def _percent(ratio: float) -> str:
    return f"{ratio - 1:+.1%}" if ratio < 100 else f"× {ratio:.3g}"
