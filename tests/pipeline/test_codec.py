"""The codec: what goes in comes out, nothing is copied, and nothing but a message is taken for one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codec import MAX_HEADER_BYTES, CodecError, decode, encode, seal
from pipeline.messages import (
    ActionProposal,
    ActionProposals,
    CameraFrame,
    Detections,
    FusedFrame,
    FusedObject,
    Header,
    Hop,
    InputStatus,
    LidarScan,
    Message,
    RangeImage,
    array_fields,
    check_arrays,
    float32,
    message_types,
)

SHIPPED = [cls for cls in message_types().values() if cls.__module__ == "pipeline.messages"]

INT64 = st.integers(-(2**63), 2**63 - 1)
HOPS = st.builds(Hop, st.text(), *[INT64] * 5)
HEADERS = st.builds(
    Header,
    source=st.text(),
    seq=INT64,
    stamp_ns=INT64,
    frame_id=st.text(),
    name=st.text(),
    due_ns=INT64,
    deadline_ns=st.none() | INT64,
    hops=st.lists(HOPS, max_size=3).map(tuple),
)
VECTORS = st.tuples(st.floats(), st.floats(), st.floats())
PROPOSALS = st.builds(ActionProposal, st.floats(), st.floats(), st.floats(), st.booleans())
OBJECTS = st.builds(
    FusedObject,
    box=st.tuples(st.floats(), st.floats(), st.floats(), st.floats()),
    class_name=st.text(),
    score=st.floats(),
    track_id=st.none() | INT64,
    distance_m=st.none() | st.floats(),
    extent_min=st.none() | VECTORS,
    extent_max=st.none() | VECTORS,
    point_count=INT64,
)
PLAIN_VALUES = {
    "class_names": st.lists(st.text(), max_size=3).map(tuple),
    "class_colors": st.lists(st.tuples(*[st.integers(0, 255)] * 3), max_size=3).map(tuple),
    "start_s": st.floats(),
    "end_s": st.floats(),
    "begin_ns": INT64,
    "open_after_s": st.floats(),
    "complete": st.booleans(),
    "proposals": st.lists(PROPOSALS, max_size=3).map(tuple),
    "objects": st.lists(OBJECTS, max_size=3).map(tuple),
    "inputs": st.lists(st.builds(InputStatus, st.text(), st.text(), st.none() | INT64), max_size=3).map(tuple),
}


@st.composite
def messages(draw: st.DrawFn, cls: type[Message] | None = None) -> Message:
    """A message of any shipped class (or of ``cls``), with arrays of any bytes: NaN and infinity too."""
    cls = cls or draw(st.sampled_from(SHIPPED))
    sizes: dict[str, int] = {}
    values: dict[str, Any] = {"header": draw(HEADERS)}
    for field in array_fields(cls):
        if field.optional and draw(st.booleans()):
            values[field.name] = None
            continue
        for name in field.spec.shape:
            if isinstance(name, str) and name not in sizes:
                sizes[name] = draw(st.integers(0, 4))
        shape = tuple(sizes[n] if isinstance(n, str) else n for n in field.spec.shape)
        nbytes = int(np.prod(shape)) * field.spec.dtype.itemsize
        content = draw(st.binary(min_size=nbytes, max_size=nbytes))
        values[field.name] = np.frombuffer(bytearray(content), field.spec.dtype).reshape(shape)
    for name in cls.__struct_fields__:
        if name not in values:
            values[name] = draw(PLAIN_VALUES[name])
    return cls(**values)


def assert_same(one: Message, other: Message) -> None:
    assert type(one) is type(other)
    for name in one.__struct_fields__:
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        else:
            assert repr(a) == repr(b)  # NaN is equal to itself here


def scan(count: int = 3) -> LidarScan:
    points = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    return LidarScan(header=Header(source="lidar", seq=7, stamp_ns=123, name="000007"), points=points)


def as_bytes(frames: Sequence[Any]) -> list[bytes]:
    return [bytes(frame) for frame in frames]


def with_header(frames: Sequence[Any], **changes: Any) -> list[Any]:
    """The frames with top-level entries of the header replaced."""
    return [msgspec.msgpack.encode(msgspec.msgpack.decode(frames[0]) | changes), *frames[1:]]


def with_entry(frames: Sequence[Any], index: int, **changes: Any) -> list[Any]:
    """The frames with entries of one array's description replaced."""
    arrays = msgspec.msgpack.decode(frames[0])["arrays"]
    arrays[index] |= changes
    return with_header(frames, arrays=arrays)


# --- what goes in comes out


@pytest.mark.parametrize("cls", SHIPPED, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_every_message_comes_back_as_it_was(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    assert_same(decode(as_bytes(encode(message))), message)


@pytest.mark.parametrize("cls", SHIPPED, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_a_sealed_message_is_what_the_way_over_bytes_makes_of_it(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    sealed = seal(message)
    assert_same(sealed, decode(as_bytes(encode(message))))
    for field in array_fields(cls):
        array = getattr(sealed, field.name)
        if array is not None:
            assert not array.flags.writeable
            assert array.size == 0 or np.shares_memory(array, getattr(message, field.name))


def test_the_header_frame_is_plain_msgpack_as_documented() -> None:
    header, points = encode(scan(2))
    content = msgspec.msgpack.decode(header)
    assert content["header"].pop("source") == "lidar"
    assert content["arrays"] == [{"name": "points", "dtype": "<f4", "shape": [2, 4], "nbytes": 32}]
    assert (content["type"], content["version"], content["fields"]) == ("LidarScan", 1, {})
    assert bytes(points) == np.arange(8, dtype="<f4").tobytes()


def test_an_array_that_is_none_is_left_out() -> None:
    frames = encode(CameraFrame(image=np.zeros((2, 3, 3), np.uint8)))
    assert len(frames) == 2
    assert decode(frames).lidar_to_image is None


def test_numpy_numbers_in_plain_fields_travel_as_numbers() -> None:
    thing = FusedObject(box=(np.float32(1.5), 2, 3, 4), class_name="Car", score=np.float64(0.5), track_id=np.int32(3))
    message = FusedFrame(
        header=Header(stamp_ns=np.int64(5)), points=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.uint8),
        objects=(thing,),
    )  # fmt: skip
    back = decode(encode(message))
    assert back.header.stamp_ns == 5
    assert back.objects[0].box == (1.5, 2, 3, 4)
    assert type(back.objects[0].track_id) is int


def test_through_a_socket() -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as sender, context.socket(zmq.PAIR) as receiver:
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        receiver.connect(f"tcp://127.0.0.1:{port}")
        receiver.rcvtimeo = 10_000
        for count in (0, 1, 5, 200_000):
            sender.send_multipart(encode(scan(count)), copy=False)
            message = decode(receiver.recv_multipart(copy=False))
            assert_same(message, scan(count))
            assert message.points.flags.aligned


# --- no copies, no writes


def test_nothing_is_copied_on_the_way() -> None:
    message = scan()
    frames = encode(message)
    assert np.shares_memory(np.frombuffer(frames[1], np.uint8), message.points)
    assert np.shares_memory(decode(frames).points, message.points)


def test_arrays_are_read_only_on_both_sides() -> None:
    message = scan()
    frames = encode(message)
    with pytest.raises(ValueError, match="read-only"):
        message.points[0] = 0
    writable = [frames[0], bytearray(frames[1])]
    with pytest.raises(ValueError, match="read-only"):
        decode(writable).points[0] = 0


def test_an_array_that_is_not_contiguous_is_sent_in_order() -> None:
    wide = np.arange(30, dtype=np.float32).reshape(5, 6)
    back = decode(encode(LidarScan(points=wide[::2, 1:5])))
    np.testing.assert_array_equal(back.points, wide[::2, 1:5])


def test_frames_stay_alive_as_long_as_the_arrays() -> None:
    points = decode(as_bytes(encode(scan(1000)))).points
    np.testing.assert_array_equal(points, scan(1000).points)


@pytest.mark.parametrize("offset", [1, 2, 4])
def test_arrays_are_aligned_wherever_their_frame_lies(offset: int) -> None:
    header, points = as_bytes(encode(scan()))
    shifted = memoryview(b"\0" * offset + points)[offset:]
    message = decode([header, shifted])
    assert message.points.flags.aligned
    assert not message.points.flags.writeable
    assert_same(message, scan())


# --- what cannot be sent


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (LidarScan(points=np.zeros((3, 4))), r"LidarScan\.points: expected float32\[N, 4\], got float64"),
        (LidarScan(points=np.zeros((3, 4), ">f4")), r"LidarScan\.points: expected float32"),
        (LidarScan(points=np.zeros((3, 5), np.float32)), r"LidarScan\.points"),
        (LidarScan(points=None), r"LidarScan\.points"),
        (ActionProposals(proposals=("not one",)), r"ActionProposals: Expected .*proposals\[0\]"),
        (ActionProposals(proposals=(np.zeros(3),)), "ActionProposals: a ndarray cannot be sent"),
        (ActionProposals(header=Header(name="\ud800")), "ActionProposals: .*surrogates not allowed"),
        (ActionProposals(header=Header(seq=2**64)), "ActionProposals: .*2\\*\\*64"),
        (ActionProposals(header=Header(name=5)), r"Expected `str`, got `int` - at `\$\.header\.name`"),
        (ActionProposals(header=Header(name="n" * MAX_HEADER_BYTES)), "header frame of 10.* is over the limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_message_is_refused_where_it_is_sent(message: Message, text: str) -> None:
    with pytest.raises(CodecError, match=text) as caught:
        encode(message)
    assert "\n" not in str(caught.value)


def test_arrays_of_one_message_must_agree() -> None:
    message = RangeImage(
        image=np.zeros((5, 2, 2), np.float32), point_pixel=np.zeros(3, np.int32), point_range=np.zeros(4, np.float32)
    )
    with pytest.raises(CodecError, match=r"RangeImage\.point_range: expected .* N=3"):
        encode(message)


# --- lying headers


@pytest.mark.parametrize(
    ("lie", "text"),
    [
        ({"shape": [4, 4]}, r"LidarScan\.points: float32\[N, 4\] of shape \[4, 4\] is not 48 bytes"),
        ({"shape": [2**62, 4]}, "is not 48 bytes"),
        ({"shape": [3]}, r"LidarScan\.points: expected float32\[N, 4\], got '<f4' \[3\]"),
        ({"shape": [3, 4, 1]}, r"expected float32\[N, 4\]"),
        ({"shape": [4, 3]}, r"expected float32\[N, 4\]"),
        ({"shape": [-3, -4]}, r"expected float32\[N, 4\]"),
        ({"shape": [-3, 4]}, r"expected float32\[N, 4\], N=-3"),
        ({"shape": []}, r"expected float32\[N, 4\]"),
        ({"shape": [3.0, 4.0]}, "Expected `int`, got `float`"),
        ({"shape": [True, 4]}, "Expected `int`, got `bool`"),
        ({"shape": None}, "Expected `array`, got `None`"),
        ({"shape": "34"}, "Expected `array`, got `str`"),
        ({"nbytes": 47}, "'points' is listed with 47 bytes, has 48"),
        ({"nbytes": -48}, "is listed with -48 bytes"),
        ({"nbytes": 0, "shape": [2**62, 4]}, "is listed with 0 bytes"),
        ({"nbytes": 2**64 - 1, "shape": [2**62, 4]}, "is listed with 18446744073709551615 bytes"),
        ({"nbytes": "48"}, "Expected `int`, got `str`"),
        ({"dtype": "|O"}, r"expected float32\[N, 4\], got '|O' \[3, 4\]"),
        ({"dtype": ">f4"}, r"expected float32\[N, 4\]"),
        ({"dtype": "<i4"}, r"expected float32\[N, 4\]"),
        ({"dtype": "<f8"}, r"expected float32\[N, 4\]"),
        ({"dtype": "float32"}, r"expected float32\[N, 4\]"),
        ({"dtype": "f4,f4"}, r"expected float32\[N, 4\]"),
        ({"dtype": "f" * 9999}, r"expected float32\[N, 4\], got 'f{59}… \[3, 4\]$"),
        ({"dtype": 4}, "Expected `str`, got `int`"),
        ({"name": "Points"}, "array 'points' is missing"),
        ({"name": "header"}, "array 'points' is missing"),
        ({"name": ["points"]}, "Expected `str`, got `array`"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:40],
)
def test_a_header_that_lies_about_an_array_is_refused(lie: dict[str, Any], text: str) -> None:
    with pytest.raises(CodecError, match=text):
        decode(with_entry(encode(scan(3)), 0, **lie))


def test_two_negative_sizes_do_not_make_a_positive_one() -> None:
    frames = encode(CameraFrame(image=np.zeros((2, 3, 3), np.uint8)))
    with pytest.raises(CodecError, match=r"CameraFrame\.image: expected uint8\[H, W, 3\], H=-2, W=-3"):
        decode(with_entry(frames, 0, shape=[-2, -3, 3]))


@pytest.mark.parametrize("size", [2**62, 2**64 - 1])
def test_a_huge_shape_that_holds_nothing_is_refused(size: int) -> None:
    frames = encode(CameraFrame(image=np.zeros((0, 0, 3), np.uint8)))
    with pytest.raises(CodecError, match="image"):
        decode(with_entry(frames, 0, shape=[0, size, 3]))


def test_sizes_with_one_name_must_agree() -> None:
    frames = encode(
        Detections(
            boxes=np.zeros((4, 4), np.float32), scores=np.zeros(4, np.float32), class_ids=np.zeros(4, np.int32),
            class_names=("Car",),
        )
    )  # fmt: skip
    frames = with_entry(frames, 1, shape=[3], nbytes=12)
    frames[2] = frames[2][:12]
    with pytest.raises(CodecError, match=r"Detections\.scores: expected float32\[K\], K=4, got '<f4' \[3\]"):
        decode(frames)


def test_an_array_listed_twice_is_refused() -> None:
    frames = encode(scan())
    entry = msgspec.msgpack.decode(frames[0])["arrays"][0]
    with pytest.raises(CodecError, match="'points' is listed twice"):
        decode([*with_header(frames, arrays=[entry, entry]), frames[1]])


def test_frames_and_list_of_arrays_must_agree() -> None:
    frames = encode(scan())
    for wrong in ([frames[0]], [*frames, b""], with_header(frames, arrays=[])):
        with pytest.raises(CodecError, match="arrays listed"):
            decode(wrong)


def test_a_required_array_must_be_there() -> None:
    with pytest.raises(CodecError, match=r"LidarScan: array 'points' is missing"):
        decode(with_header(encode(scan()), arrays=[])[:1])


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(CodecError, match="without frames"):
        decode([])


@pytest.mark.parametrize("frame", [None, 5, "text", [1], memoryview(b"abcd")[::2]], ids=repr)
def test_a_frame_that_is_not_bytes_is_refused(frame: Any) -> None:
    header, points = encode(scan())
    for frames in ([frame], [frame, points], [header, frame]):
        with pytest.raises(CodecError):
            decode(frames)


@pytest.mark.parametrize("name", ["", "Message", "object", "lidarscan", "Nothing" * 1000, "a\nb", "LidarScan\0"])
def test_an_unknown_type_is_refused_in_one_short_line(name: str) -> None:
    with pytest.raises(CodecError, match="unknown message type") as caught:
        decode(with_header(encode(scan()), type=name))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


# --- versions


def test_unknown_fields_are_read_past() -> None:
    frames = encode(scan())
    content = msgspec.msgpack.decode(frames[0])
    content["header"]["mood"] = {"deep": [1, {"x": None}]}
    frames = with_header(
        frames, fields={"gain": 3}, header=content["header"], more=[1, 2], when=msgspec.msgpack.Ext(5, b"x")
    )
    assert_same(decode(frames), scan())


def test_an_unknown_array_is_read_past() -> None:
    frames = encode(scan())
    entries = msgspec.msgpack.decode(frames[0])["arrays"]
    entries.append({"name": "normals", "dtype": "<f2", "shape": [3, 3], "nbytes": 18})
    assert_same(decode([*with_header(frames, arrays=entries), bytes(18)]), scan())


def test_an_array_that_is_read_past_must_still_have_its_listed_size() -> None:
    frames = encode(scan())
    entries = msgspec.msgpack.decode(frames[0])["arrays"]
    entries.append({"name": "normals", "dtype": "<f2", "shape": [3, 3], "nbytes": 18})
    with pytest.raises(CodecError, match="'normals' is listed with 18 bytes, has 17"):
        decode([*with_header(frames, arrays=entries), bytes(17)])


def test_missing_fields_take_their_defaults_or_are_named() -> None:
    points, labels = np.zeros((2, 4), np.float32), np.zeros(2, np.uint8)
    frames = encode(FusedFrame(points=points, labels=labels, class_names=("a",)))
    assert_same(decode(with_header(frames, header={}, fields={})), FusedFrame(points=points, labels=labels))
    frames = encode(
        Detections(
            boxes=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32), class_ids=np.zeros(0, np.int32),
            class_names=(),
        )
    )  # fmt: skip
    with pytest.raises(CodecError, match=r"Detections: .*class_names"):
        decode(with_header(frames, fields={}))


class Revised(Message, frozen=True, kw_only=True):
    """A message in its second version, with a field that the first one did not have."""

    version: ClassVar[int] = 2
    values: Annotated[np.ndarray, float32("N")]
    gain: float = 1.0

    def __post_init__(self) -> None:
        if self.gain < 0:
            raise ValueError("gain:\n  below zero")


def test_an_older_version_is_understood_and_a_newer_one_refused() -> None:
    frames = encode(Revised(values=np.ones(2, np.float32), gain=2.0))
    assert decode(with_header(frames, version=1, fields={})).gain == 1.0
    assert decode(frames).gain == 2.0
    for version in (3, 2**63, 0, -1):
        with pytest.raises(CodecError, match=f"Revised version {version}: this side knows versions 1 to 2"):
            decode(with_header(frames, version=version))


def test_what_a_message_class_refuses_is_refused_in_one_line() -> None:
    frames = encode(Revised(values=np.ones(2, np.float32)))
    with pytest.raises(CodecError, match=r"^Revised: gain: below zero$"):
        decode(with_header(frames, fields={"gain": -1.0}))


@pytest.mark.parametrize(
    "fields", [{"gain": "loud"}, {"gain": None}, {"gain": [1.0]}, [], None, 3, {5: 1}, "x"], ids=str
)
def test_plain_fields_are_strictly_typed(fields: Any) -> None:
    frames = encode(Revised(values=np.ones(2, np.float32)))
    with pytest.raises(CodecError):
        decode(with_header(frames, fields=fields))


# --- anything at all


def decode_or_refuse(frames: list[Any]) -> None:
    """Whatever ``frames`` is: one line of CodecError and nothing else, or a message that is what its class declares."""
    refusal = None
    try:
        message = decode(frames)
    except CodecError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        return
    check_arrays(message)
    arrays = [getattr(message, field.name) for field in array_fields(type(message))]
    assert not any(array.flags.writeable for array in arrays if array is not None)
    assert_same(decode(encode(message)), message)


@given(frames=st.lists(st.binary(), max_size=4))
def test_random_bytes(frames: list[bytes]) -> None:
    decode_or_refuse(frames)


@given(message=messages(), data=st.data())
def test_truncated_frames(message: Message, data: st.DataObject) -> None:
    frames = as_bytes(encode(message))
    index = data.draw(st.sampled_from([i for i, frame in enumerate(frames) if frame]))
    frames[index] = frames[index][: data.draw(st.integers(0, len(frames[index]) - 1))]
    with pytest.raises(CodecError):
        decode(frames)


@given(message=messages(), data=st.data())
def test_flipped_bits_in_the_header(message: Message, data: st.DataObject) -> None:
    frames = as_bytes(encode(message))
    header = bytearray(frames[0])
    for bit in data.draw(st.lists(st.integers(0, 8 * len(header) - 1), min_size=1, max_size=4)):
        header[bit // 8] ^= 1 << bit % 8
    decode_or_refuse([bytes(header), *frames[1:]])


EXTENSIONS = st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=8))
INTEGERS = st.integers(-(2**63), 2**64 - 1)
MSGPACK = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(), st.text(max_size=8), st.binary(max_size=8), EXTENSIONS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)


@given(message=messages(), data=st.data())
def test_any_value_in_any_place_of_the_header(message: Message, data: st.DataObject) -> None:
    frames = as_bytes(encode(message))
    content = msgspec.msgpack.decode(frames[0])
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(MSGPACK)
    decode_or_refuse([msgspec.msgpack.encode(content), *frames[1:]])


# --- limits


def hostile_headers() -> dict[str, bytes]:
    """Header frames that claim or nest far more than they hold, in a field that is read and in one that is not."""
    start = b"\x86\xa4type\xafActionProposals\xa7version\x01\xa6header\x80\xa6arrays\x90"
    tails = {
        "array of 2**32-1": b"\xdd\xff\xff\xff\xff",
        "map of 2**32-1": b"\xdf\xff\xff\xff\xff",
        "string of 2**32-1": b"\xdb\xff\xff\xff\xff",
        "bytes of 2**32-1": b"\xc6\xff\xff\xff\xff",
        "extension of 2**32-1": b"\xc9\xff\xff\xff\xff\x05",
        "nested arrays": b"\x91" * 900_000 + b"\x90",
        "nested maps": b"\x81\xa0" * 450_000 + b"\x80",
        "unassigned byte": b"\xc1",
        "bad utf-8 as a key": b"\x81\xa2\xff\xff\x90",
    }
    proposals = b"\xa6fields\x81\xa9proposals"
    read = {f"{name}, read": start + proposals + tail + b"\xa1x\x01" for name, tail in tails.items()}
    unread = {f"{name}, unread": start + b"\xa6fields\x80\xa1x" + tail for name, tail in tails.items()}
    del unread["bad utf-8 as a key, unread"]  # what is read past is not looked at
    return read | unread


@pytest.mark.parametrize("header", hostile_headers().values(), ids=hostile_headers().keys())
def test_a_hostile_header_is_refused_without_memory(header: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode([header])
        assert tracemalloc.get_traced_memory()[1] < 3 * len(header) + 100_000
    finally:
        tracemalloc.stop()


def test_a_huge_claim_allocates_nothing() -> None:
    frames = with_entry(encode(scan()), 0, shape=[2**31, 4], nbytes=2**35)
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(frames)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_message_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    frames = encode(scan())
    total = sum(len(frame) for frame in frames)
    assert_same(decode(frames, max_bytes=total), scan())
    with pytest.raises(CodecError, match=f"message of {total} bytes is over the limit of {total - 1}"):
        decode(frames, max_bytes=total - 1)


def test_a_header_frame_over_the_limit_is_refused() -> None:
    frames = with_header(encode(scan()), padding="x" * MAX_HEADER_BYTES)
    with pytest.raises(CodecError, match=f"header frame of {len(frames[0])} bytes is over the limit"):
        decode(frames)
