"""Average precision of boxes from COCO's definition, in plain Python loops, for tests."""

import numpy as np

Box = tuple[float, float, float, float]
"""x1 y1 x2 y2."""
Truth = tuple[int, int, Box, bool]
"""Picture, class, box, whether it is ignored."""
Found = tuple[int, int, Box, float]
"""Picture, class, box, score."""

LEVELS = np.linspace(0, 1, 101).tolist()
EDGES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


def average_precision(truths: list[Truth], found: list[Found], label: int, iou: float, size: str = "all") -> float:
    """Of one class at one IoU: the mean of the best precision at or beyond recall 0, 0.01, … 1. NaN without truth."""
    low, high = EDGES[size]
    objects = [
        (picture, box, ignored, ignored or not low <= area(box) <= high)
        for picture, c, box, ignored in truths
        if c == label
    ]
    to_find = sum(not out for *_, out in objects)
    if not to_find:
        return float("nan")
    taken: set[int] = set()
    hits = []
    for picture, box, _ in best_of_each_picture(found, label):
        match = best_match(objects, taken, picture, box, iou)
        if match is None:
            if low <= area(box) <= high:
                hits.append(False)
            continue
        _, _, crowd, out = objects[match]
        if not crowd:
            taken.add(match)
        if not out:
            hits.append(True)
    curve = [(sum(hits[: k + 1]) / to_find, sum(hits[: k + 1]) / (k + 1)) for k in range(len(hits))]
    return sum(max((p for r, p in curve if r >= level), default=0.0) for level in LEVELS) / len(LEVELS)


def best_of_each_picture(found: list[Found], label: int) -> list[tuple[int, Box, float]]:
    """The 100 best of each picture, best first."""
    ours = [(picture, box, score) for picture, c, box, score in found if c == label]
    kept = []
    for picture in sorted({picture for picture, *_ in ours}):
        kept += sorted((entry for entry in ours if entry[0] == picture), key=lambda entry: -entry[2])[:100]
    return sorted(kept, key=lambda entry: -entry[2])


def best_match(
    objects: list[tuple[int, Box, bool, bool]], taken: set[int], picture: int, box: Box, iou: float
) -> int | None:
    """The free object with the largest overlap, of those that are to be found first, then of the others."""
    for wanted in (False, True):
        best, overlap_of_best = None, iou
        for k, (where, other, crowd, out) in enumerate(objects):
            if where != picture or out is not wanted or k in taken:
                continue
            value = overlap(box, other, of_first_alone=crowd)
            if value >= overlap_of_best:
                best, overlap_of_best = k, value
        if best is not None:
            return best
    return None


def area(box: Box) -> float:
    """In pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(a: Box, b: Box, *, of_first_alone: bool) -> float:
    """Intersection over union, or over the first box: for regions in which nothing counts."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    whole = area(a) if of_first_alone else area(a) + area(b) - width * height
    return width * height / whole if whole else 0.0
