"""How long connections live, when connecting is tried again, and what is said of who holds one."""

from __future__ import annotations

import dataclasses
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.errors import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    Error,
    ProtocolError,
    TLSError,
    UsageError,
)
from stretto.pool.lifetime import AT_ONCE, Backoff, Holder, Limits, Stats, transient

CAP = 5.0
chances = st.floats(0, 1)
spans = st.floats(0.001, 1e6)
times = st.floats(0, 1e9)


def refused(sqlstate: str | None = None) -> ConnectError:
    """An error of connecting, the server's where it has a SQLSTATE."""
    return ConnectError("no", fields={} if sqlstate is None else {"C": sqlstate})


def caused(cause: BaseException) -> ConnectError:
    """An error of connecting with what the system said as its cause's cause, as flows.connect makes it."""
    inner, error = refused(), refused()
    inner.__cause__ = cause
    error.__cause__ = inner
    return error


# --- what may pass, and what will not

ERRORS: list[tuple[str, Error, bool]] = [
    ("cannot connect now", refused("57P03"), True),
    ("too many connections", refused("53300"), True),
    ("an administrator's shutdown", refused("57P01"), True),
    ("a crash", refused("57P02"), True),
    ("nobody listens", caused(ConnectionRefusedError()), True),
    ("no such socket", caused(FileNotFoundError()), True),
    ("reset", caused(ConnectionResetError()), True),
    ("too slow", caused(TimeoutError()), True),
    ("closed while greeting", refused(), True),
    ("no such database", refused("3D000"), False),
    ("wrong password", AuthenticationError("no", fields={"C": "28P01"}), False),
    ("no entry in pg_hba.conf", AuthenticationError("no", fields={"C": "28000"}), False),
    ("an authentication that is not allowed", AuthenticationError("no"), False),
    ("a certificate", TLSError("no"), False),
    ("no permission", refused("42501"), False),
    ("a setting the server does not have", refused("42704"), False),
    ("not PostgreSQL", ProtocolError("what?"), False),
    ("settings", ConfigError("what?"), False),
    ("misuse", UsageError("what?"), False),
]


@pytest.mark.parametrize(("error", "passes"), [pytest.param(e, p, id=name) for name, e, p in ERRORS])
def test_which_failures_may_pass(error: Error, passes: bool) -> None:
    assert transient(error) is passes


# --- back-off


def test_who_has_not_failed_may_open_some_at_once() -> None:
    backoff = Backoff(lambda: 1.0)
    assert backoff.last is None
    cases = [(0, 0, 0), (1, 0, 1), (7, 3, 7), (59, 0, AT_ONCE), (59, 8, AT_ONCE - 8), (3, AT_ONCE, 0), (3, 99, 0)]
    for wanted, opening, allowed in cases:
        assert backoff.allowed(wanted, opening, 0.0) == allowed
    backoff.succeeded()
    assert backoff.allowed(59, 0, 0.0) == AT_ONCE


def test_after_an_outage_each_success_makes_room_for_one_more() -> None:
    backoff, opening, begun = Backoff(lambda: 0.0), 0, []
    backoff.failed(0.0, refused())
    for _ in range(5):
        opening += backoff.allowed(100, opening, 1.0)
        begun.append(opening)
        for _ in range(begun[-1]):  # all of them succeed
            opening -= 1
            backoff.succeeded()
    assert begun == [1, 2, 4, 8, AT_ONCE]
    backoff.failed(2.0, refused())
    assert backoff.allowed(100, 0, 3.0) == 1


def test_while_it_fails_there_is_one_connector_and_not_before_its_time() -> None:
    backoff = Backoff(lambda: 1.0)
    backoff.failed(100.0, refused())
    assert backoff.not_before > 100.0
    assert backoff.allowed(5, 0, 100.0) == 0
    assert backoff.allowed(5, 0, backoff.not_before) == 1
    assert backoff.allowed(5, 1, backoff.not_before) == 0
    assert backoff.allowed(0, 0, backoff.not_before) == 0


def test_success_forgets_the_failures() -> None:
    backoff = Backoff(lambda: 1.0)
    for second in range(20):
        backoff.failed(float(second), refused())
    long = backoff.not_before - 19.0
    backoff.succeeded()
    assert (backoff.last, backoff.not_before, backoff.allowed(9, 0, 0.0)) == (None, 0.0, 2)
    backoff.failed(1000.0, refused())
    assert backoff.not_before - 1000.0 < long


def test_the_last_cause_is_kept_for_the_error() -> None:
    backoff = Backoff(lambda: 0.5)
    first, second = refused("57P03"), refused("53300")
    backoff.failed(0.0, first)
    backoff.failed(1.0, second)
    assert backoff.last is second


@given(st.lists(st.tuples(st.floats(0, 600), st.sampled_from(ERRORS), chances), min_size=1, max_size=60))
def test_a_pause_is_never_negative_and_never_above_the_cap(
    failures: list[tuple[float, tuple[str, Error, bool], float]],
) -> None:
    now = 0.0
    draws = iter([chance for _, _, chance in failures])
    backoff = Backoff(lambda: next(draws))
    for passed, (_, error, _), _ in failures:
        now = max(now, backoff.not_before) + passed
        backoff.failed(now, error)
        assert 0 <= backoff.not_before - now <= CAP


@given(st.integers(0, 40), chances)
def test_the_pause_is_the_ceiling_times_chance(failures: int, chance: float) -> None:
    """Full jitter: from no pause at all to the ceiling, so that many clients do not come together."""
    longest, some = Backoff(lambda: 1.0), Backoff(lambda: chance)
    for number in range(failures + 1):
        longest.failed(float(number), refused())
        some.failed(float(number), refused())
    assert some.not_before - failures == pytest.approx(chance * (longest.not_before - failures), abs=1e-9)


def outage(error: Error, seconds: float, seed: int) -> list[float]:
    """When one pool tries, while every attempt fails at once."""
    backoff = Backoff(random.Random(seed).random)
    now, attempts = 0.0, []
    while now < seconds:
        attempts.append(now)
        backoff.failed(now, error)
        now = max(now, backoff.not_before) + 0.001
    return attempts


STORMS = [
    # what is said, attempts in 3 seconds on average
    (refused(), 20),  # who accepts and closes: each attempt costs the server something
    (caused(ConnectionRefusedError()), 30),
    (refused("57P03"), 55),
]


@pytest.mark.parametrize(("error", "most"), STORMS, ids=["closed at once", "refused", "starting"])
def test_an_outage_is_not_answered_by_a_herd(error: Error, most: int) -> None:
    """When each attempt fails at once; with the length of the outage they become few."""
    assert sum(len(outage(error, 3.0, seed)) for seed in range(300)) / 300 <= most
    for seed in range(10):
        assert len([at for at in outage(error, 600.0, seed) if at > 300.0]) < 200


@pytest.mark.parametrize("error", [refused(), refused("57P03"), caused(ConnectionRefusedError())], ids=str)
def test_the_end_of_a_short_outage_is_noticed_soon(error: Error) -> None:
    """However the dice fall: no gap above 0.5 s within the first two seconds."""
    backoff = Backoff(lambda: 1.0)
    now = 0.0
    while now < 2.0:
        backoff.failed(now, error)
        assert backoff.not_before - now <= 0.501
        now = backoff.not_before


# --- limits


@given(spans, st.floats(0, 1), times, chances)
def test_a_connection_ends_within_the_jitter_before_its_lifetime(
    lifetime: float, jitter: float, opened: float, chance: float
) -> None:
    end = Limits(None, lifetime, jitter).end(opened, chance)
    assert opened + lifetime * (1 - jitter) - 1e-3 <= end <= opened + lifetime + 1e-3


def test_connections_opened_together_do_not_end_together() -> None:
    draw = random.Random(1)
    ends = {round(Limits(max_lifetime=3600.0, jitter=0.1).end(0.0, draw.random())) for _ in range(10)}
    assert len(ends) > 5
    assert max(ends) - min(ends) > 100


def test_without_limits_nothing_ends() -> None:
    limits = Limits(None, None)
    assert limits.end(0.0, 0.5) == float("inf")
    assert not limits.expired(1e12, limits.end(0.0, 0.5), 0.0)
    assert limits.interval() == float("inf")


AGES = [
    # now, end, used last, expired
    (0.0, 100.0, 0.0, False),
    (9.9, 100.0, 0.0, False),
    (10.0, 100.0, 0.0, True),  # idle for as long as it may be
    (60.0, 100.0, 55.0, False),
    (99.9, 100.0, 99.0, False),
    (100.0, 100.0, 99.0, True),  # too old, though it is used
]


@pytest.mark.parametrize(("now", "end", "used", "expired"), AGES)
def test_a_connection_expires_by_age_or_by_idleness(now: float, end: float, used: float, expired: bool) -> None:
    assert Limits(max_idle=10.0, max_lifetime=100.0).expired(now, end, used) is expired


def test_idleness_has_no_limit_where_none_is_set() -> None:
    assert not Limits(None, 100.0).expired(99.0, 100.0, 0.0)


@given(st.none() | spans, st.none() | spans)
def test_the_connections_are_looked_at_often_enough(idle: float | None, lifetime: float | None) -> None:
    interval = Limits(idle, lifetime).interval()
    shortest = min((span for span in (idle, lifetime) if span is not None), default=float("inf"))
    assert interval >= 0.05
    assert interval <= max(0.05, shortest / 10)


# --- who holds one, and what is counted


def test_a_holder_is_described_by_time_and_place() -> None:
    holder = Holder(100.0, ("app/orders.py:41 in pay", "app/web.py:7 in handle"))
    said = holder.describe(112.44)
    assert re.search(r"12\.4 s", said)
    assert said.index("app/orders.py:41 in pay") < said.index("app/web.py:7 in handle")


def test_a_holder_without_a_place_is_described() -> None:
    assert "1.0 s" in Holder(0.0, ()).describe(1.0)
    assert "unknown" in Holder(0.0, ()).describe(1.0)


def test_who_holds_for_too_long_is_a_leak_once() -> None:
    limits = Limits(None, None, leak_detection=60.0)
    cases = [(99.0, 0.0, False, True), (60.0, 0.0, False, True), (59.9, 0.0, False, False), (99.0, 0.0, True, False)]
    for now, since, told, leak in cases:
        assert limits.is_leak(now, Holder(since, (), told)) is leak
        assert not Limits().is_leak(now, Holder(since, (), told))
    assert limits.interval() == 6.0
    assert Limits(None, None).interval() == float("inf")


@pytest.mark.parametrize("kind", [Limits, Holder, Stats])
def test_values_are_frozen(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    value = Holder(0.0, ()) if kind is Holder else Limits() if kind is Limits else Stats(*range(11))
    assert not hasattr(value, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(kind)[0].name, 1)


def test_every_count_is_explained() -> None:
    explained = Stats.__doc__ or ""
    assert [field.name for field in dataclasses.fields(Stats) if f"``{field.name}``" not in explained] == []
