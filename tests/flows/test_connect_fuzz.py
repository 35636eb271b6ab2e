"""Connecting to a server that says anything: a session, or an error of stretto, and never anything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.cases import cases
from tests.flows.driver import (
    READY,
    WELCOME,
    ScramServer,
    Stage,
    auth,
    config,
    error,
    negotiate,
    notice,
    parameter,
    sasl,
)

from stretto.errors import Error
from stretto.flows.connect import Greeting, connect

CASES = cases(300, 2, cost=10)

PIECES = [
    WELCOME,
    READY,
    error(),
    error("28000"),
    notice(),
    parameter("in_hot_standby", "on"),
    negotiate(0x30000),
    sasl("SCRAM-SHA-256"),
    sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
    *(auth(code) for code in range(13)),
    auth(5, b"salt"),
    auth(11, b"r=x,s=AAAA,i=1"),
    b"S",
    b"N",
    b"",
]
REPLIES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=5)


def check(stage: Stage, flow: Any) -> None:
    try:
        result = stage.play(flow)
    except Error as error:
        result = error
    assert isinstance(result, Greeting | Error)
    assert "hunter2" not in str(result)


@pytest.mark.fuzz(CASES)
@given(
    st.lists(REPLIES, min_size=1, max_size=4),
    st.sampled_from([1, 5, 1 << 20]),
    st.sampled_from(["disable", "allow", "prefer", "require"]),
    st.sampled_from(["any", "primary", "read-only"]),
)
@example([[b"S", WELCOME]], 1, "require", "any")
@settings(max_examples=CASES, deadline=None)
def test_any_replies_make_a_session_or_an_error(
    connections: list[list[bytes]], chunk: int, sslmode: str, target: str
) -> None:
    stage = Stage([*connections, *([OSError(111, "Connection refused")] * 10)], chunk)
    flow = connect(config(sslmode=sslmode, target_session_attrs=target, password="hunter2"))
    check(stage, flow)


RECORDED = b"".join((sasl("SCRAM-SHA-256"), WELCOME, parameter("a", "b"), notice(), error()))


@pytest.mark.fuzz(CASES)
@given(st.integers(0, len(RECORDED) - 1), st.integers(0, 255), st.integers(0, len(RECORDED)), st.booleans())
@settings(max_examples=CASES, deadline=None)
def test_a_bent_session_makes_a_session_or_an_error(place: int, byte: int, end: int, honest_start: bool) -> None:
    """One byte is changed and the stream is cut."""
    bent = bytearray(RECORDED)
    bent[place] = byte
    replies = ScramServer("hunter2", bend=lambda text: text).replies(bytes(bent[:end])) if honest_start else []
    stage = Stage([[*replies] or [bytes(bent[:end])], OSError(111, "Connection refused")])
    check(stage, connect(config(password="hunter2")))
