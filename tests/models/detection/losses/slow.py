"""The losses of the papers once more, entry by entry, in plain Python."""

from __future__ import annotations

import math

from tests.models.detection.matching.slow import iou


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_sigmoid(x):
    return math.log(sigmoid(x))


def focal(logit, true, alpha=0.25, gamma=2.0):
    p = sigmoid(logit) if true else 1 - sigmoid(logit)
    return -(alpha if true else 1 - alpha) * (1 - p) ** gamma * math.log(p)


def balanced_l1(found, truth, alpha=0.5, gamma=1.5):
    """Libra R-CNN: its gradient is α ln(b|x| + 1) up to 1 and γ from there; this adds that up in small steps."""
    b = math.exp(gamma / alpha) - 1
    error, steps = abs(found - truth), 4000
    width = error / steps
    points = [(i + 0.5) * width for i in range(steps)]
    return sum(width * (alpha * math.log(b * x + 1) if x < 1 else gamma) for x in points)


def encode(anchor, box):
    """SSD's: centre and size, relative to the anchor, by the variances 0.1 and 0.2."""
    width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
    dx = (box[0] + box[2] - anchor[0] - anchor[2]) / 2 / width
    dy = (box[1] + box[3] - anchor[1] - anchor[3]) / 2 / height
    dw, dh = math.log((box[2] - box[0]) / width), math.log((box[3] - box[1]) / height)
    return dx / 0.1, dy / 0.1, dw / 0.2, dh / 0.2


def giou(a, b):
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    sizes = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    union = sizes / (1 + iou(a, b))  # IoU = (sizes − union) / union
    return iou(a, b) - (hull - union) / hull


def smooth_l1(found, truth):
    error = abs(found - truth)
    return 0.5 * error**2 if error < 1 else error - 0.5


def mean_max_positive(likelihoods):
    """Eq. 10."""
    return sum(p / (1 - p) for p in likelihoods) / sum(1 / (1 - p) for p in likelihoods)


def mean_max_negative(likelihoods):
    """Eq. 25, which is Eq. 11 as it is derived."""
    return sum(p / (1 - p) for p in likelihoods) / sum(p / (1 - p) ** 2 for p in likelihoods)


def matching_loss(images, bags_of, localisation_loss, beta, bag_size, gamma=2.0):
    """Eqs. 4, 5, 13 and 14, class by class, over a batch.

    images: of each (logits [A][C], boxes [A], truths [K], labels [K]); bags_of(image index) -> [K] lists of priors;
    localisation_loss(image index, prior, true box).
    """
    positive = negative = background = 0.0
    objects = members = 0
    for i, (logits, boxes, truths, labels) in enumerate(images):
        bags = bags_of(i)
        in_bag = set()
        for bag, truth, label in zip(bags, truths, labels, strict=True):
            if not bag:
                continue
            objects += 1
            members += len(bag)
            right, wrong = [], []
            for a in bag:
                in_bag.add((a, label))
                score = sigmoid(logits[a][label])
                right.append(score * math.exp(-beta * localisation_loss(i, a, truth)))
                overlap = max(iou(boxes[a], t) for t, other in zip(truths, labels, strict=True) if other == label)
                wrong.append(score * (1 - overlap))
            positive -= math.log(mean_max_positive(right))
            negative -= math.log(mean_max_negative(wrong))
        for a, row in enumerate(logits):
            for c, logit in enumerate(row):
                if (a, c) not in in_bag:
                    background -= sigmoid(logit) ** gamma * math.log(1 - sigmoid(logit))
    return {
        "positive_bags": positive / max(objects, 1),
        "negative_bags": negative / max(objects, 1),
        "background": background / max(members, bag_size),
    }


def iou_bags(anchors, truths, size):
    """Sec. 3.2: the anchors of highest IoU."""
    return [sorted(range(len(anchors)), key=lambda a: iou(anchors[a], truth), reverse=True)[:size] for truth in truths]


def point_bags(points, strides, truths, size):
    """Sec. 3.3: of the points inside the box those of smallest normalised distance."""
    bags = []
    for x1, y1, x2, y2 in truths:
        distances = {}
        for a, ((x, y), stride) in enumerate(zip(points, strides, strict=True)):
            if x1 < x < x2 and y1 < y < y2:
                level = math.log2(stride)
                across = abs((x1 + x2) / 2 - x) / ((x2 - x1) * 2**level)
                down = abs((y1 + y2) / 2 - y) / ((y2 - y1) * 2**level)
                distances[a] = max(across, down), min(across, down)  # of equally distant ones the nearer in the other
        bags.append(sorted(distances, key=distances.__getitem__)[:size])
    return bags
