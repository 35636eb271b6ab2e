"""The collector's threshold while there are very many young objects: raised for as long as anybody wants it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from stretto.protocol.collector import relieve, resume
from stretto.protocol.rows import LargeReply
from stretto.runtime.crowd import CROWD, YOUNG, Crowd


@pytest.fixture(params=[(700, 10, 10), (2000, 5, 7)])
def own(request: pytest.FixtureRequest) -> Iterator[tuple[int, int, int]]:
    """The program's own thresholds."""
    before = gc.get_threshold()
    gc.set_threshold(*request.param)
    yield request.param
    gc.set_threshold(*before)


def test_of_several_the_most_counts_in_any_order(own: tuple[int, int, int]) -> None:
    _, *older = own
    relieve(10_000)
    assert gc.get_threshold() == (10_000, *older)
    with LargeReply():
        assert gc.get_threshold() == (LargeReply.YOUNG, *older)
        resume(10_000)
        relieve(5_000)
        assert gc.get_threshold() == (LargeReply.YOUNG, *older)
    assert gc.get_threshold() == (5_000, *older)
    resume(5_000)
    assert gc.get_threshold() == own


@pytest.mark.parametrize("threshold", [0, 50_000])
def test_a_program_that_collects_more_rarely_is_left_alone(own: tuple[int, int, int], threshold: int) -> None:
    gc.set_threshold(threshold, 3, 3)
    relieve(10_000)
    assert gc.get_threshold() == (threshold, 3, 3)
    resume(10_000)
    assert gc.get_threshold() == (threshold, 3, 3)


def test_a_crowd_is_there_from_its_size_on_until_half_of_it_has_gone(own: tuple[int, int, int]) -> None:
    crowd = Crowd()
    seen = []
    for waiting in (CROWD - 1, CROWD, CROWD + 1, CROWD // 2, CROWD // 2 - 1, CROWD, 0):
        crowd.count(waiting)
        seen.append(gc.get_threshold()[0])
    assert seen == [own[0], YOUNG, YOUNG, YOUNG, own[0], YOUNG, own[0]]
