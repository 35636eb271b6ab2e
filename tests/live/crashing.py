"""A server that crashes: one session is killed, for which it ends all others and recovers."""

from __future__ import annotations

import os
import signal
from contextlib import closing, suppress
from typing import Any

import psycopg

import stretto.embedded

KEPT = {"synchronous_commit": "on"}  # what was committed is there after a crash


def back(server: stretto.embedded.Server) -> psycopg.Connection[Any]:
    """A connection, when the server has recovered."""
    while True:
        try:
            return psycopg.connect(server.url, autocommit=True)
        except psycopg.OperationalError:
            continue


def session_killed(server: stretto.embedded.Server, witness: psycopg.Connection[Any]) -> None:
    """Kill a session as the system might, for which the server ends all others, the witness's too, and recovers."""
    with closing(psycopg.connect(server.url)) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
    with suppress(psycopg.Error):  # of whatever class: libpq has several words for it
        while True:
            witness.execute("select 1")
    assert witness.closed
