"""One contender in a fresh process: reads a job in JSON from stdin, writes its figures in JSON to stdout."""

from __future__ import annotations

import sys

if "gevent" in sys.argv[1:]:  # before anything is imported that it replaces
    from gevent import monkey

    monkey.patch_all()

import json
import os

from benchmarks import cases, contenders


def main() -> None:
    job = cases.Job.from_dict(json.load(sys.stdin))
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    [contender] = [each for each in contenders.load(job.module) if (each.case, each.name) == (job.case, job.contender)]
    print(json.dumps(cases.load(job.case).run(contender, job)))


if __name__ == "__main__":
    main()
