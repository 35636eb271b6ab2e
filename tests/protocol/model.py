"""A model of a server, in memory, which answers tagged statements; and a World: it, a Machine and pipes between them.

A statement's SQL says what becomes of it: ``echo`` gives its argument, the tag, back as a row; ``rows`` gives it
several times; ``nothing`` gives no row; those that begin with ``bad`` fail in Parse, Bind, Execute or at the Sync, with
the tag in the error's text. What comes unasked (notices, parameters, notifications) stands between any two messages.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator

from tests.flows.driver import message, notice, parameter

from stretto.codecs.numeric import Int4
from stretto.model.plan import plan_for
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.protocol.rows import decode_rows
from stretto.protocol.statement import Statement, describe_request
from stretto.wire import backend
from stretto.wire.backend import ColumnDescription

SQL = ["echo", "echo again", "rows", "nothing", "bad parse", "bad bind", "bad execute", "bad sync"]
PREPARED_AT_MOST = 4  # fewer than the statements, so that some are closed
ROWS = 5
UNASKED = (notice(), parameter("TimeZone", "UTC"), message(b"A", struct.pack("!i", 1) + b"channel\0payload\0"))

INT4 = Int4("int4", 23)
ROW = struct.pack("!h", 1) + b"n\0" + struct.pack("!ihihih", 0, 0, 23, 4, -1, 0)
MAKER = plan_for(int, (("n", INT4),))


def data_row(tag: int) -> bytes:
    return message(b"D", struct.pack("!hii", 1, 4, tag))


def failure(sqlstate: str, text: str) -> bytes:
    return message(b"E", f"SERROR\0C{sqlstate}\0M{text}\0\0".encode())


class ModelServer:
    """The server's side: ``receive`` takes bytes in any pieces and returns the answers."""

    def __init__(self) -> None:
        self.prepared: dict[bytes, str] = {}
        self.most = 0
        self._inbox = bytearray()
        self._failed = False
        self._portal = ("", 0)
        self._said = 0

    def receive(self, data: bytes) -> bytes:
        self._inbox += data
        answers = []
        while len(self._inbox) >= 5:
            kind, length = struct.unpack_from("!ci", self._inbox)
            if len(self._inbox) < 1 + length:
                break
            body = bytes(self._inbox[5 : 1 + length])
            del self._inbox[: 1 + length]
            if kind == b"S":
                answers += self._sync()
            elif not self._failed:
                answers += self._answer(kind, body)
        return b"".join(self._between(answers))

    def _between(self, answers: list[bytes]) -> Iterator[bytes]:
        for answer in answers:
            self._said += 1
            if self._said % 7 == 0:
                yield UNASKED[self._said % len(UNASKED)]
            yield answer

    def _answer(self, kind: bytes, body: bytes) -> list[bytes]:
        match kind:
            case b"P":
                name, sql, _ = body.split(b"\0", 2)
                return self._parse(name, sql.decode())
            case b"B":
                return self._bind(body)
            case b"E":
                return self._execute()
            case b"D":
                return [message(b"t", struct.pack("!hi", 1, 23)), message(b"T", ROW)]
            case b"C":
                self.prepared.pop(body[1:-1], None)
                return [message(b"3")]
        raise AssertionError(kind)

    def _fail(self, sqlstate: str, text: str) -> list[bytes]:
        self._failed = True
        return [failure(sqlstate, text)]

    def _parse(self, name: bytes, sql: str) -> list[bytes]:
        if name in self.prepared:
            return self._fail("42P05", "prepared already")
        if sql == "bad parse":
            return self._fail("42601", "bad parse")
        self.prepared[name] = sql
        self.most = max(self.most, len(self.prepared))
        return [message(b"1")]

    def _bind(self, body: bytes) -> list[bytes]:
        _, name, rest = body.split(b"\0", 2)
        # One format for the parameters, one parameter, one format for the results.
        formats, fmt, parameters, length, tag = struct.unpack_from("!hhhii", rest)
        assert (formats, fmt, parameters, length) == (1, 1, 1, 4)
        if name not in self.prepared:
            return self._fail("26000", "not prepared")
        self._portal = (self.prepared[name], tag)
        if self._portal[0] == "bad bind":
            return self._fail("22P02", f"bad bind {tag}")
        return [message(b"2")]

    def _execute(self) -> list[bytes]:
        sql, tag = self._portal
        if sql == "bad execute":
            return [data_row(tag), *self._fail("22012", f"bad execute {tag}")]
        count = {"rows": ROWS, "nothing": 0}.get(sql, 1)
        return [data_row(tag)] * count + [message(b"C", f"SELECT {count}\0".encode())]

    def _sync(self) -> list[bytes]:
        sql, tag = self._portal
        late = [failure("23505", f"bad sync {tag}")] if sql == "bad sync" and not self._failed else []
        self._failed = False
        self._portal = ("", 0)
        return [*late, message(b"Z", b"I")]


class World:
    """A Machine and a ModelServer with the bytes on their way between them, and what was asked."""

    def __init__(self) -> None:
        self.machine = Machine({}, PREPARED_AT_MOST)
        self.server = ModelServer()
        self.statements = {sql: self._statement(sql) for sql in SQL}
        self.asked: deque[tuple[Request, str, int]] = deque()
        self.to_server = bytearray()
        self.to_client = bytearray()
        self.answered = 0

    @staticmethod
    def _statement(sql: str) -> Statement:
        statement, _ = describe_request(sql)
        statement.describe((23,), [INT4], (ColumnDescription("n", 0, 0, 23, 4, -1, 0),), [INT4])
        return statement

    def submit(self, sql: str, tag: int) -> None:
        request = self.statements[sql].bind((tag,))
        self.machine.submit(request)
        self.asked.append((request, sql, tag))

    def send(self, count: int) -> None:
        """Carry up to ``count`` bytes of what the client says to the server."""
        if self.machine.pending():
            self.to_server += self.machine.data_to_send()
        self.to_client += self.server.receive(bytes(self.to_server[:count]))
        del self.to_server[:count]

    def receive(self, count: int) -> None:
        """Carry up to ``count`` bytes of the answers to the client, and check whose they are."""
        self.machine.receive_data(bytes(self.to_client[:count]))
        del self.to_client[:count]
        for request in self.machine.finished:
            asked, sql, tag = self.asked.popleft()
            assert asked is request
            check(request, sql, tag)
            self.answered += 1
        self.machine.finished.clear()

    def settle(self) -> None:
        """Carry all there is, until everything is answered."""
        while self.to_server or self.to_client or self.machine.pending():
            self.send(1 << 20)
            self.receive(1 << 20)
        assert not self.asked
        assert self.machine.idle()
        # The machine and the server agree about what is prepared.
        assert set(self.machine.prepared) == set(self.server.prepared)


def check(request: Request, sql: str, tag: int) -> None:
    """The reply is that of this statement with this tag."""
    assert request.done
    assert request.failure is None
    if sql.startswith("bad"):
        text = backend.fields(request.error or b"")["M"]
        assert text in ((f"{sql} {tag}",) if sql != "bad parse" else ("bad parse", "not prepared"))
        return
    assert request.error is None
    rows: list[int] = []
    decode_rows(request.slices, [INT4], MAKER, rows)
    assert rows == [tag] * {"rows": ROWS, "nothing": 0}.get(sql, 1)
    assert request.tag == f"SELECT {len(rows)}\0".encode()
