"""The bank: transfers between few accounts from many callers, while sessions are killed and COMMITs are cut off.

What was acknowledged must be there, once; what was refused must not; the sum is always the same. Only what the library
itself calls unknown may be either.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chaos.contenders import Contender, Program
from chaos.measure import Bar, Figures, Sizes, name_of, none, told
from chaos.messages import Message
from chaos.proxy import Do, Proxy, Rule
from chaos.server import Killer, Target

ACCOUNTS = 8
TOTAL = 800
CALLERS = 16
CONNECTIONS = 8
SETUP = f"""
drop table if exists account, ledger;
create table account (id int primary key, balance int not null check (balance >= 0));
insert into account select n, {TOTAL // ACCOUNTS} from generate_series(1, {ACCOUNTS}) n;
create table ledger (key uuid not null, source int not null, target int not null, amount int not null);
create index on ledger (key);
"""
SUM = "select sum(balance)::int from account"
BARS: tuple[Bar, ...] = (
    none("wrong sums"),
    none("acknowledged and lost"),
    none("refused and there"),
    none("there twice"),
    none("accounts that differ from the ledger"),
)


@dataclass
class Tally:
    """What the callers were told of each transfer, by its key, and what the readers saw; ``retried`` counts retries."""

    ok: set[uuid.UUID] = field(default_factory=set)
    refused: set[uuid.UUID] = field(default_factory=set)
    unknown: set[uuid.UUID] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)
    sums: Counter[int] = field(default_factory=Counter)
    retried: Iterator[int] = field(default_factory=itertools.count)

    def counting(self, program: Program) -> Program:
        """The same program of one transfer: when it is begun once more, that is a retry."""
        begun = itertools.count()

        def attempt() -> Generator[tuple[Any, ...], Any, Any]:
            if next(begun):
                next(self.retried)
            return program()

        return attempt


def transfer(key: uuid.UUID, source: int, target: int, amount: int, lock: str) -> Program:
    """Move an amount, with the new balances made here, so that a lost update shows; False where there is too little."""

    def program() -> Generator[tuple[Any, ...], Any, bool]:
        one = yield f"select balance from account where id = $1{lock}", source
        other = yield f"select balance from account where id = $1{lock}", target
        if one < amount:
            return False
        yield "update account set balance = $1 where id = $2", one - amount, source
        yield "update account set balance = $1 where id = $2", other + amount, target
        yield "insert into ledger values ($1, $2, $3, $4)", key, source, target, amount
        return True

    return program


def audit() -> Generator[tuple[Any, ...], Any, int]:
    """Add the accounts up one by one: right only from one snapshot."""
    total = 0
    for number in range(1, ACCOUNTS + 1):
        total += yield "select balance from account where id = $1", number
    return total


def cuts(rng: random.Random) -> list[Rule]:
    """Now and then a COMMIT is cut off: before it reaches the server, behind it, and its answer."""

    def commit(side: str, kinds: str) -> Any:
        def when(message: Message) -> bool:
            return message.side == side and message.kind in kinds and message.says("commit") and rng.random() < 0.01

        return when

    return [
        Rule(commit("F", "QE"), Do.CUT, times=None),
        Rule(commit("F", "QE"), Do.RESET, times=None),
        Rule(commit("F", "QE"), Do.CUT, after=True, times=None),
        Rule(commit("B", "C"), Do.CUT, times=None),
    ]


async def bank(
    contender: Contender, target: Target, proxy: Proxy, sizes: Sizes, isolation: str, seed: int | None = None
) -> Figures:
    """Run transfers for a while through a proxy, with all the faults, and compare the books with what was told."""
    target.execute(SETUP)
    rng, tally, end = random.Random(seed), Tally(), time.monotonic() + sizes.seconds
    lock = " for update" if isolation == "read committed" else ""

    async def call() -> None:
        while time.monotonic() < end:
            key, amount = uuid.UUID(int=rng.getrandbits(128)), rng.randint(1, 40)
            source, goal = rng.sample(range(1, ACCOUNTS + 1), 2)
            program = tally.counting(transfer(key, source, goal, amount, lock))
            await _transfer_once(contender, tally, key, program, isolation)

    async def read() -> None:
        while time.monotonic() < end:
            with suppress(Exception):  # cut off as the others; only a wrong sum is wrong
                tally.sums[await contender.fetchval(SUM)] += 1
            with suppress(Exception):
                tally.sums[await contender.transact(audit, "serializable")] += 1
            await asyncio.sleep(0.01)

    faults = [proxy.add(rule) for rule in cuts(rng)]
    try:
        with Killer(target.url, rng) as killer:
            await asyncio.gather(*(call() for _ in range(CALLERS)), read())
    finally:
        proxy.clear()
    return {
        "kills": killer.kills,
        "COMMITs cut off": sum(rule.hits for rule in faults),
        **await asyncio.to_thread(_compare, target, tally),
    }


async def _transfer_once(contender: Contender, tally: Tally, key: uuid.UUID, program: Program, isolation: str) -> None:
    try:
        (tally.ok if await contender.transact(program, isolation) else tally.refused).add(key)
    except contender.unknown as error:
        tally.unknown.add(key)
        tally.errors[name_of(error)] += 1
    except Exception as error:
        tally.refused.add(key)
        tally.errors[name_of(error)] += 1


def _compare(target: Target, tally: Tally) -> Figures:
    """Hold what the callers were told against what is there, when nothing can run any more."""
    target.wait_gone(target.kill())
    ledger: Counter[uuid.UUID] = Counter(row[0] for row in target.execute("select key from ledger"))
    differing = f"""
        select count(*) from account a where balance <> {TOTAL // ACCOUNTS}
          + (select coalesce(sum(amount), 0) from ledger where target = a.id)
          - (select coalesce(sum(amount), 0) from ledger where source = a.id)"""
    tally.sums[target.execute(SUM)[0][0]] += 1
    retries = next(tally.retried)  # how often it was asked for the next number
    return {
        "transfers": len(tally.ok),
        "retries": retries,
        "retries per commit": retries / max(len(tally.ok), 1),
        "unknown, there": len(tally.unknown & ledger.keys()),
        "unknown, not there": len(tally.unknown - ledger.keys()),
        "errors by kind": told(tally.errors),
        "sums read": tally.sums.total(),
        "wrong sums": tally.sums.total() - tally.sums[TOTAL],
        "acknowledged and lost": len(tally.ok - ledger.keys()),
        "refused and there": len(tally.refused & ledger.keys()),
        "there twice": sum(count > 1 for count in ledger.values()),
        "accounts that differ from the ledger": target.execute(differing)[0][0],
    }
