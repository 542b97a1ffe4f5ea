"""Every strategy against the papers' rules in plain Python, and at the borders that the papers name."""

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from models.detection.matching import IGNORED, NEGATIVE, Objects  # noqa: E402
from models.detection.matching.by_name import STRATEGIES, make_strategy  # noqa: E402
from models.detection.matching.classify_to_localize import amplify  # noqa: E402
from models.detection.matching.ranking import best_of_each  # noqa: E402
from models.detection.priors import Priors  # noqa: E402
from tests.models.detection.matching import slow  # noqa: E402
from tests.models.detection.scenes import (  # noqa: E402
    HEIGHT,
    WIDTH,
    anchor_detector,
    point_detector,
    random_objects,
    random_outputs,
)

GUIDED = ("localize_to_classify", "classify_to_localize", "mutual_guidance")


def scene(network, seed, count=6):
    """Priors, scores, boxes and objects of one image. In float64: the slow reference counts in it too.

    The anchors are a little off their grid: several around a small object would overlap it equally.
    """
    generator = torch.Generator().manual_seed(seed)
    priors = network.priors(HEIGHT, WIDTH)
    anchors = priors.boxes.double() + 1e-3 * torch.rand(priors.boxes.shape, generator=generator)
    priors = Priors(anchors, priors.points.double(), priors.strides.double(), priors.levels)
    logits, regression = random_outputs(network, 1, generator)
    boxes = network.decode(priors, regression.double())[0]
    objects = random_objects(count, generator)
    return priors, logits[0].double().sigmoid(), boxes, Objects(objects.boxes.double(), objects.labels)


def boxes_of(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def priors_of(boxes):
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return Priors(boxes, centres, torch.full((len(boxes),), 8.0), (len(boxes),))


@pytest.mark.parametrize("seed", range(4))
class TestAgainstLoops:
    def test_iou(self, seed):
        priors, scores, boxes, objects = scene(anchor_detector(), seed)
        found = make_strategy("iou", of_points=False)(priors, scores, boxes, objects)
        expected = slow.static_assignment(priors.boxes.tolist(), objects.boxes.tolist())
        assert found.classification.tolist() == expected
        assert found.localisation.clamp(min=NEGATIVE).tolist() == [max(owner, NEGATIVE) for owner in expected]
        assert {IGNORED, NEGATIVE} <= set(expected)

    def test_fcos(self, seed):
        priors, scores, boxes, objects = scene(point_detector(), seed)
        found = make_strategy("fcos", of_points=True)(priors, scores, boxes, objects)
        expected = slow.fcos_assignment(priors.points.tolist(), priors.strides.tolist(), objects.boxes.tolist())
        assert found.classification.tolist() == found.localisation.tolist() == expected
        assert max(expected) >= 0

    def test_guidance_of_anchors(self, seed):
        priors, scores, boxes, objects = scene(anchor_detector(), seed)
        anchors, truths = priors.boxes.tolist(), objects.boxes.tolist()
        table = [[slow.iou(anchor, box) for anchor in anchors] for box in truths]
        regressed = [[slow.iou(anchor, box) for anchor in boxes.tolist()] for box in truths]
        self.check_guidance(
            (priors, scores, boxes, objects),
            static=slow.static_assignment(anchors, truths),
            counts=slow.numbers(anchors, truths),
            table=table,
            regressed=regressed,
            of_points=False,
        )

    def test_guidance_of_points(self, seed):
        priors, scores, boxes, objects = scene(point_detector(), seed)
        points, strides, truths = priors.points.tolist(), priors.strides.tolist(), objects.boxes.tolist()
        table, counts, _ = slow.point_table(points, strides, truths)
        self.check_guidance(
            (priors, scores, boxes, objects),
            static=slow.fcos_assignment(points, strides, truths),
            counts=counts,
            table=table,
            regressed=[[slow.iou(found, box) for found in boxes.tolist()] for box in truths],
            of_points=True,
        )

    def check_guidance(self, image, static, counts, table, regressed, of_points):
        labels, scores = image[3].labels.tolist(), image[1].tolist()
        classification = slow.ranked(regressed, counts)
        amplified = slow.amplified(table, scores, labels, sigma=1.5)
        localisation = slow.ranked(amplified, [(n_p, 0) for n_p, _ in counts])
        expected = {
            "localize_to_classify": (classification, static),
            "classify_to_localize": (static, localisation),
            "mutual_guidance": (classification, localisation),
        }
        for name in GUIDED:
            found = make_strategy(name, sigma=1.5, of_points=of_points)(*image)
            assert found.classification.tolist() == expected[name][0], name
            assert found.localisation.tolist() == expected[name][1], name
        assert classification != static
        assert localisation != static


def test_object_without_an_anchor_above_a_half_gets_its_best():
    anchors = boxes_of((0, 0, 10, 10), (0, 0, 10, 9), (50, 50, 60, 60))
    objects = Objects(boxes_of((0, 0, 4, 10)), torch.tensor([0]))  # IoU 0.4, 0.383, 0
    found = make_strategy("iou", of_points=False)(priors_of(anchors), torch.zeros(3, 1), anchors, objects)
    assert found.classification.tolist() == [0, NEGATIVE, NEGATIVE]
    assert found.localisation.tolist() == [0, NEGATIVE, NEGATIVE]


def test_the_best_of_an_object_without_one_above_a_half_is_not_ignored_too():
    anchors = boxes_of((0, 0, 10, 10), (0, 0, 10, 10.5), (0, 0, 10, 14))
    objects = Objects(boxes_of((0, 0, 4.8, 10)), torch.tensor([0]))  # IoU 0.48, 0.457, 0.34
    found = make_strategy("iou", of_points=False)(priors_of(anchors), torch.zeros(3, 1), anchors, objects)
    assert found.classification.tolist() == [0, IGNORED, NEGATIVE]
    guided = make_strategy("mutual_guidance", of_points=False)(priors_of(anchors), torch.zeros(3, 1), anchors, objects)
    assert guided.classification.tolist() == [0, IGNORED, NEGATIVE]


def test_two_objects_that_want_one_anchor():
    """The better one gets it; the other its next best, ignored or background as that was."""
    anchors = boxes_of((0, 0, 10, 10), (0, 0, 10, 20), (70, 70, 80, 80))
    objects = Objects(boxes_of((0, 0, 10, 8), (0, 0, 10, 9)), torch.tensor([0, 1]))
    for name in ("iou", *GUIDED):
        found = make_strategy(name, of_points=False)(priors_of(anchors), torch.zeros(3, 2), anchors, objects)
        assert found.classification.tolist() == [1, 0, NEGATIVE], name
        assert found.localisation.tolist() == [1, 0, NEGATIVE], name


def test_two_objects_of_one_box_share_its_anchors():
    priors, scores, boxes, objects = scene(anchor_detector(), 0, count=1)
    twice = Objects(objects.boxes.repeat(2, 1), objects.labels.repeat(2))
    for name in ("iou", *GUIDED):
        found = make_strategy(name, of_points=False)(priors, scores, boxes, twice)
        for owners in found:
            assert {0, 1} <= set(owners.tolist()), name


@pytest.mark.parametrize("name", STRATEGIES)
def test_empty_image_is_background(name):
    network = point_detector() if name == "fcos" else anchor_detector()
    priors, scores, boxes, _ = scene(network, 0)
    nothing = Objects(torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0, dtype=torch.int64))
    found = make_strategy(name, of_points=name == "fcos")(priors, scores, boxes, nothing)
    assert set(found.classification.tolist()) == set(found.localisation.tolist()) == {NEGATIVE}
    assert found.classification.dtype == torch.int64
    assert len(found.classification) == len(priors.boxes)


def test_boxes_that_overlap_nothing_are_never_positive():
    """N_p is 3, but only one regressed box is near."""
    anchors = boxes_of((0, 0, 10, 10), (0, 0, 10, 9), (0, 0, 9, 10), (50, 50, 60, 60))
    objects = Objects(boxes_of((0, 0, 10, 10)), torch.tensor([0]))
    boxes = boxes_of((5, 5, 15, 15), (80, 0, 90, 9), (80, 0, 90, 9), (70, 50, 80, 60))
    found = make_strategy("localize_to_classify", of_points=False)(
        priors_of(anchors), torch.zeros(4, 1), boxes, objects
    )
    assert found.classification.tolist() == [0, NEGATIVE, NEGATIVE, NEGATIVE]
    assert found.localisation.tolist() == [0, 0, 0, NEGATIVE]


def test_a_sure_prior_replaces_one_of_more_overlap():
    """Classify to Localize: IoU 0.45 and p = 1 make 0.67, more than 0.6 at p = 0 — of this object's class alone."""
    anchors = boxes_of((0, 0, 10, 6), (0, 0, 10, 4.5), (50, 50, 60, 60))
    objects = Objects(boxes_of((0, 0, 10, 10)), torch.tensor([1]))
    of_class = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    strategy = make_strategy("classify_to_localize", of_points=False)
    assert strategy(priors_of(anchors), of_class, anchors, objects).localisation.tolist() == [-1, 0, -1]
    assert strategy(priors_of(anchors), of_class.flip(1), anchors, objects).localisation.tolist() == [0, -1, -1]


def test_amplification():
    iou = torch.linspace(0, 1, 11)
    torch.testing.assert_close(amplify(iou, torch.zeros(11), 2.0), iou)
    torch.testing.assert_close(amplify(iou, torch.ones(11), 2.0), iou.sqrt())
    torch.testing.assert_close(amplify(iou, torch.full((11,), 0.5), 4.0), iou**0.875)


def test_an_object_between_the_points_has_none():
    priors, scores, boxes, _ = scene(point_detector(), 0)
    objects = Objects(torch.tensor([[13.0, 13.0, 17.0, 17.0]], dtype=torch.float64), torch.tensor([0]))
    for name in ("fcos", *GUIDED):
        found = make_strategy(name, of_points=True)(priors, scores, boxes, objects)
        assert set(found.classification.tolist()) == {NEGATIVE}, name


def test_losers_get_what_is_free_and_nobody_loses_a_prior_for_it():
    quality = torch.tensor([[0.9, 0.2, 0.0], [0.8, 0.1, 0.0], [0.7, 0.3, 0.0]])
    ones, none = torch.ones(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)
    assert best_of_each(quality, ones, none).tolist() == [0, 1, NEGATIVE]  # nothing is left that suits object 2


def test_wrong_names_say_what_there_is():
    with pytest.raises(UserError, match="mutual_guidance"):
        make_strategy("mutual_guidence", of_points=False)
    with pytest.raises(UserError, match="points"):
        make_strategy("fcos", of_points=False)
