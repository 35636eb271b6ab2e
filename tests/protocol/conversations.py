"""Conversations of the flows with a server: what is asked, how it is driven, and how it is written down.

``python -m tests.protocol.conversations URL`` records them anew from a real server into ``golden/``: the trace of what
both sides said, an empty line between round trips, and what the callers got behind ``=``. The tests play the server's
lines back, in any pieces, and compare what the client says and what the callers get.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from stretto.config import Config
from stretto.errors import Error
from stretto.flows import batch as batching
from stretto.flows import copy, ending, query
from stretto.flows.listen import notifications, read_notices
from stretto.flows.options import Options
from stretto.flows.shared import Shared
from stretto.flows.stream import Portal
from stretto.flows.transaction import Scope, Trunk
from stretto.flows.within import within
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.wire import trace
from stretto.wire.trace import Tracer

GOLDEN = Path(__file__).with_name("golden")
STATEMENTS = 4  # prepared at most
ROUNDS = 1000  # in which calls may go on without hearing anything, which they have no reason to
SCHEMA = "wire_golden"

Caller = Callable[[Shared, Machine], Generator[Any, Any, Any]]


def fetch(sql: str, *args: Any) -> Caller:
    return lambda shared, machine: query.fetch(shared, sql, args)


def execute(sql: str, *args: Any) -> Caller:
    return lambda shared, machine: query.execute(shared, sql, args)


def executemany(sql: str, *rows: Any) -> Caller:
    return lambda shared, machine: query.executemany(shared, sql, rows)


def batch(*items: tuple[str, tuple[Any, ...]]) -> Caller:
    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        results = yield from batching.batch(shared, [(sql, args, None) for sql, args in items])
        return [(result.tag, result.rows) for result in results]

    return call


def stream(sql: str, size: int, stop_after: int = 1 << 30, into: Any = int) -> Caller:
    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        portal = Portal(shared, sql, (), into, size)
        yield from portal.open()
        batches = []
        while len(batches) < stop_after and (rows := (yield from portal.more())):
            batches.append(rows)
        yield from portal.close()
        return batches

    return call


def copy_in(sql: str, *messages: bytes) -> Caller:
    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        request = yield from copy.start(sql, copy.COPY_IN)
        for message in messages:  # noqa: UP028  # a tuple cannot be sent to
            yield message
        return (yield from copy.finish(request, sql))

    return call


def copy_out(sql: str) -> Caller:
    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        request = yield from copy.start(sql, copy.COPY_OUT)
        data = b""
        while chunks := (yield from copy.receive(request, sql)):
            data += b"".join(chunks)
        return data, (yield from copy.finish(request, sql))

    return call


def transaction(*statements: Caller, begin: str = "", nested: bool = False) -> Caller:
    """Statements of a block, one after the other, and COMMIT; where one fails, ROLLBACK. ``begin``: another text."""

    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        trunk = Trunk(Options("serializable"), track=True)
        trunk.pending[:] = [begin or trunk.pending[0]]
        scope = Scope(shared, trunk, "here", None, None)
        if nested:
            scope = Scope(shared, trunk, "here", scope, None)
        found = []
        try:
            for statement in statements:
                found.append((yield from within(scope, statement(shared, machine))))
        except Error:
            if trunk.sent:
                yield from ending.rollback()
            raise
        yield from ending.commit(trunk)
        ending.committed(scope)
        return found

    return call


def heard() -> Caller:
    def call(shared: Shared, machine: Machine) -> Generator[Any, Any, Any]:
        yield from ()
        events = [(event.channel, event.payload) for event in notifications(machine)]
        return events, [notice.message for notice in read_notices(machine)], machine.parameters.get("application_name")

    return call


COPY_SQL = f"copy {SCHEMA}.item from stdin"
# Each conversation is a list of moments: those of one moment are asked at once.
CONVERSATIONS: dict[str, list[list[Caller]]] = {
    "cold_and_warm_fetch": [[fetch("select $1::int4 + 1 as n", 1)], [fetch("select $1::int4 + 1 as n", 2)]],
    "error_in_parse": [[fetch("select nothing_there")], [fetch("select 1 as n")]],
    "error_in_bind": [[fetch("select $1::text::int4 as n", "1")], [fetch("select $1::text::int4 as n", "x")]],
    "error_in_execute": [[fetch("select 1 / $1::int4 as n", 0)], [fetch("select 1 / $1::int4 as n", 1)]],
    "error_at_sync": [[execute(f"insert into {SCHEMA}.late values ($1)", 1)]] * 2,
    "several_in_flight_one_fails": [
        [fetch("select 1 / $1::int4 as n", 1)],
        [fetch("select 1 / $1::int4 as n", number) for number in (1, 0, -1)],
    ],
    "several_statements_in_one_query": [[execute("select 1; select 2 union select 3; ; set extra_float_digits = 1")]],
    "error_among_several_statements": [[execute("select 1; select 1/0; select 2")]],
    "empty_query": [[execute("")], [fetch("")]],
    "copy_in": [[copy_in(COPY_SQL, copy.data_message(b"1\n2\n"), copy.data_message(b"3\n"), b"c\0\0\0\4")]],
    "copy_in_fails": [[copy_in(COPY_SQL, copy.fail_message(ValueError()))]],
    "copy_in_bad_data": [[copy_in(COPY_SQL, copy.data_message(b"x\n"), b"c\0\0\0\4")], [fetch("select 1 as n")]],
    "copy_out": [[copy_out("copy (values (1), (2)) to stdout")]],
    "copy_unasked": [[execute("copy (values (1)) to stdout")], [fetch("copy (values (1)) to stdout")]],
    "stream": [[stream("select generate_series(1, 5)", 2)], [stream("select generate_series(1, 4)", 2)]],
    "stream_ended_early": [[stream("select generate_series(1, 9)", 2, 1)], [fetch("select 1 as n")]],
    "stream_fails": [[stream("select 1 / (3 - g) from generate_series(1, 5) g", 2)], [fetch("select 1 as n")]],
    "unasked": [
        [execute("listen wire_golden; set application_name = 'golden'")],
        [execute("do $$ begin raise notice 'hello'; perform pg_notify('wire_golden', 'x'); end $$")],
        [heard()],
    ],
    "least_recent_is_closed": [[fetch(f"select {n} as n")] for n in range(STATEMENTS + 2)] + [[fetch("select 0 as n")]],
    "transaction": [
        [transaction(fetch("select $1::int4 + 1 as n", 1), fetch("select $1::int4 + 1 as n", 2))],
        [transaction(fetch("select $1::int4 + 1 as n", 3), fetch("select 4 as n"))],
    ],
    "transaction_writes": [
        [transaction(executemany(f"insert into {SCHEMA}.item values ($1)", (1,), (2,)))],
        [transaction(execute(f"insert into {SCHEMA}.item values (3)"))],
    ],
    "transaction_fails": [
        [transaction(fetch("select 1 / $1::int4 as n", 0))],
        [transaction(fetch("select 1 / $1::int4 as n", 0), nested=True)],
        [transaction(execute("select nothing_there"))],
    ],
    "transaction_without_begin": [
        [transaction(fetch("select 1 as n"), begin="BEGIN ISOLATION LEVEL NONE")],
        [transaction(execute("select 1 as n"), begin="BEGIN ISOLATION LEVEL NONE")],
        [fetch("select 1 as n")],
    ],
    "transaction_nested": [
        [transaction(execute("select 1 as n"), nested=True)],
        [transaction(fetch("select 1 as n"), fetch("select 1 as n"), nested=True)],
    ],
    "batch": [
        [batch(("select 1 as n", ()), ("", ()), (f"insert into {SCHEMA}.item values ($1)", (7,)))],
        [batch(("select 1 as n", ()), ("select 1 / $1::int4 as n", (0,)), ("select 1 as n", ()))],
        [fetch("select 1 as n")],
    ],
    "many": [[executemany(f"insert into {SCHEMA}.item values ($1)", (1,), (2,), (3,))]],
    "healing_after_deallocate": [[fetch("select 1 as n")], [execute("deallocate all")], [fetch("select 1 as n")]],
    "healing_after_alter": [
        [fetch(f"select * from {SCHEMA}.changing")],
        [execute(f"alter table {SCHEMA}.changing add b int4 default 7")],
        [fetch(f"select * from {SCHEMA}.changing")],
    ],
    # Others push it out of what is prepared; then a temporary table stands before the one that it was described by.
    "other_columns_than_described": [
        [execute(f"set search_path = {SCHEMA}")],
        [fetch("select * from shape")],
        [fetch(f"select {n} as n") for n in range(STATEMENTS)],
        [execute("create temp table shape as select 1::int4 as b, 2::int8 as c")],
        [fetch("select * from shape"), fetch("select * from shape")],
        [batch(("select 0 as n", ()), ("select * from shape", ()))],
        [stream("select * from shape", 2, into=tuple)],
    ],
    "other_parameters_than_described": [
        [execute(f"set search_path = {SCHEMA}")],
        [fetch("insert into shape values ($1) returning *", None)],
        [fetch(f"select {n} as n") for n in range(STATEMENTS)],
        [execute("create temp table shape (b int4, c int8)")],
        [fetch("insert into shape values ($1) returning *", None)],
        [fetch("insert into shape values ($1) returning *", 7)],
    ],
    "no_healing_in_a_transaction": [
        [fetch("select 1 as n")],
        [execute("begin")],
        [execute("deallocate all")],
        [fetch("select 1 as n")],
        [execute("rollback")],
        [fetch("select 1 as n")],
    ],
}
SETUP = f"""
    drop schema if exists {SCHEMA} cascade; create schema {SCHEMA};
    create table {SCHEMA}.item (a int4);
    create table {SCHEMA}.shape (a text); insert into {SCHEMA}.shape values ('x');
    create table {SCHEMA}.late (a int4 unique deferrable initially deferred);
    create table {SCHEMA}.changing (a int4); insert into {SCHEMA}.changing values (1);
"""


def converse(
    name: str, machine: Machine, speak: Callable[[bytes], None], listen: Callable[[Machine], None]
) -> list[str]:
    """Drive a conversation; return what the callers got, as text. ``listen`` feeds the machine something."""
    shared = Shared(Config.parse("postgresql://", environ={"HOME": "/nonexistent"}))
    results = []
    for moment in CONVERSATIONS[name]:
        calls = [_Call(caller(shared, machine), machine) for caller in moment]
        idle = 0
        while not all(call.ended for call in calls):
            if machine.pending():
                speak(machine.data_to_send())
            idle += 1
            while not all(call.ready() for call in calls):
                listen(machine)
                idle = 0
            assert idle < ROUNDS, "the calls go on and on without hearing anything"
            machine.finished.clear()
            for call in calls:
                call.go_on()
        results += [call.result for call in calls]
    return results


class _Call:
    """A flow on its way."""

    def __init__(self, flow: Generator[Any, Any, Any], machine: Machine) -> None:
        self.result = ""
        self.ended = False
        self._flow = flow
        self._machine = machine
        self._request: Request | None = None
        self.go_on()

    def ready(self) -> bool:
        return self.ended or self._request is None or self._request.ready()

    def go_on(self) -> None:
        try:
            while not self.ended:
                step = self._flow.send(self._request)
                if isinstance(step, bytes):
                    self._machine.write(step)
                    continue
                self._request = step
                if not step.queued:
                    self._machine.submit(step)
                elif step.extra is not None:
                    self._machine.extend(step)
                if not step.hurry:
                    return
                step.hurry = False
        except StopIteration as stop:
            self._end(repr(stop.value))
        except Error as error:
            self._end(f"{type(error).__name__}: {error}")

    def _end(self, result: str) -> None:
        self.ended = True
        self.result = result.replace("\n", " | ")


def record(url: str) -> None:
    """Write all golden conversations anew."""
    import psycopg

    from stretto.runtime import plug

    for name in CONVERSATIONS:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SETUP)
        sock, _ = plug.open_session(Shared(Config.parse(url)), None)
        with sock:
            (GOLDEN / f"{name}.txt").write_text("\n".join(_recorded(name, sock)) + "\n")


def _recorded(name: str, sock: socket.socket) -> Iterator[str]:
    lines: list[str] = []
    tracer = Tracer(started=True)

    def speak(data: bytes) -> None:
        lines.append("")
        lines.extend(tracer.frontend(data))
        sock.sendall(data)

    def listen(machine: Machine) -> None:
        data = sock.recv(1 << 16)
        lines.extend(tracer.backend(data))
        machine.receive_data(data)

    results = converse(name, Machine({}, STATEMENTS), speak, listen)
    yield from lines[1:]
    yield ""
    yield from (f"= {result}" for result in results)


# From the lines back to bytes.

_CONTENTS = re.compile(r""" (?:"(.*?)"|'(.*?)'|(\S+))(?= |$)""")
_ERROR = re.compile(r' (\w) "(.*?)"(?= \w "| \\x00$)')
_HEX = re.compile(rb"\\x([0-9a-f]{2})")
_KINDS = {name: (kind, form) for kind, (name, form) in trace.BACKEND.items()}
_NUMBERS = {"h": "!H", "i": "!i", "o": "!i"}


def message_of(line: str) -> bytes:
    """Make the server's message of its line in a trace."""
    _, length, name, *rest = line.split("\t")
    kind, form = _KINDS[name]
    contents = rest[0] if rest else ""
    if form == "e":
        body = b"".join(f"{code}{text}\0".encode() for code, text in _ERROR.findall(contents)) + b"\0"
    else:
        words = iter(_CONTENTS.findall(contents))
        body = b"".join(_body(form, words))
    assert len(body) + 4 == int(length), line
    return kind.encode() + struct.pack("!i", int(length)) + body


def _body(form: str, words: Iterator[tuple[str, str, str]]) -> Iterator[bytes]:
    for token in re.findall(r"\*?(?:\w|\(\w+\))", form):
        times = 1
        if token.startswith("*"):
            times = int(next(words)[2])
            yield struct.pack("!H", times)
        for _ in range(times):
            for letter in token.strip("*()"):
                yield _field(letter, words)


def _field(letter: str, words: Iterator[tuple[str, str, str]]) -> bytes:
    text, data, bare = next(words)
    match letter:
        case "s":
            return text.encode() + b"\0"
        case "c":
            return _unescaped(bare)
        case "r":
            return _unescaped(data)
        case "v":
            count = struct.pack("!i", int(bare))
            return count if bare == "-1" else count + _unescaped(next(words)[1])
    return struct.pack(_NUMBERS[letter], int(bare))


def _unescaped(text: str) -> bytes:
    return _HEX.sub(lambda match: bytes([int(match[1], 16)]), text.encode())


if __name__ == "__main__":
    record(sys.argv[1])
