"""The loss of assigned priors, against loops over them; and that neither task's gradient goes through the matching."""

import pytest

torch = pytest.importorskip("torch")

from models.detection.losses.assigned import AssignedLoss  # noqa: E402
from models.detection.matching import Objects  # noqa: E402
from models.detection.matching.by_name import make_strategy  # noqa: E402
from models.detection.one_stage import AnchorDetector  # noqa: E402
from tests.models.detection.losses import slow  # noqa: E402
from tests.models.detection.scenes import (  # noqa: E402
    HEIGHT,
    WIDTH,
    anchor_detector,
    point_detector,
    random_objects,
    random_outputs,
)

ANCHOR_STRATEGIES = ("iou", "localize_to_classify", "classify_to_localize", "mutual_guidance")
ALL = [*[(anchor_detector, name) for name in ANCHOR_STRATEGIES], (point_detector, "fcos")]
ALL += [(point_detector, name) for name in ANCHOR_STRATEGIES]


def batch(network, generator):
    """Three images, one of them empty."""
    objects = [random_objects(count, generator) for count in (3, 0, 5)]
    return random_outputs(network, 3, generator), objects


def slow_terms(network, outputs, objects, matching):
    priors = network.priors(HEIGHT, WIDTH)
    logits, regression, *centre = outputs
    boxes = network.decode(priors, regression)
    classification = localisation = centreness = 0.0
    named = located = 0
    for i, image in enumerate(objects):
        strategy = make_strategy(matching, of_points=not isinstance(network, AnchorDetector))
        assignment = strategy(priors, logits[i].sigmoid(), boxes[i], image)
        for a, owner in enumerate(assignment.classification.tolist()):
            if owner == -2:
                continue
            named += owner >= 0
            label = image.labels[owner].item() if owner >= 0 else None
            classification += sum(slow.focal(x, c == label) for c, x in enumerate(logits[i, a].tolist()))
        for a, owner in enumerate(assignment.localisation.tolist()):
            if owner < 0:
                continue
            located += 1
            truth = image.boxes[owner].tolist()
            if centre:
                localisation += 1 - slow.giou(boxes[i, a].tolist(), truth)
                x, y = priors.points[a].tolist()
                left, top, right, bottom = x - truth[0], y - truth[1], truth[2] - x, truth[3] - y
                across, down = min(left, right) / max(left, right), min(top, bottom) / max(top, bottom)
                target = max(across * down, 0) ** 0.5 if min(left, top, right, bottom) > 0 else 0
                logit = centre[0][i, a].item()
                centreness += target * -slow.log_sigmoid(logit) + (1 - target) * -slow.log_sigmoid(-logit)
            else:
                deltas = slow.encode(priors.boxes[a].tolist(), truth)
                localisation += sum(map(slow.balanced_l1, regression[i, a].tolist(), deltas))
    terms = {"classification": classification / max(named, 1), "localisation": localisation / max(located, 1)}
    return terms | ({"centreness": centreness / max(located, 1)} if centre else {})


@pytest.mark.parametrize(("detector", "matching"), ALL)
def test_against_loops(detector, matching):
    generator = torch.Generator().manual_seed(0)
    network = detector()
    outputs, objects = batch(network, generator)
    if detector is point_detector:
        outputs = (*outputs, torch.randn(outputs[0].shape[:2], generator=generator))
    found = AssignedLoss(matching)(network, outputs, objects, HEIGHT, WIDTH)
    expected = slow_terms(network, outputs, objects, matching)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("detector", [anchor_detector, point_detector])
def test_no_gradient_through_the_matching(detector):
    """Scores decide what is located and boxes what is named, but neither learns from that."""
    generator = torch.Generator().manual_seed(1)
    network = detector()
    outputs, objects = batch(network, generator)
    logits, regression = (output.requires_grad_() for output in outputs)
    terms = AssignedLoss("mutual_guidance")(network, outputs, objects, HEIGHT, WIDTH)
    assert torch.autograd.grad(terms["classification"], regression, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(terms["localisation"], logits, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(terms["classification"], logits)[0].abs().sum() > 0
    assert torch.autograd.grad(terms["localisation"], regression)[0].abs().sum() > 0


@pytest.mark.parametrize(("detector", "matching"), ALL)
def test_of_nothing_but_background(detector, matching):
    generator = torch.Generator().manual_seed(2)
    network = detector()
    outputs = tuple(output.requires_grad_() for output in random_outputs(network, 2, generator))
    nothing = [Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))] * 2
    terms = AssignedLoss(matching)(network, outputs, nothing, HEIGHT, WIDTH)
    assert terms["localisation"].item() == 0
    expected = sum(slow.focal(logit, False) for logit in outputs[0].flatten().tolist())
    assert terms["classification"].item() == pytest.approx(expected, rel=1e-4)
    sum(terms.values()).backward()
    assert all(output.grad.isfinite().all() for output in outputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("detector", "matching"), ALL)
def test_half_precision_with_saturated_logits(detector, matching, dtype):
    generator = torch.Generator().manual_seed(3)
    network = detector()
    outputs, objects = batch(network, generator)
    logits = (40 * outputs[0].sign()).to(dtype).requires_grad_()
    regression = (10 * outputs[1]).to(dtype).requires_grad_()
    terms = AssignedLoss(matching)(network, (logits, regression), objects, HEIGHT, WIDTH)
    sum(terms.values()).backward()
    for tensor in (*terms.values(), logits.grad, regression.grad):
        assert tensor.isfinite().all()
