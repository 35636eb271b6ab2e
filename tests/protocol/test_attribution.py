"""Every reply reaches the statement that it answers, however the two sides' bytes interleave.

A case is one tagged statement of the long run.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from tests.cases import cases
from tests.protocol.model import PREPARED_AT_MOST, SQL, World

CASES = cases(20_000)


class Interleavings(RuleBasedStateMachine):
    """Statements are asked, and bytes of either side arrive, in any order and any pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.tag = 0

    @rule(sql=st.sampled_from(SQL))
    def submit(self, sql: str) -> None:
        self.tag += 1
        self.world.submit(sql, self.tag)

    @rule(count=st.integers(1, 400))
    def send(self, count: int) -> None:
        self.world.send(count)

    @rule(count=st.integers(1, 200))
    def receive(self, count: int) -> None:
        self.world.receive(count)

    def teardown(self) -> None:
        self.world.settle()
        assert self.world.answered == self.tag


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@pytest.mark.fuzz(CASES)
def test_each_of_many_tagged_statements_gets_its_own_reply() -> None:
    chance = random.Random(CASES)
    world = World()
    for tag in range(1, CASES + 1):
        world.submit(chance.choice(SQL), tag)
        if chance.random() < 0.3:
            world.send(chance.randint(1, 800))
        if chance.random() < 0.3:
            world.receive(chance.randint(1, 1200))
        if chance.random() < 0.001:
            world.settle()
    world.settle()
    assert world.answered == CASES
    assert world.server.most <= PREPARED_AT_MOST
