"""A network that loses everything without a word: callers are freed in time, and dead connections are found."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from chaos.proxy import Proxy
from tests.live.wire import Wire, wire_to

from stretto.errors import ConnectionLost, OperationalError, StatementTimeout
from stretto.flows import sockets

# Two seconds of silence are enough: a probe after one, and the end after another.
PROBES = {"KEEPALIVES_IDLE": 1, "KEEPALIVES_INTERVAL": 1, "KEEPALIVES_COUNT": 1, "USER_TIMEOUT": 1500}
NAMES = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")


@pytest.fixture
def wire(server_url: str) -> Iterator[Wire]:
    with wire_to(server_url) as wire:
        yield wire


@pytest.fixture
def tcp_url(server_url: str) -> Iterator[str]:
    with Proxy.before(server_url) as proxy:
        yield proxy.url(server_url)


@pytest.mark.parametrize("size", [1, 3])
async def test_a_statement_ends_at_its_timeout_and_the_pool_recovers(
    open_db: Any, beside: Any, wire: Wire, size: int
) -> None:
    db = open_db(wire.url, connections=size, connect_timeout=2)
    assert await db.fetchval("select 1") == 1
    wire.down()
    for _ in range(2):  # the second finds no connection, or a new one is not made in time
        with pytest.raises(OperationalError) as caught:
            await beside.result(beside.start(lambda: db.fetchval("select 2", timeout=0.3)))
        assert isinstance(caught.value, StatementTimeout)
    wire.up()
    assert await beside.result(beside.start(lambda: db.fetchval("select 3"))) == 3


@pytest.mark.parametrize("given", [{}, {"keepalives_idle": 40, "keepalives_count": 4, "tcp_user_timeout": 25000}])
async def test_a_socket_is_set_to_find_a_dead_peer(open_db: Any, tcp_url: str, given: dict[str, int]) -> None:
    db = open_db(tcp_url, **given)
    link = await db._pool.acquire()
    found = [link._sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in NAMES]
    assert found == ([40, 5, 4, 25000] if given else [15, 5, 3, 30000])
    assert link._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    await db._pool.release(link)


async def test_dead_connections_are_found_by_the_sockets_settings(
    open_db: Any, beside: Any, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits for an answer, without a timeout, and fails; the other is idle, and nobody notices."""
    for name, value in PROBES.items():
        monkeypatch.setattr(sockets, name, value)
    db = open_db(wire.url, connections=2)
    async with db.connection() as first, db.connection() as second:
        assert [await each.fetchval("select 1") for each in (first, second)] == [1, 1]
    assert db.stats().connections == 2
    waits = beside.start(db.fetchval, "select pg_sleep(60)")
    while not db.stats().in_flight:
        await beside.turn()
    wire.down()
    with pytest.raises(ConnectionLost) as caught:
        await beside.result(waits)
    assert caught.value.outcome == "unknown"
    while wire.established():
        await beside.turn()
    wire.up()
    assert await beside.result(beside.start(db.fetchval, "select 2")) == 2


async def test_a_copy_that_waits_for_a_lock_is_not_taken_for_a_dead_server(
    open_db: Any, beside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "USER_TIMEOUT", 1000)
    db, other = open_db(connections=1), open_db()
    await other.execute("drop table if exists long_wait; create table long_wait (id int primary key, t text)")
    await other.execute("insert into long_wait values (5, 'is being deleted')")
    async with other.transaction():
        await other.execute("delete from long_wait")
        loading = beside.start(lambda: db.copy_in("long_wait", [(i, "x" * 1000) for i in range(20_000)]))
        await other.execute("select pg_sleep(3)")
    report = await beside.result(loading)
    assert report.rows == await other.fetchval("select count(*) from long_wait") == 20_000
    (lane,) = db._pool.scheduler.lanes
    assert lane.link._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000
    await other.execute("drop table long_wait")
