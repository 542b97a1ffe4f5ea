"""What a supervisor tells the outside while it runs."""

from __future__ import annotations

from pipeline.live.status import RunStatus


class Observer:
    """The base class listens and says nothing. What it is told must not take it long: the run waits for it."""

    def on_stage(self, text: str) -> None:
        """A new stage of the run: starting, running, draining."""

    def on_said(self, node: str, level: str, text: str) -> None:
        """A node speaks to the user."""

    def on_event(self, text: str) -> None:
        """Something happened to a process."""

    def on_status(self, status: RunStatus) -> None:
        """Twice a second: what the run looks like."""


class Observers(Observer):
    """Several who listen to one run."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_stage(self, text: str) -> None:
        for observer in self._observers:
            observer.on_stage(text)

    def on_said(self, node: str, level: str, text: str) -> None:
        for observer in self._observers:
            observer.on_said(node, level, text)

    def on_event(self, text: str) -> None:
        for observer in self._observers:
            observer.on_event(text)

    def on_status(self, status: RunStatus) -> None:
        for observer in self._observers:
            observer.on_status(status)
