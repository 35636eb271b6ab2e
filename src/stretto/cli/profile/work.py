"""The calls whose time is split, in SQL that any database with a DB-API module takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

ROWS = 1000
_COLUMNS = "id, name, seats, score, note"
_DEFINITIONS = "id integer, name varchar(40), seats integer, score double precision, note varchar(100)"

Values = tuple[int | str | float, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of call. ``sql`` has ``{}`` for each parameter; ``missing``: parameters by which no row is found."""

    key: str
    title: str
    sql: str
    values: Values
    missing: Values | None

    def constant(self) -> str:
        """The SQL with constants for the parameters."""
        return self.sql.format(*map(_literal, self.values))

    def with_marks(self, mark: Callable[[int], str]) -> str:
        """The SQL with a driver's marks for the parameters; they are counted from 1."""
        return self.sql.format(*(mark(number) for number in range(1, len(self.values) + 1)))


@dataclass(frozen=True, slots=True)
class Tables:
    """The two tables: one that is read, one that is written to. Their names are this process's."""

    read: str
    written: str

    @classmethod
    def mine(cls) -> Tables:
        """Names that no other run has."""
        return cls(f"stretto_profile_{os.getpid()}", f"stretto_profile_{os.getpid()}_written")

    def made(self) -> list[str]:
        """The statements that make them."""
        return [
            f"create table {self.read} ({_DEFINITIONS}, primary key (id))",
            f"create table {self.written} ({_DEFINITIONS})",
        ]

    def dropped(self) -> list[str]:
        """The statements that drop them, where they are there."""
        return [f"drop table if exists {self.read}", f"drop table if exists {self.written}"]

    def filling(self) -> tuple[str, list[Values]]:
        """An insert with a ``{}`` for each value, and the rows."""
        return self._insert(self.read), [_row(number) for number in range(1, ROWS + 1)]

    def works(self) -> list[Work]:
        """All kinds of calls."""
        select = f"select {_COLUMNS} from {self.read} where id"  # noqa: S608  # our own names
        last = f"{ROWS:,} rows of five columns"
        return [
            Work("lookup", "one row by its key", select + " = {}", (ROWS // 2,), (-1,)),
            Work("page", last, select + " between {} and {}", (1, ROWS), (-2, -1)),
            Work("insert", "an insert of five values, with its commit", self._insert(self.written), _row(7), None),
        ]

    @staticmethod
    def _insert(table: str) -> str:
        return f"insert into {table} ({_COLUMNS}) values ({{}}, {{}}, {{}}, {{}}, {{}})"  # noqa: S608  # our own names


def _row(number: int) -> Values:
    note = f"{number} of the rows that are asked for, with a text as long as a short sentence has"
    return number, f"aircraft N{number:05}", number % 400, number / 8, note


def _literal(value: int | str | float) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
