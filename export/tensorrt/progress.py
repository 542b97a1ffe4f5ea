"""How far a build has come, and how it is stopped: TensorRT's progress monitor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OnProgress = Callable[[str, float], None]
"""Called from the building thread: the phase at work, and the share of the build that is done, 0..1."""


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Progress:
    """The phases that are open, as a tree: a phase's share is its steps, and the shares of the phases within."""

    def __init__(self) -> None:
        self._open: dict[str, _Phase] = {}
        self.share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        self._open[name] = _Phase(parent, max(steps, 1))

    def step(self, name: str, step: int) -> None:
        """``step`` (from 0) of a phase is done."""
        if name in self._open:
            self._open[name].done = step + 1
            roots = [root for root, phase in self._open.items() if phase.parent not in self._open]
            self.share = max(self.share, self._share(roots[0]))  # a later phase may start over: never back

    def finish(self, name: str) -> None:
        self._open.pop(name, None)
        if not self._open:
            self.share = 1.0

    def _share(self, name: str) -> float:
        phase = self._open[name]
        within = sum(self._share(child) for child, other in self._open.items() if other.parent == name)
        return min((phase.done + min(within, 1.0)) / phase.steps, 1.0)


def make_monitor(trt: Any, stop: threading.Event, on_progress: OnProgress | None, failures: list[Exception]) -> Any:
    """A progress monitor of the library that tells ``on_progress``, and ends the build once ``stop`` is set.

    The library calls it from C++, where an exception would end the process: what ``on_progress`` raises is put into
    ``failures``, and ends the build.
    """
    progress = Progress()

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase, num_steps)
            self._tell(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.step(phase_name, step)
            self._tell(phase_name)
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)
            self._tell(phase_name)

        def _tell(self, phase_name: str) -> None:
            if on_progress is not None and not stop.is_set():
                try:
                    on_progress(phase_name, progress.share)
                except Exception as error:
                    failures.append(error)
                    stop.set()

    return Monitor()
