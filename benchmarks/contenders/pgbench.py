"""pgbench, PostgreSQL's own program in C: what the server and the wire allow, without a driver's cost."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import programs
from benchmarks.contenders import contender
from stretto.cli.race.workloads import select

CLIENTS = 4
BATCH = 100  # selects in a pipeline

_SELECT = f"{select.SQL.format(parameter=':id')};\n"
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


PROGRAM = programs.find("pgbench")
NEEDS = None if PROGRAM else "pgbench"


def _program(url: str, clients: int, script: str, batch: int) -> Callable[[float], tuple[int, float]]:
    shown, env = programs.given(url)

    def run(seconds: float) -> tuple[int, float]:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            command = [PROGRAM or "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-f", file.name]
            # It knows whole seconds only; a quick run has a few transactions.
            length = ["-T", str(math.ceil(seconds))] if seconds > 0.5 else ["-t", "5"]
            done = subprocess.run([*command, *length, shown], env=env, capture_output=True, text=True)
        counted, rate = _DONE.search(done.stdout), _RATE.search(done.stdout)
        if done.returncode or counted is None or rate is None or not int(counted[1]):
            raise RuntimeError(f"pgbench: {(done.stderr.strip().splitlines() or ['it measured nothing'])[-1]}")
        return int(counted[1]) * batch, float(rate[1]) * batch

    return run


@contender("select", "pgbench", program=True, callers=(1,), needs=NEEDS)
def select_alone(url: str, callers: int, points: int) -> Iterator[Any]:
    """One client, one select at a time."""
    yield _program(url, callers, f"\\set id random(1, {points})\n{_SELECT}", 1)


@contender("select", "pgbench pipeline", program=True, callers=range(2, 1_000_000), needs=NEEDS)
def select_pipeline(url: str, _callers: int, points: int) -> Iterator[Any]:
    """Pipelines with a Sync after each select, as stretto sends them."""
    one = f"\\set id random(1, {points})\n{_SELECT}\\syncpipeline\n"
    yield _program(url, CLIENTS, f"\\startpipeline\n{one * BATCH}\\endpipeline\n", BATCH)
