"""What an engine is: who built it for what, and its layers with the formats that are really computed in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from errors import UserError
from inference.cuda import first_gpu
from inference.tensorrt_library import EngineHeader, load_library, make_logger, read_header

# TensorRT has several words for a type, alone (``Datatype: Half``) or in a format (``Row major linear FP16 format``).
_TYPES = {
    "fp32": ("Float", "FP32"),
    "fp16": ("Half", "FP16"),
    "bf16": ("BFloat16", "BF16"),
    "fp8": ("FP8", "E4M3"),
    "int8": ("Int8", "INT8"),
    "int32": ("Int32", "INT32"),
    "int64": ("Int64", "INT64"),
    "uint8": ("UInt8", "UINT8"),
    "bool": ("Bool", "BOOL"),
}
_LAYER = re.compile(r"^(?:\[\w+\] )?Name: (.*?), LayerType: ([^,]+), Inputs: (.*?), (?:Constants: .*)?Outputs: (.*)$")
_DATATYPE = re.compile(r"Datatype: ([^,}]+)")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer as it runs, after fusion.

    ``types``: of its inputs and outputs, ``("fp16", "fp32")``. ``onnx_nodes``: the nodes of the graph that it computes.
    """

    name: str
    kind: str
    types: tuple[str, ...]
    onnx_nodes: tuple[str, ...]


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an engine file. ``layers_from``: ``the engine``, ``the log of its build``, None: not known."""

    header: EngineHeader
    engine_bytes: int
    layers: tuple[Layer, ...]
    layers_from: str | None


def inspect_engine(engine: Path, log: Path | None = None) -> EngineInfo:
    """Describe ``engine``. Its layers come from the engine where a GPU can load it, else from the log of its build.

    Args:
        log: what :func:`export.tensorrt.build.build_engine` kept.

    Raises:
        UserError: not an engine; the log cannot be read.
    """
    header = read_header(engine)
    layers, source = _layers_of_engine(engine, header), "the engine"
    if layers is None and log is not None:
        try:
            layers, source = layers_in(log.read_text(encoding="utf-8")), "the log of its build"
        except OSError as error:
            raise UserError(f"{log}: cannot be read ({error.strerror}); export the model again") from error
    return EngineInfo(
        header=header,
        engine_bytes=engine.stat().st_size,
        layers=tuple(layers or ()),
        layers_from=source if layers else None,
    )


def layers_in(text: str) -> list[Layer]:
    """The layers that a text names, one a line: of ``EngineInspector``, or the log of a build, which ends with them.

    Lines of an engine that was built without detail name no types, and are left out.
    """
    layers = []
    for name, kind, inputs, outputs in (match.groups() for match in map(_LAYER.match, text.splitlines()) if match):
        # Constants are left out: a convolution in fp16 is scaled by a constant in fp32.
        words = {word for format_ in _DATATYPE.findall(inputs + outputs) for word in format_.split()}
        types = tuple(sorted(type_ for type_, names in _TYPES.items() if not words.isdisjoint(names)))
        layers.append(Layer(name=name, kind=kind, types=types, onnx_nodes=tuple(_NODE.findall(outputs))))
    return layers


def _layers_of_engine(engine: Path, header: EngineHeader) -> list[Layer] | None:
    """From the library itself; None where it is not installed, or no GPU can load the engine."""
    if first_gpu() is None:
        return None
    try:
        library = load_library(header.library)
    except UserError:
        return None
    trt: Any = library.module
    runtime = trt.Runtime(make_logger(library, lambda level, line: None))
    loaded = runtime.deserialize_cuda_engine(engine.read_bytes())
    if loaded is None:
        return None
    return layers_in(loaded.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.ONELINE))
