"""The two loops of a peer, with a transport in the test's hands: what is lost is not taken for what arrived."""

import queue
import threading
from multiprocessing.connection import Pipe

import msgspec
import numpy as np
import pytest

from profiling.transport import peer
from profiling.transport.peer import READ, Hello, Result, Task


class Lossy:
    """Sender and receiver in one: messages with a number in ``lost`` vanish once."""

    endpoint = "here"

    def __init__(self, lost: set[int]) -> None:
        self.lost = set(lost)
        self.queue: queue.Queue[np.ndarray] = queue.Queue()

    def send(self, payload: np.ndarray) -> None:
        number = int(payload.view(np.uint64)[0])
        if number in self.lost:
            self.lost.discard(number)
        else:
            self.queue.put(payload)

    def receive(self) -> np.ndarray:
        return self.queue.get(timeout=10)

    def done(self) -> None: ...

    def close(self) -> None: ...


def play(transport: Lossy, tasks: list[Task]) -> list[dict[str, dict[int, int]]]:
    """The driver's part; the times that both sides tell, task by task."""
    sides = {}
    for role in ("sender", "receiver"):
        ours, theirs = Pipe()
        threading.Thread(target=peer.serve, args=(theirs, transport, role), daemon=True).start()
        assert msgspec.json.decode(ours.recv_bytes(), type=Hello).role == role
        sides[role] = ours
    found = []
    for task in tasks:
        for side in sides.values():
            side.send_bytes(msgspec.json.encode(task))
        times: dict[str, dict[int, int]] = {}
        while "receiver" not in times:
            said = sides["receiver"].recv_bytes()
            if said == READ:
                sides["sender"].send_bytes(READ)
            else:
                times["receiver"] = msgspec.json.decode(said, type=Result).at_ns
        times["sender"] = msgspec.json.decode(sides["sender"].recv_bytes(), type=Result).at_ns
        found.append(times)
    for side in sides.values():
        side.close()
    return found


@pytest.mark.parametrize("one_by_one", [True, False])
def test_every_message_is_timed_from_call_to_last_byte(one_by_one: bool) -> None:
    [times] = play(Lossy(set()), [Task(64, 0, 20, one_by_one)])
    assert list(times["sender"]) == list(times["receiver"]) == list(range(20))
    assert all(times["sender"][n] <= times["receiver"][n] for n in range(20))
    if one_by_one:
        assert all(times["receiver"][n] <= times["sender"][n + 1] for n in range(19))


def test_lost_messages_are_missing_and_the_next_task_is_unharmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the lost is the last one, for which the receiver would wait for ever."""
    monkeypatch.setattr(peer, "NUDGE_S", 0.05)
    first, second = play(Lossy({3, 9}), [Task(64, 0, 10, False), Task(64, 11, 5, True)])
    assert sorted(first["receiver"]) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert sorted(second["receiver"]) == list(range(11, 16))
