"""The scheduler alone, over thousands of generated arrivals and service times: what it promises holds at every step."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.pool.simulation import OPENING, ROUND_TRIP, WAKING, Simulation, statement

from stretto.errors import PoolFull
from stretto.pool.scheduler import PATIENCE, WAKE, Scheduler
from stretto.protocol.classify import READ, WRITE
from stretto.protocol.request import Request

CASES = cases(60, cost=200)  # simulations
POINT, REPORT, SLEEP = 10e-6, 800e-6, 0.2


def closed_loop(simulation: Simulation, ask: Callable[[Callable[[], None]], None], turns: int) -> None:
    """A caller who asks again as soon as he is answered."""
    left = turns

    def again() -> None:
        nonlocal left
        if left > 0:
            left -= 1
            ask(again)

    simulation.at(simulation.now, again)


@pytest.mark.fuzz(CASES)
@given(
    size=st.integers(1, 10),
    packs=st.booleans(),
    wake=st.sampled_from([0.0, WAKE]),
    seed=st.integers(0, 2**32),
    arrivals=st.integers(1, 300),
    pace=st.sampled_from([5e-6, 100e-6, 2e-3]),
    exclusive=st.sampled_from([0.0, 0.05, 0.5]),
)
@settings(max_examples=CASES, deadline=None)
def test_everybody_is_served_in_turn_and_never_behind_what_may_wait(
    size: int, packs: bool, wake: float, seed: int, arrivals: int, pace: float, exclusive: float
) -> None:
    dice = random.Random(seed)
    simulation = Simulation(size, packs=packs, wake=wake)
    kinds = [(statement(dice.choice([READ, READ, WRITE])), 10 ** dice.uniform(-5.3, -1)) for _ in range(6)]
    time = 0.0
    for _ in range(arrivals):
        time += dice.expovariate(1 / pace)
        made, seconds = (None, 10 ** dice.uniform(-4, -2)) if dice.random() < exclusive else dice.choice(kinds)
        took = seconds * dice.uniform(0.5, 2)
        simulation.at(time, lambda made=made, took=took: simulation.call(made, took))  # type: ignore[misc]  # a default binds the loop's value
    simulation.run()  # the promises are asserted at every step, see Simulation
    assert len(simulation.calls) == arrivals
    assert all(caller.done >= caller.arrived for caller in simulation.calls)
    assert not simulation.scheduler.waiting
    assert all(lane.depth == 0 and lane.load == 0 and lane.size == 0 for lane in simulation.scheduler.lanes)
    waited = [caller.placed for caller in simulation.calls]
    assert waited == sorted(waited), "the order of arrival is the order of placing"


@pytest.mark.parametrize(("callers", "lanes"), [(1, 1), (10, 1), (100, 1)])
def test_short_statements_are_packed(callers: int, lanes: int) -> None:
    simulation = Simulation(10)
    point = statement(READ, POINT)
    for _ in range(callers):
        closed_loop(simulation, lambda again: simulation.call(point, POINT, again), 200)
    simulation.run()
    assert simulation.most_lanes <= lanes


def test_long_statements_are_spread() -> None:
    simulation = Simulation(10)
    report = statement(READ, REPORT)
    for _ in range(10):
        closed_loop(simulation, lambda again: simulation.call(report, REPORT, again), 50)
    simulation.run()
    assert simulation.most_lanes == 10
    late = [caller for caller in simulation.calls if caller.arrived > 0.01]
    assert sum(caller.done - caller.arrived for caller in late) / len(late) < 2.5 * REPORT


@pytest.mark.parametrize("kind", [READ, WRITE])
def test_what_is_not_known_yet_is_alone(kind: int) -> None:
    simulation = Simulation(3)
    for _ in range(9):
        simulation.call(statement(kind), REPORT)
    simulation.run()
    assert simulation.deepest == 1
    assert simulation.most_lanes == 3


def test_fast_statements_do_not_wait_for_slow_ones() -> None:
    simulation = Simulation(10)
    point, sleep = statement(READ, POINT), statement(READ, SLEEP)
    for _ in range(2):
        closed_loop(simulation, lambda again: simulation.call(sleep, SLEEP, again), 5)
    for _ in range(50):
        closed_loop(simulation, lambda again: simulation.call(point, POINT, again), 500)
    simulation.run()
    waits = sorted(caller.done - caller.arrived for caller in simulation.calls if caller.statement is point)
    settled = [
        caller.done - caller.arrived
        for caller in simulation.calls
        if caller.statement is point and caller.arrived > 0.02
    ]
    assert waits[int(len(waits) * 0.99)] <= 5e-3
    assert max(settled) <= 10 * sum(settled) / len(settled), "somebody starved"


def test_nobody_starves_where_exclusive_use_and_statements_compete() -> None:
    simulation = Simulation(4)
    point = statement(READ, POINT)
    for _ in range(20):
        closed_loop(simulation, lambda again: simulation.call(point, POINT, again), 200)
    for _ in range(8):
        closed_loop(simulation, lambda again: simulation.call(None, 1e-3, again), 30)
    simulation.run()
    for some in (point, None):
        waits = [
            caller.done - caller.arrived
            for caller in simulation.calls
            if caller.statement is some and caller.arrived > 0.02
        ]
        assert waits, "both kinds were served after the start"
        assert max(waits) <= 10 * (sum(waits) / len(waits)) + 2e-3


# Overtaking, where who waits is a thread that has to be woken --------------------------------------------------------


@pytest.mark.fuzz(CASES)
@given(
    size=st.integers(1, 10),
    patience=st.sampled_from([50e-6, 1e-3, PATIENCE]),
    seed=st.integers(0, 2**32),
    arrivals=st.integers(1, 300),
    pace=st.sampled_from([5e-6, 100e-6, 2e-3]),
    exclusive=st.sampled_from([0.0, 0.05, 0.5]),
)
@settings(max_examples=CASES, deadline=None)
def test_whoever_has_waited_for_his_patience_is_overtaken_no_more(
    size: int, patience: float, seed: int, arrivals: int, pace: float, exclusive: float
) -> None:
    dice = random.Random(seed)
    simulation = Simulation(size, packs=False, patience=patience)
    kinds = [(statement(dice.choice([READ, WRITE])), 10 ** dice.uniform(-5.3, -2)) for _ in range(6)]
    time = 0.0
    for _ in range(arrivals):
        time += dice.expovariate(1 / pace)
        made, seconds = (None, 10 ** dice.uniform(-4, -2)) if dice.random() < exclusive else dice.choice(kinds)
        simulation.at(time, lambda made=made, seconds=seconds: simulation.call(made, seconds))  # type: ignore[misc]  # a default binds the loop's value
    simulation.run()  # that nobody is overtaken who must not be is asserted at every step, see Simulation
    assert all(caller.done >= caller.arrived for caller in simulation.calls)
    assert not simulation.scheduler.waiting
    assert all(lane.depth == 0 and lane.load == 0 for lane in simulation.scheduler.lanes)


@pytest.mark.parametrize(("callers", "often"), [(11, True), (40, True), (100, True), (1000, False)])
def test_who_runs_goes_before_who_must_be_woken_and_no_wait_is_longer_for_it(callers: int, often: bool) -> None:
    simulation = Simulation(10, packs=False, patience=PATIENCE)
    point = statement(READ, POINT)
    for _ in range(callers):
        closed_loop(simulation, lambda again: simulation.call(point, POINT, again), 8000 // callers)
    simulation.run()
    longest = max(caller.placed - caller.arrived for caller in simulation.calls)
    turns = callers / simulation.size + 1  # what those before him take, when nobody overtakes any more
    assert longest <= OPENING + PATIENCE + turns * (ROUND_TRIP + POINT + WAKING)
    assert (simulation.overtaken > len(simulation.calls) / 4) is often


# Who waits first since 0, how many connections are being opened, the time, and whether a newcomer may go before him.
OVERTAKEN = {
    "one who just came": ("statement", 0, 0.004, True),
    "one who has waited for long": ("statement", 0, 0.0051, False),
    "one who wants a connection for himself": ("connection", 0, 0.001, False),
    "one who may be opening a connection": ("statement", 1, 0.001, False),
}


@pytest.mark.parametrize("case", OVERTAKEN)
def test_who_may_be_overtaken(case: str) -> None:
    wanted, opening, now, expected = OVERTAKEN[case]
    for patience in (0.0, PATIENCE):
        scheduler = Scheduler(2, packs=False, patience=patience)
        first = short_read()
        assert scheduler.place(first, 1.0) is None  # there is no connection yet
        scheduler.enqueue(first if wanted == "statement" else object())
        lane = scheduler.add("a", 1.0)
        scheduler.opening = opening
        may = expected and patience > 0
        assert scheduler.may_overtake(1.0 + now) is may
        assert scheduler.place(short_read(), 1.0 + now) is (lane if may else None)
        assert scheduler.hold(1.0 + now) is None  # connections for oneself are handed out in turn


def test_one_that_is_seen_to_be_slow_gets_no_followers() -> None:
    scheduler = Scheduler(2)
    scheduler.add("a", 0.0)
    point = statement(READ, POINT)
    first, second = Request(b"", b"BEY", point), Request(b"", b"BEY", point)
    first.kind = second.kind = READ
    assert scheduler.place(first, 1.0) is scheduler.lanes[0]
    assert scheduler.place(second, 1.0 + 0.011) is None
    assert scheduler.shortage() == 0  # nobody was put into the queue: that is the caller's to do
    scheduler.enqueue(second)
    assert scheduler.shortage() == 1


def test_a_statement_that_became_slow_loses_its_company_and_gets_it_back() -> None:
    simulation = Simulation(10)
    mixed = statement(READ, POINT)
    simulation.call(mixed, SLEEP)
    simulation.run()
    assert mixed.service > 5e-3
    for _ in range(8):
        simulation.call(mixed, POINT)
        simulation.run()
    assert mixed.service < 1e-3


def test_too_many_who_wait_are_told() -> None:
    scheduler = Scheduler(1, queue=2)
    scheduler.enqueue(object())
    scheduler.enqueue(object())
    with pytest.raises(PoolFull, match="2 callers wait for a connection already; nothing was sent"):
        scheduler.enqueue(object())


def test_those_far_behind_in_the_queue_are_not_asked_what_they_want() -> None:
    scheduler = Scheduler(50)
    scheduler.add("a", 0.0)
    short = statement(READ, POINT)
    for _ in range(1000):
        scheduler.enqueue(short.bind(()))
    for _ in range(10):
        scheduler.enqueue(object())
    assert scheduler.shortage() == 1
    for _ in range(1000):
        scheduler.waiting.popleft()
    assert scheduler.shortage() == 10


def test_a_retired_lane_takes_nobody_and_is_closed_when_it_is_empty() -> None:
    scheduler = Scheduler(1)
    lane = scheduler.add("a", 0.0)
    request = Request(b"", b"BEY", statement(READ, POINT))
    request.kind = READ
    assert scheduler.place(request, 0.0) is lane
    assert not scheduler.retire(lane)
    request.done = True
    scheduler.answered(lane, [request], 1.0)
    assert lane.shut
    assert scheduler.hold(1.0) is None
    assert scheduler.remove(lane)
    assert not scheduler.remove(lane)


def test_a_large_reply_that_ends_in_the_bytes_that_made_it_ready_is_counted_once() -> None:
    scheduler = Scheduler(1)
    lane = scheduler.add(None, 0.0)
    request = Request(b"", b"Y", statement(READ))
    assert scheduler.place(request, 1.0) is lane
    request.done = True
    scheduler.answered(lane, [request, request], 2.0)
    assert lane.depth == 0
    assert scheduler.place(Request(b"", b"Y", statement(READ)), 3.0) is lane


def short_read() -> Request:
    request = Request(b"x", b"Q")
    request.kind, request.cost = READ, POINT
    return request


# When a request comes, of a lane used last at 0, and whether the lane is looked at: alone and behind another one.
LOOKS = {
    "at once": (1e-5, False),
    "after a rest": (0.1, True),
    "while wary": (1e-5, True),
    "long after that": (0.6, True),
}


@pytest.mark.parametrize("case", LOOKS)
def test_a_lane_is_looked_at_after_a_rest_and_for_a_while_after_another_was_lost(case: str) -> None:
    now, looked_at = LOOKS[case]
    for take in ("place", "hold"):
        scheduler = Scheduler(1)
        lane = scheduler.add("link", 0.0)
        scheduler.wary = 0.5 if "wary" in case or "that" in case else 0.0
        assert (scheduler.place(short_read(), now) if take == "place" else scheduler.hold(now)) is lane
        assert lane.rested is looked_at
        if take == "place":
            assert scheduler.place(short_read(), now) is lane
            assert lane.rested is ("wary" in case)
