"""Fixtures of the web tests: those of the live tests, and a table whose triggers let a COMMIT fail."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.live.conftest import (
    open_db,
    outside,
    pytest_generate_tests,
    pytest_pyfunc_call,
    running_in,
    schema,
)

from stretto import AsyncDatabase

__all__ = ["open_db", "outside", "pytest_generate_tests", "pytest_pyfunc_call", "running_in", "schema"]


@pytest.fixture
def t(outside: psycopg.Connection[Any], schema: str) -> str:
    """A table of numbers: each once, and above 1000 only where it is in ``known`` too, which is looked at by COMMIT."""
    outside.execute("create table known (i int primary key); insert into known select generate_series(0, 1000)")
    outside.execute("create table t (i int primary key references known deferrable initially deferred)")
    return schema


@pytest.fixture
def db(open_db: Any, t: str) -> AsyncDatabase:
    """A database with the table."""
    found: AsyncDatabase = open_db(connections=4)
    return found
