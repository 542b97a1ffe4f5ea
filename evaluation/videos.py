"""Which predictions belong to which annotated video."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import TypeVar

from errors import UserError

_PREFIX = "v_"
_Predicted = TypeVar("_Predicted")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoNames:
    """How the names of predictions and annotations go together.

    Attributes:
        renamed: ``"added"`` or ``"removed"`` where ``v_`` before a name had to be, so that they go together at all.
        without_predictions: annotated videos that have none.
        not_annotated: videos with predictions that are not scored: not in the annotations, or in another subset, or
            without an annotated action.
    """

    renamed: str | None
    without_predictions: list[str]
    not_annotated: list[str]


def match_names(
    predictions: Mapping[str, _Predicted], scored: Set[str], known: Set[str]
) -> tuple[dict[str, _Predicted], VideoNames]:
    """The predictions by the annotations' names, and what does not go together.

    Files of BMN's kind call a video ``v_NAME`` that ActivityNet, and most result files, call ``NAME``. Where no name of
    the predictions is ``known``, that is tried.

    Args:
        scored: names of the videos with at least one annotated action, of the subset.
        known: names of all videos of the annotation file.

    Raises:
        UserError: predictions and annotations have no video in common.
    """
    ways = {
        None: dict(predictions),
        "added": {_PREFIX + name: value for name, value in predictions.items()},
        "removed": {name.removeprefix(_PREFIX): value for name, value in predictions.items()},
    }
    fitting = [way for way, by_name in ways.items() if known & by_name.keys()]
    if not fitting:
        raise UserError(
            f"--predictions and --annotations have no video in common (they begin with "
            f"{next(iter(predictions), None)!r} and {next(iter(known), None)!r}); give files that belong together"
        )
    renamed = fitting[0]
    by_name = ways[renamed]
    return by_name, VideoNames(
        renamed=renamed,
        without_predictions=[name for name in scored if name not in by_name],
        not_annotated=[name for name in by_name if name not in scored],
    )
