"""psql, PostgreSQL's own program in C: its \\copy of a file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import programs
from benchmarks.cases import copy
from benchmarks.contenders import contender

PROGRAM = programs.find("psql")
_TIME = re.compile(r"^Time: ([\d.]+) ms", re.MULTILINE)


def _psql(url: str, *commands: str) -> str:
    shown, env = programs.given(url)
    arguments = [each for command in commands for each in ("-c", command)]
    done = subprocess.run(
        [PROGRAM or "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments, shown],
        env=env,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()}")
    return done.stdout


@contender("copy", "psql \\copy", program=True, needs=None if PROGRAM else "psql")
def copy_file(url: str, _source: str) -> Iterator[Any]:
    """The time is psql's own (\\timing): its start and its connection are not in it, but they are in its CPU."""

    def load(path: Path) -> float:
        printed = _psql(url, "\\timing on", f"\\copy {copy.TABLE} from '{path}' csv")
        [time] = _TIME.findall(printed)
        return float(time) / 1000

    yield load, lambda sql: int(_psql(url, sql))
