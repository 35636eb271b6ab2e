"""``stretto race --profile``: where a call's time goes, for stretto and for any DB-API module by its name.

`profile` does all of it: `parts` has the arithmetic, `meter` and `watch` the clocks, `drivers` and `dbapi` who calls,
`rounds` the order, `report` and `show` what is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from stretto import Database, embedded
from stretto.cli.profile import dbapi
from stretto.cli.profile.drivers import Driver, blocking, empty_trip, on_loop
from stretto.cli.profile.report import Report, Setting
from stretto.cli.profile.rounds import Trip, measure
from stretto.cli.profile.show import Show
from stretto.cli.profile.work import Tables
from stretto.errors import ConfigError

CALLERS = 40
ROUNDS = 15
_KNOWN = ("psycopg2", "psycopg", "pg8000")  # the modules for PostgreSQL that are taken if none is named


def profile(
    modules: Sequence[str] = (),
    *,
    url: str | None = None,
    url_for: Mapping[str, str] | None = None,
    callers: int = CALLERS,
    rounds: int = ROUNDS,
    output: Path | None = None,
) -> Report:
    """Measure where a call's time goes, show it as a table and bars, and give the report.

    Args:
        modules: DB-API modules by name, as ``psycopg2``; none: those for PostgreSQL that are installed.
        url: the PostgreSQL server, in whose database two tables are made and dropped; None: one of our own.
        url_for: by module, the URL of another server: ``{"pymysql": "mysql://root@127.0.0.1/test"}``.
        callers: how many call at a time on asyncio, beside one.
        rounds: how often each kind of call is measured.
        output: a directory for all figures, as ``profile.json``; made where it is not there.

    Raises:
        ConfigError: a module is not there, is not one of the DB-API, or can't connect.
        Error, OSError: what stretto says of its server, or the machine of the file.
    """
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    others = dict(url_for or {})
    names = list(dict.fromkeys([*(modules or filter(find_spec, _KNOWN)), *others]))
    for name in names:
        dbapi.imported(name)  # what is not there is told before a server is started
    show = Show()
    with ExitStack() as stack:
        url = url or stack.enter_context(embedded.server(durable=True))
        tables = Tables.mine()
        setting = stack.enter_context(_tables(url, tables))
        ours = stack.enter_context(_ours(url))
        theirs = [stack.enter_context(_theirs(name, url, others.get(name), ours[0][1], tables)) for name in names]
        show.begin(setting)
        with show.progress() as progress:
            lines = measure([*ours, *theirs], tables.works(), callers=callers, rounds=rounds, progress=progress)
    report = Report(setting, rounds, lines, sorted(others), [name for name in _KNOWN if not find_spec(name)])
    show.report(report)
    if output is not None:
        file = output / "profile.json"
        file.write_text(report.as_json())
        show.written(file)
    return report


def urls(given: Sequence[str]) -> dict[str, str]:
    """What ``--url-for MODULE=URL`` says. Raises ConfigError where it is not of that form."""
    pairs = [each.partition("=") for each in given]
    if not all(module and url for module, _, url in pairs):
        raise ConfigError("--url-for takes MODULE=URL, as in pymysql=mysql://root@127.0.0.1/test")
    return {module: url for module, _, url in pairs}


@contextmanager
def _tables(url: str, tables: Tables) -> Iterator[Setting]:
    """The two tables for the length of the block, and what the server is."""
    with Database(url) as db:
        try:
            for sql in tables.made():
                db.execute(sql)
            insert, rows = tables.filling()
            db.executemany(insert.format(*(f"${number}" for number in range(1, 6))), rows)
            db.execute(f"analyze {tables.read}")
            yield Setting.of(db)
        finally:
            for sql in tables.dropped():
                db.execute(sql)


@contextmanager
def _ours(url: str) -> Iterator[list[tuple[Driver, Trip]]]:
    with empty_trip(url) as trip, blocking(url) as plain, on_loop(url) as loop:
        yield [(plain, trip), (loop, trip)]


@contextmanager
def _theirs(name: str, url: str, other: str | None, trip: Trip, tables: Tables) -> Iterator[tuple[Driver, Trip]]:
    """A module on our server, or on another one, where it makes the tables itself."""
    with dbapi.connected(name, other or url) as module:
        if other is None:
            yield module, trip
            return
        module.prepare(tables)
        try:
            yield module, module.trips
        finally:
            module.drop(tables)
