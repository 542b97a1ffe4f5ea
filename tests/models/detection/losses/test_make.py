"""Every matching by its name: the numbers it takes, and that what it makes small is a detector."""

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from models.detection.boxes import iou_matrix  # noqa: E402
from models.detection.losses import MATCHINGS, make  # noqa: E402
from models.detection.matching import Objects  # noqa: E402
from tests.models.detection.scenes import HEIGHT, WIDTH, anchor_detector, point_detector  # noqa: E402

OF_ANCHORS = ("iou", "localize_to_classify", "classify_to_localize", "mutual_guidance", "ltm")
OF_POINTS = ("iou", "fcos", "localize_to_classify", "classify_to_localize", "mutual_guidance", "ltm_af")


def test_every_name_is_tested():
    assert set(OF_ANCHORS) | set(OF_POINTS) == set(MATCHINGS)


@pytest.mark.parametrize(
    ("detector", "name"), [*[(anchor_detector, n) for n in OF_ANCHORS], *[(point_detector, n) for n in OF_POINTS]]
)
def test_descent_finds_the_objects(detector, name):
    """Outputs that are free to move, from where a new network begins, come to name and locate every object."""
    torch.manual_seed(0)
    network = detector()
    priors = network.priors(HEIGHT, WIDTH)
    boxes = torch.tensor([[10.0, 8.0, 40.0, 50.0], [50.0, 20.0, 90.0, 44.0], [60.0, 2.0, 78.0, 18.0]])
    objects = Objects(boxes, torch.tensor([0, 1, 0]))
    logits = (-4 + 0.1 * torch.randn(1, len(priors.boxes), 2)).requires_grad_()
    free = (0.1 * torch.randn(1, len(priors.boxes), 4)).requires_grad_()
    optimiser = torch.optim.Adam([logits, free], lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.01, 140)
    loss = make(name)
    first = None
    for _ in range(140):
        regression = free if detector is anchor_detector else free.exp()
        total = sum(loss(network, (logits, regression), [objects], HEIGHT, WIDTH).values())
        first = total.item() if first is None else first
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        schedule.step()
    assert total.item() < first / 4

    scores = logits.detach()[0].sigmoid()
    found = network.decode(priors, (free if detector is anchor_detector else free.exp()).detach())[0]
    overlap = iou_matrix(boxes, found)
    for box, label in zip(overlap, objects.labels, strict=True):
        right = box > 0.8
        assert (scores[right, label]).max() > 0.5
    sure = scores.amax(dim=1) > 0.5
    assert (overlap[:, sure].amax(dim=0) > 0.5).all()


@pytest.mark.parametrize(
    ("name", "numbers", "words"),
    [
        ("mutual_guidence", {}, "mutual_guidance"),
        ("iou", {"sigma": 2.0}, "takes no 'sigma'"),
        ("ltm", {"alpha": 0.5}, "takes no 'alpha'"),
        ("mutual_guidance", {"sigma": 1.0}, "above 1"),
        ("iou", {"alpha": 1.5}, "between 0 and 1"),
        ("fcos", {"gamma": -1.0}, "0 or more"),
        ("ltm", {"beta": 0.0}, "above 0"),
        ("ltm_af", {"bag_size": 0}, "whole number"),
    ],
)
def test_wrong_numbers_are_told(name, numbers, words):
    with pytest.raises(UserError, match=words):
        make(name, **numbers)
