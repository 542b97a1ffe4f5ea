"""Time: when a recorded measurement is due, on the host's monotonic clock."""

from __future__ import annotations

import time

import msgspec


def now_ns() -> int:
    """The host's monotonic clock. The same for every process of one machine."""
    return time.monotonic_ns()


class PlaybackClock(msgspec.Struct, frozen=True):
    """Maps sensor time to host time: ``stamp_origin_ns`` is due at ``host_origin_ns``, and time passes ``rate`` times
    as fast as it was recorded. ``rate`` None is ``--rate max``: everything is due at once."""

    rate: float | None
    stamp_origin_ns: int
    host_origin_ns: int

    def due_ns(self, stamp_ns: int) -> int | None:
        """Host time at which a measurement is to be released, or None where nothing is to be waited for."""
        if self.rate is None:
            return None
        return self.host_origin_ns + round((stamp_ns - self.stamp_origin_ns) / self.rate)
