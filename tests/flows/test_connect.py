"""Connecting: hosts, addresses, versions, targets, fallbacks, and what the errors say. No socket is opened here."""

from __future__ import annotations

import dataclasses
import os
import pwd
import socket
import ssl
from itertools import chain
from random import Random
from typing import Any

import pytest
from tests.flows.driver import (
    OK,
    READY,
    WELCOME,
    FakeTLS,
    Reply,
    Stage,
    config,
    error,
    key,
    message,
    negotiate,
    notice,
    parameter,
    row,
)

from stretto.config import Host
from stretto.errors import (
    AuthenticationError,
    ConnectError,
    EncodeError,
    ProtocolError,
    TLSError,
)
from stretto.flows import steps
from stretto.flows.connect import Greeting, connect

REFUSED = ConnectionRefusedError(111, "Connection refused")
A, B, C = (Host(name, None, 5432) for name in "abc")


def play(connections: list[list[Reply] | Exception], *, addresses: Any = None, **settings: Any) -> tuple[Stage, Any]:
    stage = Stage(connections, addresses=addresses or {})
    return stage, stage.play(connect(config(**settings)))


def fail(
    connections: list[list[Reply] | Exception], *, addresses: Any = None, **settings: Any
) -> tuple[Stage, ConnectError]:
    stage = Stage(connections, addresses=addresses or {})
    with pytest.raises((ConnectError, ProtocolError)) as caught:
        stage.play(connect(config(**settings)))
    return stage, caught.value  # type: ignore[return-value]  # ProtocolError has the same attributes


@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_the_greeting_has_all_that_the_server_said(chunk: int) -> None:
    welcome = OK + parameter("TimeZone", "UTC") + notice(b"psst") + key(b"k" * 32, -5) + parameter("a", "ü") + READY
    stage = Stage([[welcome]], chunk)
    greeting = stage.play(connect(config()))
    assert isinstance(greeting, Greeting)
    assert greeting.parameters == {"TimeZone": "UTC", "a": "ü"}
    assert (greeting.pid, greeting.secret) == (-5, b"k" * 32)
    assert [str(n) for n in greeting.notices] == ["NOTICE: psst"]
    assert (greeting.protocol, greeting.tls, greeting.leftover) == ((3, 2), False, b"")
    assert (greeting.family, greeting.address) == (socket.AF_INET, ("127.0.0.1", 5432))
    assert "kkkk" not in repr(greeting)


def test_a_server_without_a_key_can_be_talked_to() -> None:
    _, greeting = play([[OK + READY]])
    assert (greeting.pid, greeting.secret) == (None, None)


def test_what_comes_behind_ready_is_left_over() -> None:
    _, greeting = play([[WELCOME + parameter("a", "b")]])
    assert greeting.leftover == parameter("a", "b")


def test_the_startup_message_says_what_the_settings_say() -> None:
    stage, _ = play(
        [[WELCOME]],
        database="shop",
        application_name="till",
        options="-c geqo=off",
        server_settings={"search_path": "a,b"},
    )
    words = stage.sent()[0][8:].split(b"\0")
    assert dict(zip(words[0::2], words[1::2], strict=False)) == {
        b"user": b"ann",
        b"database": b"shop",
        b"client_encoding": b"UTF8",
        b"application_name": b"till",
        b"options": b"-c geqo=off",
        b"search_path": b"a,b",
        b"": b"",
    }


def test_what_cannot_be_sent_is_found_before_anything_is_opened() -> None:
    settings = dataclasses.replace(config(), server_settings={"search_path": "a\0user\0postgres"})
    stage = Stage([])
    with pytest.raises(EncodeError):
        stage.play(connect(settings))
    assert stage.taken == []


# Versions: the settings, the replies of one connection after the other, the versions that were asked for, the outcome.
SPEAKS_30 = negotiate(0x30000) + WELCOME
VERSIONS: dict[str, tuple[dict[str, str], list[list[Reply]], list[int], Any]] = {
    "3.2 spoken": ({"max": "3.2"}, [[WELCOME]], [2], (3, 2)),
    "3.2 negotiated down": ({"max": "3.2"}, [[SPEAKS_30]], [2], (3, 0)),
    "only the minor version said": ({"max": "3.2"}, [[negotiate(0) + WELCOME]], [2], (3, 0)),
    "3.0 asked for": ({"max": "3.0"}, [[WELCOME]], [0], (3, 0)),
    "refused": ({"max": "3.2"}, [[error("08P01")], [WELCOME]], [2, 0], (3, 0)),
    "refused as a feature": ({"max": "latest"}, [[error("0A000")], [WELCOME]], [2, 0], (3, 0)),
    "refused without an SQLSTATE": ({"max": "3.2"}, [[message(b"E", b"Mno\0\0")], [WELCOME]], [2, 0], (3, 0)),
    "hung up": ({"max": "3.2"}, [[b""], [WELCOME]], [2, 0], (3, 0)),
    "reset": ({"max": "3.2"}, [[ConnectionResetError(104, "reset")], [WELCOME]], [2, 0], (3, 0)),
    "refused twice": ({"max": "3.2"}, [[error("08P01")], [error("08P01")]], [2, 0], ConnectError),
    "refused, 3.0 not wanted": ({"max": "3.2", "min": "3.2"}, [[error("08P01")]], [2], ConnectError),
    "negotiated down, not wanted": ({"max": "3.2", "min": "3.2"}, [[SPEAKS_30]], [2], ConnectError),
    "wrong password is no refusal of the version": ({"max": "3.2"}, [[error("28P01")]], [2], AuthenticationError),
    "no such database is none either": ({"max": "3.2"}, [[error("3D000")]], [2], ConnectError),
    "negotiated up": ({"max": "3.0"}, [[negotiate(0x30002) + WELCOME]], [0], ProtocolError),
    "negotiated to 3.1": ({"max": "3.2"}, [[negotiate(0x30001) + WELCOME]], [2], ProtocolError),
    "negotiated to 2.0": ({"max": "3.2"}, [[negotiate(0x20000) + WELCOME]], [2], ProtocolError),
    "negotiated twice": ({"max": "3.2"}, [[negotiate(0x30000) + SPEAKS_30]], [2], ProtocolError),
    "options that nobody asked for": ({"max": "3.2"}, [[negotiate(0x30000, b"_pq_.x") + WELCOME]], [2], ProtocolError),
}


# What the server may report of the session that nothing can be read with, when it does, and what the error says.
UNREADABLE = {
    "client_encoding": (
        "LATIN1",
        "client_encoding is LATIN1 in this session, .* only speaks with UTF8: .* login event",
    ),
    "integer_datetimes": (
        "off",
        "integer_datetimes is off in this session, .* only speaks with on: .* build it without",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("when", ["greeting", "answer to a question"])
def test_a_session_in_which_values_would_be_wrong_is_no_session(name: str, when: str) -> None:
    value, says = UNREADABLE[name]
    bad = parameter(name, value)
    asked = {"greeting": [OK + bad + READY], "answer to a question": [OK + READY, bad + answer(b"off")]}[when]
    target = "any" if when == "greeting" else "read-write"
    with pytest.raises(ProtocolError, match=says):
        play([list(asked)], target_session_attrs=target)
    _, greeting = play([list(asked), [WELCOME, answer(b"off")]], hosts=(A, B), target_session_attrs=target)
    assert greeting.host == B


def test_a_session_that_comes_to_the_right_parameters_is_one() -> None:
    parameters = {"client_encoding": "UTF8", "integer_datetimes": "on"}
    said = parameter("client_encoding", "LATIN1") + b"".join(parameter(*item) for item in parameters.items())
    assert play([[OK + said + READY]])[1].parameters == parameters


@pytest.mark.parametrize("name", VERSIONS)
def test_the_protocol_version_is_found(name: str) -> None:
    limits, connections, asked, outcome = VERSIONS[name]
    settings = {f"{limit}_protocol_version": version for limit, version in limits.items()}
    stage = Stage(list(connections))
    flow = connect(config(**settings))
    if isinstance(outcome, tuple):
        assert stage.play(flow).protocol == outcome
    else:
        with pytest.raises(outcome) as caught:
            stage.play(flow)
        assert type(caught.value) is outcome
    assert [data[7] for data in stage.sent() if data[4:7] == b"\0\3\0"] == asked


def test_hosts_and_addresses_are_tried_in_order_and_the_errors_are_collected() -> None:
    addresses = {
        "a": ["10.0.0.1", "10.0.0.2"],
        "b": socket.gaierror(-2, "Name or service not known"),
        "c": ["10.0.0.3"],
    }
    stage, caught = fail(
        [REFUSED, TimeoutError(), OSError(113, "No route to host")], hosts=[A, B, C], addresses=addresses
    )
    assert str(caught) == (
        "cannot connect to a (10.0.0.1) port 5432: Connection refused; "
        "a (10.0.0.2) port 5432: timed out (connect_timeout); "
        "b port 5432: the name could not be resolved: Name or service not known; "
        "c (10.0.0.3) port 5432: No route to host"
    )
    assert type(caught) is ConnectError
    assert stage.opened() == [("10.0.0.1", 5432), ("10.0.0.2", 5432), ("10.0.0.3", 5432)]
    assert isinstance(stage.taken[-1], steps.Close)


def test_the_first_place_that_answers_is_taken() -> None:
    stage, greeting = play([REFUSED, [WELCOME]], hosts=[A, B, C], addresses={"a": ["10.0.0.1"], "b": ["10.0.0.2"]})
    assert greeting.host == B
    assert len(stage.opened()) == 2


def test_each_place_is_an_attempt_of_its_own_and_a_second_try_is_not() -> None:
    stage, _ = play([REFUSED, [b""], [WELCOME]], hosts=[A, B], max_protocol_version="3.2")
    assert [step.attempt for step in stage.taken if isinstance(step, steps.Open)] == [1, 2, 2]


# What ends the search: an answer about us does, one about the server's health does not.
GOES_ON = {
    "28P01": False,
    "28000": False,
    "3D000": False,
    "42501": False,
    "53300": True,
    "57P03": True,
    "57P01": True,
    "08006": True,
}


@pytest.mark.parametrize("sqlstate", GOES_ON)
def test_the_next_host_is_tried_unless_the_refusal_is_about_us(sqlstate: str) -> None:
    connections: list[list[Reply] | Exception] = [[error(sqlstate)], [WELCOME]]
    if GOES_ON[sqlstate]:
        _, greeting = play(connections, hosts=[A, B])
        assert greeting.host == B
    else:
        _, caught = fail(connections, hosts=[A, B])
        assert caught.sqlstate == sqlstate


def test_a_refusal_that_ends_the_search_names_the_class_and_the_hosts_before() -> None:
    _, caught = fail([REFUSED, [error("28P01")]], hosts=[A, B])
    assert type(caught) is AuthenticationError
    assert "a (127.0.0.1) port 5432: Connection refused; b (127.0.0.1)" in str(caught)


def test_a_server_that_is_no_postgresql_is_left_for_the_next() -> None:
    _, greeting = play([[b"SSH-2.0-OpenSSH_9.2\r\n"], [WELCOME]], hosts=[A, B])
    assert greeting.host == B


def test_a_name_that_none_can_be_is_a_failure() -> None:
    _, caught = fail([], hosts=[A], addresses={"a": UnicodeError("label too long")})
    assert "could not be resolved: label too long" in str(caught)


def test_a_name_without_an_address_is_a_failure() -> None:
    _, caught = fail([], hosts=[A], addresses={"a": []})
    assert "no address" in str(caught)


@pytest.mark.parametrize("load_balance_hosts", ["disable", "random"])
def test_hosts_and_their_addresses_are_shuffled_on_request(load_balance_hosts: str) -> None:
    addresses = {name: [f"10.0.{i}.{j}" for j in range(5)] for i, name in enumerate("abc")}
    orders = set()
    for seed in range(20):
        stage = Stage([REFUSED] * 15, addresses=addresses)
        with pytest.raises(ConnectError):
            stage.play(connect(config(hosts=[A, B, C], load_balance_hosts=load_balance_hosts), random=Random(seed)))
        opened = [address for address, _ in stage.opened()]
        assert sorted(opened) == sorted(chain.from_iterable(addresses.values()))
        assert [len({a.rpartition(".")[0] for a in opened[i : i + 5]}) for i in (0, 5, 10)] == [1, 1, 1]
        orders.add(tuple(opened))
    assert len(orders) > 10 if load_balance_hosts == "random" else len(orders) == 1


SOCKETS = {"/run/pg": "/run/pg/.s.PGSQL.5433", "@pg": "\0pg/.s.PGSQL.5433"}


@pytest.mark.parametrize("sslmode", ["prefer", "verify-full"])
@pytest.mark.parametrize("directory", SOCKETS)
def test_a_directory_is_a_unix_socket_and_never_tls(directory: str, sslmode: str) -> None:
    stage, greeting = play([[WELCOME]], hosts=[Host(directory, None, 5433)], sslmode=sslmode)
    assert stage.taken[0] == steps.Open(socket.AF_UNIX, SOCKETS[directory], (), 1)
    assert (greeting.tls, len(stage.sent())) == (False, 1)


def test_hostaddr_is_looked_up_in_the_name_s_place() -> None:
    stage, _ = play([[WELCOME]], hosts=[Host("db.example.com", "10.0.0.1", 5432)])
    assert stage.taken[0] == steps.Resolve("10.0.0.1", 5432)


def taken_options(**settings: Any) -> dict[str, int]:
    """The options of the socket that is opened, by the names that Python gives them."""
    stage, _ = play([[WELCOME]], **settings)
    opened = next(step for step in stage.taken if isinstance(step, steps.Open))
    names = ("SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    levels = {name: socket.SOL_SOCKET if name.startswith("SO") else socket.IPPROTO_TCP for name in names}
    found = {option[:2]: option[2] for option in opened.options}
    assert found.pop((socket.IPPROTO_TCP, socket.TCP_NODELAY)) == 1
    return {name: found[key] for name in names if (key := (levels[name], getattr(socket, name))) in found}


OURS = {"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
KEYWORDS = ("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
OPTIONS: list[tuple[dict[str, int], dict[str, int]]] = [
    ({}, OURS),
    ({"keepalives_idle": 40, "tcp_user_timeout": 9000}, OURS | {"TCP_KEEPIDLE": 40, "TCP_USER_TIMEOUT": 9000}),
    ({"keepalives_interval": 7, "keepalives_count": 2}, OURS | {"TCP_KEEPINTVL": 7, "TCP_KEEPCNT": 2}),
    ({"tcp_user_timeout": 0}, {name: value for name, value in OURS.items() if name != "TCP_USER_TIMEOUT"}),
    (dict.fromkeys(KEYWORDS, 0), {"SO_KEEPALIVE": 1}),
    ({"keepalives": 0, "keepalives_idle": 30}, {"TCP_USER_TIMEOUT": 30_000}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "options"), OPTIONS)
def test_the_socket_options_are_those_of_the_settings_and_else_ours(
    settings: dict[str, int], options: dict[str, int]
) -> None:
    assert taken_options(**settings) == options


def test_what_a_platform_does_not_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    number = socket.TCP_KEEPIDLE
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    monkeypatch.delattr(socket, "TCP_KEEPIDLE")
    monkeypatch.setattr(socket, "TCP_KEEPALIVE", number, raising=False)  # its name on macOS
    stage, _ = play([[WELCOME]])
    opened = next(step for step in stage.taken if isinstance(step, steps.Open))
    assert (socket.IPPROTO_TCP, number, 15) in opened.options
    assert len(opened.options) == 5


def test_requirepeer_asks_who_runs_the_server() -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    unix = Host("/run/pg", None, 5432)
    stage = Stage([[WELCOME]], peer=os.getuid())
    assert stage.play(connect(config(hosts=[unix], requirepeer=me)))
    stage = Stage([[WELCOME]], peer=987654)
    with pytest.raises(AuthenticationError, match=f"987654.*requirepeer={me}"):
        stage.play(connect(config(hosts=[unix], requirepeer=me)))
    assert stage.sent() == []
    play([[WELCOME]], requirepeer=me)  # it says nothing about TCP


# sslmode, the replies to one connection after the other; then what was opened, whether the session has TLS.
NO_ENTRY = error("28000")
HANDSHAKE = ssl.SSLError("wrong version number")
TLS_CHOICES: dict[str, tuple[str, list[list[Reply]], Any, bool | type[Exception]]] = {
    "disable": ("disable", [[WELCOME]], None, False),
    "disable, no entry": ("disable", [[NO_ENTRY]], None, AuthenticationError),
    "allow": ("allow", [[WELCOME]], None, False),
    "allow, no entry without TLS": ("allow", [[NO_ENTRY], [b"S", WELCOME]], None, True),
    "allow, no entry and no TLS": ("allow", [[NO_ENTRY], [b"N"]], None, ConnectError),
    "allow, wrong password": ("allow", [[error("28P01")]], None, AuthenticationError),
    "prefer": ("prefer", [[b"S", WELCOME]], None, True),
    "prefer, no TLS": ("prefer", [[b"N", WELCOME]], None, False),
    "prefer, no TLS and no entry": ("prefer", [[b"N", NO_ENTRY]], None, AuthenticationError),
    "prefer, no entry with TLS": ("prefer", [[b"S", NO_ENTRY], [WELCOME]], None, False),
    "prefer, no entry at all": ("prefer", [[b"S", NO_ENTRY], [NO_ENTRY]], None, AuthenticationError),
    "prefer, wrong password": ("prefer", [[b"S", error("28P01")]], None, AuthenticationError),
    "prefer, handshake fails": ("prefer", [[b"S"], [WELCOME]], HANDSHAKE, False),
    "prefer, handshake times out": ("prefer", [[b"S"]], TimeoutError(), ConnectError),
    "prefer, closed": ("prefer", [[b""]], None, ConnectError),
    "prefer, ErrorResponse": ("prefer", [[error("53300", b"do as I say")]], None, TLSError),
    "prefer, noise": ("prefer", [[b"HTTP/1.1 400"]], None, ProtocolError),
    "prefer, bytes behind S": ("prefer", [[b"S" + WELCOME]], None, TLSError),
    "prefer, bytes behind N": ("prefer", [[b"N" + WELCOME]], None, TLSError),
    "prefer, another protocol": ("prefer", [[b"S"], [WELCOME]], FakeTLS(alpn="h2"), False),
    "prefer, no ALPN": ("prefer", [[b"S", WELCOME]], FakeTLS(alpn=None), True),
    "require": ("require", [[b"S", WELCOME]], None, True),
    "require, no TLS": ("require", [[b"N"]], None, TLSError),
    "require, no entry": ("require", [[b"S", NO_ENTRY]], None, AuthenticationError),
    "require, handshake fails": ("require", [[b"S"]], HANDSHAKE, TLSError),
    "require, ErrorResponse": ("require", [[error("53300", b"do as I say")]], None, TLSError),
    "require, bytes behind S": ("require", [[b"S" + WELCOME]], None, TLSError),
    "require, another protocol": ("require", [[b"S"]], FakeTLS(alpn="h2"), TLSError),
    "verify-full, no roots": ("verify-full", [[b"S"]], None, TLSError),
    "verify-ca, no roots": ("verify-ca", [[b"S"]], None, TLSError),
    "verify-ca, no TLS": ("verify-ca", [[b"N"]], None, TLSError),
}


@pytest.mark.parametrize("name", TLS_CHOICES)
def test_the_choice_of_tls(name: str) -> None:
    sslmode, connections, tls, outcome = TLS_CHOICES[name]
    stage = Stage(list(connections), tls=tls or FakeTLS())
    flow = connect(config("db.example.com", sslmode=sslmode, max_protocol_version="3.0", password="hunter2"))
    if isinstance(outcome, bool):
        assert stage.play(flow).tls is outcome
    else:
        with pytest.raises(outcome) as caught:
            stage.play(flow)
        assert type(caught.value) is outcome
        assert "do as I say" not in str(caught.value)
    assert stage.connections == [], "every connection was opened"
    if outcome in (TLSError, ProtocolError):
        assert all(data.startswith(b"\0\0\0\x08") for data in stage.sent()), "only SSLRequest was sent"
    handshakes = [step for step in stage.taken if isinstance(step, steps.StartTLS)]
    assert all(step.server_hostname == "db.example.com" for step in handshakes)
    if "behind" in name:
        assert handshakes == []


def test_direct_tls_starts_at_once_and_needs_alpn() -> None:
    stage = Stage([[WELCOME]])
    assert stage.play(connect(config(sslmode="require", sslnegotiation="direct"))).tls
    assert [type(step) for step in stage.taken[1:5]] == [steps.Open, steps.Compute, steps.StartTLS, steps.Write]
    stage = Stage([[WELCOME]], tls=FakeTLS(alpn=None))
    with pytest.raises(TLSError, match="ALPN"):
        stage.play(connect(config(sslmode="require", sslnegotiation="direct")))
    assert stage.sent() == []


def state(standby: str | None, read_only: str | None) -> bytes:
    """A welcome in which the server reports (or not) what it is."""
    known = [("in_hot_standby", standby), ("default_transaction_read_only", read_only)]
    return OK + b"".join(parameter(name, value) for name, value in known if value is not None) + READY


def answer(value: bytes) -> bytes:
    return message(b"T", b"\0\0") + row(value) + message(b"C", b"SHOW\0") + READY


PRIMARY, STANDBY, READ_ONLY = state("off", "off"), state("on", "off"), state("off", "on")
OLD = state(None, None)
# target_session_attrs and a server: the replies and whether it will do.
TARGETS: list[tuple[str, list[Reply], bool]] = [
    ("any", [STANDBY], True),
    ("read-write", [PRIMARY], True),
    ("read-write", [STANDBY], False),
    ("read-write", [READ_ONLY], False),
    ("read-write", [OLD, answer(b"off")], True),
    ("read-write", [OLD, answer(b"on")], False),
    ("read-only", [PRIMARY], False),
    ("read-only", [STANDBY], True),
    ("read-only", [READ_ONLY], True),
    ("read-only", [OLD, answer(b"on")], True),
    ("primary", [PRIMARY], True),
    ("primary", [READ_ONLY], True),
    ("primary", [STANDBY], False),
    ("primary", [OLD, answer(b"f")], True),
    ("primary", [OLD, answer(b"t")], False),
    ("standby", [PRIMARY], False),
    ("standby", [STANDBY], True),
    ("standby", [OLD, notice() + parameter("a", "b") + answer(b"t")], True),
    ("prefer-standby", [STANDBY], True),
]


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize(("target", "replies", "suits"), TARGETS)
def test_a_session_is_what_target_session_attrs_asks_for(
    target: str, replies: list[Reply], suits: bool, chunk: int
) -> None:
    stage = Stage([replies], chunk)
    flow = connect(config(target_session_attrs=target))
    if suits:
        assert stage.play(flow).host.host == "127.0.0.1"
        return
    with pytest.raises(ConnectError, match=f"the session is .*, and target_session_attrs={target}") as caught:
        stage.play(flow)
    assert type(caught.value) is ConnectError
    assert stage.sent()[-1] == b"X\0\0\0\4"


def test_the_wrong_kind_of_server_is_left_for_the_next_host_not_the_next_address() -> None:
    stage, greeting = play(
        [[STANDBY], [PRIMARY]],
        hosts=[A, B],
        addresses={"a": ["10.0.0.1", "10.0.0.2"], "b": ["10.0.0.3"]},
        target_session_attrs="primary",
    )
    assert greeting.host == B
    assert stage.opened() == [("10.0.0.1", 5432), ("10.0.0.3", 5432)]


def test_prefer_standby_takes_any_when_there_is_none() -> None:
    stage, greeting = play([[PRIMARY], REFUSED, [PRIMARY]], hosts=[A, B], target_session_attrs="prefer-standby")
    assert greeting.host == A
    assert len(stage.opened()) == 3


@pytest.mark.parametrize(
    "replies",
    [
        [OLD, READY],
        [OLD, answer(b"t")[:-6] + row(b"t") + READY],
        [OLD, message(b"D", b"\0\1\xff\xff\xff\xff") + READY],
        [OLD, message(b"G", b"\0\0\0") + READY],
        [OK + message(b"Z", b"T")],
        [OK + message(b"Z")],
        [OK + message(b"v", b"\0\3\0\0\0\0\0\0")],
        [OK + OK + READY],
        [OK + key(b"abc") + READY],
        [OK + key(b"k" * 257) + READY],
        [OK + b"N\x7f\xff\xff\xff"],
    ],
)
def test_a_server_that_breaks_the_protocol_after_authentication_is_left(replies: list[Reply]) -> None:
    _, caught = fail([replies], target_session_attrs="standby")
    assert type(caught) is ProtocolError


def test_a_session_that_dies_before_it_is_ready_is_a_connect_error() -> None:
    for end in range(len(OK) + 1, len(WELCOME)):
        _, caught = fail([[WELCOME[:end]]], max_protocol_version="3.0")
        assert type(caught) is ConnectError
        assert "closed the connection" in str(caught)


def test_a_flow_that_is_closed_says_nothing_more() -> None:
    """Cancelling a connect is closing its flow, wherever it is."""
    for count in range(1, 5):
        flow = connect(config(password="x"))
        stage = Stage([[WELCOME]])
        step = flow.send(None)
        for _ in range(count - 1):
            step = flow.send(stage.take(step))
        flow.close()
