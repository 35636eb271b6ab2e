"""Authentication: the server asks, and what it gets depends on what the settings allow and where the bytes would go.

For ``flows.connect``. A clear-text or md5 password is given only over verified TLS, a Unix socket, loopback, or where
``require_auth`` names the method: elsewhere whoever answers in the server's place would have it (or a digest that is as
good). ``require_auth`` and ``channel_binding`` mean what libpq's manual says. Source: PostgreSQL manual, "Start-up".
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Generator
from functools import partial
from typing import Any

from stretto.config import Config, Host
from stretto.errors import AuthenticationError
from stretto.flows.conversation import Conversation, Message, unexpected
from stretto.flows.steps import Compute, Step, Write
from stretto.wire import startup
from stretto.wire.buffer import ReadBuffer
from stretto.wire.scram import SCRAM, SCRAM_PLUS, ScramExchange, Secret, end_point_hash

# What require_auth calls the requests of an Authentication message, and what a person calls those we can't answer.
_METHODS = {startup.AUTH_OK: "none", startup.AUTH_CLEARTEXT: "password", startup.AUTH_MD5: "md5"}
_UNSUPPORTED = {
    startup.AUTH_KERBEROS_V5: "Kerberos 5",
    startup.AUTH_SCM: "SCM credentials",
    startup.AUTH_GSS: "GSSAPI",
    startup.AUTH_GSS_CONTINUE: "GSSAPI",
    startup.AUTH_SSPI: "SSPI",
}


class Policy:
    """What ``require_auth`` and ``channel_binding`` allow."""

    def __init__(self, config: Config) -> None:
        self._required = config.require_auth
        self._must_bind = config.channel_binding == "require"

    def names(self, method: str) -> bool:
        """Tell whether require_auth asks for a method by its name."""
        return self._required is not None and self._required.names(method)

    def permit(self, method: str, bound: bool = False) -> None:
        """Raise AuthenticationError unless ``method`` may be used; ``bound`` says that it binds the TLS channel."""
        what = "let us in without authentication" if method == "none" else f"asks for {method} authentication"
        if self._required is not None and not self._required.allows(method):
            raise AuthenticationError(f"the server {what}, which require_auth does not allow")
        if self._must_bind and not bound:
            raise AuthenticationError(
                f"the server {what} without channel binding, and channel_binding=require: only {SCRAM_PLUS} over TLS "
                "is accepted"
            )


def authenticate(config: Config, talk: Conversation, message: Message) -> Generator[Step, Any, None]:
    """Answer the server's first authentication message until it is satisfied.

    Raises AuthenticationError when the server refuses (its ``sqlstate`` is the server's), asks for what is not
    supported or not allowed, or fails to prove itself; ProtocolError for a malformed or unexpected message.
    """
    policy = Policy(config)
    code, body = _request(message)
    if code == startup.AUTH_OK:
        policy.permit("none")
        startup.end_of(body, "AuthenticationOk")
        return
    if code == startup.AUTH_SASL:
        yield from _sasl(config, talk, policy, body)
    elif code in (startup.AUTH_CLEARTEXT, startup.AUTH_MD5):
        yield from _password(config, talk, policy, code, body)
    else:
        name = _UNSUPPORTED.get(code, f"a method of number {code}")
        raise AuthenticationError(f"the server asks for {name} authentication, which stretto does not support")
    code, body = _request((yield from talk.receive()))
    if code != startup.AUTH_OK:
        raise AuthenticationError(f"the server went on asking (request {code}) when authentication was complete")
    startup.end_of(body, "AuthenticationOk")


def _request(message: Message) -> tuple[int, ReadBuffer]:
    kind, body = message
    if kind != startup.AUTHENTICATION:
        raise unexpected(kind, "where it must ask for authentication")
    return body.read_int32(), body


def _password(
    config: Config, talk: Conversation, policy: Policy, code: int, body: ReadBuffer
) -> Generator[Step, Any, None]:
    method = _METHODS[code]
    salt = body.read_bytes(4) if code == startup.AUTH_MD5 else b""
    startup.end_of(body, "Authentication")
    policy.permit(method)
    if not (_is_safe(talk) or policy.names(method)):
        raise AuthenticationError(
            f"the server asks for {'the password in clear text' if method == 'password' else 'an md5 password'} over a "
            "connection where somebody else may be listening; it was not sent. Use sslmode=verify-full, let the server "
            f"use scram-sha-256, or add require_auth={method} if you accept that"
        )
    secret = yield from _fetch_password(config, talk.site.host, method)
    yield Write(_password_message(config.user, secret, salt))  # in no variable, so in no traceback


def _is_safe(talk: Conversation) -> bool:
    """Tell whether a password sent now is seen by the server alone."""
    return talk.site.is_unix() or talk.site.is_loopback() or (talk.tls is not None and talk.verified)


def _password_message(user: str, secret: Secret, salt: bytes) -> bytes:
    password = secret.reveal().encode("utf-8")
    return startup.password_message(_md5(user, password, salt) if salt else password)


def _md5(user: str, password: bytes, salt: bytes) -> bytes:
    inner = hashlib.md5(password + user.encode("utf-8"), usedforsecurity=False).hexdigest()  # the protocol says md5
    return b"md5" + hashlib.md5(inner.encode("ascii") + salt, usedforsecurity=False).hexdigest().encode("ascii")


def _sasl(config: Config, talk: Conversation, policy: Policy, body: ReadBuffer) -> Generator[Step, Any, None]:
    offered = startup.read_mechanisms(body)
    if not {SCRAM, SCRAM_PLUS}.intersection(offered):
        raise AuthenticationError(
            f"the server offers {', '.join(map(repr, offered)) or 'no mechanism'} for SASL authentication, and stretto "
            f"supports {SCRAM} and {SCRAM_PLUS}"
        )
    binding = yield from _channel(config, talk, offered)
    policy.permit("scram-sha-256", bound=binding is not None)
    if binding is None and SCRAM not in offered:
        raise AuthenticationError(f"the server offers only {SCRAM_PLUS}, and the channel can't or may not be bound")
    could_bind = talk.tls is not None and config.channel_binding != "disable" and SCRAM_PLUS not in offered
    exchange = ScramExchange((yield from _scram_secret(config, talk.site.host)), binding, could_bind)

    yield Write(startup.sasl_initial_response(exchange.mechanism, exchange.first()))
    exchange.challenge((yield from _sasl_answer(talk, startup.AUTH_SASL_CONTINUE)))
    proof: bytes = yield Compute(exchange.proof)
    yield Write(startup.sasl_response(proof))
    exchange.verify((yield from _sasl_answer(talk, startup.AUTH_SASL_FINAL)))


def _scram_secret(config: Config, host: Host) -> Generator[Step, Any, Secret | tuple[bytes, bytes]]:
    if config.scram_client_key is not None and config.scram_server_key is not None:
        return config.scram_client_key, config.scram_server_key
    return (yield from _fetch_password(config, host, "scram-sha-256"))


def _sasl_answer(talk: Conversation, expected: int) -> Generator[Step, Any, bytes]:
    code, body = _request((yield from talk.receive()))
    if code == startup.AUTH_OK:
        raise AuthenticationError("the server let us in without proving that it knows the password")
    if code != expected:
        raise AuthenticationError(f"the server broke the SCRAM exchange off with request {code}")
    return body.read_bytes(body.remaining())


def _channel(config: Config, talk: Conversation, offered: list[str]) -> Generator[Step, Any, bytes | None]:
    """Return what binds the TLS channel; None where that is not offered, not wanted or not possible."""
    if SCRAM_PLUS not in offered:
        return None
    if talk.tls is None:
        raise AuthenticationError(f"the server offers {SCRAM_PLUS} on a connection without TLS")
    if config.channel_binding == "disable":
        return None
    certificate = talk.tls.getpeercert(True)
    if certificate is None:
        return None
    binding: bytes | None = yield Compute(partial(end_point_hash, certificate))
    if binding is None and config.channel_binding == "require":
        raise AuthenticationError(
            "channel_binding=require, and the signature of the server's certificate names no hash function (Ed25519?): "
            "the channel can't be bound to it"
        )
    return binding


def _fetch_password(config: Config, host: Host, method: str) -> Generator[Step, Any, Secret]:
    """Get the password for a host; a function that gives it is called now, as late as possible."""
    source: Any = yield Compute(partial(config.password_for, host))  # it may read the password file
    if callable(source):
        try:
            source = yield Compute(source)
        except TimeoutError:
            raise
        except Exception as error:
            raise AuthenticationError(f"the function that gives the password failed: {type(error).__name__}") from error
        if inspect.isawaitable(source):
            if inspect.iscoroutine(source):
                source.close()
            raise AuthenticationError("an async function for the password needs AsyncDatabase")
    problem = _problem_with(source, method)
    if problem is not None:
        source = None  # a traceback's variables are to show no password
        raise AuthenticationError(problem)
    return Secret(source)


def _problem_with(password: object, method: str) -> str | None:
    if not password:
        return f"the server asks for a password ({method}) and there is none: give password=, PGPASSWORD or ~/.pgpass"
    if not isinstance(password, str):
        return f"the function for the password must return str, not {type(password).__name__}"
    if any("\ud800" <= char <= "\udfff" for char in password):
        return "the password contains a lone surrogate, which is not valid text"
    if "\0" in password and method == "password":
        return "the password contains a NUL, which can't be sent in clear text"
    return None
