"""What a user can put right. Every package may import this module; it imports nothing of ours."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Wrong input or configuration: shown as one line, without a traceback, and the exit code is 2.

    The text says what is wrong, where, and what to do: ``"velodyne/000007.bin: 1003 bytes is not a whole number of
    16-byte points (x y z remission, float32); the file is damaged or is not a KITTI scan"``.
    """


class DataAbsentError(UserError):
    """A recording has no such sensor, or a model is not there. A graph node marked ``optional`` is then left out with a
    notice."""


def hint(given: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or else all of them."""
    choices = list(known)
    near = difflib.get_close_matches(given, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"


def require_known(what: str, given: str, known: Iterable[str]) -> None:
    """Raise :class:`UserError` where ``given`` is none of ``known``. ``what``: whose name it is, such as an option."""
    choices = list(known)
    if given not in choices:
        raise UserError(f"{what} {given!r} is not known; {hint(given, choices)}")
