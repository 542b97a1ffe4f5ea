"""How many bf16 operations a second this machine's own matrix products reach: what a network is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from inference.openvino_backend import import_openvino, openvino_core

SIZES = (1024, 2048, 4096)
CHAIN = 4  # products in a row, so that the conversion of the input weighs little


class Product(NamedTuple):
    """A version for :func:`profiling.interleaved.interleave` (its input is ignored) and its operations per run."""

    run: Callable[[object], np.ndarray | torch.Tensor]
    flops: int


def bf16_products(threads: int, sizes: Sequence[int] = SIZES) -> dict[str, Product]:
    """Chains of square matrix products, a·b·b·b·b of :func:`operands`, in PyTorch (oneDNN) and in OpenVINO."""
    torch.set_num_threads(threads)
    products = {}
    for size in sizes:
        flops = 2 * size**3 * CHAIN
        products[f"bf16 product {size}, PyTorch"] = Product(_in_torch(size), flops)
        products[f"bf16 product {size}, OpenVINO"] = Product(_in_openvino(size, threads), flops)
    return products


def operands(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices [size, size] float32 of noise whose product keeps their scale."""
    rng = np.random.default_rng(size)
    a, b = rng.standard_normal((2, size, size), np.float32) / np.float32(size**0.5)
    return a, b


def _in_torch(size: int) -> Callable[[object], torch.Tensor]:
    a, b = (torch.from_numpy(matrix).bfloat16() for matrix in operands(size))

    def run(_: object) -> torch.Tensor:
        product = a
        for _ in range(CHAIN):
            product = product @ b
        return product

    return run


def _in_openvino(size: int, threads: int) -> Callable[[object], np.ndarray]:
    openvino = import_openvino()
    ops = openvino.opset13
    a, b = operands(size)
    given = ops.parameter(a.shape, openvino.Type.f32)
    product = given
    for _ in range(CHAIN):
        product = ops.matmul(product, ops.constant(b), False, False)
    settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    request = openvino_core().compile_model(openvino.Model([product], [given]), "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(a))  # copied: OpenVINO does not keep memory alive that it shares

    def run(_: object) -> np.ndarray:
        request.infer()
        return request.get_output_tensor(0).data

    return run
