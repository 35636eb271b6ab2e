"""Statement: what is known of one SQL text for a whole Database, and StatementCache, which keeps them.

A statement's name is a digest of its text, so that the bytes of its Bind are right on any connection; the machine
puts the Parse in front where a connection has not seen it. The server infers the parameters' types when it describes a
statement. The same text may be another statement on another connection (search_path, temporary tables): so its Parse
there names the types that values are encoded for, and a Describe behind it tells whether its columns are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from stretto.codecs.base import TEXT_FORMAT, Codec, encode_value
from stretto.errors import EncodeError, Error, UsageError
from stretto.protocol.classify import READ, WRITE, Traits, classify
from stretto.protocol.request import Request
from stretto.wire import frontend
from stretto.wire.backend import ColumnDescription
from stretto.wire.buffer import MAX_MESSAGE, WriteBuffer

MAX_PARAMETERS = 65535  # Bind counts them in 16 bits
_DESCRIBING = 200e-6  # seconds that the server takes to parse and describe
_EXECUTE_SYNC = frontend.EXECUTE_ALL_SYNC
_EXECUTE = frontend.EXECUTE_ALL


class Statement:
    """One prepared statement: its name, its parameters' and columns' codecs.

    ``parse``: what prepares it on a connection: Parse, and Describe once it is described; ``parse_script``: what that
    adds to a script. ``traits``: how it gets on with other callers' statements; ``service``: the seconds that the
    server takes for it, a moving average, and ``least``, what it takes when nothing disturbs it (below 0: not known).
    """

    def __init__(self, sql: str, name: bytes, parse: bytes) -> None:
        self.sql = sql
        self.traits = classify(sql)
        self.kind = self.traits.kind
        self.service = -1.0
        self.least = -1.0
        self.name = name
        self.parse = parse
        self.parse_script = b"P"
        self.oids: tuple[int, ...] = ()
        self.parameters: list[Codec] = []
        self.columns: tuple[ColumnDescription, ...] = ()
        self.codecs: list[Codec] = []
        self.makers: dict[Any, Any] = {}
        self._head = b""
        self._tail = b""

    def describe(
        self,
        oids: tuple[int, ...],
        parameters: Sequence[Codec],
        columns: tuple[ColumnDescription, ...],
        codecs: Sequence[Codec],
    ) -> None:
        """Fill in what the server said of it, or what has changed; ``oids`` are the parameters' types."""
        self.makers.clear()
        self.oids = oids
        self.parse = _parse_and_describe(self.name, encode_sql(self.sql), oids)
        self.parse_script = b"Ppc"
        self.parameters = list(parameters)
        self.columns = columns
        self.codecs = list(codecs)
        self._head = frontend.bind_head(b"", self.name, [codec.format for codec in parameters])
        self._tail = frontend.format_block([codec.format for codec in codecs])

    def has_columns(self, columns: tuple[ColumnDescription, ...]) -> bool:
        """Tell whether columns have the names and types of its own; it does not matter what tables they are from."""
        return _names_and_types(columns) == _names_and_types(self.columns)

    def equals(self, other: Statement) -> bool:
        """Tell whether another has the same name, parameters and columns."""
        return self.name == other.name and self.oids == other.oids and self.has_columns(other.columns)

    def reads(self, codecs: Sequence[Codec]) -> bool:
        """Tell whether codecs read the formats that its Bind asks for, whatever the columns are."""
        asked = [codec.format for codec in self.codecs] or [TEXT_FORMAT]
        if len(set(asked)) == 1:
            asked = asked[:1] * len(codecs)
        return asked == [codec.format for codec in codecs]

    def bind(self, args: tuple[Any, ...]) -> Request:
        """Make the request that executes it once. Raises UsageError for a wrong count, EncodeError for a value."""
        buf = WriteBuffer()
        self._bind(buf, args, -1)
        buf.write_bytes(_EXECUTE_SYNC)
        request = Request(buf.getvalue(), b"BEY", self)
        request.kind = self.kind
        if request.kind > WRITE:
            request.what = self.traits.what
        return request

    def bind_many(self, rows: Iterable[Sequence[Any]]) -> Request:
        """Make the request that executes it for each row under one Sync. Raises as bind."""
        buf = WriteBuffer(4096)
        number = 0
        for row in rows:
            kind = type(row)
            self._bind(buf, tuple(row) if kind is tuple or kind is list else values_of(row, number), number)
            buf.write_bytes(_EXECUTE)
            number += 1
        buf.write_bytes(frontend.SYNC)
        request = Request(buf.getvalue(), b"BE" * number + b"Y", (self,))
        mark(request, self.traits)
        return request

    def bind_portal(self, args: tuple[Any, ...], limit: int, name: bytes) -> Request:
        """Make the request that begins to execute it, ``limit`` rows first; the Sync is still to be sent.

        ``name``: the portal's; that of an unnamed one, ``b""``, does not outlive the Sync.
        """
        buf = WriteBuffer()
        formats = [codec.format for codec in self.parameters]
        self._bind(buf, args, -1, frontend.bind_head(name, self.name, formats) if name else None)
        frontend.execute(buf, name, limit)
        buf.write_bytes(frontend.FLUSH)
        request = Request(buf.getvalue(), b"BE", self)
        request.lasting = name != b""
        return request

    def _bind(self, buf: WriteBuffer, args: tuple[Any, ...], row: int, head: bytes | None = None) -> None:
        codecs = self.parameters
        count = len(args)
        if count != len(codecs):
            raise UsageError(wrong_count(len(codecs), count, row))
        place = frontend.begin_bind(buf, self._head if head is None else head)
        i = 0
        try:
            while i < count:
                codec = codecs[i]
                encode_value(codec, buf, args[i])
                i += 1
        except (Error, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
            raise blame(error, i, codecs[i], row) from error
        frontend.end_bind(buf, place, self._tail)


def _names_and_types(columns: tuple[ColumnDescription, ...]) -> list[tuple[str, int]]:
    return [(column.name, column.type_oid) for column in columns]


def _parse_and_describe(name: bytes, text: bytes, oids: tuple[int, ...]) -> bytes:
    buf = WriteBuffer()
    frontend.parse(buf, name, text, oids)
    frontend.describe_statement(buf, name)
    return buf.getvalue()


def mark(request: Request, traits: Traits) -> None:
    """Say how a request gets on with others: as the most demanding of its statements."""
    if traits.kind > request.kind:
        request.kind = traits.kind
        request.what = traits.what


def blame(error: Exception, position: int, codec: Codec, row: int = -1) -> EncodeError:
    """Say which argument of which row it was."""
    where = f"argument ${position + 1}" if row < 0 else f"row {row}, value {position + 1}"
    reason = str(error) if isinstance(error, Error) else f"the value does not fit ({type(error).__name__}: {error})"
    return EncodeError(f"{where} ({codec.name}): {reason}")


def wrong_count(expected: int, given: int, row: int = -1) -> str:
    """The text of the error for a wrong number of arguments."""
    where = "" if row < 0 else f"row {row}: "
    names = "none" if expected == 0 else "$1" if expected == 1 else f"$1 to ${expected}"
    parameters = "1 parameter" if expected == 1 else f"{expected} parameters"
    arguments = "1 argument was" if given == 1 else f"{given} arguments were"
    return f"{where}the statement has {parameters} ({names}), but {arguments} given"


def rows_of(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """The rows of parameters as a list. Raises UsageError for what is no iterable."""
    try:
        return list(rows)
    except TypeError:
        if hasattr(type(rows), "__iter__"):
            raise  # from within
        why = " (collect what an async iterable gives first)" if hasattr(type(rows), "__aiter__") else ""
        raise UsageError(f"rows: an iterable of lists or tuples, not {type(rows).__name__}{why}") from None


def values_of(row: Any, number: int) -> tuple[Any, ...]:
    """The parameters in a row. Raises UsageError for one that has no order, or other items than its values."""
    if isinstance(row, (Mapping, str, bytes, bytearray, memoryview)) or not hasattr(type(row), "__getitem__"):
        raise UsageError(f"row {number}: a list or tuple of parameters, not {type(row).__name__}")
    return tuple(row)


def check_count(args: Sequence[Any]) -> None:
    """Raise UsageError for more arguments than Bind can count."""
    if len(args) > MAX_PARAMETERS:
        raise UsageError(
            f"{len(args)} arguments, but a statement has at most {MAX_PARAMETERS}: pass an array (any($1)) or use COPY"
        )


def not_sql(given: object) -> UsageError:
    """Make the error for what is no SQL: bytes, a query of another library, a template string."""
    return UsageError(
        f"SQL must be a str, not {type(given).__name__}; values go into arguments, as in fetch(sql, value)"
    )


def encode_sql(sql: str) -> bytes:
    """Encode SQL; raises UsageError for what cannot be sent."""
    if not isinstance(sql, str):
        raise not_sql(sql)
    if len(sql) > MAX_MESSAGE:
        raise UsageError("SQL of 1 GB or more cannot be sent: pass values as arguments, or use COPY")
    try:
        text = sql.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"the SQL has a character that is not valid Unicode, at {error.start}") from None
    if b"\0" in text:
        raise UsageError(f"the SQL has a NUL character, at {sql.index(chr(0))}")
    return text


def describe_request(sql: str, generation: int = 0) -> tuple[Statement, Request]:
    """Make the request that prepares a statement and asks for its types, and the statement to fill in.

    ``generation``: see StatementCache. Raises UsageError for SQL that cannot be sent, or is of several statements.
    """
    text = encode_sql(sql)
    name = b"stretto_" + blake2b(text, digest_size=12).hexdigest().encode()
    if generation:
        name += b"_%d" % generation
    buf = WriteBuffer()
    frontend.parse(buf, name, text)
    statement = Statement(sql, name, buf.getvalue())
    _check_single(statement)
    buf = WriteBuffer()
    frontend.describe_statement(buf, name)
    buf.write_bytes(frontend.SYNC)
    request = Request(buf.getvalue(), b"pcY", statement)
    request.forget = name  # what this connection has under the name may be stale
    request.kind = READ
    request.cost = _DESCRIBING
    return statement, request


def _check_single(statement: Statement) -> None:
    """Raise UsageError for several statements in one text: the server would refuse it, and fail a transaction for it.

    Where a backslash may be a quote's escape (standard_conforming_strings=off) the server is asked.
    """
    count = statement.traits.statements
    if count > 1 and "\\" not in statement.sql:
        raise UsageError(
            f"SQL of {count} statements was not sent: where there are arguments, or rows to return, each is sent by "
            "itself, in batch() or transaction() for one fate; execute(sql) without arguments takes several"
        )


def close_request(statement: Statement) -> Request:
    """Make the request that closes a statement on a connection, so that it is parsed anew."""
    buf = WriteBuffer()
    frontend.close_statement(buf, statement.name)
    buf.write_bytes(frontend.SYNC)
    request = Request(buf.getvalue(), b"CY")
    request.forget = statement.name
    return request


class StatementCache:
    """The statements of one Database by their SQL; the one that was put in longest ago leaves first.

    ``generation`` is part of the names of those that are prepared from now on. It changes when one was found stale, so
    that no connection uses what it has prepared under the old name.
    """

    def __init__(self, size: int = 1024) -> None:
        self.generation = 0
        self._size = size
        self._statements: dict[str, Statement] = {}

    def get(self, sql: str) -> Statement | None:
        try:
            return self._statements.get(sql)
        except TypeError:  # not hashable
            raise not_sql(sql) from None

    def put(self, statement: Statement) -> None:
        statements = self._statements
        if len(statements) >= self._size:
            statements.pop(next(iter(statements)), None)
        statements[statement.sql] = statement

    def discard(self, statement: Statement) -> None:
        """Forget one statement, because the server no longer agrees with what is known of it."""
        if self._statements.get(statement.sql) is statement:  # else another caller has found out already
            del self._statements[statement.sql]
            self.generation += 1

    def clear(self) -> None:
        self._statements.clear()

    def __len__(self) -> int:
        return len(self._statements)
