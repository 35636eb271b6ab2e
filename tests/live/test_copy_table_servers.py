"""copy_table() between two servers: the one of the run and another that is started for this, and killed."""

from __future__ import annotations

import os
import signal
import tracemalloc
from collections.abc import Iterator

import psycopg
import pytest

import stretto
import stretto.embedded
from stretto.errors import BulkError, ConnectError, ConnectionLost

ROWS = 60_000


@pytest.fixture
def other() -> Iterator[stretto.embedded.Server]:
    server = stretto.embedded.start()
    yield server
    server.stop()


@pytest.fixture
def source(server_url: str, schema: str) -> Iterator[stretto.Database]:
    settings = {"search_path": schema}
    with stretto.Database(server_url, connections=4, server_settings=settings) as db:
        db.execute("create table moved (id int primary key, at timestamptz, name text)")
        db.execute(
            "insert into moved select i, now() + i * interval '1 s', repeat('n', 60) || i "
            f"from generate_series(1, {ROWS}) i"
        )
        yield db


@pytest.mark.parametrize("way", [{}, {"jobs": 3}, {"jobs": 3, "atomic": False}], ids=["whole", "staged", "by part"])
def test_a_table_goes_to_another_server_and_back(
    source: stretto.Database, other: stretto.embedded.Server, way: dict[str, int]
) -> None:
    with stretto.Database(other.url, connections=4) as there:
        report = source.copy_table("moved", there, create=True, verify=True, **way)  # type: ignore[arg-type]
        assert (report.rows, report.verified) == (ROWS, True)
        back = there.copy_table("moved", source, "back", create=True, verify=True, **way)  # type: ignore[arg-type]
    assert back.checksum == report.checksum
    assert source.fetchval("select count(*) from moved natural join back") == ROWS


def test_the_target_dies(source: stretto.Database, other: stretto.embedded.Server) -> None:
    def strike(progress: stretto.CopyProgress) -> None:
        if progress.rows > ROWS // 3:
            other.stop()

    with stretto.Database(other.url, connections=4, acquire_timeout=5) as there:
        there.execute("create table moved (id int, at timestamptz, name text)")
        with pytest.raises(BulkError) as caught:
            source.copy_table("moved", there, jobs=2, atomic=False, progress=strike)
    assert isinstance(caught.value.__cause__, (ConnectionLost, ConnectError, stretto.errors.CommitUnknown))
    assert 0 <= caught.value.report.rows < ROWS
    assert source.fetchval("select count(*) from moved") == ROWS  # the source can go on


@pytest.mark.parametrize("create", [False, True], ids=["into what is there", "made"])
def test_a_target_that_crashes_behind_the_last_part_fails_the_copy(
    source: stretto.Database, other: stretto.embedded.Server, create: bool
) -> None:
    """What has no log is empty after that: it must not land as it is then."""
    with stretto.Database(other.url, connections=4) as there, psycopg.connect(other.url) as victim:
        if not create:
            there.execute("create table moved (id int, at timestamptz, name text)")

        def strike(progress: stretto.CopyProgress) -> None:
            if progress.parts == progress.total_parts and not victim.closed:
                os.kill(victim.info.backend_pid, signal.SIGKILL)
                with pytest.raises(psycopg.OperationalError):
                    while True:
                        victim.execute("select 1")

        with pytest.raises((ConnectionLost, ConnectError)):
            source.copy_table("moved", there, jobs=2, create=create, progress=strike)
        left = there.fetchval("select count(*) from pg_class where relname like 'moved_copy_%'")
        assert left == 0


def test_memory_is_bounded(source: stretto.Database, other: stretto.embedded.Server) -> None:
    """Far more goes through than is ever held."""
    with stretto.Database(other.url) as there:
        there.execute("create table big (id int, text text)")
        query = "select i as id, repeat(i::text, 200) as text from generate_series(1, 60000) i"
        source.copy_table("select 1 as id, 'x' as text", there, "big")
        tracemalloc.start()
        try:
            report = source.copy_table(query, there, "big")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert report.bytes > 50_000_000
    assert peak < 8_000_000
