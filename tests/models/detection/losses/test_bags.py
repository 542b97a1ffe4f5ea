"""Learning to match, of anchors and of points, against the equations in plain Python."""

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from models.detection.losses import make  # noqa: E402
from models.detection.losses.ltm import LTMLoss  # noqa: E402
from models.detection.losses.ltm_af import LTMAFLoss  # noqa: E402
from models.detection.matching import Objects  # noqa: E402
from tests.models.detection.losses import slow  # noqa: E402
from tests.models.detection.scenes import (  # noqa: E402
    HEIGHT,
    WIDTH,
    anchor_detector,
    point_detector,
    random_objects,
    random_outputs,
)

BOTH = [(anchor_detector, LTMLoss), (point_detector, LTMAFLoss)]
NOTHING = Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def batch(network, seed):
    """Three images, one of them empty. One object lies between the points; two bags share priors."""
    generator = torch.Generator().manual_seed(seed)
    objects = [random_objects(count, generator) for count in (4, 0, 2)]
    between = Objects(torch.tensor([[13.0, 13.0, 15.0, 15.5]]), torch.tensor([0]))
    overlapping = objects[2].boxes[:1] + torch.tensor([1.0, 2.0, -1.5, 0.5])
    objects[0] = Objects(*map(torch.cat, zip(objects[0], between, strict=True)))
    objects[2] = Objects(torch.cat([objects[2].boxes, overlapping]), torch.cat([objects[2].labels, torch.tensor([1])]))
    return random_outputs(network, 3, generator), objects


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("detector", "loss"), BOTH)
def test_against_loops(detector, loss, seed):
    network = detector()
    priors = network.priors(HEIGHT, WIDTH)
    if loss is LTMLoss:  # off the grid: no two anchors overlap an object equally
        priors.boxes.add_(1e-2 * torch.rand(priors.boxes.shape, generator=torch.Generator().manual_seed(9)))
    (logits, regression), objects = batch(network, seed)
    boxes = network.decode(priors, regression).tolist()
    anchors, points, strides = priors.boxes.tolist(), priors.points.tolist(), priors.strides.tolist()
    truths = [image.boxes.tolist() for image in objects]

    def bags_of(i):
        if loss is LTMLoss:
            return slow.iou_bags(anchors, truths[i], 12)
        return slow.point_bags(points, strides, truths[i], 12)

    def localisation_loss(i, a, truth):
        if loss is LTMLoss:
            return sum(map(slow.smooth_l1, regression[i, a].tolist(), slow.encode(anchors[a], truth)))
        return 1 - slow.giou(boxes[i][a], truth)

    labels = [image.labels.tolist() for image in objects]
    images = list(zip(logits.tolist(), boxes, truths, labels, strict=True))
    expected = slow.matching_loss(images, bags_of, localisation_loss, beta=0.7, bag_size=12)
    found = loss(bag_size=12, beta=0.7)(network, (logits, regression), objects, HEIGHT, WIDTH)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-3)


def test_a_bag_size_may_come_as_a_float_from_a_recipe():
    network = point_detector()
    outputs, objects = batch(network, 0)
    of_float, of_int = (make("ltm_af", bag_size=size)(network, outputs, objects, HEIGHT, WIDTH) for size in (12.0, 12))
    assert of_float == of_int


def test_a_bag_has_anchors_however_low_their_overlap():
    network = anchor_detector()
    priors = network.priors(HEIGHT, WIDTH)
    bags = LTMLoss().bags(priors, Objects(torch.tensor([[1.0, 1.0, 3.0, 3.0]]), torch.tensor([0])))
    assert bags.priors.shape == (1, 40)
    assert bags.members.all()


def test_a_bag_of_points_is_no_larger_than_the_object():
    network = point_detector()
    priors = network.priors(HEIGHT, WIDTH)
    boxes = torch.tensor([[0.0, 0.0, 96.0, 64.0], [13.0, 13.0, 15.0, 15.5], [0.0, 0.0, 9.0, 9.0]])
    objects = Objects(boxes, torch.arange(3))
    bags = LTMAFLoss().bags(priors, objects)
    assert bags.members.sum(dim=1).tolist() == [40, 2]  # P3's (4, 4) and P4's (8, 8); the second object has no point
    assert bags.labels.tolist() == [0, 2]
    levels = priors.strides[bags.priors[0]]
    counts = [(levels == stride).sum().item() for stride in (8, 16)]
    assert max(counts) - min(counts) <= 4  # "a similar number of feature points be included" of each level


@pytest.mark.parametrize(("detector", "loss"), BOTH)
def test_images_without_objects(detector, loss):
    network = detector()
    outputs = random_outputs(network, 2, torch.Generator().manual_seed(0))
    outputs = tuple(output.requires_grad_() for output in outputs)
    terms = loss()(network, outputs, [NOTHING, NOTHING], HEIGHT, WIDTH)
    assert terms["positive_bags"].item() == terms["negative_bags"].item() == 0
    expected = sum(-(slow.sigmoid(x) ** 2) * slow.log_sigmoid(-x) for x in outputs[0].flatten().tolist()) / 40
    assert terms["background"].item() == pytest.approx(expected, rel=1e-4)
    sum(terms.values()).backward()
    assert all(output.grad.isfinite().all() for output in outputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("detector", "loss"), BOTH)
def test_half_precision_with_saturated_logits(detector, loss, dtype):
    network = detector()
    (logits, regression), objects = batch(network, 4)
    logits = (40 * logits.sign()).to(dtype).requires_grad_()
    regression = (10 * regression).to(dtype).requires_grad_()
    terms = loss()(network, (logits, regression), objects, HEIGHT, WIDTH)
    sum(terms.values()).backward()
    for tensor in (*terms.values(), logits.grad, regression.grad):
        assert tensor.isfinite().all()


@pytest.mark.parametrize(("detector", "loss"), BOTH)
def test_how_well_a_box_overlaps_is_not_learned_from_the_negative_bags(detector, loss):
    network = detector()
    (logits, regression), objects = batch(network, 5)
    regression.requires_grad_()
    logits.requires_grad_()
    terms = loss()(network, (logits, regression), objects, HEIGHT, WIDTH)
    wrong, _ = torch.autograd.grad(terms["negative_bags"], (regression, logits), retain_graph=True)
    right, _ = torch.autograd.grad(terms["positive_bags"], (regression, logits))
    assert wrong.abs().sum() == 0
    assert right.abs().sum() > 0


def test_refused_where_they_do_not_fit():
    points, anchors = point_detector(), anchor_detector()
    outputs = random_outputs(points, 1, torch.Generator())
    with pytest.raises(UserError, match="ltm_af"):
        LTMLoss()(points, outputs, [NOTHING], HEIGHT, WIDTH)
    with pytest.raises(UserError, match="anchors"):
        LTMAFLoss()(anchors, outputs, [NOTHING], HEIGHT, WIDTH)
    with pytest.raises(UserError, match="centerness: false"):
        LTMAFLoss()(points, (*outputs, outputs[0][..., 0]), [NOTHING], HEIGHT, WIDTH)
