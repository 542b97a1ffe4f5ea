"""What the machine's rate is measured with are the products they are said to be."""

import gc

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from profiling.bf16_rate import CHAIN, bf16_products, operands  # noqa: E402


def test_products_are_right_long_after_they_were_made():
    size = 512  # 1 MiB a matrix: given back to the system when it is freed
    products = bf16_products(1, [size])
    gc.collect()
    filler = [np.full((size, size), 1e9, np.float32) for _ in range(4)]  # on memory that was wrongly given back
    a, b = operands(size)
    expected = a.astype(np.float64)
    for _ in range(CHAIN):
        expected = expected @ b
    assert len(products) == 2
    for product in products.values():
        for _ in range(2):
            error = np.abs(torch.as_tensor(product.run(None)).float().numpy() - expected)
            assert error.max() < 0.1 * np.abs(expected).max()
        assert product.flops == CHAIN * 2 * size**3
    assert len(filler) == 4
