"""Which results belong to which annotated picture and category."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from errors import UserError, hint
from formats.detection.results import Result


class Joined(NamedTuple):
    """``results``: in COCO's form, with the numbers that the annotations have. ``other_classes``: how many results were
    left out by the name of their class, which the annotations have not. ``without_results``: how many pictures have
    none."""

    results: list[dict[str, Any]]
    other_classes: dict[str, int]
    without_results: int


def join(results: Sequence[Result], annotations: Mapping[str, Any], predictions: Path) -> Joined:
    """Bring results to the annotations' numbers: by names where a result has them, else its numbers are theirs.

    ``car`` and KITTI's ``Car`` are one class.

    Args:
        annotations: ``images`` and ``categories`` in COCO's form.
        predictions: the file of the results; begins each error.

    Raises:
        UserError: a result of an unknown picture or category number; no result has a known class.
    """
    image_ids = {image["id"] for image in annotations["images"]}
    by_file = _by_file(annotations["images"])
    ids_by_name = {str(category["name"]).casefold(): category["id"] for category in annotations["categories"]}
    joined: list[dict[str, Any]] = []
    others: Counter[str] = Counter()
    for index, result in enumerate(results):
        where = f"{predictions}: result {index}"
        image = _image(result, image_ids, by_file, where)
        category = result.category_id
        if result.category is not None:
            if result.category.casefold() not in ids_by_name:
                others[result.category] += 1
                continue
            category = ids_by_name[result.category.casefold()]
        elif category not in ids_by_name.values():
            raise UserError(
                f"{where}: category_id {category} is not annotated; the annotations have "
                f"{', '.join(f'{number} {name}' for name, number in ids_by_name.items())}"
            )
        joined.append({"image_id": image, "category_id": category, "bbox": [*result.bbox], "score": result.score})
    if not joined:
        given = next(iter(others))
        raise UserError(f"{predictions}: none of its classes is annotated; of {given!r}: {hint(given, ids_by_name)}")
    without = len(image_ids) - len({entry["image_id"] for entry in joined})
    return Joined(joined, dict(others), without)


def _by_file(images: Sequence[Mapping[str, Any]]) -> dict[str, set[int]]:
    """Which pictures each end of a path may mean: ``d.png``, ``c/d.png``, …"""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for image in images:
        parts = PurePosixPath(str(image.get("file_name", ""))).parts
        for start in range(len(parts)):
            found["/".join(parts[start:])].add(image["id"])
    return found


def _image(result: Result, ids: set[int], by_file: Mapping[str, set[int]], where: str) -> int:
    """The number of a result's picture: by its name, the folders above which may differ in how far they reach."""
    if result.file_name is None:
        if result.image_id not in ids:
            raise UserError(f"{where}: image_id {result.image_id} is not annotated; give files that belong together")
        return result.image_id
    parts = PurePosixPath(result.file_name).parts
    for start in range(len(parts)):
        fitting = by_file.get("/".join(parts[start:]), set())
        if len(fitting) == 1:
            return next(iter(fitting))
        if fitting:
            raise UserError(f"{where}: file_name {result.file_name!r} fits {len(fitting)} annotated pictures; name its "
                            "folders too")  # fmt: skip
    raise UserError(f"{where}: {result.file_name!r} is not annotated; give files that belong together")
