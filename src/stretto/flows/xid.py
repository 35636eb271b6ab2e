"""The transaction's number (xid), by which a COMMIT whose answer was lost can be found out on another connection.

It is asked for behind the first statement that writes, in the same flight, and else in COMMIT's. A number is only good
on the timeline of the server that gave it: after a failover another transaction may have it. So it may after a crash,
which gives the numbers of what was not yet on disk again: the server's statistics, which it resets, tell of it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from stretto.codecs.registry import shared_scalars
from stretto.flows.query import Flow, maker_for
from stretto.protocol.classify import CONTROL, WRITE
from stretto.protocol.request import Request
from stretto.protocol.rows import decode_rows
from stretto.protocol.statement import Statement, describe_request
from stretto.wire.backend import ColumnDescription

_TIMELINE = (
    "case when pg_catalog.pg_is_in_recovery() then '' "
    "else left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8) end"
)
_OWN = (
    f"select pg_catalog.pg_current_xact_id_if_assigned()::text::int8 as xid, {_TIMELINE} as timeline, "
    "pg_catalog.now() as begun"
)
_UNHARMED = "pg_catalog.pg_stat_get_bgwriter_stat_reset_time() < $2::timestamptz"
# Who waits for synchronous standbys is only answered when they have all that was written before, as a lost COMMIT.
_CONFIRMED = (
    "case when pg_catalog.current_setting('synchronous_standby_names') <> '' and not pg_catalog.pg_is_in_recovery() "
    "then pg_catalog.pg_logical_emit_message(true, 'stretto', '')::text end"
)
STATUS = f"select pg_catalog.pg_xact_status($1::int8::text::xid8), {_TIMELINE}, {_UNHARMED}, {_CONFIRMED}"
_INT8, _TEXT, _TIMESTAMPTZ = 20, 25, 1184


class Found(NamedTuple):
    """A xid, the timeline of the server that gave it, and since when the transaction has run, by the server's clock."""

    xid: int
    timeline: str
    begun: datetime


class Xid:
    """The xid of one transaction, where it is ``wanted`` and as far as it is known."""

    __slots__ = ("_found", "_request", "_wanted")

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._request: Request | None = None
        self._found: Found | None = None

    def due(self, request: Request) -> bool:
        """Tell whether a request is the first that writes, so that the question goes behind it."""
        return self._wanted and self._request is None and _writes(request)

    def settle(self) -> Flow:
        """Before COMMIT is sent: take the answer that is on its way, or ask in COMMIT's flight."""
        request = self._request
        if request is not None and not request.done:
            yield request
        if self._wanted and self.read() is None:
            yield from self.ask()

    def behind(self, request: Request) -> Flow:
        """Send a request and the question behind it; wait for neither."""
        request.hurry = True
        yield request
        yield from self.ask()

    def ask(self) -> Flow:
        """Send the question; its answer is read when it is needed."""
        self._request = _statement().bind(())
        self._request.kind = CONTROL
        self._request.hurry = True
        self._request.given_up = True  # nobody waits for it: it keeps no statement before it from being cancelled
        yield self._request

    def read(self) -> Found | None:
        """What is known of the xid; None while nothing is, or where nothing was written."""
        request = self._request
        if self._found is None and request is not None and request.done and request.error is None:
            rows: list[tuple[int | None, str, datetime]] = []
            slices = request.take()
            if slices:
                decode_rows(slices, _statement().codecs, maker_for(_statement(), tuple), rows)
            if rows and rows[0][0] is not None:
                self._found = Found(rows[0][0], *rows[0][1:])
        return self._found


def outcome_of(row: tuple[Any, ...], timeline: str) -> str | None:
    """What the answer to STATUS says of a xid: 'committed', 'aborted' or 'in progress'; None: it can't tell.

    Where the server has crashed since the transaction began, the number may be another's; but then this one is lost.
    """
    status, there, unharmed = row[:3]
    return status if there == timeline and (unharmed or status == "aborted") else None


def _writes(request: Request) -> bool:
    whole = request.text is not None or request.script.endswith(b"EY")  # not a stream, whose Sync is still to come
    return request.kind == WRITE and whole and not request.allow_copy


@cache
def _statement() -> Statement:
    statement, _ = describe_request(_OWN)
    codecs = [shared_scalars()[oid] for oid in (_INT8, _TEXT, _TIMESTAMPTZ)]
    columns = tuple(
        ColumnDescription(name, 0, 0, codec.oid, -1, -1, codec.format)
        for name, codec in zip(("xid", "timeline", "begun"), codecs, strict=True)
    )
    statement.describe((), [], columns, codecs)
    return statement
