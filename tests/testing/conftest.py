"""Fixtures of the tests of stretto.testing: those of the live tests, and a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tests.live.conftest import (
    beside,
    open_db,
    outside,
    pytest_generate_tests,
    pytest_pyfunc_call,
    running_in,
    schema,
)

__all__ = ["beside", "open_db", "outside", "pytest_generate_tests", "pytest_pyfunc_call", "running_in", "schema"]


@pytest.fixture
def db(open_db: Any, outside: psycopg.Connection[Any], schema: str) -> Any:
    """A database with a table of numbers, each once: blocking, or asynchronous for a coroutine."""
    outside.execute("create table t (i int primary key)")
    return open_db(connections=3)


@pytest.fixture
def seen(outside: psycopg.Connection[Any], db: Any) -> Callable[[], list[int] | None]:
    """What another connection sees in the table."""

    def look() -> list[int] | None:
        row = outside.execute("select array_agg(i order by i) from t").fetchone()
        return None if row is None else row[0]

    return look
