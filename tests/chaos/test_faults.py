"""What a fault may do to stretto's callers, and what it may not: short runs of `make chaos`, without the times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from chaos.catalogue import SCENARIOS, Scenario
from chaos.contenders import Contender, load
from chaos.contenders.stretto_ import Stretto
from chaos.measure import QUICK, Figures
from chaos.scenarios import bank
from chaos.server import Target, fresh

from stretto import AsyncDatabase

SIZES = replace(QUICK, seconds=1.5, herd=1.0, pause=0.1)
OURS = ("stretto", "threads")
# To be deleted with the pool that reconnects behind its callers' backs.
SIMPLE_POOL = not hasattr(AsyncDatabase, "transaction")
simple_pool = pytest.mark.xfail(SIMPLE_POOL, reason="the simple pool connects in its callers' time", strict=True)


def of(title: str) -> Scenario:
    (found,) = [each for each in SCENARIOS if each.title.startswith(title)]
    return found


def run(title: str, who: str, target: Target) -> Figures:
    return asyncio.run(of(title).run(load(who), target, SIZES, 0))


@pytest.mark.parametrize("who", OURS)
@pytest.mark.parametrize("title", ["T2 all 8", "T2 the same"])
def test_a_killed_session_costs_one_statement_and_says_why(target: Target, title: str, who: str) -> None:
    found = run(title, who, target)
    assert found["kills"] >= 8
    assert found["errors"] <= found["kills"]
    assert found["not ConnectionLost of 57P01"] == 0, found
    assert found["foreign"] == 0
    assert found["ok"] > 0


@pytest.mark.parametrize("who", OURS)
def test_a_killed_session_costs_no_error_where_reads_are_tried_again(target: Target, who: str) -> None:
    found = run("T2 with reads", who, target)
    assert found["kills"] >= 8
    assert found["of them at work"] > 0
    assert found["errors"] == 0, found
    assert found["foreign"] == 0
    assert found["ok"] > 0


@pytest.mark.parametrize("who", OURS)
def test_sessions_killed_while_idle_are_noticed_by_nobody(target: Target, who: str) -> None:
    found = run("T2b", who, target)
    assert found["kills"] == 8
    assert found["errors"] == 0, found


@pytest.mark.parametrize("who", OURS)
def test_a_frozen_session_costs_its_caller_a_timeout_and_the_pool_a_connection(target: Target, who: str) -> None:
    found = run("T3 a session", who, target)
    assert found["by"] == "StatementTimeout"
    assert found["discarded after s"] < float("inf")
    assert found["full size after s"] < float("inf")
    assert found["neighbours' errors"] == 0
    assert found["neighbours' ok"] > 0


@pytest.mark.parametrize("who", OURS)
def test_whoever_shares_a_frozen_session_is_told_by_a_timeout(target: Target, who: str) -> None:
    found = run("T3 the same", who, target)
    assert found["errors of another kind"] == 0, found
    assert found["foreign"] == 0
    assert found["ok"] > 0


@simple_pool
@pytest.mark.parametrize("who", OURS)
def test_a_restart_costs_only_what_was_in_flight(who: str) -> None:
    with fresh() as target:
        found = run("T4", who, target)
    assert found["errors"] <= 16, found
    assert found["foreign"] == 0
    assert found["first success s after ready"] < float("inf")


@simple_pool
@pytest.mark.parametrize("who", OURS)
def test_a_port_that_closes_at_once_sees_no_herd(target: Target, who: str) -> None:
    found = run("T5", who, target)
    assert found["attempts"] <= 20
    assert found["errors"] > 0
    assert found["errors without the cause"] == 0, found
    assert found["errors before the deadline"] == 0, found


@pytest.mark.parametrize("who", OURS)
@pytest.mark.parametrize("title", ["bank, SERIALIZABLE", "bank, READ COMMITTED"])
def test_the_bank_keeps_its_money_and_its_word(target: Target, title: str, who: str) -> None:
    found = run(title, who, target)
    assert found["kills"] > 0
    assert found["transfers"] > 0
    assert found["sums read"] > 0
    wrong = (
        "wrong sums",
        "acknowledged and lost",
        "refused and there",
        "there twice",
        "accounts that differ from the ledger",
    )
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert found["retries"] > 0 or "READ" in title  # there it takes a deadlock, which is noticed after a second
    assert found["retries per commit"] == found["retries"] / found["transfers"]


def test_each_time_that_a_transfer_is_begun_again_is_a_retry() -> None:
    tally = bank.Tally()
    for times in (1, 0, 4):  # 0: no connection was made for it
        program = tally.counting(bank.audit)
        for _ in range(times):
            program().close()
    assert next(tally.retried) == 3


# That the bank would notice ---------------------------------------------------------------------------------------


class Careless(Stretto):
    """Takes COMMIT to have failed, or to have been done, or does it twice, whatever became of it."""

    mistake = ""

    async def transact(self, program: Callable[[], Any], isolation: str) -> Any:
        if self.mistake == "loses":
            result = await self._twice(program, isolation, 0)
        elif self.mistake == "denies":
            await self._twice(program, isolation, 1)
            raise RuntimeError("not committed")
        else:
            result = await self._twice(program, isolation, 2)
        return result

    async def _twice(self, program: Callable[[], Any], isolation: str, times: int) -> Any:
        for _ in range(times):
            await super().transact(program, isolation)
        return True


NOTICED = {"loses": "acknowledged and lost", "denies": "refused and there", "repeats": "there twice"}


@pytest.mark.parametrize("mistake", NOTICED)
def test_the_bank_notices(target: Target, mistake: str) -> None:
    careless: type[Contender] = type("Careless", (Careless,), {"mistake": mistake})
    run_bank: Callable[..., Awaitable[Figures]] = of("bank, READ").run
    found = asyncio.run(run_bank(careless, target, replace(SIZES, seconds=0.5), 0))  # type: ignore[arg-type]  # a coroutine
    assert found[NOTICED[mistake]] > 0
