"""Recorded conversations, played back whole, byte by byte and in random pieces: the same words, the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.protocol.conversations import CONVERSATIONS, GOLDEN, STATEMENTS, converse, message_of

from stretto.protocol.machine import Machine
from stretto.wire.trace import Tracer

Cut = Callable[[bytes], Iterator[bytes]]

CASES = cases(150, cost=20)


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


def play(name: str, cut: Cut) -> None:
    """Play one conversation back; what the client says is compared as it says it."""
    lines = (GOLDEN / f"{name}.txt").read_text().splitlines()
    due = [line for line in lines if line]
    tracer = Tracer(started=True)

    def speak(data: bytes) -> None:
        said = tracer.frontend(data)
        assert said == due[: len(said)]
        del due[: len(said)]

    def listen(machine: Machine) -> None:
        data = b""
        while due[0].startswith("B"):
            data += message_of(due.pop(0))
        assert data, "the client waits, but it is its turn"
        for piece in cut(data):
            machine.receive_data(piece)

    machine = Machine({}, STATEMENTS)
    results = converse(name, machine, speak, listen)
    assert machine.idle()
    assert [f"= {result}" for result in results] == due


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("cut", [whole, byte_by_byte])
def test_a_conversation_goes_as_recorded(name: str, cut: Cut) -> None:
    play(name, cut)


@pytest.mark.fuzz(CASES)
@given(name=st.sampled_from(sorted(CONVERSATIONS)), sizes=st.lists(st.integers(1, 40), min_size=1))
@settings(max_examples=CASES, deadline=None)
def test_random_pieces_make_no_difference(name: str, sizes: list[int]) -> None:
    def cut(data: bytes) -> Iterator[bytes]:
        start = turn = 0
        while start < len(data):
            yield data[start : start + sizes[turn % len(sizes)]]
            start += sizes[turn % len(sizes)]
            turn += 1

    play(name, cut)


def test_every_recording_is_of_a_conversation() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CONVERSATIONS)
