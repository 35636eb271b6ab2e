"""A server that breaks the protocol, falls silent, hangs up or floods, against both runtimes."""

from __future__ import annotations

import struct
import threading
import tracemalloc

import pytest
from tests.flows.driver import READY, WELCOME, message, notice, parameter
from tests.runtime.calls import RUNTIMES, outcomes
from tests.runtime.scripted import (
    BOUND,
    COLUMNS,
    DONE,
    PARSED,
    PATIENCE,
    ROW,
    SQL,
    Peer,
    Script,
    bending,
    honest,
    scripted,
)

from stretto.errors import (
    ConnectError,
    ConnectionLost,
    DatabaseError,
    ProtocolError,
    StatementTimeout,
    UsageError,
)
from stretto.runtime import aio, aioplug, blocking, plug, recovery

both = pytest.mark.parametrize("runtime", RUNTIMES)
FETCH = ("fetch", SQL)


def error(body: bytes) -> bytes:
    return message(b"E", body)


# What the server says in place of a row and its CommandComplete.
BROKEN_FRAMING = {
    "unknown message": message(b"?", b"x"),
    "not ASCII": message(b"\xd1"),
    "a second RowDescription": COLUMNS + COLUMNS + ROW + DONE,
    "ParseComplete": PARSED + ROW + DONE,
    "a second BindComplete": BOUND + ROW + DONE,
    "a row behind the end": ROW + DONE + ROW,
    "two ends": ROW + DONE + DONE,
    "a row behind an error": error(b"SERROR\0C22012\0Mno\0\0") + ROW,
    "CopyData": message(b"d", b"x") + DONE,
    "CopyDone": message(b"c"),
    "CopyBothResponse": message(b"W", b"\0\0\0"),
    "authentication": message(b"R", bytes(4)),
    "status without a letter": ROW + DONE + message(b"Z"),
    "status X": ROW + DONE + message(b"Z", b"X"),
    "status of two letters": ROW + DONE + message(b"Z", b"II"),
    "parameter without a value": message(b"S", b"TimeZone\0"),
    "length 0": b"D" + struct.pack("!I", 0),
    "length 3": b"D" + struct.pack("!I", 3),
    "length -1": b"D\xff\xff\xff\xff",
    "length of 2 GB": b"D\x7f\xff\xff\xff",
}

# Framing is sound, so the connection is kept.
BROKEN_ROWS = {
    "no body": b"",
    "half a count": b"\0",
    "a column too many": struct.pack("!hiiii", 2, 4, 1, 4, 1),
    "no column": struct.pack("!h", 0),
    "value of length -2": struct.pack("!hi", 1, -2),
    "value longer than its row": struct.pack("!hi", 1, 400) + b"1234",
    "value of 2 GB": struct.pack("!hi", 1, 0x7FFFFFFF) + b"1234",
    "value shorter than its type": struct.pack("!hi", 1, 3) + b"123",
    "value longer than its type": struct.pack("!hi", 1, 5) + b"12345",
    "bytes behind the last value": struct.pack("!hii", 1, 4, 7) + b"x",
}


@both
@pytest.mark.parametrize("case", BROKEN_FRAMING)
def test_a_broken_protocol_ends_the_connection_and_the_next_statement_takes_a_new_one(runtime: str, case: str) -> None:
    with scripted(bending({"E": BROKEN_FRAMING[case]}), honest) as server:
        first, second = outcomes(runtime, server.url, [FETCH, FETCH])
    assert type(first) is ProtocolError
    assert second == [(7,)]
    assert len(server.peers) == 2


@both
@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_a_broken_row_fails_its_statement(runtime: str, case: str) -> None:
    with scripted(bending({"E": message(b"D", BROKEN_ROWS[case]) + DONE}), honest) as server:
        (first,) = outcomes(runtime, server.url, [FETCH])
    assert type(first) is ProtocolError


@both
@pytest.mark.parametrize("late", [ROW, READY, DONE, message(b"?"), b"Z\0\0\0\0"])
@pytest.mark.parametrize("apart", [False, True])
def test_what_comes_behind_the_answer_ends_the_connection_and_not_the_answer(
    runtime: str, late: bytes, apart: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=3)  # Parse, Describe, Sync
        while peer.hear()[0] != "S":
            pass
        peer.send(BOUND + ROW + DONE + READY + (b"" if apart else late))
        if apart:
            peer.send(late)
        peer.wait_for_end()

    with scripted(script, honest) as server:
        first, second = outcomes(runtime, server.url, [FETCH, FETCH])
    assert first == [(7,)]
    assert second == [(7,)] or (apart and type(second) in (ProtocolError, ConnectionLost))


REPLIES: dict[str, tuple[bytes, str | None, str]] = {
    "no SQLSTATE": (b"SERROR\0Mno\0\0", None, "no"),
    "no message": (b"SERROR\0C22012\0\0", "22012", ""),
    "empty": (b"\0", None, ""),
    "no body": (b"", None, ""),
    "not UTF-8": (b"SERROR\0C22012\0M\xff\xfeno\0\0", "22012", "\ufffd\ufffdno"),
    "SQLSTATE not UTF-8": (b"SERROR\0C\xff\0Mno\0\0", "\ufffd", "no"),
    "unknown SQLSTATE": (b"SERROR\0CZZZZZ\0Mno\0\0", "ZZZZZ", "no"),
    "unknown fields": (b"SERROR\0C22012\0Mno\0\xffwhat\0?x\0\0", "22012", "no"),
    "position that is no number": (b"SERROR\0C22012\0Mno\0Pmany\0\0", "22012", "no"),
    "1 MB": (b"SERROR\0C22012\0M" + b"x" * (1 << 20) + b"\0\0", "22012", "x" * (1 << 20)),
}


@both
@pytest.mark.parametrize("case", REPLIES)
def test_an_odd_error_is_an_error_of_its_statement_alone(runtime: str, case: str) -> None:
    body, sqlstate, text = REPLIES[case]
    bent = {"E": error(body)}

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=3)
        peer.serve(bent, count=3)
        peer.serve()

    with scripted(script) as server:
        first, second = outcomes(runtime, server.url, [FETCH, FETCH])
    assert isinstance(first, DatabaseError)
    assert (first.sqlstate, first.message) == (sqlstate, text)
    assert second == [(7,)]
    assert len(server.peers) == 1


FAREWELLS = {
    "57P01": (b"SFATAL\0C57P01\0Mgoing down\0\0", "going down"),
    "malformed": (b"Mno end", ""),
    "none": (None, "closed"),
}


@both
@pytest.mark.parametrize("case", FAREWELLS)
@pytest.mark.parametrize("when", ["in Execute", "in Describe", "instead of ReadyForQuery"])
def test_a_server_that_hangs_up_loses_the_statement(runtime: str, case: str, when: str) -> None:
    body, text = FAREWELLS[case]
    last = error(body) if body is not None else b""

    def script(peer: Peer) -> None:
        peer.greet()
        if when != "in Describe":
            peer.serve(count=3)
        while peer.hear()[0] != "S":
            pass
        peer.send(BOUND + ROW + DONE + last if when == "instead of ReadyForQuery" else last)

    with scripted(script, honest) as server:
        first, second = outcomes(runtime, server.url, [FETCH, FETCH])
    assert type(first) is ConnectionLost
    assert first.outcome == "unknown"
    assert text in str(first)
    assert second == [(7,)]


@both
@pytest.mark.parametrize("wait", ["wait", "block"])
@pytest.mark.parametrize(
    "farewell",
    [error(b"SFATAL\0C57P05\0Midle\0\0"), notice(b"immediate shutdown"), b""],
    ids=["fatal", "notice", "nothing"],
)
def test_a_server_that_hangs_up_between_statements_is_not_noticed_by_the_next(
    runtime: str, farewell: bytes, wait: str
) -> None:
    heard = threading.Event()

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=6)
        heard.wait(PATIENCE)
        peer.send(farewell)
        peer.sock.close()

    def until_hung_up() -> None:
        heard.set()
        server.hung_up()

    with scripted(script, honest) as server:
        first, second, third = outcomes(runtime, server.url, [FETCH, (wait, until_hung_up), FETCH])
    assert (first, second, third) == ([(7,)], None, [(7,)])


def falling_silent(peer: Peer) -> None:
    """Let in, prepare, answer once, and never again."""
    peer.greet()
    peer.serve(count=6)
    peer.wait_for_end()


CANCELS: dict[str, Script] = {
    "ignored": lambda peer: peer.sock.close(),
    "never answered": Peer.wait_for_end,
    "answered with an error": lambda peer: peer.send(error(b"SFATAL\0C53300\0Mtoo many\0\0")),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer a cancel is given up sooner."""
    for module in (aio, aioplug, blocking, plug, recovery):
        monkeypatch.setattr(module, "CANCEL_GRACE", 0.5)


@both
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("cancel", CANCELS)
def test_a_silent_server_is_given_up_after_the_timeout(runtime: str, cancel: str) -> None:
    with scripted(falling_silent, CANCELS[cancel], honest) as server:
        whole, first, second = outcomes(runtime, server.url, [FETCH, (*FETCH, {"timeout": 0.05}), FETCH])
    assert whole == [(7,)]  # to connect may take a slow machine longer than the timeout
    assert type(first) is StatementTimeout
    assert first.outcome == "unknown"
    assert second == [(7,)] or type(second) is ConnectionLost


@both
def test_a_connection_whose_cancel_may_still_arrive_is_not_used_again(runtime: str) -> None:
    """The statement has ended, but nobody has said that the cancel was read: it would hit whatever comes next."""
    cancelled = threading.Event()

    def slow(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=3)
        while peer.hear()[0] != "S":
            pass
        cancelled.wait(PATIENCE)
        peer.send(BOUND + ROW + DONE + READY)
        peer.serve()

    def cancel(peer: Peer) -> None:
        peer.greet(b"")
        cancelled.set()
        peer.wait_for_end()

    with scripted(slow, cancel, honest) as server:
        first, second = outcomes(runtime, server.url, [(*FETCH, {"timeout": 0.1}), FETCH])
    assert isinstance(first, StatementTimeout)
    assert second == [(7,)]
    assert len(server.peers) == 3


@both
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("cancel", CANCELS)
def test_a_database_closes_while_a_statement_that_timed_out_is_not_answered(runtime: str, cancel: str) -> None:
    with scripted(falling_silent, CANCELS[cancel]) as server:
        whole, first = outcomes(runtime, server.url, [FETCH, (*FETCH, {"timeout": 0.05})])
    assert whole == [(7,)]
    assert type(first) is StatementTimeout


@both
def test_a_copy_that_nobody_asked_for_is_refused_and_the_connection_kept(runtime: str, server_url: str) -> None:
    table = f"wire_copied_{runtime}"
    calls = [
        ("execute", f"drop table if exists {table}"),
        ("fetchval", "select pg_backend_pid()"),
        ("fetch", "copy (select 1) to stdout"),
        ("execute", "copy (select 1) to stdout"),
        ("execute", f"create table {table} (a int)"),
        ("fetch", f"copy {table} from stdin"),
        ("execute", f"copy {table} from stdin"),
        ("execute", f"drop table {table}"),
        ("fetchval", "select pg_backend_pid()"),
    ]
    _, first, *refused, last = outcomes(runtime, server_url, calls)
    kinds = [type(one) for one in refused]
    assert kinds == [UsageError, UsageError, str, UsageError, UsageError, str]
    assert first == last


@both
def test_a_flood_of_notices_is_kept_in_bounded_memory(runtime: str) -> None:
    flood = notice(b"x" * 1000) * 200

    def script(peer: Peer) -> None:
        peer.greet()
        peer.serve(count=3)
        while peer.hear()[0] != "S":
            pass
        peer.send(BOUND)
        for _ in range(100):
            peer.send(flood + parameter("TimeZone", "UTC"))
        peer.send(ROW + DONE + READY)
        peer.serve()

    with scripted(script) as server:
        tracemalloc.start()
        try:
            first, second = outcomes(runtime, server.url, [FETCH, FETCH])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (first, second) == ([(7,)], [(7,)])
    assert peak < 4 << 20  # 20 MB came


@both
def test_what_comes_with_the_greeting_must_be_legal_too(runtime: str) -> None:
    def script(peer: Peer) -> None:
        peer.greet(WELCOME + ROW)
        peer.wait_for_end()

    with scripted(script, honest) as server:
        first, second = outcomes(runtime, server.url, [FETCH, FETCH])
    assert isinstance(first, (ProtocolError, ConnectError))
    assert second == [(7,)]
