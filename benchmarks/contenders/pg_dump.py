"""PostgreSQL's own programs in a pipe: pg_dump and psql, and two psql with COPY in binary."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import programs
from benchmarks.cases.copy_table import TABLE
from benchmarks.contenders import contender

NEEDS = None if programs.find("pg_dump") and programs.find("psql") else "pg_dump and psql"
_PSQL = (programs.find("psql") or "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1")


def _pipe(url: str, first: list[str], to: str, second: list[str]) -> Callable[[], None]:
    """The one program, connected to a URL, into the other; they take what they connect to behind -d."""
    (source_url, source_env), (target_url, target_env) = programs.given(url), programs.given(to)

    def run() -> None:
        with subprocess.Popen([*first, "-d", source_url], stdout=subprocess.PIPE, env=source_env) as source:
            target = [*second, "-d", target_url]
            done = subprocess.run(target, stdin=source.stdout, stdout=subprocess.DEVNULL, env=target_env)
        if source.returncode or done.returncode:
            raise RuntimeError(f"{first[0]} ended with {source.returncode}, {second[0]} with {done.returncode}")

    return run


@contender("copy_table", "pg_dump | psql", program=True, needs=NEEDS)
def dump(url: str, to: str) -> Iterator[Any]:
    yield _pipe(url, [programs.find("pg_dump") or "pg_dump", "--data-only", "--table", TABLE], to, [*_PSQL])


@contender("copy_table", "psql | psql binary", program=True, needs=NEEDS)
def copy_binary(url: str, to: str) -> Iterator[Any]:
    """What somebody writes who knows that the types agree."""
    read = f"copy {TABLE} to stdout (format binary)"
    write = f"copy {TABLE} from stdin (format binary)"
    yield _pipe(url, [*_PSQL, "-c", read], to, [*_PSQL, "-c", write])
