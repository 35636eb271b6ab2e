"""A shared connection is nobody's session: what would change it is not executed, and nothing else is refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.protocol.sql import ONE

from stretto._async.database import AsyncDatabase
from stretto.errors import DatabaseError, Error, UsageError
from stretto.protocol.classify import CONTROL, COPYING, READ, SESSION

REMEDIES = {SESSION: r"use connection\(\)", CONTROL: r"db\.transaction\(\).*connection\(\)", COPYING: r"copy_in\(\)"}
# What a session may have of its own; a fresh one has none of it. (Each transaction has its own transaction_isolation.)
OWN = """
select array(select name from pg_settings where source = 'session' and name !~ '^(search_path|transaction_.*)$')
    || array(select relname::text from pg_class where relnamespace = pg_my_temp_schema())
    || array(select pg_listening_channels())
    || array(select name from pg_cursors where is_holdable)
    || array(select name from pg_prepared_statements where name not like 'stretto%')
    || array(select locktype from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())
"""


async def error_of(verb: Callable[..., Any], *args: Any) -> Error | None:
    """What a call raises."""
    try:
        await verb(*args)
    except Error as error:
        return error
    return None


@pytest.mark.parametrize("kind", REMEDIES)
async def test_what_needs_a_session_is_not_sent(open_db: Callable[..., AsyncDatabase], kind: int) -> None:
    trace = io.StringIO()
    db = open_db(connections=1, trace=trace)
    await db.fetchval(OWN)
    pid = await db.fetchval("select pg_backend_pid()")
    before = len(trace.getvalue())
    for entry in ONE[kind]:
        sql, what = entry
        with pytest.raises(UsageError, match=re.escape(f"{what} was not sent: ") + ".*" + REMEDIES[kind]):
            await db.execute(sql)
    assert trace.getvalue()[before:] == ""
    assert await db.fetchval(OWN) == []
    assert await db.fetchval("select pg_backend_pid()") == pid


@pytest.mark.parametrize("verb", ["fetch", "fetchrow", "fetchval", "executemany", "fetchmany"])
async def test_nor_is_it_executed_by_a_verb_that_has_it_parsed(
    open_db: Callable[..., AsyncDatabase], verb: str
) -> None:
    trace = io.StringIO()
    db = open_db(connections=1, trace=trace)
    await db.fetchval(OWN)
    many: list[Any] = [[()]] if verb.endswith("many") else []
    for kind, remedy in REMEDIES.items():
        for sql, what in [(sql, what) for sql, what in ONE[kind] if "$1" not in sql]:
            before = len(trace.getvalue())
            error = await error_of(getattr(db, verb), sql, *many)
            if not isinstance(error, DatabaseError):  # some don't parse: there is no such table, say
                assert re.search(re.escape(f"{what} was not sent: ") + ".*" + remedy, str(error)), sql
            assert "\tBind\t" not in trace.getvalue()[before:], sql
    assert await db.fetchval(OWN) == []


async def test_nothing_that_leaves_nothing_is_refused(one: AsyncDatabase) -> None:
    pid = await one.fetchval("select pg_backend_pid()")
    for entry in ONE[READ]:
        for verb in (one.execute, one.fetch):
            error = await error_of(verb, str(entry))
            if error is not None and not isinstance(error, DatabaseError):  # most name tables that there are not
                assert "0 arguments were given" in str(error), entry
    assert await one.fetchval(OWN) == []
    assert await one.fetchval("select pg_backend_pid()") == pid
