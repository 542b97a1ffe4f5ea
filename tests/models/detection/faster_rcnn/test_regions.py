"""Levels of regions, their features and their sampling."""

import math

import pytest
import torch

from models.detection.boxes import decode
from models.detection.faster_rcnn.proposals import Proposals
from models.detection.faster_rcnn.regions import STRIDES, level_of, pool, sample_regions
from models.detection.matching import Objects
from models.detection.onnx_operators import roi_align


@pytest.mark.parametrize(
    ("side_px", "level"), [(0, 0), (20, 0), (111.9, 0), (112, 1), (223, 1), (224, 2), (447, 2), (448, 3), (5000, 3)]
)
def test_level_of_squares(side_px: float, level: int) -> None:
    assert level_of(torch.tensor([[3.0, 5.0, 3 + side_px, 5 + side_px]])).tolist() == [level]


def test_level_is_by_area_and_by_the_canonical_size() -> None:
    long = torch.tensor([[0.0, 0.0, 448.0, 112.0]])  # as large as 224²
    assert level_of(long).tolist() == [2]
    assert level_of(long, canonical_size=56).tolist() == [3]
    assert level_of(torch.zeros(2, 3, 4)).shape == (2, 3)


def pyramid() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 96 // stride, 160 // stride, generator=generator) for stride in STRIDES]


def test_pooling_reads_each_region_from_its_own_level() -> None:
    levels = pyramid()
    boxes = torch.tensor([[10.0, 10, 40, 30], [0, 0, 150, 90], [20, 5, 22, 6], [30, 10, 90, 80]])
    images, level = torch.tensor([1, 0, 1, 1]), torch.tensor([0, 3, 2, 0])
    found = pool(levels, boxes, images, level)
    for index, own in enumerate(level.tolist()):
        expected = roi_align(
            levels[own], boxes[index : index + 1], images[index : index + 1], size=14, scale=1 / STRIDES[own]
        )
        torch.testing.assert_close(found[index : index + 1], expected)


def test_pooling_as_exported_is_the_same() -> None:
    class Module(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
            return pool(pyramid_levels, boxes, images, level_of(boxes, 60.0))

    pyramid_levels = pyramid()
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(9, 2, generator=generator) * 60
    boxes = torch.cat([corner, corner + torch.rand(9, 2, generator=generator) * 90], 1)
    images = torch.randint(0, 2, (9,), generator=generator)
    assert len(level_of(boxes, 60.0).unique()) > 1
    exported = torch.export.export(Module(), (boxes, images)).module()
    torch.testing.assert_close(exported(boxes, images), Module()(boxes, images))


def test_sampled_regions_are_labelled_by_their_object() -> None:
    torch.manual_seed(0)
    objects = [
        Objects(torch.tensor([[10.0, 10, 50, 40], [60, 20, 90, 80]]), torch.tensor([2, 0])),
        Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)),
    ]
    near = torch.tensor([[12.0, 8, 52, 42], [61, 22, 92, 78], [100, 0, 120, 20], [0, 60, 30, 90]])
    valid = torch.tensor([[True] * 4, [True, False, False, True]])
    proposals = Proposals(torch.stack([near, near]), valid)
    regions = sample_regions(proposals, objects, classes=3, per_image=8, positive_share=0.5)
    assert (regions.images == 0).sum() == 6  # four proposals, two objects
    assert (regions.images == 1).sum() == 2  # what was not valid is not drawn
    assert (regions.labels[regions.images == 1] == 3).all()
    for box, label, delta in zip(regions.boxes, regions.labels.tolist(), regions.deltas, strict=True):
        if label == 3:
            assert delta.tolist() == [0, 0, 0, 0]
            continue
        target = objects[0].boxes[objects[0].labels.tolist().index(label)]
        torch.testing.assert_close(decode(box[None], delta[None])[0], target, atol=1e-3, rtol=1e-5)
    assert sorted(regions.labels[regions.images == 0].tolist()) == [0, 0, 2, 2, 3, 3]
    assert math.isfinite(float(regions.deltas.sum()))
