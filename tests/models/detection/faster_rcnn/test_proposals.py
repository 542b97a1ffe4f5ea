"""Proposals against a slow selection, and the first stage's losses."""

import pytest
import torch

from models.detection.boxes import clip, decode
from models.detection.faster_rcnn.proposals import proposal_losses, propose
from models.detection.matching import Objects
from models.detection.nms import nms
from models.detection.priors import Anchors, make_priors

PRIORS = make_priors(64, 96, Anchors(8.0, 1, (0.5, 1.0, 2.0)), (16, 32))


def predictions(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    count = len(PRIORS.boxes)
    return torch.randn(2, count, generator=generator), torch.randn(2, count, 4, generator=generator)


@pytest.mark.parametrize(("before_nms", "count"), [(1000, 1000), (20, 30), (1000, 5)])
def test_proposals_are_the_best_of_each_level_after_nms(before_nms: int, count: int) -> None:
    logits, deltas = predictions(0)
    found = propose(logits, deltas, PRIORS, 64, 96, before_nms=before_nms, count=count)
    assert found.boxes.shape == (2, min(count, 2 * before_nms, sum(min(before_nms, n) for n in PRIORS.levels)), 4)
    for image in range(2):
        boxes = clip(decode(PRIORS.boxes, deltas[image]), 64, 96)
        chosen, first = [], 0
        for length in PRIORS.levels:
            order = sorted(range(first, first + length), key=lambda i: -float(logits[image, i]))[:before_nms]
            order = [i for i in order if min(boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]) >= 1]
            scores = logits[image].sigmoid()[order].numpy()
            kept = nms(boxes[order].numpy(), scores, torch.zeros(len(order)).numpy(), 0.7, count)
            chosen += [order[k] for k in kept]
            first += length
        chosen = sorted(chosen, key=lambda i: -float(logits[image, i]))[:count]
        assert int(found.valid[image].sum()) == len(chosen)
        torch.testing.assert_close(found.boxes[image, : len(chosen)], boxes[chosen])
        assert (found.boxes[image, len(chosen) :] == 0).all()


def test_losses_of_perfect_and_of_wrong_predictions() -> None:
    truth = PRIORS.boxes[[10, 40]]
    objects = [Objects(truth, torch.tensor([0, 1]))]
    right = torch.full((1, len(PRIORS.boxes)), -20.0)
    right[0, [10, 40]] = 20.0
    deltas = torch.zeros(1, len(PRIORS.boxes), 4)
    losses = proposal_losses(right, deltas, PRIORS, objects)
    assert float(losses["rpn_boxes"]) < 0.2  # anchors of IoU ≥ 0.7 beside the two are not exact
    assert float(losses["rpn_objectness"]) < 20
    worse = proposal_losses(-right, deltas, PRIORS, objects)
    assert float(worse["rpn_objectness"]) > float(losses["rpn_objectness"])


def test_an_image_without_objects_trains_the_background_only() -> None:
    logits, deltas = (x.requires_grad_() for x in predictions(1))
    empty = Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    losses = proposal_losses(logits, deltas, PRIORS, [empty, empty])
    assert float(losses["rpn_boxes"].detach()) == 0
    sum(losses.values()).backward()
    assert logits.grad is not None
    assert (logits.grad >= 0).all()
    assert logits.grad.isfinite().all()
    assert deltas.grad is not None
    assert (deltas.grad == 0).all()
