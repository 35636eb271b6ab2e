"""One direction of a PostgreSQL connection cut into messages, and what each says: for whoever stands in the middle.

It is written without stretto, so that the harness does not share the mistakes of what it tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

# The first message of a client has no letter: its second word says what it is.
_UNTYPED = {80877102: "cancel", 80877103: "tls", 80877104: "gss"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: ``side`` is F (client) or B (server), as in libpq's traces.

    ``kind`` is its letter, or startup, cancel, tls, gss, answer (to the last two) and raw (encrypted bytes, a chunk).
    ``number`` counts the messages of this side of this connection from 1. ``text`` is the SQL of a Query, Parse, Bind
    or Execute, and the tag of a CommandComplete.
    """

    side: str
    kind: str
    number: int
    data: bytes
    text: str | None = None

    def says(self, text: str) -> bool:
        """Whether its text is this one, whatever the case and a semicolon at the end."""
        return self.text is not None and self.text.strip().rstrip(";").lower() == text.lower()


@dataclass
class Conversation:
    """Both directions of one connection; ``feed`` gives the whole messages in the bytes that came."""

    typed: bool = False
    encrypted: bool = False
    asked: bool = False  # for encryption: the server's answer is one bare byte
    rest: dict[str, bytes] = field(default_factory=lambda: {"F": b"", "B": b""})
    numbers: dict[str, int] = field(default_factory=lambda: {"F": 0, "B": 0})
    statements: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)

    def feed(self, side: str, data: bytes) -> Iterator[Message]:
        data = self.rest[side] + data
        at = 0
        while at < len(data):
            kind, length = self._next(side, data, at)
            if length == 0 or len(data) - at < length:
                break
            whole = data[at : at + length]
            at += length
            self.numbers[side] += 1
            yield Message(side, kind, self.numbers[side], whole, self._text(side, kind, whole[5:]))
        self.rest[side] = data[at:]

    def _next(self, side: str, data: bytes, at: int) -> tuple[str, int]:
        """The kind and the length of the message that begins here; length 0 while that can't be told."""
        there = len(data) - at
        if self.encrypted:
            return "raw", there
        if side == "B" and self.asked:
            self.asked, self.encrypted = False, data[at] != ord("N")
            return "answer", 1
        if self.typed or side == "B":
            return chr(data[at]), 1 + struct.unpack_from("!I", data, at + 1)[0] if there >= 5 else 0
        if there < 8:
            return "", 0
        length, code = struct.unpack_from("!II", data, at)
        kind = _UNTYPED.get(code, "startup")
        if there >= length:
            self.typed, self.asked = kind == "startup", kind in ("tls", "gss")
        return kind, length

    def _text(self, side: str, kind: str, body: bytes) -> str | None:
        if side == "B":
            return _string(body) if kind == "C" else None
        if kind == "Q":
            return _string(body)
        if kind not in ("P", "B", "E"):
            return None
        name, _, rest = body.partition(b"\0")
        if kind == "P":
            self.statements[name] = _string(rest)
            return self.statements[name]
        if kind == "B":
            self.portals[name] = self.statements.get(rest.partition(b"\0")[0], "")
        return self.portals.get(name)


def _string(body: bytes) -> str:
    return body.partition(b"\0")[0].decode(errors="replace")
