"""Engines of TensorRT and TensorRT-RTX from an ONNX graph: one path for both, and for TensorRT 10 and 11."""
