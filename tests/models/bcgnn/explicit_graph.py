"""BC-GNN as the paper writes it, node by node and edge by edge, in loops and float64: the slow reference.

Nothing of it is shared with :mod:`models.bcgnn` but the weights: an edge is an entry of a dict, a node one of a list.
"""

import numpy as np

EPSILON = 1e-3


def relu(values):
    return np.maximum(values, 0)


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def conv1d(feature, weight, bias):
    """[C, L] → [C', L], kernel 3, zeros outside, ReLU after it."""
    length = feature.shape[1]
    out = np.empty((len(weight), length))
    for t in range(length):
        total = bias.copy()
        for tap in range(3):
            if 0 <= t + tap - 1 < length:
                total += weight[:, :, tap] @ feature[:, t + tap - 1]
        out[:, t] = total
    return relu(out)


def interpolate(feature, i, j, samples):
    """[C, L], from column i to column j → [C, N]: both ends are samples, the others lie evenly between."""
    out = np.empty((len(feature), samples))
    for k in range(samples):
        x = i + (j - i) * k / (samples - 1)
        left = min(int(x), j - 1)
        out[:, k] = (1 - (x - left)) * feature[:, left] + (x - left) * feature[:, left + 1]
    return out


def edge_update(edge, start, end, theta):
    """Eq. 1."""
    return relu(theta @ (edge * start * end) + edge)


def normalised(edges):
    """Eq. 2: ``edges[head, tail]``; of each head, over its tails."""
    out = {}
    for head, tail in edges:
        total = sum(edges[h, t] for h, t in edges if h == head)
        out[head, tail] = edges[head, tail] / (total + EPSILON)
    return out


def node_update(tail, node, heads, edges, theta):
    """Eq. 3, of edges that are normalised."""
    total = sum((edges[h, t] * heads[h] for h, t in edges if t == tail), np.zeros_like(node))
    return relu(theta @ total + node)


def cosine(a, b):
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return max(0.0, a @ b / lengths) if lengths > 0 else 0.0


def probabilities(weights, features, *, max_duration, samples, variant):
    """``weights``: name → array of a network; ``features`` [D, L] → p_s [L], p_e [L], {(i, j): p_c}."""
    length = features.shape[1]

    def convolution(name, feature):
        return conv1d(feature, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"])

    base = convolution("base.1", convolution("base.0", features))
    starts, ends = (list(convolution(name, base).T) for name in ("start", "end"))
    content = convolution("content", base)
    pairs = [(i, j) for i in range(length) for j in range(i + 1, length) if j - i <= max_duration]
    edges = {}
    for i, j in pairs:
        sampled = interpolate(content, i, j, samples).reshape(-1)
        edges[i, j] = weights["edges.linear.weight"] @ sampled + weights["edges.linear.bias"]
        if not variant.endswith("edges"):
            edges[i, j] = relu(edges[i, j])
    s2e, e2s = dict(edges), {(j, i): edge for (i, j), edge in edges.items()}
    for n in range(2):
        theta = {name: weights.get(f"reasoning.{n}.{name}.weight") for name in ("edge.0", "edge.1", "start", "end")}
        if variant.endswith("edges"):
            backward = theta["edge.1"] if variant.startswith("directed") else theta["edge.0"]
            s2e = {(i, j): edge_update(s2e[i, j], starts[i], ends[j], theta["edge.0"]) for i, j in pairs}
            e2s = {(j, i): edge_update(e2s[j, i], starts[i], ends[j], backward) for i, j in pairs}
        if variant == "gcn":
            passed = {(i, j): cosine(starts[i], ends[j]) for i, j in pairs}
            to_ends, to_starts = normalised(passed), normalised({(j, i): c for (i, j), c in passed.items()})
        else:
            to_ends, to_starts = normalised(s2e), normalised(e2s)
        new_starts = [node_update(i, starts[i], ends, to_starts, theta["start"]) for i in range(length)]
        ends = [node_update(j, ends[j], starts, to_ends, theta["end"]) for j in range(length)]
        starts = new_starts
    p_s = [sigmoid(weights["start_score.weight"][0] @ node) for node in starts]
    p_e = [sigmoid(weights["end_score.weight"][0] @ node) for node in ends]
    p_c = {}
    for i, j in pairs:
        if variant.startswith("directed"):
            both = np.concatenate([s2e[i, j], e2s[j, i]])
            theta = np.concatenate([weights["content_score.0.weight"][0], weights["content_score.1.weight"][0]])
        else:
            both, theta = s2e[i, j], weights["content_score.0.weight"][0]
        p_c[i, j] = sigmoid(theta @ both)
    return np.array(p_s), np.array(p_e), p_c
