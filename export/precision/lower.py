"""A float32 graph becomes one of lower precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import numpy as np
import onnx

from export.precision.graph import prepared
from export.precision.half import to_half
from export.precision.int8 import to_int8
from export.precision.keep import BY_OPERATOR, KeepFp32

Precision = Literal["fp16", "bf16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def lower(
    model: onnx.ModelProto,
    precision: Precision,
    *,
    keep_fp32: KeepFp32 = BY_OPERATOR,
    calibration: Iterable[Mapping[str, np.ndarray]] | None = None,
) -> onnx.ModelProto:
    """``model`` (float32; left as it is) computed in ``precision``; its inputs and outputs keep names and dtypes.

    A graph lowered to int8 may be lowered to fp16 then: what is not int8 is thereby no longer float32, as suits a GPU.

    Args:
        calibration: for int8 only: real inputs, name → array as the graph takes it. A few dozen do; all are held.

    Raises:
        UserError: int8 without calibration, or with none of use; a weight that ``precision`` cannot hold; a name in
            ``keep_fp32`` that matches nothing; an operator whose precision cannot be told.
    """
    if precision == "int8":
        lowered = to_int8(prepared(model), calibration, keep_fp32)
    else:
        lowered = to_half(prepared(model), precision, keep_fp32)
    onnx.checker.check_model(lowered, full_check=True)
    return lowered
