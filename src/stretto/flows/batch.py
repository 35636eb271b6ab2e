"""A batch: several statements under one Sync, so with one fate and in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto.flows.query import Flow, as_here, decode, heal, prepare
from stretto.flows.shared import Shared
from stretto.model.statements import unpack
from stretto.protocol.request import Request
from stretto.protocol.statement import Statement, check_count, mark
from stretto.wire import backend, frontend


class BatchResult:
    """What one statement of a batch gave: its rows (a list) and its command tag."""

    __slots__ = ("rows", "tag")

    def __init__(self, rows: list[Any], tag: str) -> None:
        self.rows = rows
        self.tag = tag

    def __repr__(self) -> str:
        return f"<BatchResult {self.tag} rows={len(self.rows)}>"


def batch_request(statements: Sequence[Statement], args: Sequence[tuple[Any, ...]]) -> Request:
    """Make the request that executes statements under one Sync. Raises EncodeError."""
    bound = [statement.bind(values) for statement, values in zip(statements, args, strict=True)]
    data = b"".join([part.data[: -len(frontend.SYNC)] for part in bound]) + frontend.SYNC
    request = Request(data, b"BE" * len(bound) + b"Y", tuple(statements))
    request.results = []
    for statement in statements:
        mark(request, statement.traits)
    return request


def batch(shared: Shared, items: Sequence[tuple[Any, tuple[Any, ...], Any]]) -> Flow:
    """Execute statements under one Sync: one fate, one round trip (and one for each that is cold).

    ``items`` are ``(sql or query, args, into)``. Returns a BatchResult for each. Stale statements are healed as by
    perform.
    """
    healed = False
    items = [item if isinstance(item[0], str) else unpack(*item, shared.codecs.get, rows=False) for item in items]
    while items:
        statements = []
        for sql, args, _ in items:
            check_count(args)
            statements.append((yield from prepare(shared, sql)))
        request = batch_request(statements, [args for _, args, _ in items])
        yield request
        if request.error is None:
            for i, statement in enumerate(statements):
                statements[i] = yield from as_here(shared, request, statement)
        if request.error is None and request.failure is None:
            break
        failed = statements[min(len(request.results or ()), len(items) - 1)]
        yield from heal(shared, request, failed, healed, statements)
        healed = True
    else:
        return []
    answers = []
    for statement, (_, _, into), (tag, slices, _) in zip(statements, items, request.results or (), strict=True):
        rows: list[Any] = []
        yield from decode(shared, request, slices, statement, into, rows)
        answers.append(BatchResult(rows, backend.command_tag(tag) if tag is not None else ""))
    return answers
