"""Each decoding against loops that follow its paper or the code that made the graph, one anchor after the other."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from models.detection.decoding import make_decoding

HEIGHT, WIDTH, CLASSES = 64, 96, 3
THRESHOLD = 0.55

Expected = list[tuple[list[float], float, int]]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def of(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.normal(0, 1, shape).astype(np.float32)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def cells(*strides: int) -> Iterator[tuple[int, int, int]]:
    for stride in strides:
        for row, column in itertools.product(range(math.ceil(HEIGHT / stride)), range(math.ceil(WIDTH / stride))):
            yield stride, row, column


def around(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def same(
    name: str, outputs: dict[str, np.ndarray], expected: Expected, classes: int = CLASSES, **numbers: object
) -> None:
    """The decoding gives what is expected, in any order: told apart by class and place."""
    decoding = make_decoding(name, HEIGHT, WIDTH, classes, numbers)
    boxes, scores, class_ids = decoding(outputs, THRESHOLD)
    assert len(expected) == len(boxes) > 3
    found = sorted(zip(class_ids.tolist(), boxes.tolist(), scores.tolist(), strict=True))
    for (class_id, box, score), (want_box, want_score, want_id) in zip(
        found, sorted(expected, key=lambda e: (e[2], e[0])), strict=True
    ):
        assert class_id == want_id
        np.testing.assert_allclose(box, want_box, rtol=1e-4, atol=1e-3)
        assert score == pytest.approx(want_score, abs=1e-5)
    assert (boxes.dtype, scores.dtype) == (np.float32, np.float32)
    for width in (1.0, THRESHOLD + 0.4):
        assert len(decoding({k: v * 0 for k, v in outputs.items()}, width).boxes) == 0


def test_retinanet(random: np.random.Generator) -> None:
    strides, scale, octaves, ratios = (16, 32), 3.0, 2, (0.5, 1.0)
    anchors = []
    for stride, row, column in cells(*strides):
        for octave, ratio in itertools.product(range(octaves), ratios):
            side = stride * scale * 2 ** (octave / octaves)
            anchors.append(((column + 0.5) * stride, (row + 0.5) * stride, side / ratio**0.5, side * ratio**0.5))
    logits, deltas = of(random, len(anchors), CLASSES), of(random, len(anchors), 4)
    deltas[0], logits[0, 0] = (0, 0, 100, 100), 9  # grows no further than 1000/16 times its anchor
    expected = []
    for anchor, (dx, dy, dw, dh), row in zip(anchors, deltas.tolist(), logits.tolist(), strict=True):
        x, y, width, height = anchor
        grown = [side * min(math.exp(0.2 * d), 1000 / 16) for side, d in ((width, dw), (height, dh))]
        box = around(x + 0.1 * dx * width, y + 0.1 * dy * height, *grown)
        expected += [(box, sigma(value), c) for c, value in enumerate(row) if sigma(value) > THRESHOLD]
    numbers = {"strides": strides, "scale": scale, "octaves": octaves, "ratios": ratios}
    same("retinanet", {"class_logits": logits, "regression": deltas}, expected, **numbers)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_ssd(random: np.random.Generator, activation: str) -> None:
    strides, smallest, largest, ratios = (16, 32, 64), 0.2, 0.9, (1.0, 2.0, 0.5)
    anchors = []
    scales = [0.2, 0.55, 0.9, 1.0]
    for stride, row, column in cells(*strides):
        rows, columns = math.ceil(HEIGHT / stride), math.ceil(WIDTH / stride)
        y, x = (row + 0.5) / rows * HEIGHT, (column + 0.5) / columns * WIDTH
        level = strides.index(stride)
        shapes = [(scales[level], r) for r in ratios] + [(math.sqrt(scales[level] * scales[level + 1]), 1.0)]
        if level == 0:
            shapes = [(0.1, 1.0), (0.2, 2.0), (0.2, 0.5)]
        anchors += [(y, x, HEIGHT * s / math.sqrt(r), HEIGHT * s * math.sqrt(r)) for s, r in shapes]
    encodings, logits = of(random, len(anchors), 4), 2 * of(random, len(anchors), CLASSES + 1)
    expected = []
    for (y, x, height, width), (ty, tx, th, tw), row in zip(anchors, encodings.tolist(), logits.tolist(), strict=True):
        box = around(x + tx / 10 * width, y + ty / 10 * height, width * math.exp(tw / 5), height * math.exp(th / 5))
        whole = sum(math.exp(v) for v in row)
        scores = [sigma(v) if activation == "sigmoid" else math.exp(v) / whole for v in row]
        expected += [(box, score, c) for c, score in enumerate(scores[1:]) if score > THRESHOLD]
    outputs = {"box_encodings": encodings, "class_predictions": logits}
    numbers = {"strides": strides, "min_scale": smallest, "max_scale": largest, "aspect_ratios": ratios}
    same("ssd", outputs, expected, **numbers, activation=activation)


def test_ssd_of_tensorflow_has_its_1917_anchors() -> None:
    decoding = make_decoding("ssd", 300, 300, 23, {})
    assert decoding.outputs == {"box_encodings": (1917, 4), "class_predictions": (1917, 24)}


@pytest.mark.parametrize("centerness", [True, False])
def test_fcos(random: np.random.Generator, centerness: bool) -> None:
    strides = (8, 16)
    places = list(cells(*strides))
    logits, sides = of(random, len(places), CLASSES), np.abs(of(random, len(places), 4))
    centre = 2 + of(random, len(places))
    expected = []
    for (stride, row, column), values, (left, top, right, bottom), c in zip(
        places, logits.tolist(), sides.tolist(), centre.tolist(), strict=True
    ):
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        box = [x - left * stride, y - top * stride, x + right * stride, y + bottom * stride]
        scores = [math.sqrt(sigma(v) * sigma(c)) if centerness else sigma(v) for v in values]
        expected += [(box, score, i) for i, score in enumerate(scores) if score > THRESHOLD]
    outputs = {"class_logits": logits, "regression": sides} | ({"centerness": centre} if centerness else {})
    same("fcos", outputs, expected, strides=strides, centerness=centerness)


def test_yolox(random: np.random.Generator) -> None:
    places = list(cells(8, 16, 32))
    output = of(random, len(places), 5 + CLASSES)
    output[:, 4:] = random.uniform(0.5, 1, output[:, 4:].shape)
    expected = []
    for (stride, row, column), (x, y, w, h, objectness, *classes) in zip(places, output.tolist(), strict=True):
        box = around((column + x) * stride, (row + y) * stride, math.exp(w) * stride, math.exp(h) * stride)
        best = max(classes)
        if objectness * best > THRESHOLD:
            expected.append((box, objectness * best, classes.index(best)))
    same("yolox", {"output": output}, expected)


@pytest.mark.parametrize(("offset", "strides"), [(0.0, (8, 16, 32, 64)), (0.5, (8, 16, 32))])
def test_nanodet(random: np.random.Generator, offset: float, strides: tuple[int, ...]) -> None:
    reg_max = 5
    places = list(cells(*strides))
    output = 2 * of(random, len(places), CLASSES + 4 * (reg_max + 1))
    output[:, :CLASSES] = random.uniform(0, 1, (len(places), CLASSES))
    expected = []
    for (stride, row, column), values in zip(places, output.tolist(), strict=True):
        sides = []
        for side in range(4):
            logits = values[CLASSES + side * (reg_max + 1) :][: reg_max + 1]
            weights = [math.exp(v) for v in logits]
            sides.append(stride * sum(i * w for i, w in enumerate(weights)) / sum(weights))
        x, y = (column + offset) * stride, (row + offset) * stride
        box = [x - sides[0], y - sides[1], x + sides[2], y + sides[3]]
        expected += [(box, score, c) for c, score in enumerate(values[:CLASSES]) if score > THRESHOLD]
    same("nanodet", {"output": output}, expected, strides=strides, reg_max=reg_max, offset=offset)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_detr(random: np.random.Generator, activation: str) -> None:
    queries = 40
    logits = 2 * of(random, queries, CLASSES + (activation == "softmax"))
    boxes = random.uniform(0.1, 0.6, (queries, 4)).astype(np.float32)
    expected = []
    for values, (x, y, w, h) in zip(logits.tolist(), boxes.tolist(), strict=True):
        whole = sum(math.exp(v) for v in values)
        scores = [math.exp(v) / whole if activation == "softmax" else sigma(v) for v in values][:CLASSES]
        if max(scores) > THRESHOLD:
            expected.append(
                (around(x * WIDTH, y * HEIGHT, w * WIDTH, h * HEIGHT), max(scores), scores.index(max(scores)))
            )
    same("detr", {"logits": logits, "pred_boxes": boxes}, expected, activation=activation)


def test_boxes_and_scores(random: np.random.Generator) -> None:
    boxes, scores = 50 * of(random, 20, 4), random.uniform(0, 1, (20, CLASSES)).astype(np.float32)
    expected = [(boxes[a].tolist(), float(scores[a, c]), c) for a in range(20) for c in range(CLASSES)]
    same("boxes-scores", {"boxes": boxes, "scores": scores}, [e for e in expected if e[1] > THRESHOLD])


def test_boxes_scores_and_labels_as_tensorflow_has_them(random: np.random.Generator) -> None:
    boxes, scores = random.uniform(0, 1, (20, 4)).astype(np.float32), random.uniform(0, 1, 20).astype(np.float32)
    labels = random.integers(1, CLASSES + 1, 20).astype(np.float32)
    expected = [
        ([x1 * WIDTH, y1 * HEIGHT, x2 * WIDTH, y2 * HEIGHT], score, int(label) - 1)
        for (y1, x1, y2, x2), score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
        if score > THRESHOLD
    ]
    outputs = {"boxes": boxes, "scores": scores, "labels": labels}
    same("boxes-scores-labels", outputs, expected, order="yxyx", unit="fraction", first_label=1)


def test_a_label_beyond_the_classes_is_said() -> None:
    decoding = make_decoding("boxes-scores-labels", HEIGHT, WIDTH, CLASSES, {})
    outputs = {"boxes": np.zeros((2, 4), np.float32), "scores": np.array([0.9, 0.1], np.float32)}
    assert len(decoding(outputs | {"labels": np.array([2, 91])}, THRESHOLD).boxes) == 1
    with pytest.raises(ValueError, match=r"label 91, but its 3 classes are 0\.\.2"):
        decoding(outputs | {"labels": np.array([91, 0])}, THRESHOLD)
