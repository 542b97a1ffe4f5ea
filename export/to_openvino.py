"""An ONNX graph becomes OpenVINO's own form: quicker to open, and what its tools take."""

from __future__ import annotations

from pathlib import Path

from errors import UserError
from inference.openvino_backend import import_openvino


def to_openvino(graph: Path, out: Path) -> None:
    """Write ``out`` (.xml) and its weights beside it (.bin), none of them rounded.

    Raises:
        UserError: OpenVINO cannot read the graph.
    """
    openvino = import_openvino()
    try:
        reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")
        model = reader.convert(reader.load(str(graph)))
    except Exception as error:  # its exceptions have no base class of their own
        raise UserError(f"{graph}: OpenVINO cannot read it ({' '.join(str(error).split())[:300]})") from error
    openvino.save_model(model, str(out), compress_to_fp16=False)
