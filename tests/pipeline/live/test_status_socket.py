"""A run's status reaches whoever looks, and who looks costs the run nothing."""

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from errors import UserError
from pipeline.live.status import RunStatus
from pipeline.live.status_socket import NAME, StatusPublisher, StatusReader, is_alive
from tests.support.runs import remove, short_folder


def status(graph: str = "test", elapsed_s: float = 0.0) -> RunStatus:
    return RunStatus(
        graph=graph,
        stage="running",
        pid=os.getpid(),
        elapsed_s=elapsed_s,
        rate=1.0,
        window_s=5.0,
        nodes=[],
        edges=[],
        processes=[],
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A run's folder, deeper than the name of a socket may be long."""
    top = short_folder()
    deep = top / ("a" * 60) / ("b" * 60)
    (deep / "run").mkdir(parents=True)
    yield deep
    remove(top)


def read(reader: StatusReader, publisher: StatusPublisher, sent: RunStatus) -> RunStatus:
    """A new reader hears nothing until its subscription has arrived."""
    for _ in range(100):
        publisher.on_status(sent)
        news = reader.read(0.1)
        if news is not None:
            return news
    raise AssertionError("nothing arrived")


def test_what_is_published_is_read(folder: Path) -> None:
    with StatusPublisher(folder) as publisher, StatusReader(folder) as reader:
        assert read(reader, publisher, status()) == status()


def test_only_its_user_may_enter_the_folder_of_the_socket(folder: Path) -> None:
    with StatusPublisher(folder):
        place = (folder / NAME).resolve()
        assert place.is_socket()
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert not place.parent.exists()
    assert not (folder / NAME).is_symlink()


def test_a_reader_that_hangs_never_holds_up_the_run(folder: Path) -> None:
    """What it does not read is thrown away; when it reads again, others and it itself get the newest."""
    big = status(graph="g" * 100_000)
    with StatusPublisher(folder) as publisher, StatusReader(folder) as watching, zmq.Context() as context:
        hanging = context.socket(zmq.SUB)
        hanging.linger = 0
        hanging.rcvhwm = 1
        hanging.setsockopt(zmq.SUBSCRIBE, b"")
        hanging.connect(f"ipc://{(folder / NAME).resolve()}")
        read(watching, publisher, status())
        for _ in range(500):  # 50 MB that nobody reads
            publisher.on_status(big)
        for _ in range(100):
            if read(watching, publisher, status(elapsed_s=7.0)).elapsed_s == 7.0:
                break
        else:
            raise AssertionError("the other reader hears nothing any more")
        hanging.close()


def test_a_reader_that_was_slow_goes_on_with_the_newest(folder: Path) -> None:
    with StatusPublisher(folder) as publisher, StatusReader(folder) as reader:
        read(reader, publisher, status())
        for second in range(1, 10):
            publisher.on_status(status(elapsed_s=second))
            time.sleep(0.05)
        news = reader.read(1.0)
        assert news is not None
        assert news.elapsed_s > 5


def test_a_run_is_alive_while_it_publishes(folder: Path) -> None:
    assert not is_alive(folder)
    with StatusPublisher(folder):
        assert is_alive(folder)
    assert not is_alive(folder)


def test_what_a_killed_run_leaves_behind_is_not_alive(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        place = folder.parent.parent / "status"
        left.bind(str(place))
    (folder / NAME).symlink_to(place)
    assert place.is_socket()
    assert not is_alive(folder)


def test_a_run_of_another_version_is_told(folder: Path) -> None:
    place = folder.parent.parent / "status"
    (folder / NAME).symlink_to(place)
    with zmq.Context() as context, context.socket(zmq.PUB) as other:
        other.linger = 0
        other.bind(f"ipc://{place}")

        def read_on() -> None:
            with StatusReader(folder) as reader:
                for _ in range(100):
                    other.send(msgspec.msgpack.encode({"graph": "test"}))
                    reader.read(0.1)

        with pytest.raises(UserError, match="another version of Rangecast"):
            read_on()
