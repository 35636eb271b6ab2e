"""``stretto doctor``: what the connection is like, and where Models and the live tables disagree."""

from __future__ import annotations

import importlib
import os
import sys
import time
from statistics import median
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stretto import Database, Difference, Model, __version__, core_info
from stretto.errors import ConfigError, printable

ROUNDS = 20
_WIDTH = 100


class Session(NamedTuple):
    """What the server says of our connection."""

    version: str
    user: str
    database: str
    address: str | None
    search_path: str
    tls: str | None
    cipher: str | None


SESSION = """
select current_setting('server_version') as version, current_user::text as user, current_database()::text as database,
       host(inet_server_addr()) || ':' || inet_server_port() as address, current_setting('search_path') as search_path,
       s.version as tls, s.cipher
  from (select) one left join pg_stat_ssl s on s.pid = pg_backend_pid() and s.ssl
"""


class Doctor:
    """One visit. ``url``: the database; ``modules``: names of those whose Models are compared."""

    def __init__(self, url: str | None, modules: list[str]) -> None:
        self._url = url
        self._modules = modules
        self._console = Console(highlight=False)
        self._console.width = max(80, min(_WIDTH, self._console.width))

    def run(self) -> bool:
        """Print what was found; whether all is well. Raises stretto's errors where it can't be found out."""
        models = [model for name in self._modules for model in models_of(name)]
        with Database(self._url, connections=1) as db:
            self._connection(db)
            if not models:
                return True
            found = db.check_tables(*models)
        self._models(models, found)
        return not found

    def _connection(self, db: Database) -> None:
        session = db.fetchrow(SESSION, into=Session)
        assert session is not None
        place = session.address or "a Unix socket"
        facts = {
            "server": f"PostgreSQL {session.version}, at {place}",
            "connection": f"{session.user} on database {session.database}, search path {session.search_path}",
            "encryption": f"{session.tls}, {session.cipher}" if session.tls else "none",
            "round trip": f"{1000 * _latency(db):.2f} ms, the median of {ROUNDS}",
            "stretto": f"{__version__}, {core_info()}, on Python {sys.version.split()[0]}",
        }
        grid = Table.grid(padding=(0, 2))
        for name, fact in facts.items():
            grid.add_row(Text(f"  {name}", style="dim"), Text(printable(fact)))
        self._console.print()
        self._console.print(grid)

    def _models(self, models: list[Any], found: list[Difference]) -> None:
        count = len(models)
        compared = "One Model was" if count == 1 else f"{count} Models were"
        self._console.print()
        if not found:
            self._console.print(f"  [bold green]All is well.[/] {compared} compared with the live tables.")
            return
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=True)
        table.add_column("model", no_wrap=True)
        table.add_column("table", style="dim", overflow="fold")
        table.add_column("what is wrong", overflow="fold")
        before = ""
        for one in found:
            if before and one.model != before:
                table.add_section()
            name = Text(one.model)
            name.append(f".{one.attribute}" if one.attribute else "", style="cyan")
            table.add_row(name, Text(one.table if one.model != before else ""), Text(printable(one.text)))
            before = one.model
        self._console.print(table)
        disagree = len({one.model for one in found})
        things = "1 difference" if len(found) == 1 else f"{len(found)} differences"
        self._console.print(f"  [bold red]{things}[/] in {disagree} of {count} Models.")


def models_of(name: str) -> list[Any]:
    """The Models with a table that a module has, imported ones too. Raises ConfigError where there are none."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as python -m does
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(f"--models {name}: there is no module {error.name!r} here, nor where Python looks") from None
    found = [
        value
        for value in dict.fromkeys(each for each in vars(module).values() if isinstance(each, type))
        if issubclass(value, Model) and value.__table__ is not None and value.__table__.name is not None
    ]
    if not found:
        raise ConfigError(f"--models {name}: the module has no Model with a table")
    return found


def _latency(db: Database) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        db.fetchval("select 1")
        times.append(time.perf_counter() - begun)
    return median(times)
