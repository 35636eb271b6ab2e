"""No foreign result, ever: a million operations of the storm, cancelled in every way, on both loops and by threads.

STRETTO_STORM sets the number of operations; the interpreted core does a tenth of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import psutil
import pytest
import uvloop
from chaos.catalogue import POOR_DEADLINE, POOR_WIRE
from chaos.contenders.stretto_ import Stretto
from chaos.contenders.threads_ import Threads
from chaos.measure import full_size
from chaos.proxy import Proxy
from chaos.scenarios import storm as storms
from chaos.scenarios.storm import CONNECTIONS, Operation, Tally, deadline_for, storm, storm_of_threads
from chaos.server import Killer, Target

from stretto import Database, _core

OPERATIONS = int(os.environ.get("STRETTO_STORM", 1_000_000)) // (1 if _core.core_info() == "compiled" else 10)
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
# The means, the tasks, and the part of all operations.
STORMS: dict[str, tuple[str, int, float]] = {
    "timeout": ("timeout", 30, 0.10),
    "own timeout": ("timeout=", 30, 0.10),
    "cancel": ("cancel", 30, 0.08),
    "wait_for": ("wait_for", 30, 0.05),
    "failing group": ("group", 30, 0.02),
    "300 tasks": ("timeout", 300, 0.04),
    "3000 tasks": ("timeout", 3000, 0.05),
}
THREADS = 0.08
UNPIPELINED = 0.02  # each statement on a connection for itself
POOR = 0.01  # over a poor wire
KILLED = 0.01  # while sessions are killed; the parts of all storms, those above on two loops, are one


def check(tally: Tally, operations: int) -> None:
    assert tally.foreign == 0
    assert tally.failed == {}
    assert tally.lost_writes == 0
    assert tally.operations == operations
    # Of a short storm of thousands of tasks nothing may be in time on a busy machine.
    assert tally.ok > 0 or operations < 10_000


def check_size(found: dict[str, Any]) -> None:
    assert found["full size after s"] < 10, found
    assert found["sessions beyond"] == 0


def test_the_parts_are_the_whole() -> None:
    assert sum(part for _, _, part in STORMS.values()) * 2 + THREADS + UNPIPELINED + POOR + KILLED == pytest.approx(1)


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("case", STORMS)
def test_nobody_gets_what_is_anothers(target: Target, case: str, loop: str) -> None:
    means, tasks, part = STORMS[case]
    with nothing_left(target), asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(run_storm(target, target.url, means, tasks, round(OPERATIONS * part), deadline_for(tasks)))


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_nor_without_pipelining(target: Target) -> None:
    operations = round(OPERATIONS * UNPIPELINED)
    with nothing_left(target):
        asyncio.run(run_storm(target, target.url, "timeout", 30, operations, deadline_for(30), pipelining=False))


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_nor_over_a_wire_that_is_late_and_sends_pieces(target: Target) -> None:
    with Proxy.before(target.url) as proxy, nothing_left(target):
        proxy.shape(**POOR_WIRE)
        asyncio.run(run_storm(target, proxy.url(target.url), "timeout", 30, round(OPERATIONS * POOR), POOR_DEADLINE))


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_nor_while_sessions_are_killed(target: Target) -> None:
    """What fails, fails by its connection; nobody is told a lie, and the pool is whole after all."""

    async def main() -> Tally:
        db = await Stretto.open(target.url, CONNECTIONS)
        try:
            with Killer(target.url, random.Random(1)) as killer:
                tally = await storm(db, target, operations=round(OPERATIONS * KILLED), deadline=0.1)
            assert killer.kills > 0
            check_size(await full_size(db, target, CONNECTIONS))
            return tally
        finally:
            await db.close()

    with nothing_left(target):
        tally = asyncio.run(main())
    assert tally.foreign == 0
    assert tally.failed_otherwise == 0, tally.failed
    assert tally.lost_writes == 0
    assert tally.ok > 0


async def run_storm(
    target: Target, url: str, means: str, tasks: int, operations: int, deadline: float, **keywords: Any
) -> None:
    db = await Stretto.open(url, CONNECTIONS, **keywords)
    try:
        tally = await storm(db, target, operations=operations, tasks=tasks, means=means, deadline=deadline)
        check(tally, operations)
        check_size(await full_size(db, target, CONNECTIONS))
    finally:
        await db.close()


@contextmanager
def nothing_left(target: Target) -> Iterator[None]:
    """No file stays open here, and no session there."""
    target.execute("select 1")
    uvloop.new_event_loop().close()  # the first one opens a pipe for good
    before = psutil.Process().num_fds()
    yield
    target.wait_gone(target.backends())
    pause, deadline = threading.Event(), time.monotonic() + 20
    while (now := psutil.Process().num_fds()) != before:  # a proxy's thread closes its own a little later
        assert time.monotonic() < deadline, f"{now} descriptors and not {before}"
        pause.wait(0.01)


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_no_thread_gets_what_is_anothers(target: Target) -> None:
    operations = round(OPERATIONS * THREADS)

    async def size(db: Database) -> dict[str, Any]:
        return await full_size(Threads(db), target, CONNECTIONS)

    with nothing_left(target), Database(target.url, connections=CONNECTIONS) as db:
        check(storm_of_threads(db, target, operations=operations), operations)
        check_size(asyncio.run(size(db)))


# That the storm would notice --------------------------------------------------------------------------------------


class Faulty:
    """A library that makes one kind of mistake now and then."""

    name: ClassVar[str] = "faulty"

    def __init__(self, mistake: str) -> None:
        self._mistake = mistake
        self._rng = random.Random(1)

    async def fetchval(self, sql: str, *args: Any, timeout: float | None = None) -> Any:
        await asyncio.sleep(0)
        number = int(args[0])
        if self._rng.random() < 0.1:
            if self._mistake == "hangs":
                await asyncio.Event().wait()
            if self._mistake == "cancels a neighbour":
                raise RuntimeError("canceling statement due to user request")
            number += self._mistake == "mixes up"
        if "'x'" in sql:
            raise ValueError(f'invalid input syntax for type integer: "x{number}"')
        return number

    async def transact(self, program: Any, isolation: str) -> Any:
        return await self.fetchval("", *program().send(None)[1:])


async def run_faulty(target: Target, mistake: str) -> Tally:
    library: Any = Faulty(mistake)
    means = "cancel" if mistake == "hangs" else "timeout"
    return await storm(library, target, operations=2_000, means=means, seed=1, deadline=5.0)


def test_the_storm_notices_results_and_errors_of_others(target: Target) -> None:
    tally = asyncio.run(run_faulty(target, "mixes up"))
    assert tally.foreign > 100
    assert tally.failed == {}


def test_the_storm_notices_a_neighbour_that_was_cancelled(target: Target) -> None:
    tally = asyncio.run(run_faulty(target, "cancels a neighbour"))
    assert tally.foreign == 0
    assert tally.failed["RuntimeError"] > 100


def test_the_storm_notices_acknowledged_writes_that_are_lost(target: Target) -> None:
    assert asyncio.run(run_faulty(target, "writes nothing")).lost_writes > 20


def test_the_storm_notices_a_wake_up_that_was_lost(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(contender: Any, operation: Operation) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(storms, "STALLED", 0.05)
    monkeypatch.setitem(storms.MEANS, "timeout", never)
    with pytest.raises(storms.Stalled, match="30 tasks wait and nothing moves"):
        asyncio.run(run_faulty(target, "none"))


ANSWERS = [
    ("tiny", 7, "ok"),
    ("tiny", 8, "foreign"),
    ("tiny", None, "foreign"),
    ("write", 7, "ok"),
    ("wrong", ValueError('bad: "x7"'), "ok"),
    ("wrong", ValueError('bad: "x77"'), "foreign"),
    ("wrong", 7, "foreign"),
    ("wrong", ValueError("cancelled"), "failed"),
    ("tiny", ValueError('bad: "x7"'), "failed"),
]


@pytest.mark.parametrize(("kind", "answer", "expected"), ANSWERS)
def test_an_answer_is_ones_own_or_it_is_foreign(kind: str, answer: Any, expected: str) -> None:
    tally = Tally()
    Operation(7, kind, 0.0, 0.0).settle(tally, answer)
    assert {"ok": tally.ok, "foreign": tally.foreign, "failed": tally.failed.total()} == {
        name: int(name == expected) for name in ("ok", "foreign", "failed")
    }
    assert tally.written == ([7] if kind == "write" else [])
