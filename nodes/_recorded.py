"""Play the records of a recording in order: what the LiDAR and the camera source have in common. Not a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from errors import UserError
from formats import DamagedFileError
from pipeline.messages import Message
from pipeline.node import Skipped

M = TypeVar("M", bound=Message)


class Record(NamedTuple):
    """One frame that has not been read yet."""

    name: str
    stamp_ns: int | None
    read: Callable[[], Message]


def play(records: Iterable[Record], after_seq: int, where: str) -> Iterator[Message | Skipped]:
    """Read record after record; :class:`Skipped` in place of those that are damaged or whose stamp is not later.

    Records up to number ``after_seq`` were played before and are passed by unread.

    Raises:
        UserError: not one record of the whole recording could be used.
    """
    latest_ns: int | None = None
    first_problem, any_usable = "there is none", after_seq >= 0
    for seq, record in enumerate(records):
        problem = _stamp_problem(record.stamp_ns, latest_ns)
        message = None
        if seq > after_seq:
            try:
                message = record.read()
            except (DamagedFileError, OSError) as error:
                problem = str(error)
        if problem is None:
            latest_ns, any_usable = record.stamp_ns, True
            if message is not None:
                yield message
        elif seq > after_seq:
            first_problem = first_problem if seq else f"the first is {record.name}: {problem}"
            yield Skipped(name=record.name, reason=problem)
    if not any_usable:
        raise UserError(f"{where}: not one frame can be used; {first_problem}")


def _stamp_problem(stamp_ns: int | None, latest_ns: int | None) -> str | None:
    if stamp_ns is None:
        return "it has no time stamp"
    if latest_ns is not None and stamp_ns <= latest_ns:
        return f"its time stamp is not later than that of a frame before it (by {(latest_ns - stamp_ns) / 1e9:.6f} s)"
    return None
