"""Tracer: a conversation as text, one line a message, in the format of libpq's PQtrace.

A line is ``F`` or ``B`` (who speaks: front end, back end), the length, the message's name and its contents, with tabs
between them; timestamps are left out. Three things differ from libpq: secrets (passwords, SASL's payloads, the key for
cancelling) are masked; Authentication is printed; what could move a terminal's cursor or begin a new line is shown as
an escape. For tests, and for whoever looks for what went over the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from stretto.errors import ProtocolError, printable
from stretto.wire.buffer import MAX_MESSAGE, ReadBuffer

MASK = "****"

# What a message holds, a letter for each field: c a character, h int2, i int4, o int4 that is not the same on every
# server (hidden by ``regress``), s string, v a value with its length, r COPY's data, m a secret up to the end, e the
# fields of an error, z strings up to an empty one; * counts in an int2 what follows, a letter or a group.
FRONTEND = {
    "B": ("Bind", "ss*h*v*h"),
    "C": ("Close", "cs"),
    "d": ("CopyData", "r"),
    "c": ("CopyDone", ""),
    "f": ("CopyFail", "s"),
    "D": ("Describe", "cs"),
    "E": ("Execute", "si"),
    "H": ("Flush", ""),
    "F": ("FunctionCall", "o*h*vh"),
    "P": ("Parse", "ss*o"),
    "Q": ("Query", "s"),
    "S": ("Sync", ""),
    "X": ("Terminate", ""),
}
BACKEND = {
    "K": ("BackendKeyData", "om"),
    "2": ("BindComplete", ""),
    "3": ("CloseComplete", ""),
    "C": ("CommandComplete", "s"),
    "W": ("CopyBothResponse", "c*h"),
    "d": ("CopyData", "r"),
    "c": ("CopyDone", ""),
    "G": ("CopyInResponse", "c*h"),
    "H": ("CopyOutResponse", "c*h"),
    "D": ("DataRow", "*v"),
    "I": ("EmptyQueryResponse", ""),
    "E": ("ErrorResponse", "e"),
    "V": ("FunctionCallResponse", "v"),
    "v": ("NegotiateProtocolVersion", "ii"),
    "n": ("NoData", ""),
    "N": ("NoticeResponse", "e"),
    "A": ("NotificationResponse", "oss"),
    "t": ("ParameterDescription", "*o"),
    "S": ("ParameterStatus", "ss"),
    "1": ("ParseComplete", ""),
    "s": ("PortalSuspended", ""),
    "Z": ("ReadyForQuery", "c"),
    "T": ("RowDescription", "*(sohohih)"),
}
_AUTHENTICATION = {
    0: ("AuthenticationOk", ""),
    3: ("AuthenticationCleartextPassword", ""),
    5: ("AuthenticationMD5Password", "m"),
    7: ("AuthenticationGSS", ""),
    8: ("AuthenticationGSSContinue", "m"),
    9: ("AuthenticationSSPI", ""),
    10: ("AuthenticationSASL", "z"),
    11: ("AuthenticationSASLContinue", "m"),
    12: ("AuthenticationSASLFinal", "m"),
}
# What a 'p' of the client is depends on what the server asked for last.
_ANSWERS = {
    10: ("SASLInitialResponse", "sm"),
    11: ("SASLResponse", "m"),
    7: ("GSSResponse", "m"),
    8: ("GSSResponse", "m"),
}
_PASSWORD = ("PasswordMessage", "m")
_STARTUPS = {
    (1234, 5678): ("CancelRequest", "om"),
    (1234, 5679): ("SSLRequest", ""),
    (1234, 5680): ("GSSENCRequest", ""),
}
_STARTUP = ("StartupMessage", "z")
_ASKS_FOR_A_LETTER = {"SSLRequest": "SSLResponse", "GSSENCRequest": "GSSENCResponse"}
_TOKENS = re.compile(r"\*?(?:\w|\(\w+\))")
_HIDDEN_FIELDS = (b"L", b"F", b"R")  # where in the server's source an error was raised: differs from version to version


class Tracer:
    """Takes what both sides say, in whatever pieces, and gives the lines of the messages that are complete.

    ``regress`` hides what differs between servers and runs, as libpq's PQTRACE_REGRESS_MODE: OIDs, process ids, COPY's
    data, where in its source the server raised an error. ``started``: the start-up is over when the trace begins.
    Bytes behind a length that cannot be are not looked at any more.
    """

    def __init__(self, *, regress: bool = False, started: bool = False) -> None:
        self._regress = regress
        self._started = started
        self._letter = ""  # the name of the one-letter answer that the server owes
        self._asked = -1  # what the server asked for last while authenticating
        self._front = _Inbox()
        self._back = _Inbox()

    def frontend(self, data: bytes) -> list[str]:
        """Take bytes that the client sent; return the lines of the messages that they complete."""
        self._front.add(data)
        return list(self._lines("F", self._front, self._take_front))

    def backend(self, data: bytes) -> list[str]:
        """Take bytes that the server sent; return the lines of the messages that they complete."""
        self._back.add(data)
        return list(self._lines("B", self._back, self._take_back))

    def _lines(self, side: str, inbox: _Inbox, take: Callable[[], str | None]) -> Iterator[str]:
        while not inbox.broken:
            try:
                line = take()
            except ProtocolError as error:
                inbox.broken = True
                line = f"?\t({error})"
            if line is None:
                return
            yield f"{side}\t{line}"

    def _take_front(self) -> str | None:
        if not self._started:
            return self._take_startup()
        message = self._front.message()
        if message is None:
            return None
        kind, length, body = message
        known = FRONTEND.get(kind)
        if kind == "p":
            known = _ANSWERS.get(self._asked, _PASSWORD)
        return self._line(length, known, kind, body)

    def _take_startup(self) -> str | None:
        message = self._front.untyped()
        if message is None:
            return None
        length, body = message
        version = (body.read_uint16(), body.read_uint16())
        name, form = _STARTUPS.get(version, _STARTUP)
        self._letter = _ASKS_FOR_A_LETTER.get(name, "")
        self._started = name == _STARTUP[0]
        return f"{length}\t{name}\t {version[0]} {version[1]}{self._contents(form, body)}"

    def _take_back(self) -> str | None:
        if self._letter:
            letter = self._back.letter()
            if letter is None:
                return None
            if letter != "E":  # an old server answers with an error, a whole message
                name, self._letter = self._letter, ""
                self._back.skip()
                return f"1\t{name}\t {letter}"
            self._letter = ""
        message = self._back.message()
        if message is None:
            return None
        kind, length, body = message
        if kind == "R" and body.remaining() >= 4:
            self._asked = body.read_int32()
            return self._line(
                length, _AUTHENTICATION.get(self._asked, (f"Authentication\t {self._asked}", "m")), kind, body
            )
        return self._line("NN" if self._regress and kind in "EN" else length, BACKEND.get(kind), kind, body)

    def _line(self, length: int | str, known: tuple[str, str] | None, kind: str, body: ReadBuffer) -> str:
        if known is None:
            return f"{length}\tUnknown message: {ord(kind):02x}"
        name, form = known
        contents = self._contents(form, body)
        return f"{length}\t{name}\t{contents}" if contents else f"{length}\t{name}"

    def _contents(self, form: str, body: ReadBuffer) -> str:
        words: list[str] = []
        try:
            for token in _TOKENS.findall(form):
                self._read(token, body, words)
        except ProtocolError as error:
            words.append(f"({error})")
        else:
            if body.remaining():
                words.append(f"({body.remaining()} bytes more)")
        return "".join([f" {word}" for word in words])

    def _read(self, token: str, body: ReadBuffer, words: list[str]) -> None:
        times = 1
        if token.startswith("*"):
            times = body.read_uint16()
            words.append(str(times))
        for _ in range(times):
            for letter in token.strip("*()"):
                self._field(letter, body, words)

    def _field(self, letter: str, body: ReadBuffer, words: list[str]) -> None:
        match letter:
            case "c":
                words.append(_shown(body.read_bytes(1)))
            case "h":
                words.append(str(body.read_uint16()))
            case "i":
                words.append(str(body.read_int32()))
            case "o":
                number = body.read_int32()
                words.append("NNNN" if self._regress else str(number))
            case "s":
                words.append(_quoted(body.read_cstring()))
            case "v":
                count = body.read_int32()
                words.append(str(count))
                if count != -1:
                    words.append(f"'{_shown(body.read_bytes(count))}'")
            case "r":
                data = body.read_bytes(body.remaining())
                words.append("'BBBB'" if self._regress else f"'{_shown(data)}'")
            case "m":
                body.skip(body.remaining())
                words.append(MASK)
            case "e":
                self._error(body, words)
            case "z":
                while (name := body.read_cstring()) != b"":
                    words.append(_quoted(name))

    def _error(self, body: ReadBuffer, words: list[str]) -> None:
        while True:
            code = body.read_bytes(1)
            words.append(_shown(code))
            if code == b"\0":
                return
            text = body.read_cstring()
            words.append('"SSSS"' if self._regress and code in _HIDDEN_FIELDS else _quoted(text))


class _Inbox:
    """Bytes of one side that are not a whole message yet. ``broken``: they can never become one."""

    def __init__(self) -> None:
        self.broken = False
        self._data = bytearray()
        self._need = 0

    def add(self, data: bytes) -> None:
        if not self.broken:
            self._data += data

    def message(self) -> tuple[str, int, ReadBuffer] | None:
        """Take a message: its type, its length and its body; None while it is not complete."""
        taken = self._take(5)
        if taken is None:
            return None
        body, length = taken
        return chr(body.read_uint8()), length, self._body(body)

    def untyped(self) -> tuple[int, ReadBuffer] | None:
        """Take a message of the start-up, which has no type."""
        taken = self._take(4)
        return None if taken is None else (taken[1], self._body(taken[0]))

    def letter(self) -> str | None:
        """Look at the next byte alone."""
        return chr(self._data[0]) if self._data else None

    def skip(self) -> None:
        del self._data[:1]

    def _take(self, head: int) -> tuple[ReadBuffer, int] | None:
        if len(self._data) < max(head, self._need):
            return None
        buf = ReadBuffer(bytes(self._data))
        buf.skip(head - 4)
        length = buf.read_uint32()
        if length < 4 or length > MAX_MESSAGE:
            raise ProtocolError(f"a message of length {length}")
        self._need = head - 4 + length
        if len(self._data) < self._need:
            return None
        whole = ReadBuffer(buf.data, 0, self._need)
        del self._data[: self._need]
        self._need = 0
        return whole, length

    @staticmethod
    def _body(buf: ReadBuffer) -> ReadBuffer:
        buf.skip(4)
        return buf


def _shown(data: bytes) -> str:
    """Show bytes as ASCII, what is not printable in hex."""
    return "".join([chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data])


def _quoted(text: bytes) -> str:
    return f'"{printable(text.decode("utf-8", "replace"))}"'
