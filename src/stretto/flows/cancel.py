"""Cancelling: a second connection to the same address that names the session and says nothing else.

A flow of ``flows.steps``. The request holds the session's secret key, so it goes over TLS, with the same checks, where
the session does: libpq did not until version 17. Source: PostgreSQL manual, "Canceling Requests in Progress".
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from stretto.config import Config
from stretto.errors import ConnectError, DatabaseError, InternalError, OperationalError, TLSError, UsageError
from stretto.flows.connect import Greeting, explain, open_site
from stretto.flows.conversation import Conversation, Site
from stretto.flows.steps import Close, Read, Step, Write
from stretto.flows.tls import handshake, request_tls
from stretto.wire import startup


class UnreadCancelError(ConnectError):
    """A cancel request may still arrive, and would hit whatever its session runs then."""


def cancel(config: Config, greeting: Greeting) -> Generator[Step, Any, None]:
    """Ask the server to cancel what the session of ``greeting`` is running, and wait until it has read the request.

    The server does not say whether there was anything to cancel. Raises UsageError where it gave no key to cancel by,
    ConnectError or TLSError when the request could not be sent, UnreadCancelError when it may still be on its way.
    """
    if greeting.pid is None or greeting.secret is None:
        raise UsageError("this server gave no key to cancel by: the statement can't be cancelled")
    talk = Conversation(Site(greeting.host, greeting.family, greeting.address))
    try:
        yield from open_site(config, talk.site)
        if greeting.tls:
            yield from _encrypt(config, talk)
        yield Write(startup.cancel_request(greeting.pid, greeting.secret))
    except (OSError, OperationalError, InternalError) as error:
        yield Close()
        raise _error(talk.site, explain(error)) from error
    try:
        while (yield Read()):
            pass
    except ConnectionError:
        pass  # the server has closed, if not politely
    except OSError as error:
        yield Close()
        why = f"the cancel request was sent to {talk.site}, and is not known to have been read"
        raise UnreadCancelError(f"{why}: {explain(error).message}") from error
    yield Close()


def _encrypt(config: Config, talk: Conversation) -> Generator[Step, Any, None]:
    if config.sslnegotiation != "direct" and not (yield from request_tls(talk)):
        raise TLSError("the server refuses TLS for the cancel request, and its session has it; it was not sent")
    yield from handshake(config, talk)


def _error(site: Site, cause: DatabaseError) -> DatabaseError:
    kind = type(cause) if isinstance(cause, ConnectError) else ConnectError
    return kind(f"the cancel request could not be sent to {site}: {cause.message}")
