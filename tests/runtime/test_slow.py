"""How the stamps of requests are summed up, and what is shown of them: by tables."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stretto.errors import ConnectionLost, StatementTimeout
from stretto.protocol.classify import CONTROL
from stretto.protocol.lexer import hide_strings
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.slow import note, summed

PARTS = ("queued", "behind", "wire", "server", "decode")


def request(text: str = "select 1", **stamps: Any) -> Request:
    """A request of the simple protocol with these stamps."""
    made = Request(b"", b"Q")
    made.text = text
    for name, value in stamps.items():
        setattr(made, name, value)
    return made


WHOLE = {"called": 1.0, "taken": 2.0, "sent_at": 4.0, "due": 8.0, "began": 16.0, "heard": 32.0, "done": True}
CASES: dict[str, tuple[list[Request], tuple[float, ...]]] = {
    "whole": ([request(**WHOLE)], (1, 4, 2 + 16, 8, 32)),
    "alone": ([request(**WHOLE | {"due": 0.0})], (1, 0, 2 + 16, 12, 32)),
    "due before it was sent": ([request(**WHOLE | {"due": 3.0})], (1, 0, 2 + 16, 12, 32)),
    "decoded in parts": ([request(**WHOLE, decoding=10.0)], (1, 4, 2 + 6, 8, 32 + 10)),
    "never placed": ([request(called=1.0)], (63, 0, 0, 0, 0)),
    "never sent": ([request(called=1.0, taken=2.0)], (1, 0, 62, 0, 0)),
    "no answer": ([request(called=1.0, taken=2.0, sent_at=4.0)], (1, 0, 2, 60, 0)),
    "no turn": ([request(called=1.0, taken=2.0, sent_at=4.0, behind=3)], (1, 60, 2, 0, 0)),
    "half an answer": ([request(called=1.0, taken=2.0, sent_at=4.0, began=8.0, heard=16.0)], (1, 0, 2 + 56, 4, 0)),
    "a stream's next batch": ([request(**WHOLE | {"called": 20.0, "taken": 20.0, "began": 18.0})], (0, 0, 12, 0, 32)),
    "two": ([request(**WHOLE), request(**WHOLE | {"called": 40.0, "heard": 50.0})], (1, 4, 2 + 16 + 10, 8, 8 + 14)),
    "two in one flight": ([request(**WHOLE), request(**WHOLE | {"began": 33.0, "heard": 34.0})], (1, 4, 19, 9, 30)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_stretch_of_time_belongs_to_one_part(case: str) -> None:
    requests, expected = CASES[case]
    found = summed(requests, 64.0, None)
    assert tuple(getattr(found, part) for part in PARTS) == expected
    assert found.total == 64.0 - requests[0].called


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "done"),
        (StatementTimeout("secret", outcome="not_sent"), "failed with StatementTimeout (not_sent)"),
        (ConnectionLost("secret"), "failed with ConnectionLost"),
        (asyncio.CancelledError("secret"), "failed with CancelledError"),
        (ValueError("secret"), "failed with ValueError"),
    ],
)
def test_how_it_ended_is_said_without_messages(error: BaseException | None, said: str) -> None:
    assert summed([request(**WHOLE)], 64.0, error).outcome == said


def test_a_call_is_named_by_its_own_statement() -> None:
    before = request("BEGIN", kind=CONTROL, **WHOLE)
    behind = request("COMMIT", kind=CONTROL, tag=b"COMMIT\0", **WHOLE)
    found = summed([before, request("insert", tag=b"INSERT 0 1\0", **WHOLE), behind], 64.0, None)
    assert (found.sql, found.outcome) == ("insert", "INSERT 0 1")
    found = summed([before, behind], 64.0, None)
    assert (found.sql, found.outcome) == ("COMMIT", "COMMIT")


def test_bytes_that_the_socket_takes_late_are_sent_late() -> None:
    machine = Machine({})
    early, late, unsent = (Request(b"Q", b"Q") for _ in range(3))
    machine.submit(early)
    machine.data_to_send(1.0)
    machine.submit(late)
    machine.data_to_send(2.0)
    machine.submit(unsent)
    machine.written(5.0)
    assert [early.sent_at, late.sent_at, unsent.sent_at] == [1.0, 5.0, 0.0]
    assert [early.behind, late.behind, unsent.behind] == [0, 1, 2]


HIDDEN = "'...'"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("select 1", "select 1"),
        ("select 'a''b', \"c'd\" from e", f'select {HIDDEN}, "c\'d" from e'),
        (r"select E'a\'b' || e'c'", f"select E{HIDDEN} || e{HIDDEN}"),
        ("select U&'a', b'1', n'c'", f"select U&{HIDDEN}, b{HIDDEN}, n{HIDDEN}"),
        ("do $$ 'a' $$; do $x$ $$ $x$", f"do {HIDDEN}; do {HIDDEN}"),
        ("select 1 -- it's\n, 'a' /* 'b' */", f"select 1 -- it's\n, {HIDDEN} /* 'b' */"),
        ("select 'a'\n'b'", f"select {HIDDEN}\n{HIDDEN}"),
        ("select 'a, b", f"select {HIDDEN}"),
        ("select E'a\\", f"select E{HIDDEN}"),
        ("select $$a, b", f"select {HIDDEN}"),
        ("select \"a, 'b'", f"select {HIDDEN}"),
        ("select /* a 'b'", f"select {HIDDEN}"),
        ("select $1, $1$2", "select $1, $1$2"),
        ("", ""),
    ],
)
def test_strings_are_hidden(sql: str, shown: str) -> None:
    assert hide_strings(sql) == shown


class Listener(logging.Handler):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def silence() -> Iterator[None]:
    """Nobody listens, as in a program that has set up no logging; the tests' own handlers are put back."""
    loggers = [logging.getLogger(name) for name in ("", "stretto", "stretto.slow")]
    kept = [logger.handlers[:] for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = [logging.NullHandler()]
    try:
        yield
    finally:
        for logger, handlers in zip(loggers, kept, strict=True):
            logger.handlers[:] = handlers


@pytest.mark.parametrize("where", ["", "stretto", "stretto.slow"])
def test_a_slow_call_is_summed_up_only_for_a_listener(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("stretto.runtime.slow.summed", lambda *_: asked.append(1))
    with silence():
        note(0.0, request(**WHOLE))
        assert not asked
        logger, listener = logging.getLogger(where), Listener()
        logger.addHandler(listener)
        try:
            note(0.0, request(**WHOLE))
            assert (len(asked), len(listener.records)) == (1, 1)
            monkeypatch.setattr(logging.getLogger("stretto.slow"), "disabled", True)
            note(0.0, request(**WHOLE))
            assert (len(asked), len(listener.records)) == (1, 1)
        finally:
            logger.removeHandler(listener)
