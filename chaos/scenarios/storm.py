"""T1, the storm of cancels: many tasks, few connections, each operation with an id of its own under a random deadline.

Whatever comes back must be the caller's own: its value, or an error with its id in it. What was acknowledged is there.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.contenders import Contender, Program
from chaos.measure import name_of
from chaos.server import Target
from stretto import Database

CONNECTIONS = 4
DEADLINE = 0.02  # seconds, of each operation from 0 to this
STALLED = 30.0  # seconds without the end of any operation, which is a hang
# The names of errors by which a killed session may be told.
LOST = ("Connect", "CommitUnknown", "UnknownOutcome")
SETUP = "create table storm (id bigint not null)"

# What an operation asks, for its id. Most are tiny, so that thousands a second flow and few have to be cancelled.
SQL = {
    "tiny": "select $1::bigint",
    "slow": "select $1::bigint from pg_sleep($2::float8)",
    "large": "select $1::bigint from generate_series(1, 500)",
    "write": "insert into storm values ($1) returning id",
    "wrong": "select ('x' || $1::text)::int",
}
_KINDS = ["tiny"] * 92 + ["slow"] * 2 + ["large"] + ["write"] * 2 + ["wrong"] * 2 + ["transaction"]


def deadline_for(tasks: int) -> float:
    """The longest deadline for so many tasks: more of them wait longer, and all of them cancelled would show little."""
    return DEADLINE * max(1.0, tasks / 100)


class Stalled(Exception):
    """No operation has ended for a long time: a wake-up was lost."""


@dataclass
class Tally:
    """What became of the operations."""

    ok: int = 0
    cancelled: int = 0
    foreign: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    written: list[int] = field(default_factory=list)
    lost_writes: int = 0
    latest: float = 0.0  # the longest time beyond its deadline that a caller was kept
    seconds: float = 0.0

    @property
    def operations(self) -> int:
        return self.ok + self.cancelled + self.foreign + self.failed.total()

    @property
    def failed_otherwise(self) -> int:
        """Errors that do not say that the connection was lost, or a COMMIT with it."""
        return sum(count for name, count in self.failed.items() if not name.startswith(LOST))

    @property
    def goodput(self) -> float:
        return self.ok / self.seconds

    def add(self, other: Tally) -> None:
        """Take in what another thread has counted."""
        self.ok += other.ok
        self.cancelled += other.cancelled
        self.foreign += other.foreign
        self.failed += other.failed
        self.written += other.written
        self.latest = max(self.latest, other.latest)


@dataclass(slots=True)
class Operation:
    """One call: what it asks, and whether an answer is its own."""

    number: int
    kind: str
    deadline: float
    pause: float

    @classmethod
    def make(cls, number: int, rng: random.Random, deadline: float) -> Operation:
        return cls(number, rng.choice(_KINDS), rng.random() * deadline, rng.random() * 0.01)

    def statement(self) -> tuple[Any, ...]:
        argument = str(self.number) if self.kind == "wrong" else self.number
        return (SQL[self.kind], argument, self.pause) if self.kind == "slow" else (SQL[self.kind], argument)

    def program(self) -> Any:
        """The same as a transaction: a read and a write."""
        number = yield SQL["tiny"], self.number
        return (yield SQL["write"], number)

    def settle(self, tally: Tally, answer: Any) -> None:
        """Count an answer, or the server's error."""
        if isinstance(answer, Exception):
            if self.kind != "wrong" or '"x' not in str(answer):
                tally.failed[name_of(answer)] += 1
            elif f'"x{self.number}"' in str(answer):
                tally.ok += 1
            else:
                tally.foreign += 1
        elif answer == self.number and self.kind != "wrong":
            tally.ok += 1
            if self.kind in ("write", "transaction"):
                tally.written.append(self.number)
        else:
            tally.foreign += 1


Call = Callable[[Contender, Operation], Awaitable[Any]]


def ask(contender: Contender, operation: Operation, timeout: float | None = None) -> Awaitable[Any]:
    if operation.kind == "transaction":
        program: Program = operation.program
        return contender.transact(program, "read committed")
    return contender.fetchval(*operation.statement(), timeout=timeout)


async def by_timeout(contender: Contender, operation: Operation) -> Any:
    async with asyncio.timeout(operation.deadline):
        return await ask(contender, operation)


async def by_wait_for(contender: Contender, operation: Operation) -> Any:
    return await asyncio.wait_for(ask(contender, operation), operation.deadline)


async def by_cancel(contender: Contender, operation: Operation) -> Any:
    task = asyncio.ensure_future(ask(contender, operation))
    asyncio.get_running_loop().call_later(operation.deadline, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise TimeoutError from None


async def by_own_timeout(contender: Contender, operation: Operation) -> Any:
    """By the library's ``timeout=``; a transaction has none here."""
    if operation.kind == "transaction":
        return await by_timeout(contender, operation)
    return await ask(contender, operation, operation.deadline)


async def by_failing_group(contender: Contender, operation: Operation) -> Any:
    """By a sibling that fails and takes the TaskGroup with it."""
    answer: Any = None

    async def work() -> None:
        nonlocal answer
        try:
            answer = await ask(contender, operation)
        except Exception as error:
            answer = error

    async def fail() -> None:
        await asyncio.sleep(operation.deadline)
        raise TimeoutError

    try:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(work())
            failing = group.create_task(fail())
            asked.add_done_callback(lambda _: failing.cancel())
    except* TimeoutError:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


MEANS: dict[str, Call] = {
    "timeout": by_timeout,
    "wait_for": by_wait_for,
    "cancel": by_cancel,
    "timeout=": by_own_timeout,
    "group": by_failing_group,
}


async def storm(
    contender: Contender,
    target: Target,
    *,
    operations: int,
    tasks: int = 30,
    means: str = "timeout",
    seed: int | None = None,
    deadline: float = DEADLINE,
) -> Tally:
    """Run the storm, and look afterwards for what it was told is written. Raises Stalled."""
    target.execute(f"drop table if exists storm; {SETUP}")
    tally, numbers, rng = Tally(), itertools.count(1), random.Random(seed)
    call = MEANS[means]

    async def work() -> None:
        while (number := next(numbers)) <= operations:
            await _one(contender, Operation.make(number, rng, deadline), call, tally)

    begun = time.monotonic()
    await _watched([asyncio.create_task(work()) for _ in range(tasks)], tally)
    tally.seconds = time.monotonic() - begun
    tally.lost_writes = len(set(tally.written) - _present(target))
    return tally


async def _one(contender: Contender, operation: Operation, call: Call, tally: Tally) -> None:
    begun = time.monotonic()
    try:
        operation.settle(tally, await call(contender, operation))
    except TimeoutError:
        tally.cancelled += 1
        tally.latest = max(tally.latest, time.monotonic() - begun - operation.deadline)
    except Exception as error:
        operation.settle(tally, error)


async def _watched(tasks: list[asyncio.Task[None]], tally: Tally) -> None:
    before = -1
    while tasks:
        done, pending = await asyncio.wait(tasks, timeout=STALLED)
        for task in done:
            task.result()
        if pending and tally.operations == before:
            where = next(iter(pending)).get_stack()
            raise Stalled(f"{len(pending)} tasks wait and nothing moves, after {before} operations: {where}")
        before, tasks = tally.operations, list(pending)


def _present(target: Target) -> set[int]:
    return {row[0] for row in target.execute("select id from storm")}


def storm_of_threads(
    db: Database,
    target: Target,
    *,
    operations: int,
    threads: int = 30,
    seed: int | None = None,
    deadline: float = DEADLINE,
) -> Tally:
    """The storm by threads that share a Database, each call under a ``timeout=`` of its own."""
    target.execute(f"drop table if exists storm; {SETUP}")
    total = Tally()

    def work(first: int) -> Tally:
        tally, rng = Tally(), random.Random(None if seed is None else seed + first)
        for number in range(first, operations + 1, threads):
            _one_of_thread(db, Operation.make(number, rng, deadline), tally)
        return tally

    begun = time.monotonic()
    with ThreadPoolExecutor(threads, "storm") as pool:
        for tally in pool.map(work, range(1, threads + 1)):
            total.add(tally)
    total.seconds = time.monotonic() - begun
    total.lost_writes = len(set(total.written) - _present(target))
    return total


def _one_of_thread(db: Database, operation: Operation, tally: Tally) -> None:
    if operation.kind == "transaction":
        operation = replace(operation, kind="write")
    begun = time.monotonic()
    try:
        operation.settle(tally, db.fetchval(*operation.statement(), timeout=operation.deadline))
    except TimeoutError:
        tally.cancelled += 1
        tally.latest = max(tally.latest, time.monotonic() - begun - operation.deadline)
    except Exception as error:
        operation.settle(tally, error)
