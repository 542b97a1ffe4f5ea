"""The JSON Schema of a graph file, for editors: the keys, and for each node type its parameters and inputs."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from pipeline.graph.checks import NODE_NAME, OUTPUT_KEYS
from pipeline.graph.entries import GraphEntry
from pipeline.graph.nodes import NodeType, node_types, parameter_hints
from pipeline.node import NodeSignature


def json_schema(node_package: str = "nodes") -> dict[str, Any]:
    """The schema (draft 2020-12) of graph files whose short node types are the modules of ``node_package``.

    It imports them all. Raises :class:`errors.UserError` where one cannot be imported or is not a node.
    """
    types = node_types(node_package)
    _, definitions = msgspec.json.schema_components([GraphEntry], ref_template="#/$defs/{name}")
    graph = definitions.pop("GraphEntry")
    graph["properties"]["nodes"] |= {"minProperties": 1, "propertyNames": {"pattern": f"^{NODE_NAME.pattern}$"}}
    node = definitions["NodeEntry"]
    node["properties"]["type"] |= {"anyOf": [{"enum": list(types)}, {"pattern": r"^[\w.]+:\w+$"}]}
    node["allOf"] = [_of_type(name, node_type) for name, node_type in types.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **graph,
        "title": "Rangecast graph",
        "$defs": definitions,
    }


def _of_type(name: str, node_type: NodeType) -> dict[str, Any]:
    """What a node of this type must have: ``if`` the type is this one, ``then`` these parameters and inputs."""
    hints = parameter_hints(node_type.cls)
    parameters = {key: _parameter(hint, default) for key, (hint, default) in hints.items()}
    needed = [key for key, (_, default) in hints.items() if default is inspect.Parameter.empty]
    inputs = node_type.signature.inputs
    connected = [item.name for item in inputs if not item.optional]
    names = {"enum": [item.name for item in inputs]}
    of_type: dict[str, Any] = {
        "properties": {
            "params": {"properties": parameters, "required": needed, "additionalProperties": False},
            "inputs": {"propertyNames": names, "required": connected} if inputs else {"maxProperties": 0},
        },
        "required": ["params"] * bool(needed) + ["inputs"] * bool(connected),
    }
    of_type["properties"] |= {key: {"type": "null"} for key in _meaningless_keys(node_type.signature)}
    if node_type.cls.__doc__:
        summary = inspect.cleandoc(node_type.cls.__doc__).partition("\n\n")[0].replace("\n", " ")
        of_type["description"] = re.sub(r":\w+:(?=`)", "", summary)
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": of_type}


def _meaningless_keys(signature: NodeSignature) -> list[str]:
    """What :func:`pipeline.graph.checks.check_keys` refuses for a node of this kind."""
    keys = [] if signature.is_source else ["deadline_ms"]
    keys += [] if len(signature.inputs) > 1 else ["sync"]
    return keys + (list(OUTPUT_KEYS) if signature.output is None else [])


def _parameter(hint: Any, default: Any) -> dict[str, Any]:
    schema = msgspec.json.schema(hint)
    return schema if default is inspect.Parameter.empty else {**schema, "default": msgspec.to_builtins(default)}
