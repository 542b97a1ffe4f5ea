"""What an engine is: who built it for what, and its layers with the formats that are really computed in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from errors import UserError
from inference.cuda import first_gpu
from inference.tensorrt_library import EngineHeader, load_library, make_logger, read_header

_TYPES = {"Float": "fp32", "Half": "fp16", "BFloat16": "bf16", "Int8": "int8", "FP8": "fp8", "E4M3": "fp8"}
_LAYER = re.compile(r"^(?:\[\w+\] )?Name: ([^,]+), LayerType: ([^,]+), Inputs: (.*?), (?:Constants: .*)?Outputs: (.*)$")
_TYPE = re.compile(r"Datatype: (\w+)")
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
            layers, source = layers_of_log(log.read_text(encoding="utf-8")), "the log of its build"
        except OSError as error:
            raise UserError(f"{log}: cannot be read ({error.strerror}); export the model again") from error
    return EngineInfo(
        header=header,
        engine_bytes=engine.stat().st_size,
        layers=tuple(layers or ()),
        layers_from=source if layers else None,
    )


def layers_of_log(text: str) -> list[Layer]:
    """The layers that the log of a build names: the library lists them at its end, in detail."""
    found = (_LAYER.match(line) for line in text.splitlines())
    return [_layer(m[1], m[2], [*_TYPE.findall(m[3]), *_TYPE.findall(m[4])], m[4]) for m in found if m]


def layers_of_json(text: str) -> list[Layer]:
    """The layers as ``EngineInspector`` gives them in JSON. An engine built without detail has only names."""
    layers = []
    for layer in json.loads(text)["Layers"]:
        if isinstance(layer, str):
            layers.append(_layer(layer, "", [], ""))
            continue
        tensors = [*layer.get("Inputs", ()), *layer.get("Outputs", ())]
        types = [str(tensor.get("Datatype") or tensor.get("Format/Datatype", "")) for tensor in tensors]
        layers.append(_layer(layer["Name"], layer.get("LayerType", ""), types, layer.get("Metadata", "")))
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
    return layers_of_json(loaded.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))


def _layer(name: str, kind: str, types: list[str], metadata: str) -> Layer:
    named = {_TYPES.get(each, each.lower()) for each in types if each}
    return Layer(name=name, kind=kind, types=tuple(sorted(named)), onnx_nodes=tuple(_NODE.findall(metadata)))
