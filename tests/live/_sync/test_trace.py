# Generated from tests/live/_async/test_trace.py by tools/make_sync.py: do not edit.
"""The trace of a connection: what it says and hears, in both runtimes the same, in libpq's format."""

from __future__ import annotations

import io
import logging
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stretto._sync.database import Database
from stretto.errors import ConfigError, UsageError

SQL = "select $1::int4 as one"
PREPARED = [
    'F\t62\tParse\t "NAME" "select $1::int4 as one" 0',
    'F\t38\tDescribe\t S "NAME"',
    "F\t4\tSync",
    "B\t4\tParseComplete",
    "B\t10\tParameterDescription\t 1 23",
    'B\t28\tRowDescription\t 1 "one" 0 0 23 4 -1 0',
    "B\t5\tReadyForQuery\t I",
]
EXECUTED = [
    'F\t56\tBind\t "" "NAME" 1 1 1 4 \'\\x00\\x00\\x00\\x07\' 1 1',
    'F\t9\tExecute\t "" 0',
    "F\t4\tSync",
    "B\t4\tBindComplete",
    "B\t14\tDataRow\t 1 4 '\\x00\\x00\\x00\\x07'",
    'B\t13\tCommandComplete\t "SELECT 1"',
    "B\t5\tReadyForQuery\t I",
]


def lines(text: str) -> list[str]:
    """The lines of a trace, the statement's name, which is a digest, left out."""
    return [name_hidden(line) for line in text.splitlines()]


def name_hidden(line: str) -> str:
    before, stretto, rest = line.partition('"stretto_')
    return f'{before}"NAME"{rest[25:]}' if stretto else line


def test_a_trace_of_a_select(one: Database) -> None:
    file = io.StringIO()
    with one.connection() as connection:
        connection.execute("select 'before'")
        connection.trace(file)
        assert connection.fetchval(SQL, 7) == 7
        connection.trace(None)
        connection.execute("select 'behind'")
    assert lines(file.getvalue()) == [*PREPARED, *EXECUTED]


def test_a_trace_ends_with_the_block(one: Database) -> None:
    file = io.StringIO()
    with one.connection() as connection:
        connection.trace(file)
        connection.execute("set work_mem = '7MB'")
    one.fetchval(SQL, 7)
    assert lines(file.getvalue()) == [
        "F\t25\tQuery\t \"set work_mem = '7MB'\"",
        'B\t8\tCommandComplete\t "SET"',
        "B\t5\tReadyForQuery\t I",
    ]


@pytest.mark.parametrize("target", ["path", "file"])
def test_a_trace_of_a_database(open_db: Callable[..., Any], tmp_path: Path, target: str) -> None:
    path = tmp_path / "trace"
    file = io.StringIO()
    db = open_db(connections=1, trace=path if target == "path" else file)
    db.fetchval(SQL, 7)
    own = io.StringIO()
    with db.connection() as connection:
        pid = connection.pid
        connection.trace(own)
        connection.fetchval(SQL, 7)
    db.fetchval(SQL, 7)
    db.close()
    text = path.read_text() if target == "path" else file.getvalue()
    found = lines(text)
    assert {line.partition("\t")[0] for line in found} == {str(pid)}
    found = [line.partition("\t")[2] for line in found]
    assert found[:21] == [*PREPARED, *EXECUTED, *EXECUTED]
    assert "Query" in found[21]  # the connection is made as new
    assert found[-8:] == [*EXECUTED, "F\t4\tTerminate"]
    assert lines(own.getvalue()) == EXECUTED
    if target == "path":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_trace_is_appended(open_db: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "trace"
    for _ in range(2):
        db = open_db(connections=1, trace=str(path))
        db.fetchval(SQL, 7)
        db.close()
    assert path.read_text().count("Terminate") == 2


def test_what_cannot_be_written_ends_the_trace_only(one: Database, caplog: pytest.LogCaptureFixture) -> None:
    file = io.StringIO()
    for broken in (file, io.BytesIO()):
        with one.connection() as connection:
            connection.trace(broken)  # type: ignore[arg-type]  # one of them takes bytes
            file.close()
            assert connection.fetchval(SQL, 7) == 7
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.rpartition(": ")[2] for text in said] == ["ValueError", "TypeError"]


def test_a_trace_needs_a_place(open_db: Callable[..., Any], one: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trace="):
        open_db(trace=tmp_path / "nowhere" / "trace")
    with pytest.raises(UsageError, match="int"):
        open_db(trace=1)
    with one.connection() as connection:
        with pytest.raises(UsageError, match="open text file"):
            connection.trace(str(tmp_path / "trace"))  # type: ignore[arg-type]  # that is the mistake


def test_a_trace_does_not_begin_in_the_middle(one: Database) -> None:
    with one.connection() as connection:
        rows = connection.stream("select generate_series(1, 9)", batch=2)
        for _ in rows:
            with pytest.raises(UsageError, match="between two statements"):
                connection.trace(io.StringIO())
            break
        rows.close()
