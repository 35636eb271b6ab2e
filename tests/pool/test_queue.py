"""The queue alone: it is a list from which anybody may go at any time, and what went is not kept."""

from __future__ import annotations

import random
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import cases

from stretto.errors import PoolFull
from stretto.pool.queue import Queue
from stretto.pool.scheduler import Scheduler

CASES = cases(200, cost=100)  # whole lives of a queue


class Caller:
    """Somebody who waits; to ask whether he is another one would be to look at each of a long queue."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("somebody was searched for")

    __hash__ = object.__hash__


@pytest.mark.fuzz(CASES)
@given(steps=st.lists(st.sampled_from(["come", "come", "go", "leave", "leave"]), max_size=200), seed=st.integers(0, 99))
@settings(max_examples=CASES, deadline=None)
def test_it_is_a_list_from_which_anybody_may_go(steps: list[str], seed: int) -> None:
    dice = random.Random(seed)
    queue, model = Queue(), list[Caller]()
    for step in steps:
        if step == "come":
            model.append(Caller())
            queue.append(model[-1])
        elif model and step == "go":
            assert queue.popleft() is model.pop(0)
        elif model:
            queue.leave(model.pop(dice.randrange(len(model))))
        assert (len(queue), bool(queue)) == (len(model), bool(model))
        assert [id(one) for one in queue] == [id(one) for one in model]
        front = queue.front(len(model))
        assert [id(one) for one in front] == [id(one) for one in model[: len(front)]]
        assert not model or (queue.first() is model[0] and front)


@pytest.mark.parametrize("many", [1, 2, 3, 1000])
@pytest.mark.parametrize("order", ["random", "first to last", "last to first"])
def test_of_those_who_have_left_no_more_are_kept_than_wait(many: int, order: str) -> None:
    queue = Queue()
    callers = [Caller() for _ in range(many)]
    there = weakref.WeakValueDictionary(enumerate(callers))
    for number in range(many):
        queue.append(callers[number])
    if order == "random":
        random.Random(7).shuffle(callers)
    elif order == "first to last":
        callers.reverse()
    while callers:
        queue.leave(callers.pop())
        assert len(queue) == len(callers)
        assert len(there) <= 2 * len(queue)


def test_nobody_who_has_left_is_kept_behind_the_last_who_waited() -> None:
    queue = Queue()
    first, second = Caller(), Caller()
    gone = weakref.ref(second)
    queue.append(first)
    queue.append(second)
    queue.leave(second)
    del second
    assert queue.popleft() is first
    assert not queue
    assert gone() is None


def test_iterating_takes_those_who_are_there_at_the_beginning() -> None:
    queue = Queue()
    callers = [Caller() for _ in range(10)]
    for one in callers:
        queue.append(one)
    seen = []
    for one in queue:
        queue.leave(one)
        seen.append(id(one))
    assert seen == [id(one) for one in callers]
    assert not queue


def test_whoever_has_left_counts_no_more() -> None:
    scheduler = Scheduler(3, queue=4)
    callers = [Caller() for _ in range(4)]
    for one in callers:
        scheduler.enqueue(one)
    with pytest.raises(PoolFull, match="4 callers wait"):
        scheduler.check_room()
    scheduler.waiting.leave(callers[1])
    scheduler.check_room()
    with pytest.raises(PoolFull, match="4 callers wait"):
        scheduler.check_room(1)
    scheduler.waiting.leave(callers[2])
    assert scheduler.shortage() == 2
    lane = scheduler.add(None, 0.0)
    assert scheduler.dispatch(0.0) == (callers[0], lane)
    scheduler.release(lane, 0.0)
    assert scheduler.dispatch(0.0) == (callers[3], lane)
    assert scheduler.dispatch(0.0) is None
    assert scheduler.shortage() == 0
