"""The contenders of the benchmarks: those of the race, and here those of the cases that are no race.

A module for each library, each holding what a user of that library would write, and no more.
"""

from __future__ import annotations

from stretto.cli.race import contenders as racing
from stretto.cli.race.contenders import Contender, contender, load

__all__ = ["Contender", "contender", "load", "load_all"]

# In the order in which they are listed where nothing was measured.
LIBRARIES = {
    "stretto_": "stretto",
    "stretto_callers": "stretto",
    "asyncpg_": "asyncpg",
    "psycopg3": "psycopg",
    "psycopg3_pool": "psycopg_pool",
    "psycopg2_": "psycopg2",
    "sqlalchemy_rows": "sqlalchemy",
    "stretto_tables": "stretto",
    "web_stretto": "stretto",
    "web_asyncpg": "asyncpg",
    "web_psycopg": "psycopg_pool",
    "web_sqlalchemy": "sqlalchemy",
    "pgbench": "sys",
    "pg_dump": "sys",
    "psql": "sys",
    "python": "sys",
}


def load_all() -> tuple[list[Contender], list[str]]:
    """All contenders that can run here, and what is missing for the others."""
    return racing.load_all({**racing.LIBRARIES, **{f"{__name__}.{name}": of for name, of in LIBRARIES.items()}})
