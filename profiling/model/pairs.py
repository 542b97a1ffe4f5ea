"""Which backends and precisions are profiled: those asked for, or all that work here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from errors import UserError, require_known
from inference.auto import BACKENDS, PRECISIONS, open_session


class Pair(NamedTuple):
    """One way to run the model. ``provider``: the device or execution provider it then runs on."""

    backend: str
    precision: str
    provider: str

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"


class Choice(NamedTuple):
    """What is profiled, and what is not: why, by its name."""

    pairs: list[Pair]
    left_out: dict[str, str]


def choose(folder: Path, backends: Sequence[str], precisions: Sequence[str], threads: int) -> Choice:
    """Each backend in each precision. ``auto`` stands for all there are, and leaves out what does not work here.

    Each is opened once to see whether it works. A precision that a backend does not have at all makes no pair.

    Raises:
        UserError: a name that is none; what was asked for by both names and does not work here; a name that is in no
            pair.
    """
    for backend in backends:
        require_known("--backend", backend, ("auto", *BACKENDS))
    for precision in precisions:
        require_known("--precision", precision, ("auto", *sorted({p for each in PRECISIONS.values() for p in each})))
    pairs, left_out = [], {}
    for backend in BACKENDS if "auto" in backends else backends:
        has = PRECISIONS[backend]
        for precision in has if "auto" in precisions else precisions:
            try:
                if precision not in has:
                    left_out[f"{backend} {precision}"] = f"there is none, it has {', '.join(has)}"
                else:
                    pairs.append(_try(folder, backend, precision, threads))
            except UserError as error:
                if "auto" not in (*backends, *precisions):
                    raise
                left_out[f"{backend} {precision}"] = str(error)
    unused = {*backends, *precisions} - {"auto"} - {name for pair in pairs for name in pair}
    if unused or not pairs:
        why = [f"{pair}: {reason}" for pair, reason in left_out.items() if not unused or unused & {*pair.split()}]
        raise UserError(f"{', '.join(sorted(unused)) or folder}: nothing to profile ({'; '.join(why)})")
    return Choice(pairs, left_out)


def _try(folder: Path, backend: str, precision: str, threads: int) -> Pair:
    with open_session(
        folder, backend=backend, precision=precision, threads=threads, allow_failed_parity=True
    ) as session:
        return Pair(backend, precision, session.provider)
