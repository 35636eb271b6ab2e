"""Cancelling: what is sent, where to, and never without TLS where the session has it."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from typing import Any

import pytest
from tests.flows.driver import FakeTLS, Reply, Stage, config

from stretto.config import Host
from stretto.errors import ConnectError, TLSError, UsageError
from stretto.flows import steps
from stretto.flows.cancel import UnreadCancelError, cancel
from stretto.flows.connect import Greeting

GREETING = Greeting(
    Host("db.example.com", None, 5432),
    socket.AF_INET,
    ("10.0.0.7", 5432),
    tls=False,
    protocol=(3, 2),
    parameters={},
    pid=7,
    secret=b"k" * 32,
    leftover=b"",
    notices=[],
)
REQUEST = bytes.fromhex("0000002c 04d2162e 00000007") + b"k" * 32
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


def play(replies: list[Reply] | Exception, greeting: Greeting = GREETING, tls: Any = None, **settings: Any) -> Stage:
    stage = Stage([replies], tls=tls or FakeTLS())
    assert stage.play(cancel(config("db.example.com", **settings), greeting)) is None
    return stage


def test_the_request_goes_to_the_session_s_address_and_is_waited_for() -> None:
    stage = play([b"this is not read as anything"])
    assert stage.opened() == [("10.0.0.7", 5432)]
    assert stage.sent() == [REQUEST]
    assert [type(step) for step in stage.taken] == [steps.Open, steps.Write, steps.Read, steps.Read, steps.Close]


def test_a_session_with_tls_is_cancelled_with_tls() -> None:
    stage = play([b"S"], dataclasses.replace(GREETING, tls=True), sslmode="prefer")
    assert stage.sent() == [SSL_REQUEST, REQUEST]
    handshake = next(step for step in stage.taken if isinstance(step, steps.StartTLS))
    assert handshake.server_hostname == "db.example.com"


def test_direct_tls_is_direct_here_too() -> None:
    stage = play([b""], dataclasses.replace(GREETING, tls=True), sslmode="require", sslnegotiation="direct")
    assert stage.sent() == [REQUEST]


FAILURES: dict[str, tuple[list[Reply] | Exception, Any, type[Exception]]] = {
    "TLS refused": ([b"N"], None, TLSError),
    "bytes behind S": ([b"Sx"], None, TLSError),
    "ErrorResponse": ([b"E\0\0\0\5\0"], None, TLSError),
    "handshake fails": ([b"S"], ssl.SSLError("no"), TLSError),
    "handshake times out": ([b"S"], TimeoutError(), ConnectError),
    "noise": ([b"H"], None, ConnectError),
    "closed": ([b""], None, ConnectError),
    "refused": (ConnectionRefusedError(111, "Connection refused"), None, ConnectError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_key_is_never_sent_where_tls_fails(name: str) -> None:
    replies, tls, expected = FAILURES[name]
    stage = Stage([replies], tls=tls or FakeTLS())
    with pytest.raises(ConnectError, match=r"db\.example\.com \(10\.0\.0\.7\) port 5432: ") as caught:
        stage.play(cancel(config("db.example.com", sslmode="prefer"), dataclasses.replace(GREETING, tls=True)))
    assert type(caught.value) is expected
    assert REQUEST not in stage.sent()
    assert isinstance(stage.taken[-1], steps.Close)


def test_a_reset_after_the_request_is_as_good_as_an_end() -> None:
    stage = play([b"", ConnectionResetError(104, "reset")])
    assert isinstance(stage.taken[-1], steps.Close)


def test_waiting_can_time_out() -> None:
    stage = Stage([[TimeoutError()]])
    with pytest.raises(UnreadCancelError, match="timed out"):
        stage.play(cancel(config(), GREETING))


@pytest.mark.parametrize("missing", [{"pid": None}, {"secret": None}])
def test_a_session_without_a_key_cannot_be_cancelled(missing: dict[str, None]) -> None:
    stage = Stage([])
    with pytest.raises(UsageError, match="no key"):
        stage.play(cancel(config(), dataclasses.replace(GREETING, **missing)))
    assert stage.taken == []
