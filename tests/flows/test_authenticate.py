"""Authentication: what is answered, what is refused, and what a hostile server gets (nothing)."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.flows.driver import (
    OK,
    READY,
    WELCOME,
    FakeTLS,
    Reply,
    ScramServer,
    Stage,
    auth,
    config,
    error,
    message,
    notice,
    sasl,
)

from stretto.config import Host
from stretto.errors import AuthenticationError, ConnectError, ProtocolError
from stretto.flows.connect import Greeting, connect
from stretto.wire import startup

SECRET = "hunter2"
MD5 = auth(startup.AUTH_MD5, b"salt")
CLEAR = auth(startup.AUTH_CLEARTEXT)
BINDING = b"h" * 32
PLUS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")


def md5_of(user: str, password: str, salt: bytes) -> bytes:
    inner = hashlib.md5((password + user).encode()).hexdigest().encode()
    return b"md5" + hashlib.md5(inner + salt).hexdigest().encode()


@pytest.fixture(autouse=True)
def _fake_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake TLS's certificate is its own hash; one that is empty can't be hashed."""
    monkeypatch.setattr("stretto.flows.authenticate.end_point_hash", lambda certificate: certificate or None)


def play(replies: list[Reply], chunk: int = 1 << 20, tls: FakeTLS | None = None, **settings: Any) -> tuple[Stage, Any]:
    """Connect to a scripted server; with ``tls`` it agrees to TLS first."""
    settings = {"password": SECRET, "max_protocol_version": "3.0"} | settings
    if tls is not None:
        settings.setdefault("sslmode", "require")
        replies = [b"S", *replies]
    stage = Stage([replies], chunk, tls or FakeTLS())
    return stage, stage.play(connect(config(**settings)))


ANSWERED: dict[str, tuple[list[Reply], bytes]] = {
    "trust": ([WELCOME], b""),
    "clear text": ([CLEAR, WELCOME], b"p\0\0\0\x0chunter2\0"),
    "md5": ([MD5, WELCOME], b"p\0\0\0\x28" + md5_of("ann", SECRET, b"salt") + b"\0"),
    "trust after a notice": ([notice() + WELCOME], b""),
}


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", ANSWERED)
def test_a_method_is_answered(name: str, chunk: int) -> None:
    replies, answer = ANSWERED[name]
    stage, greeting = play(replies, chunk)
    assert stage.sent()[1:] == ([answer] if answer else [])
    assert isinstance(greeting, Greeting)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("bound", [False, True])
def test_scram_is_answered(bound: bool, chunk: int) -> None:
    server = ScramServer(SECRET, PLUS if bound else PLUS[1:], BINDING if bound else None)
    _, greeting = play(server.replies(), chunk, FakeTLS(BINDING) if bound else None)
    assert greeting.tls is bound


def cut_after(count: int, replies: list[Reply], said: list[int]) -> list[Reply]:
    """Let the server say ``count`` bytes in all, then end the stream; ``said`` gets how many each reply would have."""

    def cut(reply: Reply) -> Reply:
        def answer(data: bytes) -> bytes:
            assert not isinstance(reply, Exception)
            text = reply(data) if callable(reply) else reply
            left = max(count - sum(said), 0)
            said.append(len(text))
            return text[:left]

        return answer

    return [cut(reply) for reply in replies]


@pytest.mark.parametrize("bound", [False, True], ids=["SCRAM", "PLUS"])
def test_a_start_up_that_is_cut_anywhere_is_an_error_in_connecting(bound: bool) -> None:
    def attempt(count: int) -> int:
        said: list[int] = []
        server = ScramServer(SECRET, PLUS if bound else PLUS[1:], BINDING if bound else None)
        play(cut_after(count, server.replies(), said), tls=FakeTLS(BINDING) if bound else None)
        return sum(said)

    for count in range(attempt(1 << 20)):
        with pytest.raises(ConnectError, match="closed the connection"):
            attempt(count)


# Which form of SCRAM is used: TLS, what the server offers, channel_binding, the certificate; the client's header.
FORMS = {
    "no TLS": (None, PLUS[1:], "prefer", "n,,"),
    "offered": (FakeTLS(BINDING), PLUS, "prefer", "p=tls-server-end-point,,"),
    "required": (FakeTLS(BINDING), PLUS, "require", "p=tls-server-end-point,,"),
    "not offered": (FakeTLS(BINDING), PLUS[1:], "prefer", "y,,"),
    "disabled": (FakeTLS(BINDING), PLUS, "disable", "n,,"),
    "disabled, not offered": (FakeTLS(BINDING), PLUS[1:], "disable", "n,,"),
    "impossible": (FakeTLS(b""), PLUS, "prefer", "n,,"),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_of_scram(name: str) -> None:
    tls, offered, channel_binding, header = FORMS[name]
    server = ScramServer(SECRET, offered, BINDING if header.startswith("p") else None)
    play(server.replies(), tls=tls, channel_binding=channel_binding)
    assert server.client_first.startswith(header)


def test_a_server_that_could_bind_and_says_otherwise_is_found_out() -> None:
    """A man in the middle takes SCRAM-SHA-256-PLUS out of the list: our 'y' tells the real server."""
    from scramp import ScramException

    server = ScramServer(SECRET, PLUS[1:], BINDING)
    with pytest.raises(ScramException, match="in fact it does"):
        play(server.replies(), tls=FakeTLS(BINDING))


# What a server may ask under channel_binding=require: nothing but PLUS over TLS.
UNBOUND: dict[str, tuple[FakeTLS | None, list[Reply]]] = {
    "trust": (FakeTLS(BINDING), [WELCOME]),
    "trust without TLS": (None, [WELCOME]),
    "clear text": (FakeTLS(BINDING), [CLEAR, WELCOME]),
    "md5": (FakeTLS(BINDING), [MD5, WELCOME]),
    "SCRAM alone": (FakeTLS(BINDING), [sasl("SCRAM-SHA-256")]),
    "SCRAM without TLS": (None, [sasl("SCRAM-SHA-256")]),
    "PLUS without TLS": (None, [sasl(*PLUS)]),
    "a certificate that can't be hashed": (FakeTLS(b""), [sasl(*PLUS)]),
}


@pytest.mark.parametrize("name", UNBOUND)
def test_channel_binding_require_refuses_everything_else(name: str) -> None:
    tls, replies = UNBOUND[name]
    stage = Stage([[b"S", *replies] if tls else replies], tls=tls or FakeTLS())
    settings = config(password=SECRET, channel_binding="require", sslmode="require" if tls else "disable")
    with pytest.raises(AuthenticationError):
        stage.play(connect(settings))
    assert len(stage.sent()) == (2 if tls else 1), "nothing was answered"


METHODS: dict[str, list[Reply]] = {
    "none": [WELCOME],
    "password": [CLEAR, WELCOME],
    "md5": [MD5, WELCOME],
}
REQUIRED = [
    ("scram-sha-256", set[str]()),
    ("none", {"none"}),
    ("password", {"password"}),
    ("password,md5", {"password", "md5"}),
    ("!password", {"none", "md5"}),
    ("!password,!none", {"md5"}),
    ("!none,!md5,!password", set()),
    (None, {"none", "password", "md5"}),
    ("", {"none", "password", "md5"}),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("require_auth", "allowed"), REQUIRED)
def test_require_auth_says_what_is_answered(require_auth: str | None, allowed: set[str], method: str) -> None:
    if method in allowed:
        play(METHODS[method], require_auth=require_auth)
        return
    stage = Stage([METHODS[method]])
    with pytest.raises(AuthenticationError, match="require_auth does not allow"):
        stage.play(connect(config(password=SECRET, require_auth=require_auth)))
    assert len(stage.sent()) == 1, "nothing was answered"


def test_require_auth_can_refuse_scram() -> None:
    with pytest.raises(AuthenticationError, match="scram-sha-256 authentication, which require_auth does not"):
        play(ScramServer(SECRET).replies(), require_auth="!scram-sha-256")


# Where a password may be seen by others: the address, whether TLS was verified, and whether it is safe there.
PLACES = {
    "loopback": ("127.0.0.9", None, True),
    "loopback 6": ("::1", None, True),
    "loopback in IPv6 clothes": ("::ffff:127.0.0.1", None, True),
    "network": ("192.0.2.1", None, False),
    "network 6": ("2001:db8::1", None, False),
    "a name that is no address": ("localhost.example", None, False),
    "TLS not verified": ("192.0.2.1", False, False),
    "TLS verified": ("192.0.2.1", True, True),
}


@pytest.mark.parametrize("ask", [CLEAR, MD5], ids=["password", "md5"])
@pytest.mark.parametrize("require_auth", [None, "!none", "password,md5"])
@pytest.mark.parametrize("place", PLACES)
def test_a_password_is_given_where_only_the_server_sees_it(
    place: str, require_auth: str | None, ask: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, verified, safe = PLACES[place]
    monkeypatch.setattr("stretto.flows.tls._trust", lambda context, config: bool(verified))
    stage = Stage([[b"S", ask, WELCOME] if verified is not None else [ask, WELCOME]], addresses={"db": [address]})
    sslmode = "disable" if verified is None else "require"
    flow = connect(config("db", password=SECRET, require_auth=require_auth, sslmode=sslmode))
    if safe or require_auth == "password,md5":
        stage.play(flow)
        return
    with pytest.raises(AuthenticationError, match=r"it was not sent. Use sslmode=verify-full, .* add require_auth="):
        stage.play(flow)
    assert not any(sent.startswith(b"p") for sent in stage.sent())


def test_a_password_is_given_over_a_unix_socket() -> None:
    stage, _ = play([CLEAR, WELCOME], hosts=[Host("/run/pg", None, 5432)])
    assert stage.sent()[1].startswith(b"p")
    assert stage.taken[0].family == socket.AF_UNIX


UNSUPPORTED = {
    "GSSAPI": auth(startup.AUTH_GSS),
    "SSPI": auth(startup.AUTH_SSPI),
    "Kerberos 5": auth(startup.AUTH_KERBEROS_V5),
    "SCM credentials": auth(startup.AUTH_SCM),
    "OAUTHBEARER": sasl("OAUTHBEARER"),
    "number 99": auth(99),
    "no mechanism": sasl(),
    "SCRAM-SHA-1": sasl("SCRAM-SHA-1"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_method_that_is_not_supported_is_named(name: str) -> None:
    with pytest.raises(AuthenticationError, match=name):
        play([UNSUPPORTED[name]])


def first(nonce: str = "{}x", salt: str = "c2FsdHNhbHRzYWx0", iterations: str = "4096") -> Reply:
    """Reply to the client's first message; ``{}`` is its nonce."""

    def reply(data: bytes) -> bytes:
        ours = data.decode("latin-1").rpartition("r=")[2]
        text = f"r={nonce.format(ours)},s={salt},i={iterations}"
        return auth(startup.AUTH_SASL_CONTINUE, text.encode())

    return reply


def final(signature: str = "v=AAAA") -> bytes:
    return auth(startup.AUTH_SASL_FINAL, signature.encode())


OFFER = sasl("SCRAM-SHA-256")


def bent(text: str) -> str:
    return text if text.startswith("r=") else "v=" + "A" * 43 + "="


# Hostile servers: what they say, and the error.
HOSTILE: dict[str, tuple[list[Reply], type[Exception]]] = {
    "iterations 2^31": ([OFFER, first(iterations="2147483648")], AuthenticationError),
    "iterations 0": ([OFFER, first(iterations="0")], AuthenticationError),
    "salt empty": ([OFFER, first(salt="")], AuthenticationError),
    "salt huge": ([OFFER, first(salt="A" * 40_000)], AuthenticationError),
    "nonce of its own": ([OFFER, first("evil")], AuthenticationError),
    "nonce ours alone": ([OFFER, first("{}")], AuthenticationError),
    "wrong signature": (ScramServer(SECRET, bend=bent).replies(), AuthenticationError),
    "no final message": ([OFFER, first(), WELCOME], AuthenticationError),
    "final message twice": (ScramServer(SECRET).replies(final(), WELCOME), AuthenticationError),
    "ok at once": ([OFFER, WELCOME], AuthenticationError),
    "final for first": ([OFFER, final()], AuthenticationError),
    "first twice": ([OFFER, first(), first()], AuthenticationError),
    "md5 after SCRAM": (ScramServer(SECRET).replies(MD5, WELCOME), AuthenticationError),
    "clear text after md5": ([MD5, CLEAR, WELCOME], AuthenticationError),
    "ready without authentication": ([READY], ProtocolError),
    "parameter before authentication": ([message(b"S", b"a\0b\0") + WELCOME], ProtocolError),
    "row in the exchange": ([OFFER, message(b"D", b"\0\0")], ProtocolError),
    "unknown message": ([message(b"?")], ProtocolError),
    "binary noise": ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], ProtocolError),
    "negative length": ([b"R\xff\xff\xff\xff\0\0\0\0"], ProtocolError),
    "length 3": ([b"R\0\0\0\3"], ProtocolError),
    "length above 64 KiB": ([b"R\0\1\0\5"], ProtocolError),
    "length 900 MB": ([b"R\x35\xa4\xe9\0"], ProtocolError),
    "no code": ([b"R\0\0\0\4"], ProtocolError),
    "ok and more": ([auth(startup.AUTH_OK, b"x") + READY], ProtocolError),
    "md5 with a short salt": ([auth(startup.AUTH_MD5, b"sal")], ProtocolError),
    "md5 with a long salt": ([auth(startup.AUTH_MD5, b"salty")], ProtocolError),
    "clear text and more": ([auth(startup.AUTH_CLEARTEXT, b"x")], ProtocolError),
    "mechanisms without an end": ([auth(startup.AUTH_SASL, b"SCRAM-SHA-256\0")], ProtocolError),
    "a stream that ends": ([OFFER, b""], ConnectError),
    "a stream that is reset": ([OFFER, ConnectionResetError(104, "reset by peer")], ConnectError),
}


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_gets_an_error(name: str, chunk: int) -> None:
    replies, expected = HOSTILE[name]
    if name in ("wrong signature", "final message twice", "md5 after SCRAM"):  # a scripted server serves once
        replies = {
            "wrong signature": lambda: ScramServer(SECRET, bend=bent).replies(),
            "final message twice": lambda: ScramServer(SECRET).replies(final(), WELCOME),
            "md5 after SCRAM": lambda: ScramServer(SECRET).replies(MD5, WELCOME),
        }[name]()
    with pytest.raises(expected) as caught:
        play(replies, chunk)
    assert type(caught.value) is expected
    assert SECRET not in f"{caught.value} {caught.value!r}"


REFUSALS = {
    "28P01": AuthenticationError,
    "28000": AuthenticationError,
    "3D000": ConnectError,
    "53300": ConnectError,
    "57P03": ConnectError,
    "42501": ConnectError,
}


@pytest.mark.parametrize("sqlstate", REFUSALS)
def test_a_refusal_of_the_server_keeps_its_sqlstate_and_its_own_class_as_cause(sqlstate: str) -> None:
    from stretto.sqlstate import error_class

    with pytest.raises(ConnectError, match="not today") as caught:
        play([error(sqlstate, b"not today")])
    assert type(caught.value) is REFUSALS[sqlstate]
    assert caught.value.sqlstate == sqlstate
    assert caught.value.__cause__ is not None
    assert type(caught.value.__cause__.__cause__) is error_class(sqlstate)


@pytest.mark.parametrize("body", [b"", b"\0", b"C28P01\0\0", b"Mno\xff\xfe\0\0", b"S\0\0", b"x" * 60_000 + b"\0\0"])
def test_a_refusal_without_the_usual_fields_is_still_a_refusal(body: bytes) -> None:
    with pytest.raises(ConnectError, match="cannot connect"):
        play([message(b"E", body)])


# The password and where it comes from.
SOURCES: dict[str, tuple[Any, str]] = {
    "none": (None, "there is none"),
    "empty": ("", "there is none"),
    "a function that gives none": (lambda: None, "there is none"),
    "a function that gives something else": (lambda: 7, "must return str, not int"),
    "a function that fails": (lambda: 1 // 0, "failed: ZeroDivisionError"),
    "surrogate": (lambda: "hunter2\ud800", "surrogate"),
}


@pytest.mark.parametrize(
    "ask", [[CLEAR, WELCOME], [MD5, WELCOME], [OFFER, first(), b""]], ids=["clear", "md5", "scram"]
)
@pytest.mark.parametrize("name", SOURCES)
def test_a_password_that_is_none_is_an_authentication_error(name: str, ask: list[Reply]) -> None:
    source, match = SOURCES[name]
    with pytest.raises(AuthenticationError, match=match) as caught:
        play(ask, password=source)
    assert SECRET not in str(caught.value)


def test_a_password_with_a_nul_cannot_go_in_clear_text() -> None:
    with pytest.raises(AuthenticationError, match="NUL") as caught:
        play([CLEAR, WELCOME], password=lambda: "hunter2\0x")
    assert SECRET not in str(caught.value)


def test_an_async_password_function_that_nobody_awaited_is_explained() -> None:
    async def password() -> str:
        return SECRET

    with pytest.raises(AuthenticationError, match="AsyncDatabase"):
        play([CLEAR, WELCOME], password=password)


def test_a_password_function_is_called_only_when_the_server_asks() -> None:
    calls: list[int] = []

    def password() -> str:
        calls.append(1)
        return SECRET

    play([WELCOME], password=password)
    assert not calls
    stage, _ = play([CLEAR, WELCOME], password=password)
    assert calls == [1]
    assert SECRET.encode() in stage.sent()[1]


def test_no_step_shows_the_password() -> None:
    stage, _ = play([CLEAR, WELCOME])
    assert SECRET not in repr(stage.taken)


@pytest.mark.parametrize(
    ("replies", "password"),
    [
        ([CLEAR, error()], SECRET),
        ([CLEAR, ConnectionResetError(104, "reset")], SECRET),
        ([CLEAR], f"{SECRET}\ud800"),
        ([CLEAR], f"{SECRET}\0"),
        ([MD5, error()], SECRET),
        ([OFFER, first(), error()], SECRET),
        ([OFFER, first(), final()], SECRET),
        ([OFFER, first()], f"{SECRET}ü\ud800"),
    ],
)
def test_no_traceback_shows_the_password(replies: list[Reply], password: str) -> None:
    """Tools that print the locals of each frame find it nowhere below the caller's own settings."""
    import traceback

    with pytest.raises(ConnectError) as caught:
        play(replies, password=lambda: password)
    shown = "".join(
        line
        for error in _chain(caught.value)
        for summary in traceback.TracebackException.from_exception(error, capture_locals=True).stack
        if "/stretto/" in summary.filename
        for line in map(str, (summary.locals or {}).values())
    )
    assert "ann" in shown, "locals were captured"
    assert SECRET not in shown


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_a_server_that_floods_with_notices_takes_no_memory() -> None:
    _, greeting = play([OK + notice() * 5_000 + READY])
    assert len(greeting.notices) == 100


def test_a_server_that_floods_with_parameters_is_cut_off() -> None:
    flood = b"".join(message(b"S", b"p%d\0x\0" % i) for i in range(2_000))
    with pytest.raises(ProtocolError, match="1000 parameters"):
        play([OK + flood + READY])
