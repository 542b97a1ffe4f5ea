"""What the machine's rate is measured with are the products they are said to be."""

import gc

import numpy as np

from profiling.matrix_rate import CHAIN, COLUMNS, FLOPS, ROWS, operands, products


def test_products_are_right_long_after_they_were_made():
    multiply = products(1)
    gc.collect()
    filler = [np.full((ROWS, COLUMNS), 1e9, np.float32) for _ in range(8)]  # on memory that was wrongly given back
    a, b = operands()
    expected = a.astype(np.float64)
    for _ in range(CHAIN):
        expected = expected @ b
    assert multiply
    for run in multiply.values():
        for _ in range(2):
            assert np.abs(run() - expected).max() < 0.1 * np.abs(expected).max()
    assert FLOPS == CHAIN * 2 * ROWS * COLUMNS * COLUMNS
    assert len(filler) == 8
