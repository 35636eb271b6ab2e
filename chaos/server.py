"""A server of one's own to do harm to: its sessions are killed and frozen, and it is stopped and started again."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psycopg

import stretto.embedded

SETTINGS = {"max_connections": "100", "deadlock_timeout": "20ms", "autovacuum": "off"}
# Sessions of clients, ours for looking left out.
SESSIONS = "from pg_stat_activity where backend_type = 'client backend' and application_name <> 'chaos'"


class Backend(NamedTuple):
    """A session: its process, whether it was at work, and the port at the client's end."""

    pid: int
    state: str | None
    port: int | None


class Target:
    """A running server, and a connection to it that no fault touches."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = stretto.embedded.start(directory, settings=SETTINGS)
        self._admin: psycopg.Connection[Any] | None = None

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def admin(self) -> psycopg.Connection[Any]:
        if self._admin is None:
            self._admin = psycopg.connect(self.url, autocommit=True, application_name="chaos")
        return self._admin

    def execute(self, sql: str, *args: Any) -> list[Any]:
        """Run a statement beside all that goes on, and give its rows."""
        cursor = self.admin.execute(sql, args or None)
        return cursor.fetchall() if cursor.description else []

    def backends(self, where: str = "true", *args: Any) -> list[Backend]:
        return [Backend(*row) for row in self.execute(f"select pid, state, client_port {SESSIONS} and {where}", *args)]

    def kill(self, where: str = "true") -> list[Backend]:
        """End sessions by pg_terminate_backend; what they were doing is told as of that moment."""
        sql = f"select pid, state, client_port, pg_terminate_backend(pid) {SESSIONS} and {where}"
        return [Backend(*row[:3]) for row in self.execute(sql) if row[3]]

    def wait_gone(self, backends: list[Backend]) -> None:
        """Wait until the server shows none of them any more."""
        deadline = time.monotonic() + 20
        while self.backends("pid = any(%s)", [each.pid for each in backends]):
            if time.monotonic() > deadline:
                raise TimeoutError("killed sessions are still there")
            time.sleep(0.002)

    def wait_for(self, where: str, *args: Any) -> Backend:
        """Wait for a session, as one that runs a certain statement."""
        deadline = time.monotonic() + 20
        while not (found := self.backends(where, *args)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no session where {where}")
            time.sleep(0.002)
        return found[0]

    @contextlib.contextmanager
    def frozen(self, backend: Backend) -> Iterator[None]:
        """A process that neither works nor dies, as on a machine that swaps or a network that is gone."""
        os.kill(backend.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend.pid, signal.SIGCONT)

    def crash_and_return(self, pause: float) -> tuple[float, float]:
        """Stop at once (as pg_ctl -m immediate), start again on the same port; when it was down, and ready again."""
        self._forget_admin()
        port = self._server.port
        self._server.stop("immediate")
        down = time.monotonic()
        time.sleep(pause)
        self._server = stretto.embedded.start(self._directory, settings=SETTINGS, port=port)
        return down, time.monotonic()

    def _forget_admin(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def stop(self) -> None:
        self._forget_admin()
        self._server.stop("immediate")


class Killer(threading.Thread):
    """Ends one session after another, at random moments, until the end of its block."""

    def __init__(self, url: str, rng: random.Random) -> None:
        super().__init__(name="chaos.killer", daemon=True)
        self._url = url
        self._rng = rng
        self._over = threading.Event()
        self.kills = 0

    def run(self) -> None:
        sql = """select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend'
                 and application_name <> 'chaos' order by random() limit 1"""
        with psycopg.connect(self._url, autocommit=True, application_name="chaos") as connection:
            while not self._over.wait(self._rng.uniform(0.02, 0.2)):
                self.kills += connection.execute(sql).rowcount

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self.join(10)


@contextlib.contextmanager
def fresh() -> Iterator[Target]:
    """A new server for one scenario and one contender, which may do with it what they like."""
    directory = Path(tempfile.mkdtemp(prefix="stretto-chaos-"))
    target = None
    try:
        directory.chmod(0o711)  # the server may run as another user
        target = Target(directory / "server")
        yield target
    finally:
        if target is not None:
            target.stop()
        shutil.rmtree(directory, ignore_errors=True)
