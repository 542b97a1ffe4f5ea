"""BC-GNN as the paper writes it, over lists of nodes and edges: what ours is compared with.

Written for comparison alone, independently of :mod:`models.bcgnn.network`, whose state dicts it loads. The content of
every segment is interpolated to N vectors and stored, the fully connected layer runs over all of them, and each GRB
gathers nodes along a list of directed edges and adds messages up along it. Nothing of it is a loop: it is what a
practitioner would write with a graph library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-3


class NaiveBCGNN(nn.Module):
    """Features [1, D, l_w] → start [1, l_w], end [1, l_w], content [1, l_w, l_w] probabilities, of the paper's model.

    Args:
        arguments, weights: of the checkpoint.
    """

    def __init__(self, arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.length, self.samples = arguments["length"], arguments["samples"]
        self.weights = dict(weights)
        start, end = torch.triu_indices(self.length, self.length, 1)
        kept = end - start <= arguments["max_duration"]
        self.start, self.end = start[kept], end[kept]
        # Nodes are numbered: starts first, then ends. Edges: start to end first, then end to start.
        self.head = torch.cat([self.start, self.length + self.end])
        self.tail = torch.cat([self.length + self.end, self.start])

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        base = self._convolution("base.1", self._convolution("base.0", features))
        nodes = torch.cat([self._convolution(name, base)[0].T for name in ("start", "end")])
        content = self._edges(self._convolution("content", base)[0])
        edges = torch.cat([content, content])
        for n in range(2):
            nodes, edges = self._reason(f"reasoning.{n}", nodes, edges)
        count = len(self.start)
        score = [self.weights[f"{name}.weight"] for name in ("start_score", "end_score")]
        both = torch.cat([edges[:count], edges[count:]], dim=1)
        theta = torch.cat([self.weights[f"content_score.{i}.weight"] for i in range(2)], dim=1)
        found = features.new_zeros(self.length, self.length)
        found[self.start, self.end] = torch.sigmoid(both @ theta[0])
        starts, ends = nodes[: self.length], nodes[self.length :]
        return torch.sigmoid(starts @ score[0].T).T, torch.sigmoid(ends @ score[1].T).T, found[None]

    def _convolution(self, name: str, feature: Tensor) -> Tensor:
        return F.relu(F.conv1d(feature, self.weights[f"{name}.0.weight"], self.weights[f"{name}.0.bias"], padding=1))

    def _edges(self, content: Tensor) -> Tensor:
        """``content`` [D_c, l_w] → [E, D_g]: interpolation to N vectors each, and fc_1."""
        share = torch.linspace(0, 1, self.samples)
        x = self.start[:, None] + (self.end - self.start)[:, None] * share
        left = x.floor().long().clamp(max=self.length - 2)
        weight = x - left
        sampled = (1 - weight) * content[:, left] + weight * content[:, left + 1]  # [D_c, E, N]
        flat = sampled.permute(1, 0, 2).flatten(1)
        return F.linear(flat, self.weights["edges.linear.weight"], self.weights["edges.linear.bias"])

    def _reason(self, name: str, nodes: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """One GRB: Eqs. 1, 2 and 3."""
        count = len(self.start)
        product = edges * nodes[self.head] * nodes[self.tail]
        updated = [
            product[:count] @ self.weights[f"{name}.edge.0.weight"].T,
            product[count:] @ self.weights[f"{name}.edge.1.weight"].T,
        ]
        edges = F.relu(torch.cat(updated) + edges)
        totals = torch.zeros_like(nodes).index_add(0, self.head, edges)
        normalised = edges / (totals[self.head] + _EPSILON)
        messages = torch.zeros_like(nodes).index_add(0, self.tail, normalised * nodes[self.head])
        starts = messages[: self.length] @ self.weights[f"{name}.start.weight"].T
        ends = messages[self.length :] @ self.weights[f"{name}.end.weight"].T
        return F.relu(torch.cat([starts, ends]) + nodes), edges
