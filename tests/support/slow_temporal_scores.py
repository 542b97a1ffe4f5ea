"""ActivityNet's scores of temporal segments as their definition reads, in Python loops: slow, and nothing shared."""

from collections.abc import Sequence

Segment = Sequence[float]
Action = tuple[str, Segment, str]
"""Video, segment, class."""
Detection = tuple[str, Segment, str, float]
"""Video, segment, class, score."""


def tiou(a: Segment, b: Segment) -> float:
    intersection = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    union = (a[1] - a[0]) + (b[1] - b[0]) - intersection
    return intersection / union if union > 0 else 0.0


def average_recall(
    actions: Sequence[tuple[str, Segment]],
    proposals: Sequence[tuple[str, Segment, float]],
    thresholds: Sequence[float],
    most: int,
) -> tuple[list[list[float]], float]:
    """Recall per threshold at each of 100 points, in shares; and the AUC."""
    videos = list(dict.fromkeys(video for video, _ in actions))
    ratio = most * float(len(videos)) / len(proposals)
    kept = {}
    for video in videos:
        own = sorted((p for p in proposals if p[0] == video), key=lambda p: -p[2])
        kept[video] = own[: min(int(len(own) * ratio), len(own))]
    used = sum(len(own) for own in kept.values())
    overlaps = {}
    for k, (video, action) in enumerate(actions):
        overlaps[k] = [tiou(action, segment) for _, segment, _ in kept[video]]
    curve = []
    for threshold in thresholds:
        row = []
        for j in range(1, 101):
            share = j / 100.0 * (most * float(len(videos)) / used) if used else 0.0
            found = 0
            for k, (video, _) in enumerate(actions):
                allowed = min(int(len(kept[video]) * share), len(kept[video]))
                found += any(overlap >= threshold for overlap in overlaps[k][:allowed])
            row.append(found / len(actions))
        curve.append(row)
    mean = [sum(row[j] for row in curve) / len(thresholds) for j in range(100)]
    step = most / 100.0
    area = sum((mean[j] + mean[j + 1]) / 2 * step for j in range(99))
    return curve, area / most


def average_precision(
    actions: Sequence[Action], detections: Sequence[Detection], label: str, threshold: float
) -> float:
    """PASCAL VOC's, of one class at one temporal IoU."""
    truths = [(video, segment) for video, segment, of in actions if of == label]
    ranked = sorted((d for d in detections if d[2] == label), key=lambda d: -d[3])
    taken: set[int] = set()
    precision, recall = [0.0], [0.0]
    right = 0
    for rank, (video, segment, _, _) in enumerate(ranked, 1):
        candidates = [(tiou(segment, truth), k) for k, (of, truth) in enumerate(truths) if of == video]
        for overlap, k in sorted(candidates, key=lambda c: -c[0]):
            if overlap >= threshold and k not in taken:
                taken.add(k)
                right += 1
                break
        precision.append(right / rank)
        recall.append(right / len(truths))
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))
