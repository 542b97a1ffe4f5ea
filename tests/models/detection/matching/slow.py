"""The matching of the papers once more, prior by prior, in plain Python."""

from __future__ import annotations

import math


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def static_assignment(anchors, objects):
    """Mutual Guidance, Sec. 3: above 0.5, ignored in (0.4, 0.5], and at least one per object."""
    table = [[iou(anchor, box) for anchor in anchors] for box in objects]
    owners = []
    for a in range(len(anchors)):
        best = max(range(len(objects)), key=lambda k: table[k][a], default=None)
        value = table[best][a] if best is not None else 0
        owners.append(best if value > 0.5 else -2 if value > 0.4 else -1)
    for k, row in enumerate(table):
        if not any(value > 0.5 for value in row):
            favourite = max(range(len(anchors)), key=row.__getitem__)
            owner = owners[favourite]
            if owner < 0 or table[owner][favourite] < row[favourite]:
                owners[favourite] = k
    return give_losers_one(owners, table)


def numbers(anchors, objects):
    """N_p and N_i of each object."""
    result = []
    for box in objects:
        values = [iou(anchor, box) for anchor in anchors]
        above, between = sum(v > 0.5 for v in values), sum(0.4 < v <= 0.5 for v in values)
        # Where the one positive had to be taken from the anchors in between, it is not one of the ignored.
        result.append((above, between) if above else (1, max(between - 1, 0)))
    return result


def ranked(table, counts):
    """N_p highest values of each row positive, the next N_i ignored; a prior goes to whom it suits best."""
    owners, values = [-1] * len(table[0]), [0.0] * len(table[0])
    rows = [sorted((a for a in range(len(row)) if row[a] > 0), key=row.__getitem__, reverse=True) for row in table]
    for (n_p, n_i), order in zip(counts, rows, strict=True):
        for a in order[n_p : n_p + n_i]:
            owners[a] = -2
    for k, ((n_p, _), order) in enumerate(zip(counts, rows, strict=True)):
        for a in order[:n_p]:
            if table[k][a] > values[a]:
                owners[a], values[a] = k, table[k][a]
    return give_losers_one(owners, table, [n_p for n_p, _ in counts])


def give_losers_one(owners, table, wanted=None):
    losers = [k for k in range(len(table)) if k not in owners and (wanted is None or wanted[k] > 0)]
    for k in losers:
        free = [a for a in range(len(owners)) if owners[a] < 0 and table[k][a] > 0]
        if free:
            owners[max(free, key=table[k].__getitem__)] = k
    return owners


def amplified(table, scores, labels, sigma):
    """Eq. 1."""
    return [
        [value ** ((sigma - scores[a][label]) / sigma) for a, value in enumerate(row)]
        for row, label in zip(table, labels, strict=True)
    ]


def point_table(points, strides, objects):
    """Centre-ness of the points that may stand for an object, and N_p, as FCOS assigns them."""
    table, counts, inside = [], [], []
    for x1, y1, x2, y2 in objects:
        row, near = [], []
        for (x, y), stride in zip(points, strides, strict=True):
            left, top, right, bottom = x - x1, y - y1, x2 - x, y2 - y
            far = max(left, top, right, bottom)
            low = 0 if stride == min(strides) else 4 * stride
            high = math.inf if stride == max(strides) else 8 * stride
            if min(left, top, right, bottom) <= 0 or not low <= far <= high:
                row.append(0.0)
                near.append(False)
                continue
            row.append(math.sqrt(min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)))
            near.append(max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < 1.5 * stride)
        table.append(row)
        inside.append(near)
        counts.append((sum(near), 0))
    return table, counts, inside


def fcos_assignment(points, strides, objects):
    """The smallest object that a point is near the centre of."""
    _, _, inside = point_table(points, strides, objects)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in objects]
    owners = []
    for a in range(len(points)):
        candidates = [k for k in range(len(objects)) if inside[k][a]]
        owners.append(min(candidates, key=areas.__getitem__) if candidates else -1)
    return owners
