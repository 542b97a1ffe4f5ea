"""How many threads a session may use, so that the sessions of one machine do not fight over its cores."""

from __future__ import annotations

import math
import os
from pathlib import Path

from errors import UserError

SHARE_VARIABLE = "RANGECAST_CPU_SHARE"


def available_cores() -> int:
    """The cores this process may run on: its affinity mask, or its container's CPU quota where that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores  # no control groups, version 2, here: nothing but the mask limits us
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))


def session_threads(threads: int | None = None) -> int:
    """The threads of one session: ``threads`` where given, else the available cores divided by the share.

    The share, from the environment variable ``RANGECAST_CPU_SHARE``, is how many sessions are to run side by side (1).

    Raises:
        UserError: ``threads`` or the share is not a whole number of at least 1.
    """
    if threads is not None:
        if threads < 1:
            raise UserError(f"threads is {threads}; give 1 or more, or leave it out to use the available cores")
        return threads
    text = os.environ.get(SHARE_VARIABLE, "1")
    if not text.isdecimal() or int(text) < 1:
        raise UserError(
            f"{SHARE_VARIABLE}={text!r}: give the number of sessions that share this machine's cores, 1 or more"
        )
    return max(1, available_cores() // int(text))
