"""Messages to frames and back: one msgpack header, then the bytes of each array. Nothing is pickled or copied.

The header frame is a msgpack map::

    {type: "LidarScan", version: 1, header: {source, seq, …}, fields: {plain fields},
     arrays: [{name: "points", dtype: "<f4", shape: [N, 4], nbytes: 16 N}, …]}

and array ``i`` of the list is frame ``i + 1``, C-contiguous and little-endian. An array that is None is not listed.

:func:`decode` takes bytes from anywhere: it raises :class:`CodecError` or returns a message whose every field is of its
declared type. It reads unknown fields of a newer sender past, fills fields of an older one from their defaults, and
refuses a version that is newer than its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from pipeline.messages import ArrayField, Header, Message, array_fields, check_arrays, message_types

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
MAX_HEADER_BYTES = 1024 * 1024

Buffer = Any  # bytes, memoryview, zmq.Frame: whatever memoryview() takes


class CodecError(ValueError):
    """A message that cannot be encoded, or frames that are not a message. The text is one line."""


class _ArrayEntry(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    version: int
    header: Header
    fields: msgspec.Raw
    arrays: list[_ArrayEntry]


class _Plan:
    """What the codec needs to know of one message class, worked out once."""

    __slots__ = ("arrays", "cls", "fields_decoder", "fields_type", "plain_names")

    def __init__(self, cls: type[Message]) -> None:
        self.cls = cls
        self.arrays = {field.name: field for field in array_fields(cls)}
        plain = [f for f in msgspec.structs.fields(cls) if f.name != "header" and f.name not in self.arrays]
        self.plain_names = tuple(f.name for f in plain)
        self.fields_type = msgspec.defstruct(f"{cls.__name__}Fields", [_with_default(f) for f in plain], kw_only=True)
        self.fields_decoder = msgspec.msgpack.Decoder(self.fields_type)


def _with_default(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, field.type, msgspec.field(default_factory=field.default_factory)
    if field.default is not msgspec.NODEFAULT:
        return field.name, field.type, field.default
    return field.name, field.type


def _plain_number(value: Any) -> Any:
    """NumPy scalars travel as the Python numbers they stand for."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be sent in a plain field")


_plans: dict[type[Message], _Plan] = {}
_classes: dict[str, type[Message]] = {}
_encoder = msgspec.msgpack.Encoder(enc_hook=_plain_number)
_envelope_decoder = msgspec.msgpack.Decoder(_Envelope)


def encode(message: Message) -> list[bytes | memoryview]:
    """The frames of ``message``: ``[header, array bytes, …]``.

    The array frames are views of the message's own arrays (a copy only where one is not contiguous), so its arrays
    become read-only: what has been published must not change. What this function accepts, :func:`decode` accepts, up to
    its size limit. Raises :class:`CodecError` where a field is not what its class declares.
    """
    head, arrays = _pack(message)
    _read_header(head)  # a plain field of a wrong type is the sender's mistake, and is told to the sender
    return [head, *(array.data.cast("B") if array.size else b"" for array in arrays.values())]


def seal(message: Message) -> Message:
    """``message`` as :func:`decode` makes it of what :func:`encode` gives, with the same arrays, now read-only, in
    place of their bytes: for a consumer in the same process. Raises :class:`CodecError` like :func:`encode`.
    """
    head, arrays = _pack(message)
    envelope, plan, values = _read_header(head)
    for name in plan.arrays:
        values[name] = array = arrays.get(name)
        if array is not None:
            array.flags.writeable = False
    return plan.cls(header=envelope.header, **values)


def _pack(message: Message) -> tuple[bytes, dict[str, np.ndarray]]:
    """The header frame, and the arrays by name as they go on the wire: contiguous (a copy only where one was not)."""
    plan = _plan(type(message))
    arrays: dict[str, np.ndarray] = {}
    entries = []
    try:
        check_arrays(message)
        for field in plan.arrays.values():
            array = getattr(message, field.name)
            if array is None:
                continue
            array.flags.writeable = False
            wire = arrays[field.name] = np.ascontiguousarray(array, dtype=_wire_dtype(field))
            entries.append(_ArrayEntry(field.name, wire.dtype.str, wire.shape, wire.nbytes))
        fields = plan.fields_type(**{name: getattr(message, name) for name in plan.plain_names})
        raw = msgspec.Raw(_encoder.encode(fields))
        head = _encoder.encode(_Envelope(plan.cls.__name__, plan.cls.version, message.header, raw, entries))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(_about(plan, error)) from error
    return head, arrays


def decode(frames: Sequence[Buffer], *, max_bytes: int = MAX_MESSAGE_BYTES) -> Message:
    """The message in ``frames``, its arrays read-only views on them.

    Only an array that is not aligned in its frame is copied (ZeroMQ packs small messages into one buffer). Raises
    :class:`CodecError`, and nothing else, where the frames are not a message or hold more than ``max_bytes`` in all;
    memory use beyond the frames is bounded by a small multiple of the header frame.
    """
    buffers = [_bytes_of(frame) for frame in frames]
    total = sum(buffer.nbytes for buffer in buffers)
    if total > max_bytes:
        raise CodecError(f"message of {total} bytes is over the limit of {max_bytes}")
    if not buffers:
        raise CodecError("message without frames")
    envelope, plan, values = _read_header(buffers[0])
    if len(envelope.arrays) != len(buffers) - 1:
        raise CodecError(f"{envelope.type}: {len(envelope.arrays)} arrays listed, {len(buffers) - 1} array frames")

    sizes: dict[str, int] = {}
    seen: set[str] = set()
    for entry, buffer in zip(envelope.arrays, buffers[1:], strict=True):
        if entry.name in seen:
            raise CodecError(f"{envelope.type}: array {_short(entry.name)} is listed twice")
        seen.add(entry.name)
        if entry.nbytes != buffer.nbytes:
            raise CodecError(
                f"{envelope.type}: array {_short(entry.name)} is listed with {entry.nbytes} bytes, has {buffer.nbytes}"
            )
        field = plan.arrays.get(entry.name)
        if field is not None:  # else a newer sender's: read past, like an unknown plain field
            _check_entry(envelope.type, entry, field, sizes)
            values[entry.name] = _array(entry, field, buffer)

    for field in plan.arrays.values():
        if field.name not in seen:
            if not field.optional:
                raise CodecError(f"{envelope.type}: array {field.name!r} is missing")
            values[field.name] = None
    try:
        return plan.cls(header=envelope.header, **values)
    except (ValueError, TypeError) as error:  # a message class may refuse values in __post_init__
        raise CodecError(_about(plan, error)) from error


def _read_header(frame: bytes | memoryview) -> tuple[_Envelope, _Plan, dict[str, Any]]:
    """The envelope in the header frame, its class's plan, and the plain fields by name."""
    if len(frame) > MAX_HEADER_BYTES:
        raise CodecError(f"header frame of {len(frame)} bytes is over the limit of {MAX_HEADER_BYTES}")
    try:
        envelope = _envelope_decoder.decode(frame)
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise CodecError(f"not a message header: {error}") from error
    cls = _class_named(envelope.type)
    if cls is None:
        raise CodecError(f"unknown message type {_short(envelope.type)}")
    if not 1 <= envelope.version <= cls.version:
        raise CodecError(f"{envelope.type} version {envelope.version}: this side knows versions 1 to {cls.version}")
    plan = _plan(cls)
    try:
        fields = plan.fields_decoder.decode(envelope.fields)
    except (ValueError, RecursionError) as error:
        raise CodecError(_about(plan, error)) from error
    return envelope, plan, {name: getattr(fields, name) for name in plan.plain_names}


def _check_entry(type_name: str, entry: _ArrayEntry, field: ArrayField, sizes: dict[str, int]) -> None:
    """Raise unless the listed dtype, shape and size are what ``field`` declares. ``sizes`` keeps the named ones."""
    spec = field.spec
    fits = entry.dtype == _wire_dtype(field).str and len(entry.shape) == len(spec.shape)
    if fits:
        for size, wanted in zip(entry.shape, spec.shape, strict=True):
            expected = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            fits = fits and size == expected and size >= 0
    if not fits:
        known = "".join(f", {name}={_short(size)}" for name, size in sizes.items())
        got = f"{_short(entry.dtype)} {_short(list(entry.shape))}"
        raise CodecError(f"{type_name}.{field.name}: expected {spec}{known}, got {got}")
    if math.prod(entry.shape) * spec.dtype.itemsize != entry.nbytes:
        raise CodecError(f"{type_name}.{field.name}: {spec} of shape {list(entry.shape)} is not {entry.nbytes} bytes")


def _array(entry: _ArrayEntry, field: ArrayField, buffer: memoryview) -> np.ndarray:
    try:
        array = np.frombuffer(buffer, _wire_dtype(field)).reshape(entry.shape)
    except (ValueError, OverflowError) as error:  # (0, 2**62) is no bytes, and yet no shape for NumPy
        raise CodecError(f"{field.name}: shape {_short(list(entry.shape))}: {error}") from error
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array


def _bytes_of(frame: Buffer) -> memoryview:
    try:
        return memoryview(frame).cast("B")
    except (TypeError, ValueError, BufferError) as error:
        raise CodecError(f"a frame is not contiguous bytes: {error}") from error


def _wire_dtype(field: ArrayField) -> np.dtype[Any]:
    return field.spec.dtype.newbyteorder("<")


def _plan(cls: type[Message]) -> _Plan:
    plan = _plans.get(cls)
    if plan is None:
        plan = _plans[cls] = _Plan(cls)
    return plan


def _class_named(name: str) -> type[Message] | None:
    if name not in _classes:
        _classes.update(message_types())  # a plug-in may have defined more since
    return _classes.get(name)


def _about(plan: _Plan, error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.startswith(plan.cls.__name__) else f"{plan.cls.__name__}: {text}"


def _short(value: object) -> str:
    """``repr`` of something a stranger sent, cut to a length that fits a line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
