"""The whole tree of errors.

It is PEP 249's, with a class for each SQLSTATE below it (``stretto.sqlstate``, generated) and stretto's own:

    Error
    ├── InterfaceError                    the caller's fault; nothing was sent
    │   ├── UsageError                    a verb used in a way it can't be
    │   │   ├── ModelError                a Model that can't be what its class says
    │   │   └── NotLoaded                 also an AttributeError: an attribute of an object that was not fetched with it
    │   ├── ConfigError                   a URL, keyword, environment variable or file that can't be understood
    │   └── TransactionClosed
    └── DatabaseError                     .sqlstate .detail .hint .position .query ... when the server sent it
        ├── DataError
        │   ├── EncodeError               a value that does not fit its parameter; nothing was sent
        │   ├── DecodeError               a value that has no place in Python, or a class that has none for a column
        │   └── CopyDiffers               what copy_table() has written is not what it has read
        ├── OperationalError
        │   ├── ConnectionLost            .outcome: 'not_sent', 'unknown' or 'rolled_back'
        │   ├── ConnectError              no connection could be made
        │   │   ├── AuthenticationError
        │   │   └── TLSError
        │   ├── StatementTimeout          also a TimeoutError; .outcome as above
        │   │   └── PoolTimeout           before a connection was free
        │   ├── PoolFull
        │   ├── PoolClosed
        │   ├── BulkError                 a load by chunks that failed on its way; .report says what has landed
        │   ├── StaleObject               an object that somebody else has changed or deleted meanwhile
        │   ├── TransactionAborted        a statement of a transaction that has failed; __cause__ is what failed it
        │   └── CommitUnknown             .xid, where it is known
        ├── IntegrityError
        ├── InternalError
        │   └── ProtocolError             the server said what it may not say; the connection is discarded
        ├── ProgrammingError
        └── NotSupportedError

Attributes hold the server's text as it came. ``str()`` makes it safe for a terminal and a log: what could move the
cursor, start a new line or turn the direction of writing is shown as an escape.
"""

# ruff: noqa: N818  # the names are public and fixed; only half of them end in Error

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["not_sent", "unknown", "rolled_back"]

# The fields of ErrorResponse and NoticeResponse (PostgreSQL's manual, "Error and Notice Message Fields"). V is the
# severity that is never translated, so it stands over S.
_ATTRIBUTES = {
    "S": "severity",
    "V": "severity",
    "C": "sqlstate",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "p": "internal_position",
    "q": "internal_query",
    "W": "where",
    "s": "schema_name",
    "t": "table_name",
    "c": "column_name",
    "d": "data_type_name",
    "n": "constraint_name",
}
_NUMBERS = frozenset("Pp")
_RETRYABLE = frozenset(("40001", "40P01"))
_OUTCOMES = {
    "not_sent": "the statement was not sent and has not run",
    "unknown": "the statement was sent and may have run",
    "rolled_back": "the transaction was rolled back, so the statement left nothing behind",
}
# C0, DEL, C1, line and paragraph separators, marks that turn the direction of writing, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LINE_BREAK = re.compile("\r\n|\r|\n")
_WINDOW = 72


class Error(Exception):
    """The root of everything that stretto raises."""


class InterfaceError(Error):
    """The caller's fault; nothing was sent."""


class UsageError(InterfaceError):
    """A verb used in a way it can't be. ``row``: which of a copy_in()'s source did not fit, from 0, if it is that."""

    row: int | None = None


class ModelError(UsageError):
    """A Model that can't be what its class says, as a relation without a foreign key."""


class NotLoaded(UsageError, AttributeError):
    """An attribute of an object that was not fetched with it. ``name`` and ``obj`` are AttributeError's."""

    def __init__(self, text: str, *, name: str = "", obj: object = None) -> None:
        super().__init__(text)
        self.name = name
        self.obj = obj

    def __reduce__(self) -> Any:
        return type(self), self.args, {**vars(self), "name": self.name}  # without the object


class ConfigError(InterfaceError):
    """A URL, keyword, environment variable or file that can't be understood. Its text never shows a value."""


class TransactionClosed(InterfaceError):
    """A statement for a transaction that has ended; nothing was sent."""


class DatabaseError(Error):
    """What the server refused, or what went wrong on the way to it.

    The attributes are those of ErrorResponse, None where the server sent none (or the error is not the server's).
    ``position`` counts characters of ``query`` from 1; ``internal_position`` those of ``internal_query``, a statement
    that a function ran. ``where`` is the context: the functions that were being called. ``row``: which of the source it
    was, from 0, in a copy_in(). ``fields`` has all that came, by the protocol's one-letter codes. ``query`` is the SQL
    text, where it is known; parameters are never kept.
    """

    sqlstate: str | None = None
    severity: str | None = None
    detail: str | None = None
    hint: str | None = None
    position: int | None = None
    internal_position: int | None = None
    internal_query: str | None = None
    where: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    data_type_name: str | None = None
    constraint_name: str | None = None
    row: int | None = None

    def __init__(self, message: str = "", *, fields: Mapping[str, str] | None = None, query: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.query = query
        self.fields = dict(fields or {})
        for name, value in _attributes(self.fields).items():
            setattr(self, name, value)

    @property
    def retryable(self) -> bool:
        """True when the same transaction may succeed if it is run again: SQLSTATE 40001 and 40P01."""
        return self.sqlstate in _RETRYABLE

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield printable(self.message)
        if self.query is not None and self.position is not None:
            yield from _pointed_line("LINE", self.query, self.position)
        elif self.internal_query is not None and self.internal_position is not None:
            yield from _pointed_line("QUERY LINE", self.internal_query, self.internal_position)
        for label, text in (("DETAIL", self.detail), ("HINT", self.hint), ("CONTEXT", self.where)):
            if text is not None:
                yield f"{label}: {printable(text)}"


class DataError(DatabaseError):
    """A value that can't be what it should be (SQLSTATE group 22)."""


class EncodeError(DataError):
    """A value that does not fit its parameter; nothing was sent."""


class DecodeError(DataError):
    """A value that has no place in Python, or a class that has none for a column."""


class CopyDiffers(DataError):
    """copy_table() has compared what it read with what is there, and they differ: a trigger may have done it."""


class OperationalError(DatabaseError):
    """The connection, the server's resources or its operation; not the statement's fault."""


class _Interrupted(OperationalError):
    """Something that came between a statement and its reply; says what became of the statement."""

    def __init__(
        self,
        message: str = "",
        *,
        outcome: Outcome = "unknown",
        fields: Mapping[str, str] | None = None,
        query: str | None = None,
    ) -> None:
        if outcome not in _OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(_OUTCOMES)}")
        super().__init__(message, fields=fields, query=query)
        self.outcome: Outcome = outcome

    @property
    def safe_to_retry(self) -> bool:
        """True when the statement certainly had no effect, so that sending it again can't do it twice."""
        return self.outcome != "unknown"

    def _lines(self) -> Iterator[str]:
        first, *rest = super()._lines()
        yield f"{first}; {_OUTCOMES[self.outcome]}" if first else _OUTCOMES[self.outcome]
        yield from rest


class ConnectionLost(_Interrupted):
    """The connection ended before the reply came. ``outcome`` says what is known of the statement."""


class ConnectError(OperationalError):
    """No connection could be made."""


class AuthenticationError(ConnectError):
    """The server refused the user (SQLSTATE group 28), or asked for what must not be given to it."""


class TLSError(ConnectError):
    """No connection that is encrypted and verified as the configuration demands could be made."""


class StatementTimeout(_Interrupted, TimeoutError):
    """The caller's time was up before the reply came. ``outcome`` says what is known of the statement."""


class PoolTimeout(StatementTimeout):
    """The time was up before a connection was free; nothing was sent."""

    def __init__(
        self,
        message: str = "",
        *,
        outcome: Outcome = "not_sent",
        fields: Mapping[str, str] | None = None,
        query: str | None = None,
    ) -> None:
        super().__init__(message, outcome=outcome, fields=fields, query=query)


class PoolFull(OperationalError):
    """Too many callers wait for a connection already; nothing was sent."""


class PoolClosed(OperationalError):
    """The database object is closed; nothing was sent."""


class StaleObject(OperationalError):
    """An update or delete found no row of the object's key and version: somebody else has changed or deleted it."""


class TransactionAborted(OperationalError):
    """A transaction has failed and can only be rolled back. ``__cause__`` is the first error, which failed it."""

    @property
    def retryable(self) -> bool:
        """As the first error's."""
        return isinstance(self.__cause__, DatabaseError) and self.__cause__.retryable


class CommitUnknown(OperationalError):
    """The connection was lost at COMMIT, and whether it took place could not be found out; or it took place, but the
    wait for a synchronous standby was cancelled (pg_cancel_backend), so that a failover may undo it. Not to be repeated
    blindly.

    ``xid``: the transaction's number, where it is known: ``select pg_xact_status(xid)`` on the same server tells later.
    """

    def __init__(
        self,
        message: str = "",
        *,
        xid: int | None = None,
        fields: Mapping[str, str] | None = None,
        query: str | None = None,
    ) -> None:
        super().__init__(message, fields=fields, query=query)
        self.xid = xid


class BulkError(OperationalError):
    """A load by chunks (``atomic=False``) has failed on its way: ``report`` says what has landed, ``__cause__`` why."""

    def __init__(self, message: str = "", *, report: Any = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.report = report


class IntegrityError(DatabaseError):
    """A constraint would be broken (SQLSTATE group 23)."""


class InternalError(DatabaseError):
    """The server is at fault, or in a state in which it can't do this."""


class ProtocolError(InternalError):
    """The server said what it may not say; the connection is discarded."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: its syntax, a name, a right (SQLSTATE group 42 and kin)."""


class NotSupportedError(DatabaseError):
    """What the server (SQLSTATE group 0A) or stretto can't do."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the server said beside the result (NoticeResponse). The attributes are those of DatabaseError."""

    message: str
    severity: str | None = None
    sqlstate: str | None = None
    detail: str | None = None
    hint: str | None = None
    position: int | None = None
    internal_position: int | None = None
    internal_query: str | None = None
    where: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    data_type_name: str | None = None
    constraint_name: str | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Notice:
        """Make a notice of the message's fields, by their one-letter codes."""
        return cls(**{"message": "", **_attributes(fields)})

    def __str__(self) -> str:
        labelled = ((self.severity or "NOTICE", self.message), ("DETAIL", self.detail), ("HINT", self.hint))
        return "\n".join(f"{printable(label)}: {printable(text)}" for label, text in labelled if text is not None)


def printable(text: str) -> str:
    """Show the characters that could disturb a terminal or forge a line of a log as escapes."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _attributes(fields: Mapping[str, str]) -> dict[str, Any]:
    """Name the fields. A number that is none is left out: the server is not trusted to send one."""
    named: dict[str, Any] = {}
    for code, name in _ATTRIBUTES.items():
        value = fields.get(code)
        if value is None:
            continue
        if code not in _NUMBERS:
            named[name] = value
        elif value.isascii() and value.isdecimal() and len(value) < 12:
            named[name] = int(value)
    return named


def _pointed_line(label: str, sql: str, position: int) -> Iterator[str]:
    """Yield the line of ``sql`` at a position (characters, from 1) and one with a caret below it, or nothing."""
    place = position - 1
    if not 0 <= place <= len(sql):
        return
    start = max(sql.rfind("\n", 0, place), sql.rfind("\r", 0, place)) + 1
    break_after = _LINE_BREAK.search(sql, place)
    line = sql[start : break_after.start() if break_after else len(sql)].replace("\t", " ")
    number = len(_LINE_BREAK.findall(sql, 0, start)) + 1
    first = max(0, min(place - start - _WINDOW // 2, len(line) - _WINDOW))
    last = first + _WINDOW
    prefix = f"{label} {number}: {'...' if first else ''}"
    before = printable(line[first : place - start])
    yield f"{prefix}{before}{printable(line[place - start : last])}{'...' if last < len(line) else ''}"
    yield f"{' ' * _columns(prefix + before)}^"


def _columns(text: str) -> int:
    """Count the columns that a terminal gives a printable text."""
    return sum(_columns_of(char) for char in text) if not text.isascii() else len(text)


def _columns_of(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
