"""The intertwiner's losses against loops written from the paper, its options, and what its gradients reach."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from errors import UserError
from models.detection.build import make_detector
from models.detection.faster_rcnn.regions import STRIDES, TrainedRegions, level_of
from models.detection.intertwiner.guidance import Guidance
from models.detection.intertwiner.layers import Critic
from models.detection.intertwiner.network import InterNet
from models.detection.intertwiner.sinkhorn import transport_cost
from models.detection.onnx_operators import roi_align

CLASSES, CHANNELS, HIDDEN = 3, 8, 12
DEFAULTS: dict[str, Any] = {
    "source": "generator",
    "alignment": "ot",
    "divergence": "l2",
    "weight": 1.0,
    "history": "all",
    "level_buffers": False,
    "detach": True,
    "last_level": True,
    "split": "level",
}


def guidance(**options: Any) -> Guidance:
    torch.manual_seed(0)
    return Guidance(CLASSES, CHANNELS, HIDDEN, **(DEFAULTS | options))


def scene() -> tuple[list[torch.Tensor], TrainedRegions, torch.Tensor]:
    """Levels of 2 images of 96 × 160 px, and regions on all of them: class 0 small and large, class 1 only small,
    class 2 never, and background."""
    generator = torch.Generator().manual_seed(1)
    levels = [torch.randn(2, CHANNELS, 96 // s, 160 // s, generator=generator, requires_grad=True) for s in STRIDES]
    boxes = torch.tensor(
        [[5.0, 5, 15, 15], [30, 10, 62, 40], [10, 10, 80, 70], [0, 0, 160, 90], [50, 50, 58, 60], [0, 0, 150, 96]]
    )
    labels = torch.tensor([0, 0, 0, 0, 1, 3])
    regions = TrainedRegions(boxes, torch.tensor([0, 1, 0, 1, 0, 1]), labels, torch.zeros(6, 4))
    level = level_of(boxes, 56.0)
    assert level.tolist() == [0, 1, 2, 3, 0, 3]
    return levels, regions, level


def losses_of(module: Guidance) -> tuple[dict[str, torch.Tensor], Critic, torch.Tensor, list[torch.Tensor]]:
    levels, regions, level = scene()
    torch.manual_seed(2)
    critic = Critic(CHANNELS, HIDDEN)
    features = torch.randn(6, HIDDEN, requires_grad=True)
    return module(levels, regions, level, features, critic), critic, features, levels


def large_feature(source: str, fine: int, coarse: int, critic: Critic, index: int) -> torch.Tensor:
    levels, regions, _ = scene()
    read_at = coarse if source == "higher" else fine
    level = levels[read_at]
    if source == "bilinear":
        level = F.interpolate(levels[coarse], levels[fine].shape[2:], mode="bilinear", align_corners=False)
    one = slice(index, index + 1)
    pooled = roi_align(level, regions.boxes[one], regions.images[one], size=14, scale=1 / STRIDES[read_at])
    return of_unit_size(critic(pooled)[0])


def of_unit_size(feature: torch.Tensor) -> torch.Tensor:
    return feature / feature.square().mean().sqrt()


@pytest.mark.parametrize("source", ["same", "higher", "bilinear"])
@pytest.mark.parametrize("level_buffers", [False, True])
@pytest.mark.parametrize("last_level", [False, True])
def test_the_loss_is_the_mean_distance_to_the_mean_of_large_ones(
    source: str, level_buffers: bool, last_level: bool
) -> None:
    module = guidance(source=source, alignment="none", level_buffers=level_buffers, last_level=last_level)
    losses, critic, features, _ = losses_of(module)
    large: dict[int, list[torch.Tensor]] = {0: [], 1: [], 2: []}  # of class 0: regions 0 to 3, each on its own level
    for fine in range(3):
        for index in range(fine + 1, 4):
            large[fine].append(large_feature(source, fine, index, critic, index))
    everything = [feature for of_level in large.values() for feature in of_level]
    distances = []
    for index in range(4 if last_level else 3):  # class 1 has no representative, background is no class
        reference = large[index % 3] if level_buffers else everything
        distances.append((of_unit_size(features[index]) - torch.stack(reference).mean(0)).square().mean())
    assert set(losses) == {"intertwiner"}
    torch.testing.assert_close(losses["intertwiner"], torch.stack(distances).mean())


def test_alignment_is_the_transport_between_levels_and_what_is_made_of_those_above() -> None:
    module = guidance()
    losses, _, _, levels = losses_of(module)
    expected = torch.zeros(())
    for fine in range(3):
        terms = []
        for coarse in range(fine + 1, 4):
            grown = module.generators[fine](levels[coarse], tuple(levels[fine].shape[2:]))
            unit = module.alignments[fine].critic
            assert unit(grown).shape == (2, CHANNELS, 64)
            terms.append(transport_cost(unit(levels[fine]), unit(grown)).mean())
        expected = expected + torch.stack(terms).mean()
    torch.testing.assert_close(losses["alignment"], expected)


def test_detached_representatives_train_the_small_ones_only() -> None:
    losses, critic, features, levels = losses_of(guidance(source="bilinear", alignment="none"))
    losses["intertwiner"].backward()
    assert features.grad is not None
    assert (features.grad[:4] != 0).any(dim=1).all()
    assert (features.grad[4:] == 0).all(), "a class never seen as large, and background, learn nothing"
    assert all(parameter.grad is None for parameter in critic.parameters())
    assert all(level.grad is None for level in levels)


def test_without_detaching_the_large_ones_are_trained_too() -> None:
    losses, critic, _, levels = losses_of(guidance(source="bilinear", alignment="none", detach=False))
    losses["intertwiner"].backward()
    assert all(parameter.grad is not None for parameter in critic.parameters())
    assert levels[3].grad is not None


def test_what_has_been_seen_guides_batches_without_any_large_one() -> None:
    module = guidance(source="higher", alignment="none")
    losses_of(module)
    levels, regions, level = scene()
    small = TrainedRegions(*(part[:1] for part in regions))
    torch.manual_seed(2)
    losses = module(levels, small, level[:1], torch.zeros(1, HIDDEN), Critic(CHANNELS, HIDDEN))
    expected = module.memories[0].representatives[0].square().mean()
    assert float(expected) > 0
    torch.testing.assert_close(losses["intertwiner"], expected)


@pytest.mark.parametrize(
    "options",
    [
        {"source": "same", "alignment": "none", "split": "size"},
        {"source": "bilinear", "alignment": "kl", "divergence": "kl"},
        {"alignment": "l2", "divergence": "l1", "history": "decay"},
        {"alignment": "ot-debiased", "history": "window", "detach": False},
    ],
)
def test_options_have_finite_losses_and_gradients(options: dict[str, Any]) -> None:
    losses, _, features, levels = losses_of(guidance(**options))
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert total.isfinite()
    for tensor in (features, *levels):
        assert tensor.grad is None or tensor.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "higher"}, "alignment ot compares"),
        ({"alignment": "none"}, "nothing trains the generator"),
        ({"split": "size"}, "on their own level"),
        ({"split": "sizes"}, "did you mean 'size'"),
        ({"history": "some"}, "history is 'some'"),
        ({"fusion": "sum"}, "fusion 'sum'"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_detector("internet-r18", 3, channels=8, hidden=8, **options)


@pytest.mark.parametrize("divergence", ["l2", "l1"])
def test_the_loss_is_bounded_however_large_features_are(divergence: str) -> None:
    module = guidance(divergence=divergence)
    levels, regions, level = scene()
    losses = module([1e4 * x for x in levels], regions, level, torch.randn(6, HIDDEN), Critic(CHANNELS, HIDDEN))
    assert float(losses["intertwiner"].detach()) <= 4


def test_fusion() -> None:
    pooled = torch.randn(2, 8, 14, 14, generator=torch.Generator().manual_seed(0))
    networks = {}
    for fusion in ("linear", "add", "separate"):
        torch.manual_seed(0)
        networks[fusion] = InterNet(3, "resnet18", channels=8, hidden=8, fusion=fusion)
    network = networks["linear"]
    made_up = network.make_up(pooled)
    detection, of_critic = network.head.layers(made_up), network.critic(made_up)
    torch.testing.assert_close(networks["linear"].features(pooled), (detection + of_critic) / 2)
    torch.testing.assert_close(networks["add"].features(pooled), detection + of_critic)
    torch.testing.assert_close(networks["separate"].features(pooled), detection)
