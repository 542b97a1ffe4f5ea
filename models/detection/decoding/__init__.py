"""What the outputs of a detector mean, by name: raw tensors → boxes in the input, scores, classes. A file each."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from errors import UserError, require_known
from models.detection.decoding.boxes_scores import BoxesScores
from models.detection.decoding.boxes_scores_labels import BoxesScoresLabels
from models.detection.decoding.candidates import Decoding, Wanted
from models.detection.decoding.detr import Detr
from models.detection.decoding.fcos import Fcos
from models.detection.decoding.nanodet import NanoDet
from models.detection.decoding.retinanet import RetinaNet
from models.detection.decoding.ssd import Ssd
from models.detection.decoding.yolox import YoloX

Shape = tuple[int | str | None, ...]

DECODINGS: dict[str, Callable[..., Decoding]] = {
    "retinanet": RetinaNet,
    "ssd": Ssd,
    "fcos": Fcos,
    "yolox": YoloX,
    "nanodet": NanoDet,
    "detr": Detr,
    "boxes-scores": BoxesScores,
    "boxes-scores-labels": BoxesScoresLabels,
}
"""Each takes the input's height and width in pixels and the number of classes, and numbers of its own by keyword."""

RANKED = ("detr", "boxes-scores-labels")
"""Of objects that the graph has chosen: they need no suppression, and have no fixed place."""


def make_decoding(name: str, height: int, width: int, classes: int, numbers: Mapping[str, Any]) -> Decoding:
    """The decoding of that name, for an input of this size.

    Raises:
        UserError: an unknown name, an unknown number, or one that makes no sense.
    """
    require_known("decoding", name, DECODINGS)
    make = DECODINGS[name]
    known = [p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for number in numbers:
        if not known:
            raise UserError(f"decoding {name} has no numbers; leave out {number!r}")
        require_known(f"decoding {name}: number", number, known)
    try:
        return make(height, width, classes, **numbers)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"decoding {name}: its numbers cannot be used ({error}); correct them") from error


def match_outputs(
    name: str, decoding: Decoding, given: Mapping[str, Shape], chosen: Mapping[str, str]
) -> dict[str, str]:
    """What the graph calls each output of a decoding.

    Outputs are told by ``chosen`` (the decoding's name → the graph's), else by a name that is the same, else by their
    shape where only one way fits. The graph may have others besides.

    Args:
        name: of the decoding.
        given: the graph's outputs, name → shape; sizes that are not numbers fit any.

    Raises:
        UserError: they do not fit, or fit in several ways.
    """
    for role, output in chosen.items():
        require_known(f"decoding {name}: output", role, decoding.outputs)
        require_known(f"decoding {name}: the graph's output", output, given)
    fixed = {role: role for role in decoding.outputs if role in given} | dict(chosen)
    open_roles = [role for role in decoding.outputs if role not in fixed]
    left = [output for output in given if output not in fixed.values()]
    ways = [
        fixed | dict(zip(open_roles, order, strict=True)) for order in itertools.permutations(left, len(open_roles))
    ]
    fitting = [way for way in ways if fit_shapes({r: given[way[r]] for r in way}, decoding.outputs)]
    if len(fitting) == 1:
        return {role: fitting[0][role] for role in decoding.outputs}
    wanted, found = in_words(decoding.outputs), in_words(given)
    if fitting:
        raise UserError(f"decoding {name} wants {wanted}; {found} could be these in several ways: say which is which")
    raise UserError(f"decoding {name} wants {wanted}, but the graph gives {found}")


def fit_shapes(given: Mapping[str, Shape], wanted: Mapping[str, Wanted]) -> bool:
    """Whether outputs have the shapes that a decoding wants, with or without a batch of 1 before them."""
    sizes: dict[str, int] = {}
    for name, shape in wanted.items():
        found = given[name]
        if len(found) == len(shape) + 1 and (found[0] == 1 or not isinstance(found[0], int)):
            found = found[1:]
        if len(found) != len(shape):
            return False
        for size, want in zip(found, shape, strict=True):
            if isinstance(size, int) and size != (sizes.setdefault(want, size) if isinstance(want, str) else want):
                return False
    return True


def in_words(shapes: Mapping[str, Shape]) -> str:
    """``boxes [1, A, 4], scores [1, ?]``."""
    return ", ".join(
        f"{name} [{', '.join('?' if size is None else str(size) for size in shape)}]" for name, shape in shapes.items()
    )
