"""Precision, written into the graph: a float32 graph becomes one of float16, bfloat16 or int8, and is described.

TensorRT 11 and TensorRT-RTX build strongly typed networks: what the graph says is what is computed. So there is no flag
of a builder here. :func:`export.precision.lower.lower` gives a graph that any backend reads,
:func:`export.precision.report.describe` says what precisions a graph really has.
"""
