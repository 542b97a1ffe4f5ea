"""What a node is: a plain class. The runtime owns sockets, queues, time, metrics and signals.

A **processing node** has ``process``. Its inputs are the annotated parameters of ``process``, by name; its output is
the return annotation. With several inputs the first is the primary one: the runtime synchronises the others to its
stamp and calls ``process`` once per primary message. ``X | None`` marks an input that may be missing. A parameter
annotated ``tuple[InputStatus, ...]`` receives what became of each input::

    class Projection:
        def __init__(self, height: int = 64, width: int = 512) -> None: ...
        def process(self, scan: LidarScan) -> RangeImage: ...

A **source** has ``messages`` instead: a generator that yields messages stamped in sensor time, in order. The runtime
releases each when it is due. Where one record cannot be used the generator yields :class:`Skipped` and goes on::

    class LidarSource:
        def messages(self) -> Iterator[LidarScan | Skipped]: ...

A source with a true attribute ``live`` is not paced: its messages are stamped by the runtime on arrival.

A **sink** is a processing node that returns ``None``.

All of these may have, and the runtime then calls:

- ``open()``: before the first message, in the node's own process (load models, open files);
- ``finish() -> Iterator[message]``: after the last message, to emit what is still held back;
- ``close()``: at the end, also after an error;
- ``check(cls, **params)`` (classmethod): before anything starts, in the supervisor's process, with the constructor's
  parameters. Cheap. Raises :class:`errors.UserError`; :class:`errors.DataAbsentError` for a sensor that is not there;
- ``resume(after_seq: int)`` (sources): called before ``messages`` when the source was restarted; continue after it;
- ``counters: collections.Counter[str]``: what the node wants in the report ("points_not_finite").

A node may set the header fields ``stamp_ns``, ``frame_id`` and ``name`` in a source, and nothing else: the runtime
fills in the rest, and a processing node's outputs get their (primary) input's header. To speak to the user a node uses
``logging.getLogger(__name__)``: warnings and errors are shown, counted and kept in the report.
Parameters of the constructor are simple values (numbers, strings, booleans, lists and dicts of them) with annotations.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import types
import typing
from typing import Any

import msgspec

from pipeline.messages import InputStatus, Message


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A record that a source could not use. Counted and named in the report; with ``--strict`` it ends the run."""

    name: str
    reason: str


class Input(msgspec.Struct, frozen=True):
    """One input of a node: the parameter's name, the message type it takes, whether it may be missing."""

    name: str
    type: type[Message]
    optional: bool


class NodeSignature(msgspec.Struct, frozen=True):
    """What a node class takes and gives, read from its annotations."""

    inputs: tuple[Input, ...]
    output: type[Message] | None
    status_parameter: str | None
    is_source: bool


def load_node_class(path: str) -> type:
    """The class at ``"package.module:Class"``. Raises ImportError or AttributeError."""
    module, _, name = path.partition(":")
    return typing.cast(type, getattr(importlib.import_module(module), name))


def node_signature(cls: type) -> NodeSignature:
    """Read a node class's inputs and output from its annotations. Raises TypeError where it is not a node."""
    if hasattr(cls, "messages"):
        hints = typing.get_type_hints(cls.messages)
        return NodeSignature((), _message_type(hints.get("return")), None, True)
    if not hasattr(cls, "process"):
        raise TypeError(f"{cls.__name__} is not a node: it has neither process() nor messages()")
    hints = typing.get_type_hints(cls.process)
    inputs, status = [], None
    for name in list(inspect.signature(cls.process).parameters)[1:]:
        hint = hints.get(name)
        if hint == tuple[InputStatus, ...]:
            status = name
            continue
        message = _message_type(hint)
        if message is None:
            raise TypeError(f"{cls.__name__}.process: parameter {name!r} has no message type")
        inputs.append(Input(name, message, type(None) in typing.get_args(hint)))
    if not inputs or inputs[0].optional:
        raise TypeError(f"{cls.__name__}.process: the first input must be a message and cannot be optional")
    return NodeSignature(tuple(inputs), _message_type(hints.get("return")), status, False)


def _message_type(hint: Any) -> type[Message] | None:
    """The one message class in an annotation such as ``X | None``, ``list[X]`` or ``Iterator[X | Skipped]``."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint if issubclass(hint, Message) else None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType, list, tuple, collections.abc.Iterator, collections.abc.Iterable):
        found = {m for m in map(_message_type, typing.get_args(hint)) if m is not None}
        if len(found) > 1:
            raise TypeError(f"one message type per node output or input, found {sorted(m.__name__ for m in found)}")
        return next(iter(found), None)
    return None
