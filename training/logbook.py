"""What a training says while it runs: progress in the terminal, ``log.jsonl``, TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from training.state import EVENTS, LOG
from training.task import Score

_SAY_EVERY_S = 60.0


class Logbook:
    """Open it with :func:`logbook`. ``step`` is the number of steps done."""

    def __init__(self, out: Path, progress: Progress, total: int, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        _cut(out / LOG, step)
        self._file = (out / LOG).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(out / EVENTS), purge_step=step + 1)
        self._progress = progress
        self._task = progress.add_task("training", total=total, completed=step, rate="")
        self._total, self._said_s, self._smooth = total, time.monotonic(), None

    def steps(self, step: int, losses: dict[str, float], learning_rate: float, step_s: float) -> None:
        """The mean losses of some steps that ended with ``step``, and what one of them took."""
        loss = sum(losses.values())
        values = {"loss": loss, **{f"loss/{name}": value for name, value in losses.items()}}
        self._write(step, {**values, "learning_rate": learning_rate, "step_s": step_s})
        self._smooth = loss if self._smooth is None else 0.9 * self._smooth + 0.1 * loss
        text = f"loss {self._smooth:.3f}  lr {learning_rate:.2g}  {1 / step_s:.3g} steps/s"
        self._progress.update(self._task, completed=step, rate=text)
        if not self._progress.console.is_terminal and time.monotonic() - self._said_s > _SAY_EVERY_S:
            self._said_s = time.monotonic()
            left_min = (self._total - step) * step_s / 60
            self.say(f"step {step} of {self._total}: {text}, {left_min:.0f} min left")

    def validation(self, step: int, score: Score, best: bool) -> None:
        """The score after ``step``, and whether it is the best so far."""
        self._write(step, {f"validation/{name}": value for name, value in score.details.items()})
        self.say(f"step {step}: validation {score.value:.4f}{', the best so far' if best else ''}")

    @contextmanager
    def validating(self, samples: int) -> Iterator[Callable[[], None]]:
        """Shows how far a validation is; yields what to call after each sample."""
        task = self._progress.add_task("validation", total=samples, rate="")
        try:
            yield lambda: self._progress.advance(task)
        finally:
            self._progress.remove_task(task)

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._file.close()
        self._board.close()

    def _write(self, step: int, values: dict[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)


class SilentLogbook:
    """That of the processes that are not the first."""

    def steps(self, *_: Any) -> None:
        pass

    def validation(self, *_: Any) -> None:
        pass

    @contextmanager
    def validating(self, samples: int) -> Iterator[Callable[[], None]]:
        yield lambda: None

    def say(self, text: str) -> None:
        pass


@contextmanager
def logbook(out: Path, *, total: int, step: int, shown: bool) -> Iterator[Logbook | SilentLogbook]:
    """The logbook of a training that has done ``step`` of ``total`` steps; a silent one unless ``shown``."""
    if not shown:
        yield SilentLogbook()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console()) as progress:
        book = Logbook(out, progress, total, step)
        try:
            yield book
        finally:
            book.close()


def _cut(log: Path, step: int) -> None:
    """Leave out of the log what was done after the state was saved: it is done again, and would be there twice."""
    if not log.is_file():
        return
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(line for line in lines if _is_before(line, step)), encoding="utf-8")


def _is_before(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] <= step
    except ValueError:  # the line that a kill cut off
        return False
