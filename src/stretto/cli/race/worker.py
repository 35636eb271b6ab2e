"""The process of one contender: reads a job in JSON from stdin, and tells in lines of JSON how far it is.

The last line has its figures. For gevent the process is monkey-patched before this is imported (`PATCHED`).
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

PROGRAM = "from stretto.cli.race.worker import main; main()"
PATCHED = f"from gevent import monkey; monkey.patch_all(); {PROGRAM}"


def main() -> None:
    """Do the job that stdin has; where a library is not installed, say which."""
    job = json.load(sys.stdin)
    say = _speaker()
    try:
        say({"state": "done", "figures": _measure(job, say)})
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "stretto":
            raise
        say({"state": "missing", "reason": error.name})


def _measure(job: dict[str, Any], say: Any) -> dict[str, float]:
    from stretto.cli.race import contenders, workloads
    from stretto.cli.race.meter import Meter
    from stretto.cli.race.subject import drive

    meter = Meter(say)  # first, so that one hears of it while it imports its library
    workload = workloads.load(job["workload"])
    found = contenders.load(f"{contenders.__name__}.{job['module']}")
    [contender] = [each for each in found if (each.case, each.name) == (job["case"], job["contender"])]
    drive(contender, workload.run(contender, job["url"], workloads.Sizes(**job["sizes"]), meter))
    return meter.figures()


def _speaker() -> Any:
    """A function that writes a line of JSON to what was stdout; what a library prints goes to stderr from here on."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(message), file=lines, flush=True)

    return say
