"""BC-GNN (Bai et al., *Boundary Content Graph Neural Network for Temporal Action Proposal Generation*, ECCV 2020).

From snippet features of a window: how likely an action starts at each location, ends at each, and how likely the
content between two of them is one. Locations that can start are nodes, so are those that can end, and the content
between a start and a later end is the edge that joins them; nodes and edges take turns in updating each other.

No public implementation exists. Where the paper is silent or misprinted:

- Each of the five convolutions has kernel 3 and a ReLU after it.
- Eq. 1 is ``σ(θ×(d * f_s * f_e) + d)`` in both lines (the first has a bracket too many). Without edge update the edge
  is ``σ(d)``: Eq. 2 wants edges that are not negative.
- Eq. 2 has :data:`EPSILON` in its denominator. Its quotient serves Eq. 3 alone; the edge that goes on is Eq. 1's. Else
  a segment's confidence would depend on how many ends its start has.
- Eq. 4 concatenates the two opposite directions (it prints one of them twice).
- Table 3's "GCN": edges are the cosine of the two nodes, where it is positive; content is ``σ(d)``, never updated.
- Table 3's "directed" without edge update: nothing ever sets the two directions apart, so it differs from "undirected"
  by nothing but the width of the last layer.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.bcgnn.blocks import BLOCK, blocks

Variant = Literal["gcn", "undirected", "directed", "undirected+edges", "directed+edges"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""The rows of Table 3; the last one is the paper's model."""
EPSILON = 1e-3
"""Large enough that a feature divided by it is finite in float16."""
NO_SEGMENT = -1e4
"""The logit where no segment is: its sigmoid is 0, in float16 too."""


class Logits(NamedTuple):
    """Before the sigmoid: ``start`` and ``end`` [B, l_w], ``content`` [B, l_w, l_w] of the segment from i to j."""

    start: Tensor
    end: Tensor
    content: Tensor


class BCGNN(nn.Module):
    """The whole network. ``arguments`` are those of its constructor, by name: they and the state dict are all of it.

    Args:
        feature_dim: D_i, channels of the snippet features.
        length: l_w, snippets of a window.
        max_duration: the longest segment, in snippets; None: the whole window.
        variant: of the graph, see :data:`VARIANTS`.
        base_dim: D_b, of the base module.
        node_dim: D_g, of nodes and edges.
        content_dim: D_c, of the content before it is sampled.
        samples: N, per segment.
    """

    def __init__(
        self,
        feature_dim: int,
        length: int = 100,
        max_duration: int | None = None,
        *,
        variant: Variant = "directed+edges",
        base_dim: int = 256,
        node_dim: int = 128,
        content_dim: int = 128,
        samples: int = 32,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant={variant!r}: there are {', '.join(VARIANTS)}")
        max_duration = length - 1 if max_duration is None else max_duration
        self.arguments: dict[str, int | str] = {
            "feature_dim": feature_dim,
            "length": length,
            "max_duration": max_duration,
            "variant": variant,
            "base_dim": base_dim,
            "node_dim": node_dim,
            "content_dim": content_dim,
            "samples": samples,
        }
        self.length, self.variant = length, variant
        self.base = nn.Sequential(_convolution(feature_dim, base_dim), _convolution(base_dim, base_dim))
        self.start = _convolution(base_dim, node_dim)
        self.end = _convolution(base_dim, node_dim)
        self.content = _convolution(base_dim, content_dim)
        self.segments = SegmentMap(length, max_duration, np.linspace(0, 1, samples))
        self.edges = SampledLinear(content_dim, node_dim, samples)
        self.reasoning = nn.ModuleList(ReasoningBlock(node_dim, variant) for _ in range(2))
        self.start_score = nn.Linear(node_dim, 1, bias=False)
        self.end_score = nn.Linear(node_dim, 1, bias=False)
        directions = 2 if variant.startswith("directed") else 1
        self.content_score = nn.ModuleList(nn.Linear(node_dim, 1, bias=False) for _ in range(directions))

    def forward(self, features: Tensor) -> Logits:
        """``features`` [B, D_i, l_w] → logits, :data:`NO_SEGMENT` where i and j make no segment."""
        base = self.base(features)
        content = self.edges(self.content(base).transpose(1, 2), self.segments)
        starts = self.segments.in_blocks(self.start(base).transpose(1, 2))
        ends = self.segments.in_blocks(self.end(base).transpose(1, 2))
        s2e = e2s = content if self.variant.endswith("edges") else F.relu(content)
        for block in self.reasoning:
            starts, ends, s2e, e2s = block(self.segments, starts, ends, s2e, e2s)
        scores = sum(score(edge) for score, edge in zip(self.content_score, (s2e, e2s), strict=False))
        return Logits(
            start=self.start_score(starts).flatten(1)[:, : self.length],
            end=self.end_score(ends).flatten(1)[:, : self.length],
            content=self.segments.as_map(scores[..., 0], NO_SEGMENT),
        )


class ReasoningBlock(nn.Module):
    """One round of edge update (Eq. 1) and node update (Eqs. 2 and 3)."""

    def __init__(self, dim: int, variant: Variant) -> None:
        super().__init__()
        self.by_cosine = variant == "gcn"
        if variant.endswith("edges"):
            directions = 2 if variant.startswith("directed") else 1
            self.edge = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(directions))
        else:
            self.edge = None
        self.start = nn.Linear(dim, dim, bias=False)
        self.end = nn.Linear(dim, dim, bias=False)

    def forward(
        self, segments: SegmentMap, starts: Tensor, ends: Tensor, s2e: Tensor, e2s: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Nodes [B, n, 8, D_g] and edges [B, T, 8, 8, D_g], zero where there is no segment; they come out alike."""
        if self.edge is not None:
            both = segments.of_starts(starts) * segments.of_ends(ends)
            updated = [F.relu(theta(edge * both) + edge) for theta, edge in zip(self.edge, (s2e, e2s), strict=False)]
            s2e, e2s = updated[0], updated[-1]
        passed = (_cosine(segments, starts, ends),) * 2 if self.by_cosine else (s2e, e2s)
        # Eq. 2 divides an edge by the sum over its head's edges. Dividing the head instead gives the same product.
        from_starts = starts / (segments.sum_over_ends(passed[0]) + EPSILON)
        from_ends = ends / (segments.sum_over_starts(passed[1]) + EPSILON)
        to_ends = segments.sum_over_starts(passed[0] * segments.of_starts(from_starts))
        to_starts = segments.sum_over_ends(passed[1] * segments.of_ends(from_ends))
        return F.relu(self.start(to_starts) + starts), F.relu(self.end(to_ends) + ends), s2e, e2s


def _cosine(segments: SegmentMap, starts: Tensor, ends: Tensor) -> Tensor:
    """[B, T, 8, 8, 1], zero where it is negative or there is no segment."""
    starts, ends = F.normalize(starts, dim=-1), F.normalize(ends, dim=-1)
    cosine = (segments.of_starts(starts) * segments.of_ends(ends)).sum(-1, keepdim=True)
    return F.relu(cosine) * segments.valid


class SampledLinear(nn.Module):
    """A fully connected layer over N samples of each segment's content (fc_1).

    It is linear and so is interpolation: it is applied to the l_w columns first, once for each of the N places a column
    can have, and the results are interpolated and added up. The samples of all segments are never stored.
    """

    def __init__(self, channels: int, dim: int, samples: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels * samples, dim)
        self.channels, self.dim, self.samples = channels, dim, samples

    def forward(self, content: Tensor, segments: SegmentMap) -> Tensor:
        """``content`` [B, l_w, D_c] → [B, T, 8, 8, D_g], zero where there is no segment."""
        weight = self.linear.weight.view(self.dim, self.channels, self.samples).permute(2, 0, 1)
        with_outside = F.pad(content, (0, 0, 0, 1))
        rows = F.linear(with_outside, weight.reshape(-1, self.channels)).unflatten(-1, (-1, self.dim)).flatten(1, 2)
        return (segments.interpolate(rows) + self.linear.bias) * segments.valid


class SegmentMap(nn.Module):
    """The constants of :func:`models.bcgnn.blocks.blocks` as buffers, and what is done with them. No parameters."""

    def __init__(self, length: int, max_duration: int, fractions: np.ndarray) -> None:
        super().__init__()
        made = blocks(length, max_duration, fractions)
        self.length, self.count, self.nodes = length, len(made.starts), -(-length // BLOCK)
        constants = {
            "starts": made.starts,
            "ends": made.ends,
            "valid": made.valid[..., None].astype(np.float32),
            "columns": made.columns.ravel(),
            "weights": made.weights,
            "diagonals": made.diagonals,
            "cells": made.cells.ravel(),
            "by_start": np.eye(self.nodes, dtype=np.float32)[:, made.starts],  # [n, T]
            "by_end": np.eye(self.nodes, dtype=np.float32)[:, made.ends],
        }
        for name, array in constants.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @property
    def is_segment(self) -> Tensor:
        """[l_w, l_w] bool, of (i, j)."""
        return (self.cells < self.valid.numel()).view(self.length, self.length)

    def in_blocks(self, nodes: Tensor) -> Tensor:
        """[B, l_w, C] → [B, n, 8, C], with zeros behind the last location."""
        padded = F.pad(nodes, (0, 0, 0, self.nodes * BLOCK - self.length))
        return padded.unflatten(1, (self.nodes, BLOCK))

    def of_starts(self, nodes: Tensor) -> Tensor:
        """[B, n, 8, C] → [B, T, 8, 1, C]: each edge's start."""
        return nodes.index_select(1, self.starts).unsqueeze(3)

    def of_ends(self, nodes: Tensor) -> Tensor:
        """[B, n, 8, C] → [B, T, 1, 8, C]: each edge's end."""
        return nodes.index_select(1, self.ends).unsqueeze(2)

    def sum_over_ends(self, edges: Tensor) -> Tensor:
        """[B, T, 8, 8, C] → [B, n, 8, C]: for each start."""
        return self._add_up(self.by_start, edges.sum(3))

    def sum_over_starts(self, edges: Tensor) -> Tensor:
        """[B, T, 8, 8, C] → [B, n, 8, C]: for each end."""
        return self._add_up(self.by_end, edges.sum(2))

    def interpolate(self, rows: Tensor) -> Tensor:
        """``rows`` [B, (l_w + 1)·N, C], what sample k takes of each column → their sums [B, T, 8, 8, C]."""
        read = rows.index_select(1, self.columns).unflatten(1, (self.count, -1))
        sums = torch.matmul(self.weights.index_select(0, self.diagonals), read)
        return sums.unflatten(2, (BLOCK, BLOCK))

    def as_map(self, values: Tensor, missing: float) -> Tensor:
        """[B, T, 8, 8] → [B, l_w, l_w], ``missing`` where there is no segment."""
        flat = F.pad(values.flatten(1), (0, 1), value=missing)
        return flat.index_select(1, self.cells).unflatten(1, (self.length, self.length))

    def _add_up(self, by: Tensor, sums: Tensor) -> Tensor:
        return torch.matmul(by, sums.flatten(2)).unflatten(2, (BLOCK, -1))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inputs, outputs, 3, padding=1), nn.ReLU())
