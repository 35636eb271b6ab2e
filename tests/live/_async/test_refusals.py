"""Bad input: each a clear error of its own class, and the next statement works."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import stretto.embedded
from stretto._async.database import AsyncDatabase
from stretto.errors import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    DecodeError,
    EncodeError,
    Error,
    TLSError,
    UsageError,
)
from stretto.sqlstate import (
    CheckViolation,
    DivisionByZero,
    IndeterminateDatatype,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
)

# verb, arguments, class, text
BAD: list[tuple[str, tuple[Any, ...], type[Error], str]] = [
    ("fetch", ("select $1", 5), EncodeError, r"argument \$1 \(text\)"),
    ("fetch", ("select jsonb_build_object($1, $2)", "a", 1), IndeterminateDatatype, "could not determine data type"),
    ("fetch", ("select $1::nothing", 1), Error, 'type "nothing" does not exist'),
    ("fetch", ("select $1::int",), UsageError, r"1 parameter \(\$1\), but 0 arguments were given"),
    ("fetch", ("select $1::int", 1, 2), UsageError, r"1 parameter \(\$1\), but 2 arguments were given"),
    ("fetch", ("select 1", 1), UsageError, r"0 parameters \(none\), but 1 argument was given"),
    ("fetch", ("select $1::int + $2::int", 1), UsageError, r"2 parameters \(\$1 to \$2\), but 1"),
    ("execute", ("select 1; select 2", 1), UsageError, r"SQL of 2 statements was not sent.*batch\(\)"),
    ("fetch", ("select 1; select 2; select 3",), UsageError, "SQL of 3 statements was not sent"),
    ("fetchval", ("begin; select 1",), UsageError, "SQL of 2 statements was not sent"),
    ("executemany", ("select 1; select $1::int", [(1,)]), UsageError, "SQL of 2 statements was not sent"),
    ("fetch", (r"select '\'; select 2",), SqlSyntaxError, "cannot insert multiple commands"),
    ("fetch", ("select 1", *range(65536)), UsageError, "65536 arguments, but a statement has at most 65535"),
    ("execute", ("select 1", *range(65536)), UsageError, "65536 arguments"),
    ("fetch", ("select $1::int", "one"), EncodeError, r"argument \$1 \(int4\).*not str"),
    ("fetch", ("select $1::int", 2**40), EncodeError, r"argument \$1 \(int4\)"),
    ("fetch", ("select $1::text", 5), EncodeError, r"argument \$1 \(text\).*not int"),
    ("fetch", ("select $1::text", "a\0b"), EncodeError, r"argument \$1 \(text\)"),
    ("fetch", ("select $1::text", "a\ud800"), EncodeError, r"argument \$1 \(text\)"),
    ("fetch", ("select $1::int[]", [1, "two"]), EncodeError, r"argument \$1 \(int4\[\]\)"),
    ("fetch", ("select $1::int[]", [[1], [2, 3]]), EncodeError, r"argument \$1 \(int4\[\]\)"),
    ("fetch", ("select $1::uuid", "no uuid"), EncodeError, r"argument \$1 \(uuid\)"),
    ("fetch", ("select $1::jsonb", object()), EncodeError, r"argument \$1 \(jsonb\)"),
    ("fetch", ("select 1\0",), UsageError, "the SQL has a NUL character, at 8"),
    ("execute", ("select 1\0",), UsageError, "the SQL has a NUL character, at 8"),
    ("fetch", ("select '\ud800'",), UsageError, "not valid Unicode, at 8"),
    ("execute", ("select '\ud800'",), UsageError, "not valid Unicode, at 8"),
    ("fetch", (b"select 1",), UsageError, "SQL must be a str, not bytes"),
    ("execute", (None,), UsageError, "SQL must be a str, not NoneType"),
    ("fetch", ("selct 1",), SqlSyntaxError, "selct"),
    ("fetch", ("select * from nowhere",), UndefinedTable, "nowhere"),
    ("fetch", ("select nothing",), UndefinedColumn, "nothing"),
    ("fetch", ("select nothing()",), UndefinedFunction, "nothing"),
    ("fetch", ("select 1 / 0",), DivisionByZero, "division by zero"),
    ("execute", ("select 1 / $1::int", 0), DivisionByZero, "division by zero"),
    ("fetch", ("insert into small values (11)",), CheckViolation, "small_id_check"),
    ("fetch", ("select '99999-01-01'::date",), DecodeError, "date"),
]


@pytest.mark.parametrize(("verb", "args", "kind", "text"), BAD)
async def test_each_has_its_class_and_hurts_nobody_else(
    one: AsyncDatabase, verb: str, args: tuple[Any, ...], kind: type[Error], text: str
) -> None:
    await one.execute("create table small (id int check (id < 10))")
    for _ in range(2):
        with pytest.raises(kind, match=text):
            await getattr(one, verb)(*args)
        assert await one.fetchval("select $1::int", 5) == 5
    async with one.connection() as connection:
        with pytest.raises(kind, match=text):
            await getattr(connection, verb)(*args)
        assert await connection.fetchval("select 6") == 6


async def test_65535_arguments_are_taken(one: AsyncDatabase) -> None:
    sql = "select " + " + ".join(f"${i}::int8" for i in range(1, 501)) + " + cardinality($501::int[])"
    assert await one.fetchval(sql, *range(500), [0]) == sum(range(500)) + 1
    sql = "select count(*) from (values " + ", ".join(f"(${i}::int)" for i in range(1, 65536)) + ") v"
    assert await one.fetchval(sql, *range(65535)) == 65535


async def test_a_syntax_error_shows_where_it_is(one: AsyncDatabase) -> None:
    sql = "select 1,\n       'é' as word,\n       2 plus 3"
    for verb in (one.fetch, one.execute):
        with pytest.raises(SqlSyntaxError) as caught:
            await verb(sql)
        assert caught.value.position == sql.index("3") + 1
        assert caught.value.query == sql
        lines = str(caught.value).splitlines()
        assert lines[1:3] == ["LINE 3:        2 plus 3", " " * lines[1].index("3", 7) + "^"]


async def test_an_error_has_the_servers_fields(one: AsyncDatabase, schema: str) -> None:
    await one.execute("create table t (id int constraint small check (id < 10))")
    with pytest.raises(CheckViolation) as caught:
        await one.fetch("insert into t values ($1)", 11)
    error = caught.value
    assert (error.sqlstate, error.schema_name, error.table_name, error.constraint_name) == (
        "23514",
        schema,
        "t",
        "small",
    )
    assert error.severity == "ERROR"
    assert error.detail is not None
    assert not error.retryable


async def test_no_value_is_in_an_error_of_ours(one: AsyncDatabase) -> None:
    for sql, value in (
        ("select $1::int", "a secret"),
        ("select $1::uuid", "a secret"),
        ("select $1::jsonb", {"a secret"}),
    ):
        with pytest.raises(EncodeError) as caught:
            await one.fetch(sql, value)
        assert "secret" not in str(caught.value)


# --- no connection ----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_an_unknown_host(open_db: Callable[..., Any]) -> None:
    db = open_db("postgresql://postgres@no-such-host.invalid/postgres", connect_timeout=10)
    with pytest.raises(ConnectError, match=r"no-such-host\.invalid"):
        await db.fetchval("select 1")


async def test_a_closed_port(open_db: Callable[..., Any]) -> None:
    port = closed_port()
    db = open_db(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    for _ in range(2):
        with pytest.raises(ConnectError, match=rf"127\.0\.0\.1 port {port}.*refused"):
            await db.fetchval("select 1")


async def test_the_next_host_is_taken(open_db: Callable[..., Any], server_url: str) -> None:
    good = server_url.split("@")[1]
    db = open_db(f"postgresql://postgres@127.0.0.1:{closed_port()},{good}")
    assert await db.fetchval("select 1") == 1


async def test_a_server_that_hangs_up(open_db: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        db = open_db(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2)
        with pytest.raises(ConnectError, match="time"):
            await db.fetchval("select 1")


async def test_tls_that_the_server_refuses(open_db: Callable[..., Any], server_url: str) -> None:
    db = open_db(server_url, sslmode="require")
    with pytest.raises(TLSError, match="does not support TLS"):
        await db.fetchval("select 1")


@pytest.fixture(scope="module")
def scram_url() -> Iterator[str]:
    with stretto.embedded.start(password="corrêct=/@ 😀") as server:
        yield server.url


async def test_a_password_by_scram(open_db: Callable[..., Any], scram_url: str) -> None:
    for password in ("corrêct=/@ 😀", lambda **_: "corrêct=/@ 😀"):
        db = open_db(scram_url, password=password)
        assert await db.fetchval("select 1") == 1
    db = open_db(scram_url, password="a wrong secret")
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="password authentication failed") as caught:
            await db.fetchval("select 1")
        assert "a wrong secret" not in str(caught.value) + repr(db)


@pytest.mark.parametrize(
    ("url", "keywords"),
    [
        ("http://somewhere", {}),
        ("postgresql://localhost:port/", {}),
        ("postgresql:///?no_such_option=1", {}),
        (None, {"sslmode": "perhaps"}),
        (None, {"no_such_keyword": "1"}),
    ],
)
async def test_a_configuration_that_cannot_be_understood(open_db: Any, url: Any, keywords: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        open_db(url, **keywords)


async def test_no_connections_at_all(open_db: Any) -> None:
    with pytest.raises(UsageError, match="connections=0: at least one"):
        open_db(connections=0)


class Template:
    """What a t-string makes of ``t"select {value}"``: text and values, not yet SQL."""

    __hash__ = None  # type: ignore[assignment]  # as of one that holds a list

    def __str__(self) -> str:
        raise AssertionError("nobody may make SQL of it")


VERBS_OF_SQL: dict[str, tuple[Any, ...]] = dict.fromkeys(("fetch", "fetchrow", "fetchval", "execute"), ())
VERBS_OF_SQL |= dict.fromkeys(("executemany", "fetchmany"), ([()],))


@pytest.mark.parametrize("verb", VERBS_OF_SQL)
@pytest.mark.parametrize("given", [Template(), b"select 1", ["select 1"], None], ids=lambda given: type(given).__name__)
async def test_only_a_str_is_sql(one: AsyncDatabase, verb: str, given: Any) -> None:
    with pytest.raises(UsageError, match=f"SQL must be a str, not {type(given).__name__}; values go into arguments"):
        await getattr(one, verb)(given, *VERBS_OF_SQL[verb])
    assert await one.fetchval("select 1") == 1
