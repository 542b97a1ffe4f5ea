"""Whether a node's output comes at the rate that the graph expects. A pure object: it is told counts and times."""

from __future__ import annotations

from pipeline.graph.entries import ExpectedRate
from pipeline.live.status import RateStatus
from pipeline.live.window import OVERDUE_NS, WINDOW_S, CountWindow
from pipeline.report import RateReport

ALIVE_PERIODS = 3
WINDOW_PERIODS = 10

TOO_SHORT = "the run was over before a window of {window_s:g} s was full"
NO_PACE = "--rate max has no pace to keep"


class RateJudge:
    """Judges one node's output.

    The rate is ok where the messages of the last 5 s (and of the last ten periods where those take longer) are as many
    as expected, within the tolerance and one message more, because a window begins and ends between two messages. The
    first window begins with the first message. A node that has put out nothing for three periods is not alive.
    """

    def __init__(self, node: str, expected: ExpectedRate, rate: float | None) -> None:
        self.node = node
        self.hz = expected.hz * (1.0 if rate is None else rate)
        self.tolerance = expected.tolerance
        self._judges = rate is not None
        self._window_s = max(WINDOW_S, WINDOW_PERIODS / self.hz)
        self._window = CountWindow(self._window_s)
        self._count = 0
        self._risen_ns = 0
        self._looked_ns: int | None = None
        self._judged_ns = 0
        self._ok_ns = 0
        self._measured_hz: list[float] = []  # lowest and highest

    def start(self, now_ns: int) -> None:
        """Messages flow from now on."""
        self._looked_ns = self._risen_ns = now_ns

    def look(self, now_ns: int, counted_ns: int, count: int) -> RateStatus:
        """The judgement at ``now_ns``. ``count``: messages that the node had put out at ``counted_ns``."""
        if not self._judges or self._looked_ns is None:
            return self.unjudged()
        if count > self._count:
            self._risen_ns, self._count = counted_ns, count
        if count:
            self._window.add(counted_ns, {"out": count})
        alive = now_ns - self._risen_ns <= ALIVE_PERIODS / self.hz * 1e9 + OVERDUE_NS
        ok = self._at_rate(now_ns) if alive else False
        if ok is not None:
            self._judged_ns += now_ns - self._looked_ns
            self._ok_ns += ok * (now_ns - self._looked_ns)
        self._looked_ns = now_ns
        return RateStatus(hz=self.hz, tolerance=self.tolerance, alive=alive, ok=ok)

    def unjudged(self) -> RateStatus:
        """Where there is nothing to judge: the stream has ended, or has not begun."""
        return RateStatus(hz=self.hz, tolerance=self.tolerance, alive=None, ok=None)

    def report(self) -> RateReport:
        """The judgement over the whole run."""
        why = "" if self._judged_ns else TOO_SHORT.format(window_s=self._window_s) if self._judges else NO_PACE
        return RateReport(
            node=self.node,
            expected_hz=self.hz,
            tolerance=self.tolerance,
            ok_share=round(self._ok_ns / self._judged_ns, 4) if self._judged_ns else None,
            judged_s=round(self._judged_ns / 1e9, 3),
            lowest_hz=round(min(self._measured_hz), 3) if self._measured_hz else None,
            highest_hz=round(max(self._measured_hz), 3) if self._measured_hz else None,
            not_judged=why,
        )

    def _at_rate(self, now_ns: int) -> bool | None:
        span_s = self._window.span_s(now_ns)
        if span_s < self._window_s:
            return None
        count, expected = self._window.rise("out", now_ns), self.hz * span_s
        self._measured_hz = [min([*self._measured_hz, count / span_s]), max([*self._measured_hz, count / span_s])]
        return abs(count - expected) <= self.tolerance * expected + 1
