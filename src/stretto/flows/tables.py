"""Creating and dropping the tables of Models, as flows. One round trip each."""

from __future__ import annotations

from typing import Any

from stretto.flows.query import Flow, execute
from stretto.flows.shared import Shared
from stretto.model.ddl import create_sql, drop_sql


def create(shared: Shared, models: tuple[Any, ...]) -> Flow:
    """Create the tables that are not there, all or nothing. Raises ModelError, UsageError and the server's errors."""
    yield from execute(shared, create_sql(models), ())


def drop(shared: Shared, models: tuple[Any, ...]) -> Flow:
    """Drop the tables that are there, all or nothing. Raises as create."""
    yield from execute(shared, drop_sql(models), ())
