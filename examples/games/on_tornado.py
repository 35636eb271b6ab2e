"""What both Tornado servers need to send a Reply, also for what Tornado itself refuses."""

from __future__ import annotations

from typing import Any

import replies
import tornado.web
from replies import Reply
from service import Refusal


@tornado.web.stream_request_body  # or else Tornado reads forms itself, and refuses what it can't read
class Replying(tornado.web.RequestHandler):
    """A handler that answers with replies. URLs and methods that are not served come to `write_error` too."""

    def initialize(self) -> None:
        self.body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body, up to where it is too long."""
        if len(self.body) <= replies.LIMIT:
            self.body += chunk

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the URL. What is no text is no key either: not found, as on the other servers."""
        return value.decode(errors="replace")

    def reply(self, reply: Reply) -> None:
        """Send it."""
        self.clear()
        self.set_status(reply.status)
        for name, value in reply.headers:
            self.set_header(name, value)
        self.finish(reply.body)  # pyright: ignore[reportUnknownMemberType]  # Tornado says dict, of what it does not say

    def compute_etag(self) -> None:
        """None: the four servers give the same headers."""

    @property
    def sent(self) -> tuple[str | None, bytes]:
        """The type of what was sent, and it."""
        return self.request.headers.get("Content-Type"), bytes(self.body)

    def write_error(self, status_code: int, **keywords: Any) -> None:
        """Answer to what was raised in a handler."""
        error = keywords["exc_info"][1] if "exc_info" in keywords else None
        ours = isinstance(error, tornado.web.HTTPError) and error.status_code in (404, 405)
        self.reply(replies.of_error(self.request.path, None if ours else error))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log accidents; a refusal is an answer."""
        if not isinstance(value, Refusal):
            super().log_exception(typ, value, tb)


class Nothing(Replying):
    """Where nothing is."""

    def get(self) -> None:
        raise tornado.web.HTTPError(404)

    head = post = put = patch = delete = options = get


class Style(Replying):
    def get(self) -> None:
        self.reply(replies.style())

    head = get
