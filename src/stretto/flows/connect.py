"""Connecting: from the settings to a session that is ready, over hosts, addresses, TLS choices and versions.

A flow of ``flows.steps``. By libpq's rules (PostgreSQL manual, "Database Connection Control Functions"): hosts and
their addresses in order (or shuffled), ``sslmode`` with its fallbacks, ``target_session_attrs``. Where libpq stops at
the first server that answers at all, we go on to the next place unless the answer is about us (a wrong password, no
such database): a host that is starting up, full, or has a bad certificate says nothing about the others.

Fallbacks open the same place again: another TLS choice where ``sslmode`` is prefer or allow and the handshake failed or
the server lets nobody in this way (28000), and protocol 3.0 where a server or pooler refuses 3.2 outright.
"""

from __future__ import annotations

import pwd
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from random import Random, SystemRandom
from typing import Any, NamedTuple

from stretto.config import PROTOCOL_3_0, PROTOCOL_3_2, Config, Host
from stretto.errors import (
    AuthenticationError,
    ConnectError,
    DatabaseError,
    InternalError,
    Notice,
    OperationalError,
    ProtocolError,
    TLSError,
)
from stretto.flows.authenticate import authenticate
from stretto.flows.conversation import Conversation, Site, name_of, unexpected
from stretto.flows.sockets import tcp_options
from stretto.flows.steps import Close, Compute, Open, PeerUser, Resolve, Step, Write
from stretto.flows.tls import handshake, request_tls
from stretto.protocol.machine import check_parameter
from stretto.wire import startup
from stretto.wire.buffer import ReadBuffer

MAX_PARAMETERS = 1000  # names that a server may report while connecting; PostgreSQL has about fifteen
_IDLE = 0x49  # 'I', the transaction status of a new session
# Classes of SQLSTATE that are about the server's health, so that the next place may do better.
_UNWELL = ("08", "53", "57", "58", "XX")
_REFUSES_VERSION = (None, "08P01", "0A000")
_NO_ENTRY = "28000"  # no pg_hba.conf entry for this way of connecting


@dataclass(slots=True)
class Greeting:
    """What a server said until it was ready. ``pid`` and ``secret`` are None where it gave no key to cancel by.

    ``leftover`` is what came behind the first ReadyForQuery, for the protocol machine; ``notices`` is what
    it said beside.
    """

    host: Host
    family: int
    address: Any
    tls: bool
    protocol: tuple[int, int]
    parameters: dict[str, str]
    pid: int | None
    secret: bytes | None = field(repr=False)
    leftover: bytes = field(repr=False)
    notices: list[Notice]


class Failure(NamedTuple):
    """Where and why a place did not do. ``next`` is what may still be tried: 'address', 'host' or 'nothing'."""

    place: str
    error: DatabaseError
    next: str


class _WrongTargetError(ConnectError):
    """The session is not what target_session_attrs asks for."""


def connect(config: Config, *, random: Random | None = None) -> Generator[Step, Any, Greeting]:
    """Open a session at the first place that offers what the settings ask for.

    ``random`` shuffles hosts and addresses under ``load_balance_hosts=random``. Raises AuthenticationError, TLSError,
    ConnectError or ProtocolError naming each place that was tried and what was wrong there; ``sqlstate`` is the last
    server's, ``__cause__`` the last failure. EncodeError is raised before anything is sent.
    """
    parameters = config.startup_parameters()
    startup.startup_message(PROTOCOL_3_0, parameters)  # what can't be sent is found before a socket is opened
    shuffle = (random or SystemRandom()).shuffle if config.load_balance_hosts == "random" else _keep
    attempts = count(1)
    failures: list[Failure] = []
    for target in _targets(config):
        failures = []
        hosts = list(config.hosts)
        shuffle(hosts)
        for host in hosts:
            sites = yield from _resolve(host, failures)
            shuffle(sites)
            for family, address in sites:
                site = Site(host, family, address, next(attempts))
                greeting = yield from _reach(config, parameters, site, target, failures)
                if greeting is not None:
                    return greeting
                if failures[-1].next != "address":
                    break
            if failures and failures[-1].next == "nothing":
                yield Close()
                raise _summary(failures)
    yield Close()
    raise _summary(failures)


def open_site(config: Config, site: Site) -> Generator[Step, Any, None]:
    """Open the socket, and check who is at its other end where ``requirepeer`` says so."""
    yield Open(site.family, site.address, () if site.is_unix() else tcp_options(config), site.attempt)
    if config.requirepeer and site.is_unix():
        uid: int = yield PeerUser()
        name: str = yield Compute(lambda: _user_name(uid))
        if name != config.requirepeer:
            raise AuthenticationError(
                f"the server runs as the user {name!r}, and requirepeer={config.requirepeer} asks for another"
            )


def _targets(config: Config) -> tuple[str, ...]:
    """Return what is looked for over all hosts, one after the other."""
    target = config.target_session_attrs
    return ("standby", "any") if target == "prefer-standby" else (target,)


def _keep(sites: list[Any]) -> None:
    """Leave the order as it is."""


def _resolve(host: Host, failures: list[Failure]) -> Generator[Step, Any, list[tuple[int, Any]]]:
    if host.socket_path is not None:
        return [(socket.AF_UNIX, host.socket_path)]
    try:
        sites: list[tuple[int, Any]] = list((yield Resolve(host.address, host.port)))
    except (OSError, ValueError) as error:  # ValueError: no name can look like this
        cause = ConnectError(f"the name could not be resolved: {_reason(error)}")
        cause.__cause__ = error
        failures.append(Failure(f"{name_of(host)} port {host.port}", cause, "host"))
        return []
    if not sites:
        failures.append(Failure(f"{name_of(host)} port {host.port}", ConnectError("the name has no address"), "host"))
    return sites


def _reach(
    config: Config, parameters: dict[str, str], site: Site, target: str, failures: list[Failure]
) -> Generator[Step, Any, Greeting | None]:
    """Try one place by each way that the settings allow; add to ``failures`` what went wrong."""
    lowest, version = config.min_protocol_version, config.max_protocol_version
    ways = _ways(config, site)
    while ways:
        talk = Conversation(site)
        try:
            return (yield from _open_session(config, parameters, talk, ways, version, target))
        except (OSError, OperationalError, InternalError) as error:
            if version > lowest and _refuses_version(talk, error):
                version = lowest
                continue
            failures.append(_failure(talk, error))
            ways = _ways_left(talk, error, ways)
    return None


def _open_session(
    config: Config,
    parameters: dict[str, str],
    talk: Conversation,
    ways: tuple[bool, ...],
    version: int,
    target: str,
) -> Generator[Step, Any, Greeting]:
    yield from open_site(config, talk.site)
    if ways[0]:
        yield from _encrypt(config, talk, plain_is_allowed=False in ways)
    talk.stage = "startup"
    yield Write(startup.startup_message(version, parameters))
    message = yield from talk.receive()
    talk.stage = "authentication"
    if message[0] == startup.NEGOTIATE_PROTOCOL_VERSION:
        version = _negotiate(message[1], version, config.min_protocol_version)
        message = yield from talk.receive()
    yield from authenticate(config, talk, message)
    talk.stage = "session"
    greeting = yield from _greet(talk, version)
    yield from _check_target(talk, greeting, target)
    for name, value in greeting.parameters.items():
        check_parameter(name, value)
    greeting.leftover = talk.leftover()
    return greeting


def _ways(config: Config, site: Site) -> tuple[bool, ...]:
    """Return the TLS choices in the order in which they are tried: True is with TLS."""
    if site.is_unix() or config.sslmode == "disable":
        return (False,)
    if config.sslmode == "allow":
        return (False, True)
    return (True, False) if config.sslmode == "prefer" else (True,)


def _ways_left(talk: Conversation, error: Exception, ways: tuple[bool, ...]) -> tuple[bool, ...]:
    """Return what is left to try at a place: the server must have refused the way itself, not us."""
    if isinstance(error, TimeoutError):
        return ()
    handshake_failed = talk.stage == "handshake"
    has_no_entry = isinstance(error, DatabaseError) and error.sqlstate == _NO_ENTRY
    tried_both = ways[0] and talk.tls is None and not handshake_failed
    return ways[1:] if (handshake_failed or has_no_entry) and not tried_both else ()


def _encrypt(config: Config, talk: Conversation, plain_is_allowed: bool) -> Generator[Step, Any, None]:
    if config.sslnegotiation != "direct" and not (yield from request_tls(talk)):
        if plain_is_allowed:
            return
        raise TLSError(f"the server does not support TLS, and sslmode={config.sslmode} asks for it")
    yield from handshake(config, talk)


def _refuses_version(talk: Conversation, error: Exception) -> bool:
    """Tell whether all that the server said to the StartupMessage was no."""
    if talk.stage != "startup":
        return False
    if talk.closed or isinstance(error, ConnectionError):
        return True
    return isinstance(error, ConnectError) and error.sqlstate in _REFUSES_VERSION


def _negotiate(body: ReadBuffer, asked: int, lowest: int) -> int:
    offered, options = startup.read_negotiate_protocol_version(body)
    if options:
        raise ProtocolError(f"the server refuses protocol options that were not asked for: {options[:5]}")
    if offered not in (PROTOCOL_3_0, PROTOCOL_3_2) or offered > asked:
        raise ProtocolError(f"the server wants protocol {_dotted(offered)} when {_dotted(asked)} was asked for")
    if offered < lowest:
        raise ConnectError(
            f"the server speaks protocol {_dotted(offered)}, and min_protocol_version={_dotted(lowest)} asks for more"
        )
    return offered


def _greet(talk: Conversation, version: int) -> Generator[Step, Any, Greeting]:
    """Read what the server tells of the new session until it is ready."""
    site = talk.site
    greeting = Greeting(
        site.host,
        site.family,
        site.address,
        talk.tls is not None,
        (version >> 16, version & 0xFFFF),
        {},
        None,
        None,
        b"",
        talk.notices,
    )
    while True:
        kind, body = yield from talk.receive()
        if kind == startup.PARAMETER_STATUS:
            name, value = startup.read_parameter_status(body)
            greeting.parameters[name] = value
            if len(greeting.parameters) > MAX_PARAMETERS:
                raise ProtocolError(f"the server reports more than {MAX_PARAMETERS} parameters")
        elif kind == startup.BACKEND_KEY_DATA:
            greeting.pid, greeting.secret = startup.read_backend_key_data(body)
        elif kind == startup.READY_FOR_QUERY:
            _read_ready(body)
            return greeting
        else:
            raise unexpected(kind, "between authentication and the first ReadyForQuery")


def _read_ready(body: ReadBuffer) -> None:
    status = body.read_uint8()
    startup.end_of(body, "ReadyForQuery")
    if status != _IDLE:
        raise ProtocolError(f"a new session has the transaction status {chr(status)!r}, not 'I'")


def _check_target(talk: Conversation, greeting: Greeting, target: str) -> Generator[Step, Any, None]:
    """Raise _WrongTargetError unless the session is what ``target`` asks for; ask the server where it did not say."""
    if target == "any":
        return
    if target in ("read-write", "read-only"):
        actual = "read-only" if (yield from _is_read_only(talk, greeting)) else "read-write"
    else:
        actual = "standby" if (yield from _is_standby(talk, greeting)) else "primary"
    if actual != target:
        yield Write(startup.terminate())
        raise _WrongTargetError(f"the session is {actual}, and target_session_attrs={target}")


def _is_read_only(talk: Conversation, greeting: Greeting) -> Generator[Step, Any, bool]:
    parameters = greeting.parameters
    if "default_transaction_read_only" in parameters and "in_hot_standby" in parameters:
        return "on" in (parameters["default_transaction_read_only"], parameters["in_hot_standby"])
    return (yield from _ask(talk, greeting, "SHOW transaction_read_only")) == "on"


def _is_standby(talk: Conversation, greeting: Greeting) -> Generator[Step, Any, bool]:
    if "in_hot_standby" in greeting.parameters:
        return greeting.parameters["in_hot_standby"] == "on"
    return (yield from _ask(talk, greeting, "SELECT pg_catalog.pg_is_in_recovery()")) == "t"


def _ask(talk: Conversation, greeting: Greeting, sql: str) -> Generator[Step, Any, str]:
    """Run a statement that gives one row of one value; return the value."""
    yield Write(startup.simple_query(sql))
    values: list[str] = []
    while True:
        kind, body = yield from talk.receive()
        if kind == startup.DATA_ROW and not values:
            values.append(startup.read_value(body))
        elif kind == startup.PARAMETER_STATUS:
            name, value = startup.read_parameter_status(body)
            greeting.parameters[name] = value
        elif kind == startup.READY_FOR_QUERY:
            _read_ready(body)
            if not values:
                raise ProtocolError(f"the server gave no row for {sql}")
            return values[0]
        elif kind not in (startup.ROW_DESCRIPTION, startup.COMMAND_COMPLETE):
            raise unexpected(kind, f"in answer to {sql}")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _failure(talk: Conversation, error: Exception) -> Failure:
    with_tls = " with TLS" if talk.tls is not None or talk.stage == "handshake" else ""
    return Failure(f"{talk.site}{with_tls}", explain(error), _next(error))


def _next(error: Exception) -> str:
    if isinstance(error, _WrongTargetError):
        return "host"
    if isinstance(error, AuthenticationError):
        return "nothing"
    sqlstate = error.sqlstate if isinstance(error, DatabaseError) else None
    return "address" if sqlstate is None or sqlstate.startswith(_UNWELL) else "nothing"


def explain(error: Exception) -> DatabaseError:
    """Turn what a step raised into an error of stretto; those of stretto stay as they are."""
    if isinstance(error, _WrongTargetError):
        return ConnectError(error.message)
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, TimeoutError):
        cause: DatabaseError = ConnectError("timed out (connect_timeout)")
    elif isinstance(error, ssl.SSLError):
        cause = TLSError(f"the TLS connection failed: {_reason(error)}")
    else:
        cause = ConnectError(_reason(error))
    cause.__cause__ = error
    return cause


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _summary(failures: list[Failure]) -> DatabaseError:
    """Make one error of all failures: of their class where it is one, or of the last where that ended the search."""
    if not failures:
        return ConnectError("there is no host to connect to")
    last = failures[-1]
    same = len({type(failure.error) for failure in failures}) == 1
    kind = type(last.error) if same or last.next == "nothing" else ConnectError
    causes = dict.fromkeys(f"{failure.place}: {failure.error.message}" for failure in failures)
    error = kind(f"cannot connect to {'; '.join(causes)}", fields=last.error.fields)
    error.__cause__ = last.error
    return error


def _dotted(version: int) -> str:
    return f"{version >> 16}.{version & 0xFFFF}"
