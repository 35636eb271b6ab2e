"""Machine: one conversation with one server, without I/O.

Rules of this room. Bytes in (``receive_data``), bytes out (``data_to_send``), requests in (``submit``), finished
requests out (``finished``). Replies match requests by position and by nothing else. A request is queued in the same
step that appends its bytes. A message that the table of ``protocol.state`` does not allow raises ProtocolError: then
the connection must be closed, it is never resynchronised by guess. Values are not looked at: bodies and slices of
rows are stored in the request, and whoever asked decodes them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from stretto.errors import CommitUnknown, DecodeError, ProtocolError, UsageError
from stretto.protocol import state as states
from stretto.protocol.classify import CONTROL, SESSION
from stretto.protocol.request import LARGE, Request
from stretto.wire import backend, frontend
from stretto.wire.buffer import MAX_MESSAGE, ReadBuffer, WriteBuffer

_TABLE = states.flatten()
_SESSION = SESSION
_CONTROL = CONTROL
_ILLEGAL = states.ILLEGAL
_ADVANCE = states.ADVANCE
_COPY_END = states.COPY_END
_EXHAUSTED = ord(states.EXHAUSTED)
_SYNC = ord(states.SYNC)
_QUERY = ord(states.QUERY)
_EXECUTE = ord(states.EXECUTE)
_PARSE = ord(states.PARSE)
_PARAMETERS = ord(states.PARAMETERS)
_COLUMNS = ord(states.COLUMNS)

# What a session must have and keep, or texts and dates would be written and read wrongly; and what to do about it.
_REQUIRED = {
    "client_encoding": (
        "UTF8",
        "nothing may set it on the server's side: look at login event triggers, at functions with set_config, at the "
        "connect query of a pooler",
    ),
    "integer_datetimes": (
        "on",
        "the server keeps dates as floating-point numbers: build it without --disable-integer-datetimes (since "
        "PostgreSQL 10 there is no such choice)",
    ),
}
# Command tags of what would stay with a session that others use.
# (SET is told by the lexer: SET LOCAL has the same tag and leaves nothing.)
_SESSION_TAGS = {b"LISTEN\0", b"UNLISTEN\0", b"PREPARE\0", b"DECLARE CURSOR\0", b"LOAD\0"}
_CHANGED = (
    "this statement changed the session of a connection that others use, so it was closed: BEGIN, SET, LISTEN, PREPARE "
    "and their like need a connection of your own, from connection() or transaction()"
)

# Where PostgreSQL warns of a commit whose wait for a synchronous standby was cancelled (its text is translated).
_UNREPLICATED = b"\0RSyncRepWaitForLSN\0"
_COMMITTED_HERE = (
    "the commit took place on this server, but the wait for its synchronous standby was cancelled: after a failover it "
    "may be missing"
)
_OTHERWISE = "the statement has other columns on this connection than where it was described"

# Notices and notifications wait for whoever listens; a flood drops the oldest.
NOTICES_KEPT = 1000
NOTIFICATIONS_KEPT = 10_000
PARAMETERS_KEPT = 1000  # names that a server may report; PostgreSQL has about fifteen


class Machine:
    """The client's side of one connection after its start-up.

    ``parameters``: what the server reported by ParameterStatus. ``status``: the transaction status of the last
    ReadyForQuery: ``I``, ``T`` or ``E``. ``prepared``: the Statement that is prepared here under each name, or None
    where it is another than anybody knows. ``changed``: a reported setting is no more what it was, or what may change
    the session was said. ``finished``: requests that are done or ready (``Request.ready``), for the runtime to wake
    whoever waits and to clear. ``shared``: the session is several callers', so a statement that leaves it changed ends
    it: ``receive_data`` raises UsageError. ``pid``: the server's process, where it is known. ``notices``,
    ``notifications``: bodies of what came unasked. ``farewell``: the server's last words; ``going``: they say that it
    goes as a whole, with all its sessions.
    """

    def __init__(self, parameters: dict[str, str], statements: int = 256) -> None:
        self.parameters = parameters
        self.status = "I"
        self.inflight: deque[Request] = deque()
        self.finished: list[Request] = []
        self.notices: deque[bytes] = deque(maxlen=NOTICES_KEPT)
        self.notifications: deque[bytes] = deque()
        self.dropped = 0
        self.tag = b""
        self.prepared: dict[bytes, Any] = {}
        self.closed = False
        self.shared = False
        self.changed = False
        self.farewell: bytes | None = None
        self.going = False
        self.pid = 0
        self._now = 0.0
        self._last_sent = 0.0
        self._head: Request | None = None
        self._open: Request | None = None
        self._statements = statements
        self._outgoing: list[bytes] = []
        self._unsent: list[Request] = []
        self._partial = bytearray()
        self._need = 0
        self._buf = ReadBuffer(b"")

    # What we say ------------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> bool:
        """Queue a request and its bytes; puts Parse in front where its statement is not prepared here yet.

        Returns whether replies were due before.
        """
        if self.closed:
            raise UsageError("this connection is closed")
        if self._open is not None:
            self._end_open(self._open)
        last = request.script[len(request.script) - 1]
        if last != _SYNC and last != _QUERY:
            self._open = request
        if request.kind == _SESSION:
            self.changed = True
        if request.snapshot and (self.status != "I" or self._controlled()):
            request.unlead()
        if request.before is not None:
            self._outgoing.append(request.before)
        statement = request.statement
        if statement is None:
            if request.forget is not None:
                self.prepared.pop(request.forget, None)
        elif type(statement) is tuple:
            self._prepare(request, {one.name: one for one in statement})
        elif self.prepared.get(statement.name) is not statement:
            self._prepare(request, {statement.name: statement})
        if request.before is not None:
            request.lead()
        request.queued = True
        request.pid = self.pid
        request.behind += self.depth()
        self._outgoing.append(request.data)
        self._unsent.append(request)
        if self._head is None:
            self._head = request
            return False
        self.inflight.append(request)
        return True

    def _controlled(self) -> bool:
        """Tell whether a BEGIN or its like is on its way."""
        for request in self.due():  # noqa: SIM110  # a compiled method has no generator expressions
            if request.kind == _CONTROL:
                return True
        return False

    def withdraw(self, request: Request) -> bool:
        """Take back a request that was not sent yet; False when it is too late, or others build on its Parse."""
        if (
            request.sent
            or request.parsing is not None
            or request.before is not None
            or request not in self._unsent
            or self._open is not None
        ):
            return False
        self._unsent.remove(request)
        self._outgoing = [data for data in self._outgoing if data is not request.data]
        if self._head is request:
            self._head = self.inflight.popleft() if self.inflight else None
        else:
            self.inflight.remove(request)
        return True

    def _end_open(self, request: Request) -> None:
        """Something else is asked before a stream was ended: a Sync ends its portal, and its rows are dropped.

        Where the portal is named it lives on, and the rows that are on their way are kept.
        """
        if request.lasting and not request.abandoned:
            request.partial = False
        else:
            request.abandoned = True
            request.take()
        request.say(frontend.SYNC, b"Y")
        self.extend(request)

    def _prepare(self, request: Request, wanted: dict[bytes, Any]) -> None:
        """Say Parse first, and before it Close for what else has the name, or was prepared longest ago of too many.

        All Closes stand before the first Parse, which may fail and then take all behind it along.
        """
        buf = WriteBuffer()
        parsing = []
        closes = 0
        for name, statement in wanted.items():
            if self.prepared.get(name) is statement:
                continue
            oldest = next(iter(self.prepared), None)
            if name in self.prepared:
                oldest = name
            elif oldest in wanted or len(self.prepared) < self._statements:
                oldest = None
            if oldest is not None:
                del self.prepared[oldest]
                frontend.close_statement(buf, oldest)
                closes += 1
            parsing.append(statement)
            self.prepared[name] = statement
        if parsing:
            buf.write_bytes(b"".join([statement.parse for statement in parsing]))
            self._outgoing.append(buf.getvalue())
            request.parsing = parsing
            request.prepend(b"C" * closes + b"".join([statement.parse_script for statement in parsing]))

    def extend(self, request: Request) -> None:
        """Say what ``Request.say`` left there; the request must be the last one queued."""
        last = self.inflight[len(self.inflight) - 1] if self.inflight else self._head
        if last is not request or request.extra is None:
            raise UsageError("only the last request of an exclusive connection can be extended")
        self._outgoing.append(request.extra)
        request.extend(request.extra_script)
        request.extra = None
        if request.script.endswith(b"Y"):
            self._open = None

    def write(self, data: bytes) -> None:
        """Say what has no reply of its own (CopyData, CopyDone, Terminate)."""
        self._outgoing.append(data)

    def pending(self) -> bool:
        """Tell whether there is something to send."""
        return bool(self._outgoing)

    def data_to_send(self, now: float = 0.0) -> bytes:
        """Take all bytes that wait to be sent; from here on, the time ``now``, their requests count as sent."""
        outgoing = self._outgoing
        self._outgoing = []
        for request in self._unsent:
            request.sent = True
            request.sent_at = now
        self._unsent.clear()
        self._last_sent = now
        return outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)

    def written(self, now: float) -> None:
        """The bytes that were taken last are with the socket only now: it did not take them at once."""
        if self._head is not None and self._head.sent_at == self._last_sent:
            self._head.sent_at = now
        for request in self.inflight:
            if request.sent_at == self._last_sent:
                request.sent_at = now

    def idle(self) -> bool:
        """Tell whether no reply is due."""
        return self._head is None

    def depth(self) -> int:
        """Count the requests whose replies are due."""
        return 0 if self._head is None else 1 + len(self.inflight)

    def forsaken(self) -> bool:
        """Tell whether replies are due, and nobody waits for any of them."""
        if self._head is None or not self._head.given_up:
            return False
        for request in self.inflight:  # noqa: SIM110  # a compiled method has no generator expressions
            if not request.given_up:
                return False
        return True

    def due(self) -> list[Request]:
        """The requests whose replies are due, the oldest first."""
        return [] if self._head is None else [self._head, *self.inflight]

    def head(self) -> Request | None:
        """The request whose reply is due next."""
        return self._head

    # What we hear -----------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float = 0.0) -> None:
        """Take bytes as they came, at the time ``now``, in whatever pieces.

        Raises ProtocolError; then the connection must be closed.
        """
        self._now = now
        if self._need:
            self._partial += data
            if len(self._partial) < self._need:
                return
            data = bytes(self._partial)
            self._partial = bytearray()
            self._need = 0
        buf = self._buf
        end = len(data)
        buf.attach(data, 0, end)
        rows_from = -1
        start = 0
        while end - start >= 5:
            kind = buf.read_uint8()
            length = buf.read_uint32()
            if length < 4 or length > MAX_MESSAGE:
                raise ProtocolError(f"the server sent a message {chr(kind)!r} of length {length}")
            stop = start + 1 + length
            if stop > end:
                break
            if kind == 0x44 and rows_from >= 0:
                pass
            elif kind == 0x44 and self._rows_allowed():
                rows_from = start
            else:
                if rows_from >= 0:
                    self._rows(data, rows_from, start)
                    rows_from = -1
                self._message(kind, length - 4)
            buf.pos = stop
            start = stop
        if rows_from >= 0:
            self._rows(data, rows_from, start)
        if start < end:
            self._keep(data, start, end)

    def _keep(self, data: bytes, start: int, end: int) -> None:
        """Keep the beginning of a message until the rest is there; memory grows with what came, not with its claim."""
        buf = self._buf
        self._need = 5
        if end - start >= 5:
            buf.pos = start + 1
            self._need = 1 + buf.read_uint32()
        buf.pos = start
        self._partial = bytearray(buf.read_bytes(end - start))

    def _rows_allowed(self) -> bool:
        request = self._head
        return request is not None and _TABLE[request.state * 128 + 0x44] != _ILLEGAL

    def _rows(self, data: bytes, start: int, stop: int) -> None:
        request = self._head
        if request is None:
            raise ProtocolError("the server sent rows that nobody asked for")
        if request.began == 0.0:
            request.began = self._now
        request.heard = self._now
        if not request.abandoned:
            request.slices.append(data)
            request.slices.append(start)
            request.slices.append(stop)
            request.buffered += stop - start
            if request.partial and request.buffered >= LARGE:
                self.finished.append(request)

    def _message(self, kind: int, length: int) -> None:
        """Act on one message; the buffer stands at its body."""
        if kind == 0x53 or kind == 0x4E or kind == 0x41:
            self._asynchronous(kind, length)
            return
        request = self._head
        if request is None:
            if kind == 0x45:
                self.farewell = self._buf.read_bytes(length)
                return
            raise ProtocolError(f"the server sent {_name(kind)} although nothing was asked")
        if request.began == 0.0:
            request.began = self._now
        if kind == 0x45:
            self._error(request, self._buf.read_bytes(length))
            return
        then = _TABLE[request.state * 128 + kind] if kind < 128 else _ILLEGAL
        if then == _ILLEGAL:
            raise ProtocolError(f"the server sent {_name(kind)} where {_expected(request.state)} was due")
        if kind == 0x5A:
            self._ready(request, length)
            return
        if length:
            self._store(request, kind, length)
        if kind == 0x43 or kind == 0x49:
            self._complete(request)
        elif kind == 0x73 and request.step + 1 < len(request.script) and not (request.abandoned or request.lasting):
            raise ProtocolError("the server sent PortalSuspended although all rows were asked for")
        elif kind == 0x47 or kind == 0x48:
            self._copy(request, kind)
        elif (kind == 0x54 or kind == 0x6E) and request.state == _COLUMNS and request.parsing is not None:
            self._compare(request)
        if then == _ADVANCE:
            self._advance(request)
        elif then == _COPY_END:
            request.copying = 0
            if request.script[request.step] == _EXECUTE:
                self._advance(request)
            else:
                request.state = _QUERY
        elif then != request.state:
            request.state = then

    def _store(self, request: Request, kind: int, length: int) -> None:
        buf = self._buf
        if kind == 0x43:
            request.tag = self.tag = buf.read_bytes(length)
        elif kind == 0x54:
            request.columns = buf.read_bytes(length)
        elif kind == 0x74:
            request.parameters = buf.read_bytes(length)
        elif kind == 0x47 or kind == 0x48:
            request.copy_response = buf.read_bytes(length)
        elif kind == 0x64 and request.allow_copy and not request.abandoned:
            request.slices.append(buf.data)
            request.slices.append(buf.pos)
            request.slices.append(buf.pos + length)
            request.buffered += length
            if request.buffered >= LARGE:
                self.finished.append(request)

    def _advance(self, request: Request) -> None:
        step = request.step + 1
        request.step = step
        if step < len(request.script):
            request.state = request.script[step]
        else:
            request.state = _EXHAUSTED
            request.suspended = True
            request.heard = self._now
            self.finished.append(request)

    def _complete(self, request: Request) -> None:
        """A statement has ended: keep its result apart where several are wanted."""
        if request.before_due:
            request.before_due -= 1
            request.tag = None
            return
        if request.results is not None:
            request.results.append((request.tag, request.take(), request.columns))
            request.tag = None
            request.columns = None

    def _compare(self, request: Request) -> None:
        """A statement that was described elsewhere is described here: tell all that execute it where it is another."""
        statement: Any = self._parsed(request)
        if statement.parse_script == b"P":
            return  # the request is there to describe it
        body = request.columns
        request.columns = request.parameters = None
        if statement.has_columns(backend.columns_of(body)):
            return
        self._doubt(statement)
        for one in [request, *self.inflight]:
            if one.statement is statement or (type(one.statement) is tuple and statement in one.statement):
                one.described = {**(one.described or {}), statement.name: body}

    def _parsed(self, request: Request) -> Any:
        """The statement whose Parse was answered last."""
        parsing = request.parsing or []
        return parsing[request.script.count(b"P", 0, request.step) - 1]

    def _doubt(self, statement: Any) -> None:
        """What is prepared under a statement's name is not the one that is known: it is closed before it is used."""
        name = statement.name
        if self.prepared.get(name) is statement:
            self.prepared[name] = None

    def _copy(self, request: Request, kind: int) -> None:
        """A COPY has begun: hand over to whoever wants it, or get out of it where nobody does."""
        if request.allow_copy == kind:
            request.copying = kind
            self.finished.append(request)
            return
        verb = "copy_in" if kind == 0x47 else "copy_out"
        request.failure = UsageError(f"COPY is not run by this verb: use {verb}()")
        if kind == 0x47:
            buf = WriteBuffer()
            frontend.copy_fail(buf, "COPY FROM STDIN is run by copy_in()")
            if request.script[request.step] == _EXECUTE:
                buf.write_bytes(frontend.SYNC)  # the server passes over a Sync that comes during COPY
            self.write(buf.getvalue())

    def _error(self, request: Request, body: bytes) -> None:
        """Keep the first error, and wait for the Sync's answer next."""
        if request.error is None:
            request.error = body
        if request.parsing is not None:
            self._unprepare(request)
        last = len(request.script) - 1
        request.copying = 0
        if request.script[last] == _SYNC or request.script[last] == _QUERY:
            request.step = last
            request.state = _SYNC
        else:
            request.step = last + 1
            request.state = _EXHAUSTED
            request.suspended = True
            self.finished.append(request)

    def _unprepare(self, request: Request) -> None:
        """After an error: a Parse that failed, or was passed over, has prepared nothing."""
        parsing = request.parsing or []
        missing: list[Any] = parsing[request.script.count(b"P", 0, request.step) :]
        for statement in missing:
            name = statement.name if statement is not None else b""
            if name and self.prepared.get(name) is statement:
                del self.prepared[name]
        if request.state == _PARSE:
            request.refused = missing[0] is not None
        elif request.state == _PARAMETERS or request.state == _COLUMNS:
            self._doubt(self._parsed(request))

    def _ready(self, request: Request, length: int) -> None:
        """ReadyForQuery: the request is done, whatever became of it."""
        if length != 1:
            raise ProtocolError("the server sent a ReadyForQuery without a status")
        status = self._buf.read_uint8()
        if status != 0x49 and status != 0x54 and status != 0x45:
            raise ProtocolError(f"the server sent an unknown transaction status {status}")
        self.status = chr(status)
        request.status = status
        request.done = True
        request.heard = self._now
        if self.shared and (status != 0x49 or (request.tag is not None and request.tag in _SESSION_TAGS)):
            request.failure = UsageError(_CHANGED)
            self.finished.append(request)
            self._head = self.inflight.popleft() if self.inflight else None
            raise request.failure
        if request.described is not None and request.error is None and not request.abandoned:
            request.failure = request.failure or DecodeError(_OTHERWISE)
        self._head = self.inflight.popleft() if self.inflight else None
        if self._head is not None:
            self._head.due = self._now
        self.finished.append(request)

    def _asynchronous(self, kind: int, length: int) -> None:
        body = self._buf.read_bytes(length)
        if kind == 0x53:
            name, value = backend.parameter_status(body)
            self.changed = self.changed or self.parameters.get(name, value) != value
            self.parameters[name] = value
            if len(self.parameters) > PARAMETERS_KEPT:
                raise ProtocolError(f"the server reports more than {PARAMETERS_KEPT} parameters")
            check_parameter(name, value)
        elif kind == 0x4E:
            self._notice(body)
        else:
            if len(self.notifications) >= NOTIFICATIONS_KEPT:
                self.notifications.popleft()
                self.dropped += 1
            self.notifications.append(body)

    def _notice(self, body: bytes) -> None:
        request = self._head
        self.notices.append(body)
        if backend.says_goodbye(body):
            self.farewell = body
            self.going = True
        if _UNREPLICATED in body and request is not None:
            said = {"D": backend.fields(body).get("D", "")}
            request.failure = CommitUnknown(_COMMITTED_HERE, fields=said)

    def lost(self) -> list[Request]:
        """The connection is gone: take all requests whose replies were due, the oldest first."""
        self.closed = True
        requests = self.due()
        self._head = None
        self._open = None
        self.inflight.clear()
        self._outgoing.clear()
        return requests


def check_parameter(name: str, value: str) -> None:
    """Raise ProtocolError where the server reports a parameter that texts or dates cannot be read with."""
    required = _REQUIRED.get(name)
    if required is not None and value != required[0]:
        raise ProtocolError(
            f"{name} is {value} in this session, and stretto only speaks with {required[0]}: {required[1]}"
        )


def _name(kind: int) -> str:
    return backend.NAMES.get(chr(kind), f"an unknown message {chr(kind)!r}")


def _expected(state: int) -> str:
    row = states.TABLE.get(chr(state), {})
    return " or ".join(backend.NAMES[letter] for letter in row) or "nothing"
