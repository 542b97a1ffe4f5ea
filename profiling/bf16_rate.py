"""How many bf16 operations a second this machine's own matrix products reach: what a network is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from inference.openvino_backend import import_openvino

SIZES = (1024, 2048, 4096)
_CHAIN = 4  # products in a row, so that the conversion of the input weighs little


class Product(NamedTuple):
    """A version for :func:`profiling.interleaved.interleave` (its input is ignored) and its operations per run."""

    run: Callable[[object], object]
    flops: int


def bf16_products(threads: int) -> dict[str, Product]:
    """Chains of square matrix products of several sizes, in PyTorch (oneDNN) and in OpenVINO."""
    torch.set_num_threads(threads)
    products = {}
    for size in SIZES:
        flops = 2 * size**3 * _CHAIN
        products[f"bf16 product {size}, PyTorch"] = Product(_in_torch(size), flops)
        products[f"bf16 product {size}, OpenVINO"] = Product(_in_openvino(size, threads), flops)
    return products


def _in_torch(size: int) -> Callable[[object], object]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=generator).bfloat16() / size**0.5 for _ in range(2))

    def run(_: object) -> object:
        product = a
        for _ in range(_CHAIN):
            product = product @ b
        return product

    return run


def _in_openvino(size: int, threads: int) -> Callable[[object], object]:
    openvino = import_openvino()
    ops = openvino.opset13
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(size, size)).astype(np.float32) / size**0.5 for _ in range(2))
    given = ops.parameter(a.shape, openvino.Type.f32)
    product = given
    for _ in range(_CHAIN):
        product = ops.matmul(product, ops.constant(b), False, False)
    settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled = openvino.Core().compile_model(openvino.Model([product], [given]), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(a, shared_memory=True))
    return lambda _: request.infer()
