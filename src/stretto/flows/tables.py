"""Creating, dropping and checking the tables of Models, as flows. One round trip each.

Most programs never do it while they serve, so what makes the statements is loaded by the first who does.
"""

from __future__ import annotations

from typing import Any

from stretto.flows.batch import batch
from stretto.flows.query import Flow, execute
from stretto.flows.shared import Shared


def create(shared: Shared, models: tuple[Any, ...]) -> Flow:
    """Create the tables that are not there, all or nothing. Raises ModelError, UsageError and the server's errors."""
    from stretto.model.ddl import create_sql

    yield from execute(shared, create_sql(models), ())


def drop(shared: Shared, models: tuple[Any, ...]) -> Flow:
    """Drop the tables that are there, all or nothing. Raises as create."""
    from stretto.model.ddl import drop_sql

    yield from execute(shared, drop_sql(models), ())


def check(shared: Shared, models: tuple[Any, ...]) -> Flow:
    """Return the Differences between Models and the tables that are there. One round trip, more when cold."""
    from stretto.codecs.custom import Bridged, Custom
    from stretto.model import live
    from stretto.model.differences import asked, differences

    args = (asked(models),)
    statements = [
        (live.TABLES, args, tuple),
        (live.COLUMNS, args, live.Column),
        (live.KEYS, args, live.Key),
        (live.INDEXES, args, live.Index),
    ]
    tables, columns, keys, indexes = [one.rows for one in (yield from batch(shared, statements))]
    codecs = shared.codecs
    told = [
        one._replace(kind=live.UNTOLD) if isinstance(codecs.get(one.oid), Bridged | Custom) else one for one in columns
    ]
    return differences(models, live.Live(dict(tables), told, keys, indexes))
