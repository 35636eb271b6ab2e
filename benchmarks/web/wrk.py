"""wrk, the load: so many connections that ask again as soon as they have their answer."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

NEEDS = None if shutil.which("wrk") else "wrk (Debian: apt-get install wrk)"
_DONE = re.compile(r"(\d+) requests in")
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_WAIT = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
_WRONG = re.compile(r"^\s*((?:Non-2xx|Socket errors).*)$", re.MULTILINE)
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class LoadFailed(Exception):
    """wrk did not run, or had an answer that is none."""


@dataclass(frozen=True)
class Load:
    """What wrk has counted: requests, their rate, and the waits in milliseconds."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def read(output: str) -> Load:
    """Make figures of what wrk has printed; raises LoadFailed where a request failed, or none was answered."""
    if wrong := _WRONG.search(output):
        raise LoadFailed(f"wrk: {wrong[1].strip()}")
    done, rate = _DONE.search(output), _RATE.search(output)
    waits = {share: float(number) * _MS[unit] for share, number, unit in _WAIT.findall(output)}
    if done is None or rate is None or not int(done[1]) or set(waits) != {"50", "99"}:
        raise LoadFailed("wrk has counted nothing")
    return Load(int(done[1]), float(rate[1]), waits["50"], waits["99"])


def run(url: str, connections: int, seconds: float, away_from: int | None) -> Load:
    """Ask for so long, in whole seconds. It runs on other cores than that one, if there are any."""
    if away_from is not None and (others := set(range(os.cpu_count() or 1)) - {away_from}):
        os.sched_setaffinity(0, others)  # of this thread, from which wrk has it
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{math.ceil(seconds)}s"]
    done = subprocess.run([*command, "--timeout", "30s", "--latency", url], capture_output=True, text=True)
    if done.returncode:
        raise LoadFailed(f"wrk: {(done.stderr.strip().splitlines() or [f'exit status {done.returncode}'])[-1]}")
    return read(done.stdout)
