"""Request: a unit of work up to its ReadyForQuery, and the place where its reply is collected.

``script`` says which replies are due, one letter for each message sent; the machine walks it (``protocol.machine``
has the table). The machine only stores: bodies of messages as bytes, rows as slices of what was received, so that
nothing here can fail for a reason that lies in the values. Whoever asked reads them.
"""

from __future__ import annotations

from typing import Any

from stretto.protocol.classify import WRITE

# Where a reply is taken away in parts while the rest is on the way (see Request.ready).
LARGE = 1 << 17


class Request:
    """One unit of work. Which of the fields of the reply are set depends on the script.

    ``partial``: whoever waits takes rows away before the end; ``consumed``: some were taken. ``results``: set to
    ``[]``, it gets each statement's ``(tag, slices, columns)`` apart. ``allow_copy``: the message (``G`` or ``H``) of
    the COPY that is wanted.
    ``statement``: the Statement, or the tuple of them, that must be prepared on the connection. ``forget``: the name of
    one that it closes, or closes first if it is there. ``parsing``: the statements that its Parse messages prepare, in
    their order (None: the unnamed one). ``described``: the RowDescriptions (None: no columns), by name, of those that
    have other columns on this connection than where they were described; ``refused``: a Parse of them failed.
    ``kind``, ``what``: how it gets on with others, and what makes it so (``protocol.classify``); ``cost``: the seconds
    that it is expected to take, where the statement does not tell; ``placed``, ``lane``: what the scheduler made of it.
    ``lasting``: of a stream whose portal is named, so that other statements do not end it.
    ``snapshot``: that is only said where it begins a transaction, to see one moment in all of its statements.
    ``undo``: where a flow in a transaction leaves what a rollback shall undo in Python.
    ``hurry``: it is only sent when it is yielded, and waited for the next time. ``abandoned``: the reply is thrown away
    as it comes; ``given_up``: nobody waits for its end either. ``said``: the script as it was before the machine put
    something in front. ``text``: the SQL of a simple query. ``before``: messages that are said in front of all others,
    the Parse that may be needed too; ``before_script`` is their script, and ``before_due`` counts their statements that
    have not completed yet, whose completions are not the request's own.
    Times (0: not yet), for the log of slow statements: ``called``: when it was first wanted; ``taken``: placed on a
    connection, ``pid``'s, ``behind`` so many others; ``sent_at``: its bytes handed to the socket; ``due``: the reply
    before it ended; ``began``: its own began; ``heard``: the last of it came; ``decoding``: seconds that the caller
    worked on its parts meanwhile. ``call``: all requests of the same call, where there are several.
    """

    def __init__(self, data: bytes, script: bytes, statement: Any = None) -> None:
        self.data = data
        self.script = script
        self.said = script
        self.statement = statement
        self.step = 0
        self.state = script[0]
        self.done = False
        self.queued = False
        self.sent = False
        self.abandoned = False
        self.partial = False
        self.lasting = False
        self.suspended = False
        self.allow_copy = 0
        self.copying = 0
        self.slices: list[Any] = []
        self.buffered = 0
        self.consumed = False
        self.tag: bytes | None = None
        self.results: list[Any] | None = None
        self.columns: bytes | None = None
        self.parameters: bytes | None = None
        self.copy_response: bytes | None = None
        self.error: bytes | None = None
        self.failure: BaseException | None = None
        self.forget: bytes | None = None
        self.parsing: list[Any] | None = None
        self.described: dict[bytes, bytes | None] | None = None
        self.refused = False
        self.text: str | None = None
        self.before: bytes | None = None
        self.before_script = b""
        self.before_due = 0
        self.snapshot = False
        self.undo: list[Any] | None = None
        self.extra: bytes | None = None
        self.extra_script = b""
        self.hurry = False
        self.given_up = False
        self.resent = 0
        self.status = 0
        self.kind = WRITE
        self.what = ""
        self.cost = -1.0
        self.placed = 0.0
        self.lane: Any = None
        self.patient = False
        self.waiter: Any = None
        self.called = 0.0
        self.taken = 0.0
        self.sent_at = 0.0
        self.due = 0.0
        self.began = 0.0
        self.heard = 0.0
        self.decoding = 0.0
        self.behind = 0
        self.pid = 0
        self.call: list[Request] | None = None

    def ready(self) -> bool:
        """Tell whether whoever waits has something to do: the end, a suspended portal, a COPY's start, much data."""
        return self.done or self.suspended or self.copying != 0 or (self.partial and self.buffered >= LARGE)

    def say(self, data: bytes, script: bytes) -> None:
        """Say more when the request is yielded the next time; only where its Sync was not sent yet."""
        self.extra = data
        self.extra_script = script

    def prepend(self, script: bytes) -> None:
        """More replies are due before the others, for messages sent in front."""
        self.script = script + self.script
        self.state = self.script[0]

    def lead(self) -> None:
        """The replies to what is said in front of all are due first; its unnamed statements are not kept."""
        if self.parsing is not None:
            self.parsing = [None] * self.before_script.count(b"P") + self.parsing
        self.prepend(self.before_script)

    def unlead(self) -> None:
        """Nothing is to be said in front."""
        self.before = None
        self.before_script = b""
        self.before_due = 0
        self.snapshot = False

    def extend(self, script: bytes) -> None:
        """More replies are due behind the others."""
        self.suspended = False
        self.script += script
        if self.step < len(self.script):
            self.state = self.script[self.step]

    def again(self) -> None:
        """Make it as it was before it was queued: it was not sent, or may run once more and nothing was consumed."""
        self.script = self.said
        self.slices = []
        self.buffered = 0
        self.tag = self.columns = self.parameters = None
        self.results = None if self.results is None else []
        self.step = 0
        self.state = self.script[0]
        self.done = self.queued = self.sent = self.refused = False
        self.failure = None
        self.error = None  # the server's last words, which came before it was sent
        self.parsing = None
        self.described = None
        self.lane = None
        self.taken = self.sent_at = self.due = self.began = self.heard = 0.0
        self.behind = 0

    def take(self) -> list[Any]:
        """Take the slices of rows (or COPY data) received so far: ``data, start, stop`` and again."""
        slices = self.slices
        self.slices = []
        self.buffered = 0
        self.consumed = True
        return slices
