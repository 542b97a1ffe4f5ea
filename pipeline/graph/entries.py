"""A graph file as it is written: its keys, their types, defaults and limits. The JSON Schema is made from these."""

from __future__ import annotations

import re
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from pipeline.graph.problems import Problems, nearest

Policy = Literal["latest", "all"]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Queue = Annotated[int, Meta(ge=1, le=1_000_000)]
# The upper limit, a day or so, also keeps infinity out.
Milliseconds = Annotated[float, Meta(ge=0, le=1e8)]
PositiveMilliseconds = Annotated[float, Meta(gt=0, le=1e8)]
SignedMilliseconds = Annotated[float, Meta(ge=-1e8, le=1e8)]
Hertz = Annotated[float, Meta(gt=0, le=1e6)]
Seconds = Annotated[float, Meta(ge=0, le=1e5)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=1e5)]


def _says(text: str) -> Meta:
    """What an editor shows for a key."""
    return Meta(description=text)


PolicyOrDefault = Annotated[
    Policy | None,
    _says("latest: the oldest waiting message is dropped, and counted. all: the publisher waits, nothing is lost."),
]
Bind = _says("Where it can be reached: ipc://PATH or tcp://HOST:PORT.")
Curve = Annotated[bool | None, _says("Encrypt (tcp only). Always on where other machines can reach the endpoint.")]


class InputEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The long form of an edge; the short form is the name of the node alone."""

    from_: Annotated[str, _says("The node whose output it takes.")] = field(name="from")
    policy: PolicyOrDefault = None
    queue: Annotated[Queue | None, _says("Messages that may wait: 1 under latest, 4 under all.")] = None


class InputSyncEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one input is matched to the primary one."""

    tolerance_ms: Annotated[
        Milliseconds | None, _says("For this input; unless given, 0 if it has the primary one's source.")
    ] = None
    offset_ms: Annotated[SignedMilliseconds, _says("Added to its stamps before they are compared.")] = 0.0
    period_ms: Annotated[PositiveMilliseconds | None, _says("The time from one of its messages to the next.")] = None


class SyncEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a node's inputs are matched to its primary one, in sensor time."""

    tolerance_ms: Annotated[Milliseconds, _says("How far apart stamps of different sources may be in one set.")] = 50.0
    timeout_ms: Annotated[
        Milliseconds | UnsetType | None,
        _says(
            "How long a set waits for an input. null: until it has come, has been passed or has ended. Unless given:"
            " 500, and null for lossless inputs with --rate max."
        ),
    ] = UNSET
    per_input: dict[str, InputSyncEntry] = {}


class PublishEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open this output to consumers outside the graph."""

    bind: Annotated[str, Bind]
    policy: PolicyOrDefault = None
    queue: Annotated[Queue, _says("Messages that may wait for each consumer.")] = 8
    wait_for: Annotated[Count, _says("The run starts once so many consumers are connected.")] = 0
    stall_timeout_s: Annotated[
        PositiveSeconds, _says("Under all, a consumer that takes nothing for so long ends the run.")
    ] = 10.0
    curve: Curve = None


class Restart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens when the node's process dies or hangs."""

    limit: Annotated[Count, _says("Restarts within window_s; one more ends the run.")] = 3
    backoff_s: Annotated[Seconds, _says("The wait before the first restart.")] = 0.5
    window_s: PositiveSeconds = 60.0


class ExpectedRate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many messages per second of sensor time a node's output should have."""

    hz: Hertz
    tolerance: Annotated[float, Meta(gt=0, lt=1), _says("How far off, as a share of hz, is still ok.")] = 0.1


class NodeEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of the graph."""

    type: Annotated[str, _says("A node of the nodes folder, such as projection, or package.module:Class.")]
    params: Annotated[dict[str, Any], _says("The arguments of the node's constructor.")] = {}
    inputs: Annotated[
        dict[str, str | InputEntry], _says("Parameter of process(): the node whose output it takes, or the long form.")
    ] = {}
    sync: SyncEntry | None = None
    publish: PublishEntry | None = None
    optional: Annotated[bool, _says("Left out, with what depends on it alone, where its data is absent.")] = False
    placement: Annotated[
        Literal["process", "thread"], _says("thread: shares a process with thread neighbours along its edges.")
    ] = "process"
    transport: Annotated[Literal["ipc", "tcp"] | None, _says("Of the output within the graph: ipc unless given.")] = (
        None
    )
    bind: Annotated[str | None, Bind] = None
    curve: Curve = None
    deadline_ms: Annotated[
        PositiveMilliseconds | None, _says("Sources: what is later than this is dropped where it waits, and counted.")
    ] = None
    expect_hz: Annotated[
        Hertz | ExpectedRate | None,
        _says("The rate its output should have as recorded. What is slower or faster is shown, exported and reported."),
    ] = None
    hang_timeout_s: Annotated[PositiveSeconds, _says("A message that takes longer is a hang: the node restarts.")] = (
        10.0
    )
    restart: Restart = Restart()


class GraphEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline: nodes and the edges between them."""

    name: Annotated[str | None, _says("The file's name unless given.")] = None
    description: str = ""
    policy: Annotated[
        Policy | None,
        _says(
            "Of every edge and published output that names none. Unless given: all with --rate max, latest otherwise."
        ),
    ] = None
    nodes: dict[str, NodeEntry]


def convert(value: Any, hint: Any, path: str, problems: Problems) -> Any:
    """Like :func:`msgspec.convert`, but every problem is noted with its whole path and the nearest name.

    Returns None where a problem was noted.
    """
    if isinstance(value, dict):
        for option in _options(hint):
            if isinstance(option, type) and issubclass(option, Struct):
                return _convert_struct(value, option, path, problems)
            if get_origin(option) is dict:
                return _convert_dict(value, get_args(option)[1], path, problems)
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).replace("`", "").partition(" - at $")
        for index in re.findall(r"\[(\d+)\]", inner):
            value = value[int(index)]
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


def _choices(hint: Any) -> list[str]:
    return [str(choice) for option in _options(hint) if get_origin(option) is Literal for choice in get_args(option)]


def _options(hint: Any) -> list[Any]:
    """The types in a union, without their annotations."""
    if get_origin(hint) is Annotated:
        return _options(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [option for member in get_args(hint) for option in _options(member)]
    return [hint]
