"""A graph file as it is written: its keys, their types, defaults and limits. The JSON Schema is made from these."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from pipeline.graph_problems import Problems, nearest

Policy = Literal["latest", "all"]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Queue = Annotated[int, Meta(ge=1, le=1_000_000)]
# The upper limit, a day or so, also keeps infinity out.
Milliseconds = Annotated[float, Meta(ge=0, le=1e8)]
PositiveMilliseconds = Annotated[float, Meta(gt=0, le=1e8)]
SignedMilliseconds = Annotated[float, Meta(ge=-1e8, le=1e8)]
Seconds = Annotated[float, Meta(ge=0, le=1e5)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=1e5)]


class InputEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The long form of an edge; the short form is the name of the node alone."""

    from_: str = field(name="from")
    policy: Policy | None = None
    queue: Queue | None = None


class InputSyncEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one input is matched to the primary one. ``period_ms``: the time between two of its messages."""

    tolerance_ms: Milliseconds | None = None
    offset_ms: SignedMilliseconds = 0.0
    period_ms: PositiveMilliseconds | None = None


class SyncEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a node's inputs are matched in sensor time. ``timeout_ms: null`` waits until the input has come or ended."""

    tolerance_ms: Milliseconds = 50.0
    timeout_ms: Milliseconds | UnsetType | None = UNSET
    per_input: dict[str, InputSyncEntry] = {}


class PublishEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint for consumers outside the graph. The run starts once ``wait_for`` of them are connected."""

    bind: str
    policy: Policy | None = None
    queue: Queue = 8
    wait_for: Count = 0
    stall_timeout_s: PositiveSeconds = 10.0
    curve: bool | None = None


class Restart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most ``limit`` restarts within ``window_s``, the first after ``backoff_s``."""

    limit: Count = 3
    backoff_s: Seconds = 0.5
    window_s: PositiveSeconds = 60.0


class NodeEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of the graph."""

    type: str
    params: dict[str, Any] = {}
    inputs: dict[str, str | InputEntry] = {}
    sync: SyncEntry | None = None
    publish: PublishEntry | None = None
    optional: bool = False
    placement: Literal["process", "thread"] = "process"
    transport: Literal["ipc", "tcp"] | None = None
    bind: str | None = None
    curve: bool | None = None
    deadline_ms: PositiveMilliseconds | None = None
    hang_timeout_s: PositiveSeconds = 10.0
    restart: Restart = Restart()


class GraphEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline: nodes and the edges between them."""

    name: str | None = None
    description: str = ""
    policy: Policy | None = None
    nodes: dict[str, NodeEntry]


def convert(value: Any, hint: Any, path: str, problems: Problems) -> Any:
    """Like :func:`msgspec.convert`, but every problem is noted with its whole path and the nearest name.

    Returns None where a problem was noted.
    """
    if isinstance(value, dict):
        for option in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
            if isinstance(option, type) and issubclass(option, Struct):
                return _convert_struct(value, option, path, problems)
            if get_origin(option) is dict:
                return _convert_dict(value, get_args(option)[1], path, problems)
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).replace("`", "").partition(" - at $")
        problems.add(path + inner, _reason(text, value, hint))
        return None


def _convert_struct(value: dict[str, Any], struct: type[Struct], path: str, problems: Problems) -> Struct | None:
    before = len(problems)
    prefix = f"{path}." if path else ""
    fields = {item.encode_name: item for item in msgspec.structs.fields(struct)}
    for key in value:
        if key not in fields:
            problems.add(f"{prefix}{key}", f"unknown key{nearest(key, fields)}")
    arguments = {}
    for key, item in fields.items():
        if key in value:
            arguments[item.name] = convert(value[key], item.type, f"{prefix}{key}", problems)
        elif item.required:
            problems.add(path, f"{key!r} is missing")
    return struct(**arguments) if len(problems) == before else None


def _convert_dict(value: dict[str, Any], item: Any, path: str, problems: Problems) -> dict[str, Any] | None:
    before = len(problems)
    converted = {key: convert(entry, item, f"{path}.{key}", problems) for key, entry in value.items()}
    return converted if len(problems) == before else None


_WORDS = {"object": "a mapping", "array": "a list", "str": "text", "int": "a whole number", "float": "a number"}


def _reason(text: str, value: Any, hint: Any) -> str:
    """msgspec's reason in the words of a YAML file, with the value."""
    shown = "null" if value is None else repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    if text.startswith("Invalid enum value"):
        return f"{shown} is not a choice{nearest(str(value), _choices(hint))}"
    expected = text.removeprefix("Expected ").split(", got")[0]
    words = (_WORDS.get(word, word) for word in expected.split())
    return f"expected {' '.join('or' if word == '|' else word for word in words)}, got {shown}"


def _choices(hint: Any) -> set[str]:
    if get_origin(hint) is Literal:
        return set(map(str, get_args(hint)))
    return {choice for option in get_args(hint) for choice in _choices(option)}
