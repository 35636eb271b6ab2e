"""A pytest plugin: a server for the run, and a database for each worker, copied from one that is set up once.

    pytest_plugins = ["stretto.testing.plugin"]             # in the conftest.py at the top

``stretto_url`` is the URL of the worker's database. For tables override ``stretto_setup``, a function that is called
with the URL of the template database, once for a run however many workers of pytest-xdist it has. The server is that of
``--stretto-url`` or STRETTO_TEST_URL, else an embedded one (``pip install 'stretto[embedded]'``).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stretto import Connection, Database, embedded

__all__ = ["stretto_server", "stretto_setup", "stretto_url"]

_LOCK = 5786311  # an advisory lock of the server: one worker at a time makes databases
_OURS = "select datname from pg_database where starts_with(datname, $1)"
_run = pytest.StashKey["Run"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --stretto-url."""
    parser.addoption("--stretto-url", metavar="URL", help="a PostgreSQL server where test databases may be made")


def pytest_configure(config: pytest.Config) -> None:
    """Have the run's server in one place; with pytest-xdist that is the controller."""
    given = config.getoption("--stretto-url") or os.environ.get("STRETTO_TEST_URL")
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.stash[_run] = run = Run(given, uuid.uuid4().hex[:12])
        config.add_cleanup(run.close)
    else:
        config.stash[_run] = Run(worker["stretto_url"], worker["stretto_run"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the server is."""
    run = node.config.stash[_run]
    node.workerinput["stretto_url"] = run.url()
    node.workerinput["stretto_run"] = run.name


class Run:
    """The server of a run. It is started when it is first needed."""

    def __init__(self, url: str | None, name: str) -> None:
        self.template = f"stretto_test_{name}"
        self.name = name
        self._url = url
        self._server: embedded.Server | None = None
        self._made = False

    def url(self) -> str:
        """The server's URL."""
        if self._url is None:
            self._server = embedded.start()
            self._url = self._server.url
        self._made = True
        return self._url

    def close(self) -> None:
        """Drop the template, and what workers that died have left; or stop the server."""
        if self._server is not None:
            self._server.stop()
        elif self._made and self._url is not None:
            with Database(self._url, connections=1) as admin:
                for name in admin.fetch(_OURS, self.template, into=str):
                    admin.execute(f'drop database if exists "{name}" with (force)')


@pytest.fixture(scope="session")
def stretto_server(pytestconfig: pytest.Config) -> str:
    """The URL of the run's server."""
    return pytestconfig.stash[_run].url()


@pytest.fixture(scope="session")
def stretto_setup() -> Callable[[str], object]:
    """What makes the tables of the template: a function of its URL. Override it."""
    return str


@pytest.fixture(scope="session")
def stretto_url(
    stretto_server: str, stretto_setup: Callable[[str], object], pytestconfig: pytest.Config
) -> Iterator[str]:
    """The URL of a database of this worker's own, a copy of the template. It is dropped at the end."""
    template = pytestconfig.stash[_run].template
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"{template}_{worker}"
    with Database(stretto_server, connections=1) as admin:
        with admin.connection() as connection:
            connection.execute("select pg_advisory_lock($1)", _LOCK)
            _make_template(connection, stretto_server, template, stretto_setup)
            connection.execute(f'create database "{name}" template "{template}"')
        try:
            yield _with_database(stretto_server, name)
        finally:
            admin.execute(f'drop database "{name}" with (force)')


def _make_template(connection: Connection, server: str, template: str, setup: Callable[[str], object]) -> None:
    """Make the template unless another worker has. A half made one has another name, and is made anew."""
    if connection.fetchval("select exists (select from pg_database where datname = $1)", template):
        return
    half = f"{template}_half"
    connection.execute(f'drop database if exists "{half}" with (force)')
    connection.execute(f'create database "{half}"')
    try:
        setup(_with_database(server, half))
    except BaseException:
        connection.execute(f'drop database "{half}" with (force)')
        raise
    connection.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1 and backend_type = $2",
        half,
        "client backend",
    )
    connection.execute(f'alter database "{half}" rename to "{template}"')


def _with_database(url: str, name: str) -> str:
    """The URL, or key=value string, of another database of the same server."""
    if "://" not in url:
        return f"{url} dbname={name}"
    scheme, _, rest = url.partition("://")
    place, mark, query = rest.partition("?")
    return f"{scheme}://{place.partition('/')[0]}/{name}{mark}{query}"
