"""The command: `python -m chaos [scenario ...]`; `make chaos` calls it without arguments, for all but the soak."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Awaitable, Sequence

import uvloop

from chaos import catalogue, contenders, report
from chaos.catalogue import Scenario
from chaos.measure import QUICK, Figures, Sizes, name_of
from chaos.server import fresh

ENDS_WITHIN = 60.0  # seconds beyond a scenario's own, after which it is said to hang
SLOWEST = 200  # operations a second that a storm does at least


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Faults, for stretto and its peers.")
    names = list(dict.fromkeys(each.group for each in catalogue.SCENARIOS))
    parser.add_argument(
        "scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(names)}; without, all but storm"
    )
    parser.add_argument("--quick", action="store_true", help="shorter: shows that all works")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {', '.join(contenders.NAMES)}")
    parser.add_argument("--operations", type=int, default=1_000_000, help="of the scenario storm, all in all")
    options = parser.parse_args(arguments)
    if unknown := set(options.scenarios) - set(names):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))} (there are {', '.join(names)})")
    options.only = (options.only or ",".join(contenders.NAMES)).split(",")
    if unknown := set(options.only) - set(contenders.NAMES):
        parser.error(f"no such contender: {', '.join(sorted(unknown))} (there are {', '.join(contenders.NAMES)})")
    return options


SILENCED = ("asyncpg", "psycopg", "psycopg.pool", "asyncio")  # what they say about what we do to them


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    sizes = QUICK if options.quick else Sizes()
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    table, share = report.Table(), options.operations // len(catalogue.STORMS)
    for scenario in catalogue.SCENARIOS:
        if scenario.group in options.scenarios or (not options.scenarios and scenario.group != "storm"):
            figures = {name: run(scenario, name, sizes, share) for name in scenario.contenders if name in options.only}
            if figures:
                table.add(scenario, figures)
    print(table)
    return 1 if table.missed else 0


def run(scenario: Scenario, name: str, sizes: Sizes, operations: int) -> Figures:
    """One contender's figures, on a server of its own; what goes wrong is a figure, too."""
    begun = time.monotonic()
    print(f"{scenario.title}: {name}", file=sys.stderr, flush=True)
    try:
        kind = contenders.load(name)
        with fresh() as target:
            loop_factory = uvloop.new_event_loop if scenario.loop == "uvloop" else None
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(limited(scenario.run(kind, target, sizes, operations), sizes, operations))
    except ImportError as error:
        return {"not measured": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {report.BROKEN: f"{name_of(error)} after {time.monotonic() - begun:.0f} s"}


async def limited(work: Awaitable[Figures], sizes: Sizes, operations: int) -> Figures:
    """End what hangs."""
    async with asyncio.timeout(ENDS_WITHIN + sizes.seconds + max(operations, sizes.storm) / SLOWEST):
        return await work


if __name__ == "__main__":
    sys.exit(main())
