"""Node types: from the name in a graph file to a class, what it takes and gives, and whether its parameters fit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from errors import UserError
from pipeline.graph_entries import convert
from pipeline.graph_problems import Problems, nearest
from pipeline.node import NodeSignature, load_node_class, node_signature


class NodeType(msgspec.Struct, frozen=True):
    """A node class: where it is (``package.module:Class``), and its inputs and output."""

    path: str
    cls: type
    signature: NodeSignature


def short_names(node_package: str) -> list[str]:
    """The modules of the package that holds the nodes. Raises ImportError where there is no such package."""
    package = importlib.import_module(node_package)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def find_node(name: str, node_package: str) -> NodeType:
    """The node class behind ``projection`` (a file of ``node_package``) or ``package.module:Class``.

    Raises :class:`errors.UserError` where there is none, or what is there is not a node.
    """
    if ":" in name:
        path = name
    elif name in (known := short_names(node_package)):
        path = _only_node_class(f"{node_package}.{name}")
    else:
        raise UserError(f"no node type {name!r}{nearest(name, known)}")
    try:
        cls = load_node_class(path)
    except AttributeError as error:
        module, _, attribute = path.partition(":")
        names = (key for key, value in vars(importlib.import_module(module)).items() if inspect.isclass(value))
        raise UserError(f"{module} has no class {attribute!r}{nearest(attribute, names)}") from error
    except Exception as error:  # importing runs the module's own code, which may fail in any way
        raise UserError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return NodeType(path, cls, _signature(cls, path))


def _only_node_class(module_name: str) -> str:
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # as above
        raise UserError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module_name
        and not name.startswith("_")
        and (hasattr(value, "process") or hasattr(value, "messages"))
    ]
    if len(found) != 1:
        what = (
            f"has several node classes ({', '.join(found)})" if found else "has no class with process() or messages()"
        )
        raise UserError(f"{module_name} {what}; name one as {module_name}:Class")
    return f"{module_name}:{found[0]}"


def _signature(cls: Any, path: str) -> NodeSignature:
    if not inspect.isclass(cls):
        raise UserError(f"{path} is not a class")
    try:
        return node_signature(cls)
    except (TypeError, NameError, AttributeError) as error:  # the last two: annotations that do not resolve
        raise UserError(f"{path} is not a node: {error}") from error


def check_params(node: NodeType, params: Mapping[str, Any], path: str, problems: Problems) -> dict[str, Any] | None:
    """The constructor's arguments, defaults filled in, as plain data; None where a problem was noted."""
    before = len(problems)
    hints = parameter_hints(node.cls)
    for name in params:
        if name not in hints:
            problems.add(f"{path}.{name}", f"{node.path} has no such parameter{nearest(name, hints)}")
    arguments: dict[str, Any] = {}
    for name, (hint, default) in hints.items():
        if name in params:
            arguments[name] = convert(params[name], hint, f"{path}.{name}", problems)
        elif default is inspect.Parameter.empty:
            problems.add(path, f"{name!r} is missing: {node.path} needs it")
        else:
            arguments[name] = default
    return msgspec.to_builtins(arguments) if len(problems) == before else None


def parameter_hints(cls: type) -> dict[str, tuple[Any, Any]]:
    """Name → (annotation, default) of each constructor parameter; the default is ``inspect.Parameter.empty`` where
    there is none."""
    if cls.__init__ is object.__init__:  # type: ignore[misc]
        return {}
    hints = typing.get_type_hints(cls.__init__, include_extras=True)  # type: ignore[misc]
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    return {parameter.name: (hints.get(parameter.name, Any), parameter.default) for parameter in parameters}
