"""The command: `python -m benchmarks [case ...]`; `make bench` calls it without arguments, for all cases."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import cases, contenders, report, server
from benchmarks.runner import ROOT, Outcome, Runner
from benchmarks.sizes import QUICK, Sizes
from stretto import Database
from stretto.cli.race import machine


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure stretto beside its peers.")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(cases.NAMES)}; without, all of them")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that all works, measures nothing")
    parser.add_argument("--rounds", type=int, help="processes for each contender")
    parser.add_argument("--seconds", type=float, help="length of each measurement of a rate")
    parser.add_argument("--callers", type=_numbers, metavar="N,N", help="numbers of callers of the case select")
    parser.add_argument(
        "--only", metavar="TEXT", help="only contenders with this in their name (others are separated by |)"
    )
    parser.add_argument("--same-core", action="store_true", help="client and server on one core (waking up costs less)")
    parser.add_argument("--no-pinning", action="store_true", help="leave the choice of the cores to the system")
    parser.add_argument("--url", help="a server that runs already; without, an embedded one is started")
    parser.add_argument("--seed", type=int, default=None, help="of the order of contenders")
    parser.add_argument("--json", type=Path, help="where the result goes (build/bench/<time>.json)")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(cases.NAMES):
        parser.error(f"no such case: {', '.join(sorted(unknown))} (there are {', '.join(cases.NAMES)})")
    return options


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def sizes_of(options: argparse.Namespace) -> Sizes:
    chosen: dict[str, Any] = {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "callers": options.callers,
    }
    return replace(QUICK if options.quick else Sizes(), **{key: value for key, value in chosen.items() if value})


def cores(options: argparse.Namespace) -> tuple[int | None, int | None]:
    """The client's and the server's core."""
    usable = sorted(os.sched_getaffinity(0))
    if options.no_pinning:
        return None, None
    return usable[0], usable[0] if options.same_core else usable[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    sizes, (client_core, server_core) = sizes_of(options), cores(options)
    found, missing = contenders.load_all()
    if options.only:
        found = [each for each in found if any(part in each.name for part in options.only.split("|"))]
    seed = random.randrange(10**6) if options.seed is None else options.seed
    started = time.monotonic()
    with _target(options, server_core, sizes) as target:
        pinned = f"client on core {client_core}, server on {'its own cores' if options.url else server_core}"
        facts = {
            **machine.describe(),
            "stretto": f"{_revision()}, {machine.core()}",
            "server": ", ".join(f"{name} {value}" for name, value in target.settings.items()),
            "pinning": "none" if client_core is None else pinned,
            "not there": ", ".join(missing) or "nothing",
            "method": f"{sizes.rounds} rounds, seed {seed}; medians; spread (max - min) / median; ~ ranges overlap",
        }
        print(report.heading(facts), flush=True)
        runner = Runner(target, client_core, sizes, random.Random(seed), _progress)
        outcomes = [each for name in options.cases or cases.NAMES for each in _run_case(name, runner, found)]
    print(f"\n{time.monotonic() - started:.0f} s; all figures: {_save(options.json, facts, sizes, outcomes)}")
    return 1 if any(outcome.failures for outcome in outcomes) else 0


def _revision() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else "unknown revision"


def _target(options: argparse.Namespace, core: int | None, sizes: Sizes) -> AbstractContextManager[server.Target]:
    return server.existing(options.url) if options.url else server.embedded(core, sizes.shared_buffers)


def _run_case(name: str, runner: Runner, found: list[contenders.Contender]) -> list[Outcome]:
    case = cases.load(name)
    with Database(runner.target.url) as db:
        case.setup(db, runner.sizes)
    outcomes = []
    for variant in case.variants(runner.sizes):
        outcome = runner.run(case, variant, found)
        print(f"\n{report.table(case, outcome)}", flush=True)
        outcomes.append(outcome)
    return outcomes


def _progress(text: str) -> None:
    """Say on a terminal what runs now."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _save(path: Path | None, facts: dict[str, str], sizes: Sizes, outcomes: list[Outcome]) -> Path:
    now = datetime.now(UTC)
    path = path or ROOT / "build" / "bench" / f"{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"time": now.isoformat(), **facts, "sizes": asdict(sizes), "outcomes": [asdict(each) for each in outcomes]}
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
