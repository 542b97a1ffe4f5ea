"""What trains the make-up layer and the critic, and is gone at inference: the class buffer, and the maps of large
objects (the paper's Sec. 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from errors import require_known
from models.detection.faster_rcnn.regions import ROI_SIZE, STRIDES, TrainedRegions
from models.detection.intertwiner.buffer import ClassBuffer
from models.detection.intertwiner.layers import DIVERGENCES, MEASURES, Alignment, Generator, upsample
from models.detection.intertwiner.sets import LAST, SPLITS, large_sets, small_set
from models.detection.onnx_operators import roi_align

SOURCES = ("same", "higher", "bilinear", "generator")

_GROWN = ("bilinear", "generator")


class Guidance(nn.Module):
    """Draws the features of small regions to the representative of their class, and levels to each other.

    Args:
        classes: C.
        channels: of the pyramid.
        hidden: of the critic's features.
        source: the map that l's large regions of level m are read from. ``same``: P_l. ``higher``: P_m. ``bilinear``
            and ``generator``: P_m|l, P_m brought to the size of P_l. Options a, b and c of Sec. 3.3.
        alignment: of P_m|l with P_l, option d: ``ot``, ``ot-debiased``, ``l2``, ``kl`` or ``none``.
        divergence: of a small region from the representative: ``l2``, ``l1`` or ``kl``.
        weight: of that divergence.
        history: of the buffer (:class:`~models.detection.intertwiner.buffer.ClassBuffer`).
        level_buffers: a buffer for each level; the last, which has no large regions, reads that of P2.
        detach: no gradient through the representatives.
        last_level: whether regions of the last level learn.
        split: into large and small (:mod:`~models.detection.intertwiner.sets`).

    Raises:
        UserError: no such option.
        ValueError: options that contradict each other.
    """

    def __init__(
        self,
        classes: int,
        channels: int,
        hidden: int,
        *,
        source: str,
        alignment: str,
        divergence: str,
        weight: float,
        history: str,
        level_buffers: bool,
        detach: bool,
        last_level: bool,
        split: str,
    ) -> None:
        super().__init__()
        _check(source, alignment, divergence, split, detach)
        self.classes, self.source, self.split, self.last_level = classes, source, split, last_level
        self.divergence, self.weight, self.detach = DIVERGENCES[divergence], weight, detach
        self.memories = nn.ModuleList(
            ClassBuffer(classes, hidden, history) for _ in range(LAST if level_buffers else 1)
        )
        self.generators = nn.ModuleList(Generator(channels) for _ in range(LAST if source == "generator" else 0))
        self.alignments = nn.ModuleList(
            Alignment(channels, alignment) for _ in range(LAST if alignment != "none" else 0)
        )

    def forward(
        self,
        levels: Sequence[Tensor],
        regions: TrainedRegions,
        level: Tensor,
        features: Tensor,
        critic: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        """``intertwiner``, Eq. 2 as a mean over regions, and ``alignment``, the sum over levels l of the mean over m.

        Args:
            levels: P2 to P5.
            regions: R, that the second stage is trained on; only those with an object take part.
            level: [R] int64, where each is looked at.
            features: [R, hidden], the critic's of them after the make-up layer.
            critic: itself, for the large regions.
        """
        grown = self._grow(levels)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach):
            representatives = self._remember(levels, grown, regions, level, critic)
        losses = {"intertwiner": self.weight * self._compare(regions, level, _of_unit_size(features), representatives)}
        if self.alignments:
            terms = [
                self.alignments[fine](levels[fine], of_coarse) / (LAST - fine) for (fine, _), of_coarse in grown.items()
            ]
            losses["alignment"] = torch.stack(terms).sum()
        return losses

    def _grow(self, levels: Sequence[Tensor]) -> dict[tuple[int, int], Tensor]:
        """P_m|l of every two levels, by (l, m)."""
        grown = {}
        for fine in range(LAST if self.source in _GROWN else 0):
            height, width = levels[fine].shape[2:]
            grow = self.generators[fine] if self.source == "generator" else upsample
            for coarse in range(fine + 1, LAST + 1):
                grown[fine, coarse] = grow(levels[coarse], (height, width))
        return grown

    def _remember(
        self,
        levels: Sequence[Tensor],
        grown: Mapping[tuple[int, int], Tensor],
        regions: TrainedRegions,
        level: Tensor,
        critic: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Show the large regions to the buffers. Returns the representatives, [buffers, C, hidden]."""
        has_object = regions.labels < self.classes
        shown: list[list[Tensor]] = [[] for _ in self.memories]
        labels: list[list[Tensor]] = [[] for _ in self.memories]
        for fine, coarse, which in large_sets(level, regions.boxes, self.split):
            chosen = (which & has_object).nonzero()[:, 0]
            read_at = coarse if self.source == "higher" else fine
            pooled = roi_align(
                grown.get((fine, coarse), levels[read_at]),
                *(regions.boxes[chosen], regions.images[chosen]),
                size=ROI_SIZE,
                scale=1 / STRIDES[read_at],
            )
            memory = fine % len(self.memories)
            shown[memory].append(_of_unit_size(critic(pooled)))
            labels[memory].append(regions.labels[chosen])
        return torch.stack(
            [
                memory.update(torch.cat(a), torch.cat(b))
                for memory, a, b in zip(self.memories, shown, labels, strict=True)
            ]
        )

    def _compare(self, regions: TrainedRegions, level: Tensor, features: Tensor, representatives: Tensor) -> Tensor:
        """Mean divergence of the small regions whose class has been seen; 0 where there is none."""
        memory = level % len(self.memories)  # the last level's is that of P2
        learns = small_set(level, regions.boxes, self.split, last_level=self.last_level)
        chosen = (learns & (regions.labels < self.classes)).nonzero()[:, 0]
        seen = torch.stack([memory.seen for memory in self.memories])
        chosen = chosen[seen[memory[chosen], regions.labels[chosen]] > 0]
        if not len(chosen):
            return features.sum() * 0
        wanted = representatives[memory[chosen], regions.labels[chosen]]
        return self.divergence(features[chosen], wanted).mean()


def _of_unit_size(features: Tensor) -> Tensor:
    """[R, hidden], brought to a root mean square of 1. Else nothing bounds what small and large ones differ by: the
    cosine of the transport lets the generator's maps grow, and the representatives with them."""
    return F.rms_norm(features.float(), features.shape[1:], eps=1e-6)


def _check(source: str, alignment: str, divergence: str, split: str, detach: bool) -> None:
    require_known("source", source, SOURCES)
    require_known("alignment", alignment, ("none", *MEASURES))
    require_known("divergence", divergence, DIVERGENCES)
    require_known("split", split, SPLITS)
    if alignment != "none" and source not in _GROWN:
        raise ValueError(f"alignment {alignment} compares P_m|l, which source {source} does not make: take generator")
    if source == "generator" and alignment == "none" and detach:
        raise ValueError("source generator with alignment none and detach: nothing trains the generator; take bilinear")
    if split == "size" and source != "same":
        raise ValueError(f"split size has its large regions on their own level: take source same, not {source}")
