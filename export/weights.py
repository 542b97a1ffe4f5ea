"""Weights of a graph stored small: rounded to float16, or to int8 with a scale per output channel; or as they are.

Only the file shrinks. In the graph each weight is cast (and multiplied) back to float32, which every backend folds
when it opens a session, so arithmetic and speed are those of float32 weights.
"""

from __future__ import annotations

import copy
import math
from typing import Literal, get_args

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

Storage = Literal["fp16", "int8", "fp32"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
FEWEST = 8192
"""Smaller weights stay float32: there is nothing to gain, and the first convolution's are split into exact parts."""


def rounded(network: nn.Module, storage: Storage, fewest: int = FEWEST) -> nn.Module:
    """A copy of ``network`` (float32) whose convolutions have the weights that are left after storing them so.

    Biases are rounded by neither: they are few.
    """
    network = copy.deepcopy(network)
    if storage == "fp32":
        return network
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d) and layer.weight.numel() >= fewest:
                axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
                weight = layer.weight.numpy()
                if storage == "fp16":
                    restored = weight.astype(np.float16).astype(np.float32)
                else:
                    levels, scale = _quantised(weight, axis)
                    restored = levels.astype(np.float32) * scale
                layer.weight.copy_(torch.from_numpy(restored))
    return network


def store_weights(graph: onnx.GraphProto, storage: Storage, fewest: int = FEWEST) -> None:
    """Replace each weight of a convolution by a small one and the nodes that give it back as float32."""
    if storage == "fp32":
        return
    axes = {
        node.input[1]: 1 if node.op_type == "ConvTranspose" else 0
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose")
    }
    restoring, scales = [], []
    for initializer in graph.initializer:
        name = initializer.name
        if name not in axes or math.prod(initializer.dims) < fewest:
            continue
        weight = numpy_helper.to_array(initializer)
        if storage == "fp16":
            initializer.CopyFrom(numpy_helper.from_array(weight.astype(np.float16), f"{name}.half"))
            restoring.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        else:
            levels, scale = _quantised(weight, axes[name])
            initializer.CopyFrom(numpy_helper.from_array(levels, f"{name}.int8"))
            scales.append(numpy_helper.from_array(scale, f"{name}.scale"))
            restoring += [
                helper.make_node("Cast", [f"{name}.int8"], [f"{name}.levels"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.levels", f"{name}.scale"], [name]),
            ]
    graph.initializer.extend(scales)
    nodes = [*restoring, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _quantised(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (int8, −127..127) and scale (float32, 1 but along ``axis``) with ``levels · scale ≈ weight``."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.abs(weight).max(axis=others, keepdims=True).astype(np.float32) / np.float32(127)
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale
