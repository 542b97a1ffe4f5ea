"""Node types: from the name in a graph file to a class, what it takes and gives, and whether its parameters fit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import msgspec

from errors import UserError
from pipeline.graph.entries import convert
from pipeline.graph.problems import Problems, nearest
from pipeline.node import NodeSignature, load_node_class, node_signature

TYPE_PATH = re.compile(r"[A-Za-z_][\w.]*:\w+")


class NodeType(msgspec.Struct, frozen=True):
    """A node class: where it is (``package.module:Class``), and its inputs and output."""

    path: str
    cls: type
    signature: NodeSignature


def short_names(node_package: str) -> list[str]:
    """The modules of the package that holds the nodes. Raises ImportError where there is no such package."""
    package = importlib.import_module(node_package)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def node_types(node_package: str) -> dict[str, NodeType]:
    """Every node type that has a short name. It imports all of the package; modules without a node class are helpers.

    Raises :class:`errors.UserError` where a module cannot be imported, or its class is not a node.
    """
    names = [name for name in short_names(node_package) if _node_classes(_import(f"{node_package}.{name}"))]
    return {name: find_node(name, node_package) for name in names}


def find_node(name: str, node_package: str) -> NodeType:
    """The node class behind ``projection`` (a file of ``node_package``) or ``package.module:Class``.

    Raises :class:`errors.UserError` where there is none, or what is there is not a node.
    """
    if ":" in name:
        if not TYPE_PATH.fullmatch(name):
            raise UserError(f"{name!r} is not package.module:Class")
        module_name, _, class_name = name.partition(":")
        module = _import(module_name)
        if not hasattr(module, class_name):
            raise UserError(f"{module_name} has no class {class_name!r}{nearest(class_name, _node_classes(module))}")
    elif name in (known := short_names(node_package)):
        module_name = f"{node_package}.{name}"
        found = _node_classes(_import(module_name))
        if len(found) != 1:
            what = f"has several node classes ({', '.join(found)})" if found else "has no node class"
            raise UserError(f"{module_name} {what}; name one as {module_name}:Class")
        class_name = found[0]
    else:
        raise UserError(f"no node type {name!r}{nearest(name, known)}")
    path = f"{module_name}:{class_name}"
    cls = load_node_class(path)
    return NodeType(path, cls, _signature(cls, path))


def _import(module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except Exception as error:  # importing runs the module's own code, which may fail in any way
        absent = isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]
        hint = "; put its folder on PYTHONPATH" if absent else ""
        raise UserError(f"{module_name} cannot be imported: {type(error).__name__}: {error}{hint}") from error


def _node_classes(module: ModuleType) -> list[str]:
    """The public classes defined in a module that have ``process`` or ``messages``."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and (hasattr(value, "process") or hasattr(value, "messages"))
    ]


def _signature(cls: Any, path: str) -> NodeSignature:
    if not inspect.isclass(cls):
        raise UserError(f"{path} is not a class")
    try:
        signature, hints = node_signature(cls), parameter_hints(cls)
    except (TypeError, NameError, AttributeError) as error:  # the last two: annotations that do not resolve
        raise UserError(f"{path} is not a node: {error}") from error
    for name, (hint, _) in hints.items():
        try:
            msgspec.json.schema(hint)
        except TypeError as error:
            raise UserError(
                f"{path} is not a node: its parameter {name!r} is annotated {hint}; a parameter is text, a number, a"
                " boolean, or a list or dict of them"
            ) from error
    return signature


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
    named = [item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
    return {item.name: (hints.get(item.name, Any), item.default) for item in named}
