"""The fault proxy: it carries everything unchanged, and does each kind of harm where it is told to."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chaos.messages import Conversation, Message
from chaos.proxy import Do, Proxy, Rule, on

import stretto
from stretto.errors import StatementTimeout

STARTUP = b"\0\0\0\x10\0\x03\0\0user\0a\0\0"
CANCEL = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"
TLS = b"\0\0\0\x08\x04\xd2\x16\x2f"
QUERY = b"Q\0\0\0\x0bcommit\0"
PARSE = b"P\0\0\0\x11s1\0COMMIT;\0\0\0"
BIND = b"B\0\0\0\x0e\0s1\0" + bytes(6)
EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
SYNC = b"S\0\0\0\4"
READY = b"Z\0\0\0\5I"
COMPLETE = b"C\0\0\0\x0bCOMMIT\0"


@pytest.fixture
def proxy(server_url: str) -> Iterator[Proxy]:
    with Proxy.before(server_url) as proxy:
        yield proxy


def connect(proxy: Proxy, url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(proxy.url(url), autocommit=True, connect_timeout=10, sslmode="disable")


def kinds(messages: list[Message]) -> list[str]:
    return [message.kind for message in messages]


CONVERSATIONS = {
    "a query": ("F", STARTUP + QUERY + SYNC, ["startup", "Q", "S"], [None, "commit", None]),
    "the extended protocol": (
        "F", STARTUP + PARSE + BIND + EXECUTE + SYNC, ["startup", "P", "B", "E", "S"],
        [None, "COMMIT;", "COMMIT;", "COMMIT;", None],
    ),
    "a cancel": ("F", CANCEL, ["cancel"], [None]),
    "a reply": ("B", COMPLETE + READY, ["C", "Z"], ["COMMIT", None]),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("case", CONVERSATIONS)
def test_bytes_are_cut_into_messages_however_they_come(case: str, size: int) -> None:
    side, data, expected, texts = CONVERSATIONS[case]
    conversation = Conversation()
    found = [m for at in range(0, len(data), size) for m in conversation.feed(side, data[at : at + size])]
    assert kinds(found) == expected
    assert [message.text for message in found] == texts
    assert [message.number for message in found] == list(range(1, len(expected) + 1))
    assert b"".join(message.data for message in found) == data


@pytest.mark.parametrize(("answer", "then"), [(b"N", "startup"), (b"S", "raw")])
def test_what_is_encrypted_is_carried_raw(answer: bytes, then: str) -> None:
    conversation = Conversation()
    assert kinds(list(conversation.feed("F", TLS))) == ["tls"]
    assert kinds(list(conversation.feed("B", answer))) == ["answer"]
    assert kinds(list(conversation.feed("F", STARTUP))) == [then]


SHAPES = {
    "as it comes": {},
    "late": {"latency": 0.01, "jitter": 0.01},
    "in small slices": {"slice": 5},
    "narrow": {"bandwidth": 1_000_000},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_all_arrives_unchanged(proxy: Proxy, server_url: str, shape: str) -> None:
    proxy.shape(**SHAPES[shape])
    text = random.Random(1).randbytes(2_000).hex()
    with connect(proxy, server_url) as connection:
        assert [connection.execute("select %s", (text,)).fetchone() for _ in range(3)] == [(text,)] * 3
        assert connection.execute("select generate_series(1, 500)").fetchall() == [(n,) for n in range(1, 501)]


def test_the_server_may_be_at_a_unix_socket(server_url: str) -> None:
    with psycopg.connect(server_url) as outside:
        (directories,) = outside.execute("show unix_socket_directories").fetchone() or ("",)
        (port,) = outside.execute("show port").fetchone() or (0,)
    with Proxy(directories.split(",")[0], int(port)) as proxy, connect(proxy, server_url) as connection:
        assert connection.execute("select 7").fetchone() == (7,)


def test_a_delay_is_no_shorter_than_told(proxy: Proxy, server_url: str) -> None:
    with connect(proxy, server_url) as connection:
        proxy.shape(latency=0.05)
        begun = time.monotonic()
        connection.execute("select 1")
        assert time.monotonic() - begun >= 0.1  # there and back


@pytest.mark.parametrize("how", [Do.CUT, Do.RESET])
@pytest.mark.parametrize("after", [False, True])
def test_a_connection_ends_at_the_commit(proxy: Proxy, server_url: str, how: Do, after: bool) -> None:
    """Before it was forwarded the transaction is lost, after it is kept: and the client knows neither."""
    with psycopg.connect(server_url, autocommit=True) as outside:
        outside.execute("drop table if exists chaos_proxy; create table chaos_proxy (n int)")
        rule = proxy.add(Rule(on("F", "Q", text="commit"), how, after=after))
        with pytest.raises(psycopg.OperationalError), connect(proxy, server_url) as connection:
            connection.autocommit = False
            connection.execute("insert into chaos_proxy values (1)")
            pid = connection.info.backend_pid
            connection.commit()
        assert rule.fired.is_set()
        wait_for_end(outside, pid)
        assert outside.execute("select count(*) from chaos_proxy").fetchone() == (int(after),)
        outside.execute("drop table chaos_proxy")


def wait_for_end(outside: psycopg.Connection[Any], pid: int) -> None:
    deadline = time.monotonic() + 20
    while outside.execute("select from pg_stat_activity where pid = %s", (pid,)).fetchone() is not None:
        assert time.monotonic() < deadline


def test_a_reply_is_lost_and_what_it_tells_is_done(proxy: Proxy, server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as outside:
        outside.execute("drop table if exists chaos_reply; create table chaos_reply (n int)")
        proxy.add(Rule(on("B", "C", text="INSERT 0 1"), Do.CUT))
        with pytest.raises(psycopg.OperationalError), connect(proxy, server_url) as connection:
            connection.execute("insert into chaos_reply values (1)")
        assert outside.execute("select count(*) from chaos_reply").fetchone() == (1,)
        outside.execute("drop table chaos_reply")


def test_what_is_held_goes_on_when_it_is_released(proxy: Proxy, server_url: str) -> None:
    async def main() -> None:
        async with stretto.AsyncDatabase(proxy.url(server_url), connections=1) as db:
            await db.fetchval("select 1")
            rule = proxy.add(Rule(on("B", "D"), Do.HOLD))
            asked = asyncio.create_task(db.fetchval("select 7"))
            assert await asyncio.to_thread(rule.fired.wait, 10)
            assert not asked.done()
            rule.release()
            assert await asked == 7

    asyncio.run(main())


def test_a_black_hole_says_nothing_and_its_neighbour_direction_goes_on(proxy: Proxy, server_url: str) -> None:
    with stretto.Database(proxy.url(server_url), connections=1) as db:
        db.fetchval("select 1")
        heard = proxy.heard["B", "Z"]
        answered = proxy.add(Rule(on("B", "Z"), Do.NOTE))
        proxy.black_hole("B")
        with pytest.raises(StatementTimeout):
            db.fetchval("select 1", timeout=0.1)
        assert answered.fired.wait(10)
        assert proxy.heard["B", "Z"] > heard


def test_a_corrupt_byte_breaks_the_protocol(proxy: Proxy, server_url: str) -> None:
    with stretto.Database(proxy.url(server_url), connections=1) as db:
        db.fetchval("select 1")
        proxy.add(Rule(on("B", "Z"), Do.CORRUPT, at=0))
        with pytest.raises(stretto.Error):
            db.fetchval("select 2")
        assert db.fetchval("select 3") == 3


def test_a_cancel_is_a_message_as_any_other(proxy: Proxy, server_url: str) -> None:
    cancel = proxy.add(Rule(on("F", "cancel"), Do.NOTE))
    with stretto.Database(proxy.url(server_url), connections=1) as db:
        with pytest.raises(StatementTimeout):
            db.fetchval("select pg_sleep(30)", timeout=0.1)
        assert db.fetchval("select 3") == 3
    assert cancel.hits == 1


@pytest.mark.parametrize("mode", ["close", "reset"])
def test_a_port_that_takes_connections_and_ends_them(proxy: Proxy, server_url: str, mode: str) -> None:
    proxy.mode = mode
    with pytest.raises(psycopg.OperationalError):
        connect(proxy, server_url)
    assert proxy.accepted > 0


def test_a_silent_port(proxy: Proxy) -> None:
    proxy.mode = "silent"
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(STARTUP)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize("how", [Do.CUT, Do.RESET])
def test_all_connections_end_at_once(proxy: Proxy, server_url: str, how: Do) -> None:
    with connect(proxy, server_url) as one, connect(proxy, server_url) as two:
        proxy.cut(how)
        for connection in (one, two):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")


def test_only_so_many_times(proxy: Proxy, server_url: str) -> None:
    rule = proxy.add(Rule(on("F", "startup"), Do.CUT, times=2))
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            connect(proxy, server_url)
    with connect(proxy, server_url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert rule.hits == 2
