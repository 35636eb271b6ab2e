"""A server that says anything: recorded conversations, bent at random. Each call ends with a result or with an error of
stretto; only ProtocolError leaves the machine, and the work is bounded by what was received.

A case is one bent conversation; in `make fuzz` each has a second of processor time for 64 KiB. A new
finding is put into ``findings/`` as the failure prints it.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.cases import FUZZED, cases
from tests.flows.driver import message, notice, parameter
from tests.protocol.conversations import CONVERSATIONS, GOLDEN, STATEMENTS, converse, message_of
from tests.protocol.mutations import bent, messages, pieces

from stretto import _core
from stretto.errors import ProtocolError
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.base import fail_all

CASES = cases(-(-10_000 // len(CONVERSATIONS)), len(CONVERSATIONS))
FINDINGS = sorted(Path(__file__).with_name("findings").glob("*.txt"))


def said_in(path: Path) -> list[bytes]:
    """What the server says in a recording, turn by turn."""
    turns = path.read_text().split("\n\n")
    heard = (b"".join(message_of(line) for line in turn.splitlines() if line.startswith("B")) for turn in turns)
    return [data for data in heard if data]


SAID = {name: said_in(GOLDEN / f"{name}.txt") for name in CONVERSATIONS}
OTHERS = sorted({one for turns in SAID.values() for data in turns for one in messages(data)})


class Server:
    """Says its turns, and hangs up when it has no more; the client gives the connection up at a ProtocolError."""

    def __init__(self, turns: list[bytes], r: random.Random) -> None:
        self.size = sum(map(len, turns))
        self._turns = iter(turns)
        self._r = r

    def listen(self, machine: Machine) -> None:
        assert not machine.closed, "a call waits although the connection is gone"
        data = next(self._turns, None)
        if data is None:
            fail_all(machine, None)
            return
        try:
            for piece in pieces(self._r, data):
                machine.receive_data(piece)
        except ProtocolError as error:
            fail_all(machine, error)


def play(name: str, turns: list[bytes], seed: str) -> None:
    """Hold a conversation with a bent server; raise AssertionError with what it takes to repeat it."""
    server = Server(turns, random.Random(seed))
    started = time.process_time()
    try:
        converse(name, Machine({}, STATEMENTS), lambda data: None, server.listen)
        assert not FUZZED or time.process_time() - started <= 1 + server.size / (1 << 16)
    except Exception as error:
        lines = [f"{name} {seed}", *(data.hex() for data in turns)]
        raise AssertionError("\n".join(["keep this in findings/:", *lines])) from error


@pytest.mark.fuzz(CASES)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_bent_conversation_ends_with_results_and_errors_of_ours(name: str) -> None:
    r = random.Random(f"{name} {CASES}")
    for number in range(CASES):
        turns = list(SAID[name])
        for place in r.sample(range(len(turns)), min(r.choice((1, 1, 2)), len(turns))):
            turns[place] = bent(r, turns[place], OTHERS)
        play(name, turns, f"{number}")


@pytest.mark.parametrize("path", FINDINGS, ids=[path.stem for path in FINDINGS])
def test_what_was_found_once_stays_mended(path: Path) -> None:
    head, *turns = path.read_text().splitlines()
    name, seed = head.split()
    play(name, [bytes.fromhex(turn) for turn in turns], seed)


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """Count the calls of functions in a block."""
    calls = [0]

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        calls[0] += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


# Messages that a server may say again and again, with the script that is waiting and what came before.
ENDLESS: dict[str, tuple[bytes, bytes, bytes]] = {
    "rows": (b"Q", message(b"T", b"\0\0"), message(b"D", b"\0\0")),
    "rows of nothing": (b"BEY", message(b"2"), message(b"D")),
    "results": (b"Q", b"", message(b"T", b"\0\0") + message(b"D", b"\0\0") + message(b"C", b"X\0")),
    "empty queries": (b"Q", b"", message(b"I")),
    "copy data": (b"BEY", message(b"2") + message(b"H", b"\0\0\0"), message(b"d")),
    "notices": (b"Q", b"", notice(b"")),
    "parameters": (b"Q", b"", parameter("a", "b")),
    "notifications": (b"Q", b"", message(b"A", b"\0\0\0\1c\0\0")),
    "errors": (b"Q", b"", message(b"E", b"\0")),
}
WORK = 12  # calls of functions for each message and each piece


@pytest.mark.skipif(_core.core_info() == "compiled", reason="calls are counted in the interpreted build, of one text")
@pytest.mark.parametrize("size", [1, 5, 7, 4096, 1 << 16])
@pytest.mark.parametrize("name", ENDLESS)
def test_the_work_for_64_kib_is_bounded_by_the_messages_in_it(name: str, size: int) -> None:
    script, before, endless = ENDLESS[name]
    machine = Machine({})
    request = Request(b"", script)
    request.allow_copy = ord("H")
    machine.submit(request)
    machine.receive_data(before)
    count = (1 << 16) // len(endless)
    data = endless * count
    with counted() as calls:
        for start in range(0, len(data), size):
            machine.receive_data(data[start : start + size])
    assert calls[0] < WORK * (3 * count + len(data) // size), name
