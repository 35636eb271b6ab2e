"""COPY: its SQL, its start and its end, as flows; the data between them is written by the front doors.

The simple protocol carries it: a Sync sent ahead would be swallowed (PostgreSQL manual, "COPY Operations"). A COPY is
all or nothing: what ends before CopyDone leaves no row.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from stretto.errors import UsageError
from stretto.flows.names import quote_literal, quote_name, quote_table
from stretto.flows.query import Flow, check
from stretto.protocol.request import Request
from stretto.protocol.statement import encode_sql
from stretto.wire import backend, frontend
from stretto.wire.buffer import ReadBuffer, WriteBuffer

COPY_IN = ord("G")
COPY_OUT = ord("H")
FORMATS = ("text", "csv", "binary")
CHUNK_ROWS = 500
CHUNK_BYTES = 1 << 16

_FLAGS = {"freeze", "header"}
_STRINGS = {"delimiter", "null", "quote", "escape", "default"}
_COLUMNS = {"force_quote", "force_not_null", "force_null"}
_WORDS = {"on_error": {"stop", "ignore"}, "log_verbosity": {"default", "verbose", "silent"}}


def copy_sql(
    target: str | tuple[str, ...],
    columns: Sequence[str] | None,
    direction: str,
    format: str,
    options: Mapping[str, Any],
) -> str:
    """Write the COPY command: ``direction`` is ``FROM STDIN`` or ``TO STDOUT``. Raises UsageError for a bad option.

    What is copied out may be a query (it starts with ``select``, ``with``, ``values`` or ``table``): it is SQL like any
    other, taken as it is. What is copied into is a name, whatever it looks like, and is quoted.
    """
    if format not in FORMATS:
        raise UsageError(f"format={format!r}: COPY has the formats {', '.join(FORMATS)}")
    if direction == "TO STDOUT" and is_query(target):
        if columns is not None:
            raise UsageError("columns= goes with a table, not with a query")
        source = f"({str(target).strip().rstrip(';')})"
    else:
        source = quote_table(target)
        if columns is not None:
            source += f" ({_listed(columns)})"
    words = [f"FORMAT {format}", *[_option(name, value) for name, value in options.items() if value is not None]]
    return f"COPY {source} {direction} WITH ({', '.join(words)})"


def _listed(columns: Sequence[str]) -> str:
    if not columns or isinstance(columns, str):
        raise UsageError("columns= takes a list of one name at least")
    return ", ".join(quote_name(column) for column in columns)


def is_query(target: str | tuple[str, ...]) -> bool:
    """Tell a query from a table's name by its first word and the space behind it."""
    if not isinstance(target, str):
        return False
    words = target.strip().split(None, 1)
    return len(words) == 2 and words[0].lower() in ("select", "with", "values", "table", "insert", "update", "delete")


def _option(name: str, value: Any) -> str:
    if name in _FLAGS:
        if name == "header" and value == "match":
            return "HEADER match"
        return f"{name.upper()} {'true' if value else 'false'}"
    if name in _STRINGS:
        return f"{name.upper()} {quote_literal(str(value))}"
    if name in _COLUMNS:
        if value is True or value == "*":
            return f"{name.upper()} *"
        return f"{name.upper()} ({_listed(value)})"
    if name in _WORDS and value in _WORDS[name]:
        return f"{name.upper()} {value}"
    known = ", ".join(sorted([*_FLAGS, *_STRINGS, *_COLUMNS, *_WORDS]))
    raise UsageError(f"COPY has no option {name}={value!r} here: there are {known}")


def start(sql: str, message: int) -> Generator[Request, Any, Request]:
    """Start a COPY; return its request, which now takes or gives data. One round trip."""
    buf = WriteBuffer()
    frontend.query(buf, encode_sql(sql))
    request = Request(buf.getvalue(), b"Q")
    request.text = sql
    request.allow_copy = message
    yield request
    if request.copy_response is None:
        check(request, sql)
        raise UsageError("this statement is not the COPY that was asked for")
    request.copying = 0
    request.partial = True
    return request


def finish(request: Request, sql: str) -> Flow:
    """Wait for the end of a COPY whose data is complete; return the command tag. Raises the server's error."""
    while not request.done:
        request.take()
        yield request
    check(request, sql)
    return backend.command_tag(request.tag) if request.tag is not None else ""


def drain(request: Request) -> Generator[Request, Any, None]:
    """Wait for the end of a COPY that was given up, whatever it is."""
    while not request.done:
        request.take()
        yield request


def receive(request: Request, sql: str) -> Flow:
    """Return the next chunks of a COPY to us, or the empty list at its end. Raises the server's error."""
    if not request.slices and not request.done:
        yield request
    slices = request.take()
    if not slices and request.done:
        check(request, sql)
    return [slices[i][slices[i + 1] : slices[i + 2]] for i in range(0, len(slices), 3)]


def data_message(data: bytes) -> bytes:
    """Make a CopyData message."""
    buf = WriteBuffer(len(data) + 16)
    frontend.copy_data(buf, data)
    return buf.getvalue()


def data_of(message: bytes) -> bytes:
    """What is in a CopyData message."""
    buf = ReadBuffer(message, 5)
    return buf.read_bytes(buf.remaining())


def fail_message(error: BaseException) -> bytes:
    """Make the CopyFail message for a source that raised."""
    buf = WriteBuffer()
    frontend.copy_fail(buf, f"the source raised {type(error).__name__}")
    return buf.getvalue()


def batched(rows: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Cut an iterable into lists of ``size``."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
