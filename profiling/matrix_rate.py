"""How many operations a second this machine's own matrix products reach: what a network is held against.

The product is OpenVINO's, with the same threads as a session. It is also what tells a slower machine from slower code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from inference.auto import bf16_instructions
from inference.openvino_backend import import_openvino, openvino_core

ROWS, COLUMNS = 1024, 512
"""Of the left matrix; the right one is square. Both stay in a core's cache: larger products reach less."""
CHAIN = 16  # products in a row, so that the conversion of the input weighs little
FLOPS = 2 * ROWS * COLUMNS**2 * CHAIN
Precision = Literal["fp32", "bf16"]


def products(threads: int) -> dict[Precision, Callable[[], np.ndarray]]:
    """Those this machine has instructions for. Each computes :data:`FLOPS` operations, and gives [ROWS, COLUMNS]."""
    return {"fp32": product("fp32", threads)} | ({"bf16": product("bf16", threads)} if bf16_instructions() else {})


def like(precision: str) -> Precision:
    """The product that what is computed in ``precision`` is held against: bf16's, else fp32's."""
    return "bf16" if precision == "bf16" else "fp32"


def product(precision: Precision, threads: int) -> Callable[[], np.ndarray]:
    """A chain of matrix products, a·b·b·…·b of :func:`operands`."""
    openvino = import_openvino()
    ops = openvino.opset13
    a, b = operands()
    given = ops.parameter(a.shape, openvino.Type.f32)
    result = given
    for _ in range(CHAIN):
        result = ops.matmul(result, ops.constant(b), False, False)
    settings = {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
    }
    request = openvino_core().compile_model(openvino.Model([result], [given]), "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(a))  # copied: OpenVINO does not keep memory alive that it shares

    def run() -> np.ndarray:
        request.infer()
        return request.get_output_tensor(0).data

    return run


def operands() -> tuple[np.ndarray, np.ndarray]:
    """Noise [ROWS, COLUMNS] and [COLUMNS, COLUMNS] float32; the product keeps its scale."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((ROWS, COLUMNS), np.float32), rng.standard_normal((COLUMNS, COLUMNS), np.float32)
    return a, b / np.float32(COLUMNS**0.5)
