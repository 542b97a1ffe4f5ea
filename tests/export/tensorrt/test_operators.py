"""What is refused before an engine is built."""

import pytest

onnx = pytest.importorskip("onnx")

from errors import UserError  # noqa: E402
from export.tensorrt.operators import check_operators  # noqa: E402


def test_suppression_is_not_for_tensorrt_rtx(tmp_path):
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("boxes", "scores")]
    kept = onnx.helper.make_tensor_value_info("kept", onnx.TensorProto.INT64, None)
    for operator in ("NonMaxSuppression", "Concat"):
        node = onnx.helper.make_node(operator, ["boxes", "scores"], ["kept"])
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", inputs, [kept])), tmp_path / operator)
    check_operators(tmp_path / "Concat", "tensorrt-rtx")
    check_operators(tmp_path / "NonMaxSuppression", "tensorrt")
    with pytest.raises(
        UserError, match="--to tensorrt-rtx: it cannot compute NonMaxSuppression; export a model of ours"
    ):
        check_operators(tmp_path / "NonMaxSuppression", "tensorrt-rtx")
