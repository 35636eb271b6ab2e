"""How long connections live, when to try again, and who holds one. Pure: no I/O; times and chance are passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stretto.errors import AuthenticationError, ConnectError, Error, TLSError

_FIRST = 0.1  # seconds: the ceiling of the first pause
_EARLY = 0.5  # as long as an outage is young, its end is to be noticed soon,
_REFUSED = 0.2  # sooner where nobody listens, whom trying costs nothing,
_STARTING = 0.05  # and where the server says that it is starting
_PART = 1 / 8  # later a pause is up to this part of the outage,
_CAP = 5.0  # and at most so many seconds
AT_ONCE = 10  # connections that are being opened at the same time, where the server is well
# Cannot connect now, too many connections, shutdown by an administrator or a crash.
_TRANSIENT = frozenset(("57P03", "53300", "57P01", "57P02"))


def transient(error: Error) -> bool:
    """Tell whether connecting may succeed later as it is; a refused user or database, or TLS, will not."""
    if not isinstance(error, ConnectError) or isinstance(error, AuthenticationError | TLSError):
        return False
    return error.sqlstate is None or error.sqlstate in _TRANSIENT


def _is_starting(error: Error) -> bool:
    return isinstance(error, ConnectError) and error.sqlstate == "57P03"


def _is_refused(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ConnectionRefusedError | FileNotFoundError):
        error = error.__cause__
    return error is not None


def is_target(target: str, parameters: Mapping[str, str]) -> bool:
    """Tell whether an open session still is what target_session_attrs asks for, as far as its server has reported."""
    standby = parameters.get("in_hot_standby")
    if target == "primary":
        return standby != "on"
    if target == "standby":
        return standby != "off"
    return target != "read-write" or "on" not in (standby, parameters.get("default_transaction_read_only"))


class Backoff:
    """How many may connect at once, and when again after failures.

    While it fails, one connector at a time, with pauses of random length up to a growing ceiling: "full jitter" of
    "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). ``chance`` gives a number from 0 to 1. Then there is
    room for one more with each success, up to AT_ONCE: who comes back from an outage is not overrun by all who waited.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self.last: Error | None = None
        self.not_before = 0.0
        self._chance = chance
        self._failures = 0
        self._since = 0.0
        self._room = AT_ONCE

    def failed(self, now: float, error: Error) -> None:
        """An attempt has failed."""
        if self.last is None:
            self._since = now
        self.last = error
        early = _STARTING if _is_starting(error) else _REFUSED if _is_refused(error) else _EARLY
        ceiling = min(_FIRST * 2**self._failures, max(early, _PART * (now - self._since)), _CAP)
        self._failures = min(self._failures + 1, 10)
        self._room = 1
        self.not_before = now + self._chance() * ceiling

    def succeeded(self) -> None:
        """A connection was made."""
        self.last = None
        self._failures = 0
        self.not_before = 0.0
        self._room = min(self._room + 1, AT_ONCE)

    def allowed(self, wanted: int, opening: int, now: float) -> int:
        """How many of the connections that are wanted may be begun now."""
        if self.last is None:
            return max(min(wanted, self._room - opening), 0)
        return min(wanted, 1) if opening == 0 and now >= self.not_before else 0


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_idle``: seconds that a connection may be unused; ``max_lifetime``: that it may live (None: for ever).

    Each connection's lifetime is up to ``jitter`` of it shorter, so that those opened together do not end together.
    ``leak_detection``: seconds that one may be held before its holder is reported (None: as long as he likes).
    """

    max_idle: float | None = 600.0
    max_lifetime: float | None = 3600.0
    jitter: float = 0.1
    leak_detection: float | None = None

    def end(self, opened: float, chance: float) -> float:
        """When a connection is too old; ``chance`` (0 to 1) is its share of the jitter."""
        if self.max_lifetime is None:
            return float("inf")
        return opened + self.max_lifetime * (1 - self.jitter * chance)

    def expired(self, now: float, end: float, used: float) -> bool:
        """Tell whether a connection that was ``used`` last then should be closed."""
        return now >= end or (self.max_idle is not None and now - used >= self.max_idle)

    def is_leak(self, now: float, holder: Holder) -> bool:
        """Tell whether somebody has had a connection for too long, and it was not told yet."""
        return self.leak_detection is not None and not holder.told and now - holder.since >= self.leak_detection

    def interval(self) -> float:
        """Seconds between looks at the connections."""
        spans = [span for span in (self.max_idle, self.max_lifetime, self.leak_detection) if span is not None]
        return max(0.05, min(spans) / 10) if spans else float("inf")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a connection for himself: ``since`` when (of the runtime's clock), and ``where`` it was taken.

    ``told``: that he has had it for too long was reported.
    """

    since: float
    where: tuple[str, ...]
    told: bool = False

    def describe(self, now: float) -> str:
        """One line for an error or a log."""
        return f"held for {now - self.since:.1f} s, taken at {' < '.join(self.where) or 'an unknown place'}"


@dataclass(frozen=True, slots=True)
class Stats:
    """What a pool is doing, and has done since it was made.

    ``connections`` are open: ``idle``, ``shared`` (carrying statements) and ``held`` (in exclusive use) ones;
    ``opening`` are being opened; ``size`` is the most there may be. ``waiting`` callers have no connection yet.
    ``opened``, ``closed`` and ``failed`` count connections made, ended, and attempts that failed. ``in_flight``:
    statements sent or about to be, and not answered.
    """

    size: int
    connections: int
    idle: int
    shared: int
    held: int
    opening: int
    waiting: int
    in_flight: int
    opened: int
    closed: int
    failed: int
