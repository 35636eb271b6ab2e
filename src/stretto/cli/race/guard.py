"""Who may ask the race's page: a browser on this machine that shows this very page, and no stranger's page in it.

A page from elsewhere can have its reader's browser send a form here, or reach this server under a name of its own
(DNS rebinding). Both are told by headers that such a page can't set: Host, Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FORM = "application/x-www-form-urlencoded"
_OURS = ("same-origin", "none")  # Sec-Fetch-Site of this page's own, and of what a person typed
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class Refused(Exception):  # noqa: N818  # an answer, with its status
    """The request is not answered.

    Attributes:
        status: of the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """A middleware: 403 for a Host that is not this machine's, and a Content-Security-Policy on every answer.

    Args:
        app: what is guarded.
        hosts: names under which it may be asked, without a port.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        if scope["type"] == "http" and _name(Request(scope).headers.get("host", "")) not in self._hosts:
            refused = JSONResponse({"error": "the race is asked under a name of this machine only, as localhost"}, 403)
            await refused(scope, receive, with_policy)
        else:
            await self._app(scope, receive, with_policy)


async def form_of(request: Request, most: int) -> bytes:
    """The body of a form of our own page, of at most so many bytes.

    Raises:
        Refused: it is from another page (403), no form (415), or longer (413), which is told before it is read.
    """
    if not _is_ours(request):
        raise Refused(403, "only this page itself may start a race")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, f"a race is started by a form, {_FORM}")
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > most:
            raise Refused(413, "the form is too long")
        body += part
    return bytes(body)


def _is_ours(request: Request) -> bool:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in _OURS
    # No browser, or an old one: that sends Origin with every form. A program without either is no stranger's page.
    return origin is None or _netloc(origin) == request.headers.get("host")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """The name in a Host header."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
