"""Where much comes at once: descriptors, notices during a COPY, notifications, a reply that nobody wants any more."""

from __future__ import annotations

import gc
import os
import resource
import signal
import threading
from collections.abc import Iterator

import pytest

import stretto
from stretto.errors import DecodeError, ProtocolError

NOTICING = """
create function pg_temp.tell() returns trigger language plpgsql as $$
begin raise notice '%', repeat('x', 500); return new; end $$;
create temp table told (t text);
create trigger tell before insert on told for each row execute function pg_temp.tell()
"""


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_descriptors_above_1024(server_url: str, many_descriptors: None) -> None:
    with stretto.Database(server_url, connections=1) as db:
        pid = db.fetchval("select pg_backend_pid()")
        assert db.fetchval("select length($1)", "x" * 5_000_000) == 5_000_000
        assert db.fetchval("select pg_backend_pid()") == pid


def test_a_copy_during_which_the_server_talks(server_url: str) -> None:
    with stretto.Database(server_url, connections=1) as db, db.connection() as one:
        one.execute(NOTICING)
        assert str(one.copy_in("told", (b"a\n" * 50 for _ in range(400)), format="text")) == "COPY 20000"


def test_a_copy_that_fails_is_not_fed_to_its_end(server_url: str) -> None:
    fed = 0

    def rows() -> Iterator[bytes]:
        nonlocal fed
        yield b"not a number\n"
        while fed < 100_000:
            fed += 1
            yield b"1\n" * 500

    with stretto.Database(server_url, connections=1) as db, db.connection() as one:
        one.execute("create temp table numbers (i int)")
        with pytest.raises(stretto.Error, match="not a number"):
            one.copy_in("numbers", rows(), format="text")
        assert fed < 50_000
        assert one.fetchval("select count(*) from numbers") == 0


def test_thousands_of_notifications_at_once(server_url: str) -> None:
    with stretto.Database(server_url) as db, db.connection() as one:
        one.listen("flood")
        db.fetch("select pg_notify('flood', i::text) from generate_series(1, 5000) i")
        got = [int(n.payload) for _, n in zip(range(5000), one.notifications(timeout=5), strict=False)]
    assert got == list(range(1, 5001))


def test_a_large_reply_whose_first_row_cannot_be_decoded(server_url: str) -> None:
    day = "case i when 1 then 'infinity' else '2020-01-01' end::date"
    sql = f"select {day}, repeat('x', 1000) from generate_series(1, 50000) i"
    with stretto.Database(server_url, connections=1) as db:
        with pytest.raises(DecodeError):
            db.fetch(sql)
        assert db.fetchval("select 1") == 1


def test_an_exception_from_a_signal_leaves_no_reply_for_the_next(server_url: str) -> None:
    class Stop(Exception):
        pass

    def stop(signum: int, frame: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with stretto.Database(server_url, connections=1) as db:
            db.fetchval("select 1")
            timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(Stop):
                db.fetchval("select 1 from pg_sleep(30)")
            assert db.fetchval("select 7", timeout=10) == 7
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("threshold", [(0, 10, 10), (500_000, 5, 5), (700, 10, 10)])
def test_the_collectors_threshold_is_as_before(server_url: str, threshold: tuple[int, int, int]) -> None:
    before = gc.get_threshold()
    gc.set_threshold(*threshold)
    try:
        with stretto.Database(server_url, connections=1) as db:
            assert len(db.fetch("select i, repeat('x', 100) from generate_series(1, 20000) i")) == 20000
        assert gc.get_threshold() == threshold
    finally:
        gc.set_threshold(*before)


def test_a_server_whose_encoding_changes_is_not_misread(server_url: str) -> None:
    with stretto.Database(server_url, connections=1) as db:
        with pytest.raises(ProtocolError, match="client_encoding"):
            db.execute("do $$ begin perform set_config('client_encoding', 'LATIN1', false); end $$")
        assert db.fetchval("select length('é')") == 1
