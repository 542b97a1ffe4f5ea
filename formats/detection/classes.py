"""Tables that bring the classes of several data sets to common ones: YAML, a class and the names it takes in.

``configs/labels/road-users.yaml`` is one. Under ``ignored:`` are names that are neither asked for nor held against a
detector. Objects of a name that no line has are left out: they are background.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from errors import UserError
from formats.detection.dataset import DetectionSet, Picture

_FOLDER = Path(__file__).resolve().parents[2] / "configs" / "labels"
_IGNORED = "ignored"


def load_classes(name: str) -> dict[str, list[str]]:
    """A table by the name of a file in configs/labels (``road-users``), or by a path.

    Raises:
        UserError: no such file, not a table of lists of names, or a name in two lines.
    """
    shipped = _FOLDER / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{name}: no such table of classes; give a file, or road-users") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as a table of classes: {' '.join(str(error).split())}") from error
    if not isinstance(table, dict) or not all(isinstance(names, list) for names in table.values()):
        raise UserError(f"{path}: not a table of classes; give lines such as car: [car, van]")
    taken = [name for names in table.values() for name in names]
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        raise UserError(f"{path}: {twice[0]} is in two lines; it can be of one class only")
    return table


def with_classes(data: DetectionSet, table: Mapping[str, list[str]]) -> DetectionSet:
    """The set with the classes of ``table`` instead of its own, and a note of what became background.

    Raises:
        UserError: it has none of the names.
    """
    classes = tuple(name for name in table if name != _IGNORED)
    class_of = {name: label for label, each in enumerate(classes) for name in table[each]}
    ignored = {name for name in data.class_names if name in table.get(_IGNORED, ())}
    known = class_of.keys() | ignored
    if not set(data.class_names) & class_of.keys():
        raise UserError(f"no class of the data ({', '.join(data.class_names[:8])} …) is in the table of classes")
    label_of = np.array([class_of.get(name, -1) for name in data.class_names])
    is_ignored = np.array([name in ignored for name in data.class_names])
    pictures = tuple(_with_labels(picture, label_of, is_ignored, len(classes)) for picture in data.pictures)
    background = [name for name in data.class_names if name not in known]
    notes = (f"in no class of the table, so background: {', '.join(background)}",) if background else ()
    return DetectionSet(pictures, classes, tuple(range(1, len(classes) + 1)), (*data.notes, *notes))


def _with_labels(picture: Picture, label_of: np.ndarray, is_ignored: np.ndarray, classes: int) -> Picture:
    """Kept are objects of a class; those of an ignored name become an ignored one of each class."""
    kept = np.flatnonzero(label_of[picture.labels] >= 0)
    regions = np.flatnonzero(is_ignored[picture.labels])
    places = np.concatenate([kept, np.repeat(regions, classes)])
    labels = np.concatenate([label_of[picture.labels[kept]], np.tile(np.arange(classes), len(regions))])
    ignored = np.concatenate([picture.ignored[kept], np.ones(len(regions) * classes, bool)])
    return picture._replace(
        boxes=picture.boxes[places], labels=labels.astype(np.int64), ignored=ignored, areas=picture.areas[places]
    )
