"""Forks while a connection is in use: the child is refused, whatever it holds, and its parent goes on unharmed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cases import FUZZED

ROOT = Path(__file__).parents[2]
BLOCKING = ["connection", "transaction", "leaving", "stream", "copying", "pool"]
ASYNC = ["connection", "transaction", "leaving", "stream"]
CASES = [
    *(("blocking", case) for case in BLOCKING),
    *(("gevent", case) for case in ("connection", "transaction", "leaving", "stream", "copying")),
    *(("thread", case) for case in ("transaction",)),
    *((loop, case) for loop in ("asyncio", "uvloop") for case in ASYNC),
    *(("run", case) for case in ("leaving", "stream")),
]


@pytest.mark.parametrize(("place", "case"), CASES, ids=["-".join(case) for case in CASES])
def test_a_child_has_nothing_of_what_its_parent_holds(
    server_url: str, outside: psycopg.Connection[Any], schema: str, place: str, case: str
) -> None:
    outside.execute(f"create table {schema}.number (n int)")
    url = f"{server_url}{'&' if '?' in server_url else '?'}options=-csearch_path%3D{schema}"
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.live.fork_cases", place, case, url]
    patience = None if FUZZED else 100
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience, cwd=ROOT)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "in peace", "")
