"""The values inside a graph while a runtime computes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from export.families import Arrays
from export.layers import Difference, Fingerprint, chunks, first_difference
from inference.openvino_backend import import_openvino, openvino_core
from inference.ort import import_onnxruntime

TOLERANCE = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.05, "int8": 0.5}
"""How far a layer's values may be from the network's, per precision: rounding adds up along the layers."""


def in_onnxruntime(graph: Path, inputs: Arrays, layers: Sequence[Fingerprint], precision: str) -> Difference | None:
    """The first layer that ONNX Runtime computes otherwise than the network did."""
    return first_difference(_onnxruntime_values(graph, inputs, layers), layers, TOLERANCE[precision])


def in_openvino(graph: Path, inputs: Arrays, layers: Sequence[Fingerprint], precision: str) -> Difference | None:
    """The first layer that OpenVINO computes otherwise, given the ``.onnx``."""
    return first_difference(_openvino_values(graph, inputs, layers, precision), layers, TOLERANCE[precision])


def _onnxruntime_values(graph: Path, inputs: Arrays, layers: Sequence[Fingerprint]) -> Iterator[tuple[str, np.ndarray]]:
    import onnx

    model, onnxruntime = onnx.load(graph), import_onnxruntime()
    outputs = list(model.graph.output)
    made = {name for node in model.graph.node for name in node.output}
    for names in chunks([layer for layer in layers if layer.name in made]):
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        model.graph.output.extend(output for output in outputs if output.name not in names)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        yield from zip(names, session.run(list(names), dict(inputs)), strict=True)


def _openvino_values(
    graph: Path, inputs: Arrays, layers: Sequence[Fingerprint], precision: str
) -> Iterator[tuple[str, np.ndarray]]:
    openvino = import_openvino()
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")
    whole = reader.convert(reader.load(str(graph)))
    known = {name for op in whole.get_ops() for output in op.outputs() for name in output.get_names()}
    for names in chunks([layer for layer in layers if layer.name in known]):
        model = whole.clone()
        model.add_outputs(list(names))
        compiled = openvino_core().compile_model(model, "CPU", hint)
        results = compiled(dict(inputs))
        for name in names:
            yield name, np.array(results[name], np.float32)
