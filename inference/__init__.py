"""Run an exported model: one :class:`~inference.session.Session` over ONNX Runtime and OpenVINO. No torch."""
