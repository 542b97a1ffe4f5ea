"""From a YAML file to plain data: strict YAML, then ``--set`` overrides, then ``${variables}``.

Scalars are read as YAML 1.2's core schema has them: ``1e-3`` is a number, ``2011_09_26`` and ``no`` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from errors import UserError
from pipeline.graph.problems import Problems, nearest

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
VARIABLES = ("data", "out", "root")
MAX_DEPTH = 40


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars, and with an error for a key that comes twice (PyYAML takes the last)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own interface)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                raise yaml.constructor.ConstructorError(None, None, "a key must be text: quote it", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"|~|null|Null|NULL", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]{0,17})", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_document(path: Path, values: Mapping[str, str], overrides: Sequence[str]) -> tuple[dict[str, Any], Problems]:
    """Read a graph file, apply the overrides, put in the variables.

    Returns plain data (no alias is shared) and the list that further problems go to.
    Raises :class:`errors.UserError` where the file cannot be read as a mapping, or an override or a variable is wrong.
    """
    document = _read(path)
    problems = Problems(str(path), [_override(document, override) for override in overrides])
    document = _substitute(document, "", values, problems)
    problems.raise_if_any()
    return document, problems


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file{nearest(path.name, _graphs_beside(path))}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8 text; a graph is a YAML file") from error
    document = _parse(text, str(path))
    if document is None:
        raise UserError(f"{path}: is empty; a graph needs at least 'nodes:'")
    if not isinstance(document, dict):
        raise UserError(f"{path}: the top level must be a mapping with 'nodes:', this is {_kind(document)}")
    return document


def _graphs_beside(path: Path) -> list[str]:
    return [found.name for found in path.parent.glob("*.yaml")]


def _parse(text: str, where: str) -> Any:
    """YAML as plain data without shared aliases. Raises UserError, with the line."""
    try:
        return _copy(yaml.load(text, _Loader), where)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{where}: {line}{error.problem or error.context}") from error
    except yaml.YAMLError as error:  # characters that YAML does not allow
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UserError(f"{where}: is nested too deeply") from error
    except ValueError as error:  # an explicit tag on a value that it does not fit, such as !!int abc
        raise UserError(f"{where}: not YAML: {error}") from error


def _copy(value: Any, where: str, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise UserError(f"{where}: is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {key: _copy(item, where, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item, where, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UserError(f"{where}: {_kind(value)} cannot be used here; write text, numbers, lists and mappings")


def _kind(value: Any) -> str:
    return {"list": "a list", "str": "text", "dict": "a mapping"}.get(type(value).__name__, f"a {type(value).__name__}")


def _override(document: dict[str, Any], override: str) -> str:
    """Apply ``nodes.segmentation.params.knn=0``. Keys that the file does not have are made; a node is not.

    Returns the path of the first key that is not the file's own any more.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"--set {override}: expected PATH=VALUE, such as nodes.segmentation.params.knn=0")
    value = _parse(text, f"--set {override}")
    at, given = document, len(keys)
    for depth, key in enumerate(keys[:-1]):
        if depth == 1 and keys[0] == "nodes" and key not in at:
            raise UserError(f"--set {override}: no node {key!r} in the graph{nearest(key, at)}")
        child = at.get(key)
        if isinstance(child, str) and depth == 3 and keys[0] == "nodes" and keys[2] == "inputs":
            child = {"from": child}  # the short form of an edge grows into the long one
        elif child is None:
            child, given = {}, min(given, depth + 1)
        if not isinstance(child, dict):
            raise UserError(f"--set {override}: {'.'.join(keys[: depth + 1])} is {_kind(child)}, not a mapping")
        at[key] = child
        at = child
    if len(keys) == 2 and keys[0] == "nodes" and keys[1] not in at:
        raise UserError(f"--set {override}: no node {keys[1]!r} in the graph{nearest(keys[1], at)}")
    at[keys[-1]] = value
    return ".".join(keys[:given])


def _substitute(value: Any, path: str, values: Mapping[str, str], problems: Problems) -> Any:
    if isinstance(value, dict):
        return {k: _substitute(v, f"{path}.{k}" if path else k, values, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_substitute(item, f"{path}[{i}]", values, problems) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _variables(value):
        if name in values:
            continue
        if name in VARIABLES:
            problems.add(path, f"uses ${{{name}}}: give --{name} PATH")
        else:
            known = {f"${{{known}}}" for known in (*VARIABLES, *values)}
            problems.add(path, f"no variable ${{{name}}}{nearest(f'${{{name}}}', known)}")
    return VARIABLE.sub(lambda match: str(values.get(match[1], match[0])), value)


def _variables(text: str) -> Iterator[str]:
    return (match[1] for match in VARIABLE.finditer(text))
