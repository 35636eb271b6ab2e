"""The machine as tables: which message is legal where, what cannot be framed, what is prepared after failures."""

from __future__ import annotations

import contextlib
import gc
import resource
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flows.driver import READY, message, notice, parameter
from tests.protocol.model import World

from stretto.codecs.text import Text
from stretto.errors import ConnectionLost, ProtocolError, UsageError
from stretto.model.plan import plan_for
from stretto.protocol.machine import NOTICES_KEPT, NOTIFICATIONS_KEPT, PARAMETERS_KEPT, Machine
from stretto.protocol.request import LARGE, Request
from stretto.protocol.rows import decode_rows
from stretto.runtime.base import fail_all

BODIES = {
    "Z": b"I",
    "S": b"TimeZone\0UTC\0",
    "D": b"\0\0",
    "C": b"DONE\0",
    "T": b"\0\0",
    "t": b"\0\0",
    "G": b"\0\0\0",
    "H": b"\0\0\0",
}
ANYTIME = {"N", "S", "A"}
TEXT = Text("text", 25)


def say(kinds: str) -> bytes:
    return b"".join([message(kind.encode("latin-1"), BODIES.get(kind, b"")) for kind in kinds])


# A script, what came already, and which messages may come next, beside those that may come at any time.
LEGAL = {
    "nothing asked": (None, "", "E"),
    "Parse": (b"PY", "", "1E"),
    "Describe, parameters": (b"pcY", "", "tE"),
    "Describe, columns": (b"pcY", "t", "TnE"),
    "Bind": (b"BEY", "", "2E"),
    "Execute": (b"BEY", "2", "DCIGHE"),
    "Execute, a row came": (b"BEY", "2D", "DCIGHE"),
    "Execute of some rows": (b"BE", "2D", "DCIsGHE"),
    "Execute, complete": (b"BEY", "2DC", "ZE"),
    "Execute, empty": (b"BEY", "2I", "ZE"),
    "Close": (b"CY", "", "3E"),
    "Sync": (b"Y", "", "ZE"),
    "Sync after an error": (b"BEY", "E", "ZE"),
    "Sync after an error behind rows": (b"BEY", "2DDE", "ZE"),
    "two executions": (b"BEBEY", "2C", "2E"),
    "no Sync yet": (b"BE", "2Ds", "E"),
    "query": (b"Q", "", "TCIZGHE"),
    "query, rows": (b"Q", "T", "DCE"),
    "query, a row came": (b"Q", "TD", "DCE"),
    "query, one statement complete": (b"Q", "TDC", "TCIZGHE"),
    "query, error": (b"Q", "TDE", "ZE"),
    "query, copy in": (b"Q", "G", "CE"),
    "query, copy out": (b"Q", "H", "dcE"),
    "query, copy out, data": (b"Q", "Hd", "dcE"),
    "query, copy out, done": (b"Q", "Hdc", "CE"),
    "query, copy complete": (b"Q", "HdcC", "TCIZGHE"),
    "copy in, extended": (b"BEY", "2G", "CE"),
    "copy out, extended": (b"BEY", "2H", "dcE"),
    "copy out complete, extended": (b"BEY", "2HcC", "ZE"),
    "answered": (b"Y", "Z", "E"),
}


def machine_with(script: bytes | None, *, allow_copy: int = 0) -> tuple[Machine, Request | None]:
    machine = Machine({})
    if script is None:
        return machine, None
    request = Request(b"bytes", script)
    request.allow_copy = allow_copy
    machine.submit(request)
    machine.data_to_send()
    return machine, request


@pytest.mark.parametrize("case", LEGAL)
def test_only_what_is_due_may_come(case: str) -> None:
    script, came, legal = LEGAL[case]
    for code in range(256):
        kind = chr(code)
        machine, _ = machine_with(script)
        machine.receive_data(say(came))
        if kind in legal or kind in ANYTIME:
            machine.receive_data(say(kind))
        else:
            with pytest.raises(ProtocolError, match="the server sent"):
                machine.receive_data(say(kind))


@pytest.mark.parametrize("case", LEGAL)
def test_rows_are_legal_in_the_same_piece_as_what_stood_before_them_and_not_elsewhere(case: str) -> None:
    script, came, legal = LEGAL[case]
    machine, _ = machine_with(script)
    if "D" in legal:
        machine.receive_data(say(came + "DDD"))
    else:
        with pytest.raises(ProtocolError, match="DataRow"):
            machine.receive_data(say(came + "D"))


@pytest.mark.parametrize("length", [0, 1, 3, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [b"D", b"Z", b"N", b"?"])
@pytest.mark.parametrize("size", [1, 5])
def test_a_length_that_cannot_be_is_refused_before_memory_is_taken(length: int, kind: bytes, size: int) -> None:
    machine, _ = machine_with(b"Q")
    machine.receive_data(say("T"))
    data = kind + struct.pack("!I", length)
    tracemalloc.start()
    try:
        for i in range(0, len(data) - size, size):
            machine.receive_data(data[i : i + size])
        with pytest.raises(ProtocolError, match=f"length {length}"):
            machine.receive_data(data[-size:])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_memory_grows_with_what_came_and_not_with_its_claim() -> None:
    machine, _ = machine_with(b"Q")
    machine.receive_data(say("T"))
    tracemalloc.start()
    try:
        machine.receive_data(b"D" + struct.pack("!I", 900_000_000))
        for _ in range(10_000):
            machine.receive_data(b"x")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


STATUS = {"no letter": b"", "two letters": b"II", "X": b"X", "zero": b"\0", "not ASCII": b"\xc9"}


@pytest.mark.parametrize("case", STATUS)
def test_an_unknown_transaction_status_is_refused(case: str) -> None:
    machine, _ = machine_with(b"Y")
    with pytest.raises(ProtocolError, match=r"ReadyForQuery|status"):
        machine.receive_data(message(b"Z", STATUS[case]))


@pytest.mark.parametrize("letter", "ITE")
def test_the_transaction_status_is_kept(letter: str) -> None:
    machine, request = machine_with(b"Y")
    machine.receive_data(message(b"Z", letter.encode()))
    assert machine.status == letter
    assert request is not None
    assert (request.done, chr(request.status)) == (True, letter)


def test_what_comes_unasked_is_kept_up_to_a_limit() -> None:
    machine = Machine({})
    event = message(b"A", struct.pack("!i", 1) + b"c\0p\0")
    machine.receive_data((notice() + event) * (NOTIFICATIONS_KEPT + 10) + parameter("TimeZone", "UTC"))
    assert (len(machine.notices), len(machine.notifications)) == (NOTICES_KEPT, NOTIFICATIONS_KEPT)
    assert machine.dropped == 10
    assert machine.parameters == {"TimeZone": "UTC"}


UNASKED = 1_000_000
# What a hostile server says a million times while a statement runs; each number makes another message of one length.
FLOODS: dict[str, Callable[[int], bytes]] = {
    "notices": lambda n: notice(b"%07d" % n),
    "one parameter": lambda n: parameter("application_name", f"{n:07}"),
    "notifications": lambda n: message(b"A", struct.pack("!i", 1) + b"c\0%07d\0" % n),
}


def resident() -> int:
    """The bytes of memory that this process has (tracemalloc would take longer than what is measured)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_while_a_statement_runs_takes_no_memory_and_leaves_its_result_right(name: str) -> None:
    machine, request = machine_with(b"BEY")
    assert request is not None
    flood = b"".join(map(FLOODS[name], range(20_000)))
    machine.receive_data(say("2") + flood)
    before = resident()
    for _ in range(UNASKED // 20_000):
        machine.receive_data(flood)
        machine.receive_data(message(b"D", b"\0\1\0\0\0\1x"))
    assert resident() - before < 10 << 20, "kept, they were six times as much or more"
    machine.receive_data(say("C") + READY)
    assert request.done
    rows: list[object] = []
    decode_rows(request.slices, [TEXT], plan_for(str, (("t", TEXT),)), rows)
    assert rows == ["x"] * (UNASKED // 20_000)
    assert len(machine.notices) <= NOTICES_KEPT
    assert len(machine.notifications) <= NOTIFICATIONS_KEPT
    assert machine.parameters in ({}, {"application_name": "0019999"})


def test_a_server_that_reports_ever_new_parameters_is_cut_off() -> None:
    machine, _ = machine_with(b"Q")
    machine.receive_data(b"".join(parameter(f"p{n}", "x") for n in range(PARAMETERS_KEPT)))
    machine.receive_data(parameter("p0", "y"))
    with pytest.raises(ProtocolError, match=f"more than {PARAMETERS_KEPT} parameters"):
        machine.receive_data(parameter("one more", "x"))


@pytest.mark.parametrize("body", [b"", b"TimeZone\0", b"TimeZone\0UTC", b"TimeZone\0UTC\0x"])
def test_a_malformed_parameter_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        Machine({}).receive_data(message(b"S", body))


def test_an_error_that_nobody_asked_for_is_kept_as_the_farewell() -> None:
    machine = Machine({})
    machine.receive_data(message(b"E", b"Mbye\0\0"))
    assert machine.farewell == b"Mbye\0\0"


# Fields of a notice, and whether it is the farewell of a server that goes as a whole.
NOTICES = {
    "immediate stop": (b"SWARNUNG\0VWARNING\0C57P01\0Mx\0Rquickdie\0\0", True),
    "crash": (b"SWARNING\0VWARNING\0C57P02\0Mx\0Rquickdie\0\0", True),
    "raised by a function": (b"SWARNING\0VWARNING\0C57P01\0Mquickdie\0Rexec_stmt_raise\0\0", False),
    "another code": (b"SWARNING\0VWARNING\0C01000\0Mx\0Rquickdie\0\0", False),
    "another severity": (b"SNOTICE\0VNOTICE\0C57P01\0Mx\0Rquickdie\0\0", False),
    "empty": (b"", False),
}


@pytest.mark.parametrize("script", [None, b"Q"])
@pytest.mark.parametrize("case", NOTICES)
def test_the_notice_of_a_server_that_goes_is_its_farewell(case: str, script: bytes | None) -> None:
    body, going = NOTICES[case]
    machine = Machine({}) if script is None else machine_with(script)[0]
    machine.receive_data(message(b"N", body))
    assert machine.going is going
    assert machine.farewell == (body if going else None)
    assert list(machine.notices) == [body]


def test_a_closed_machine_takes_no_request() -> None:
    machine = Machine({})
    machine.lost()
    with pytest.raises(UsageError, match="closed"):
        machine.submit(Request(b"", b"Y"))


def test_a_lost_connection_gives_all_requests_back_the_oldest_first() -> None:
    machine = Machine({})
    requests = [Request(b"x", b"Y") for _ in range(3)]
    for request in requests:
        machine.submit(request)
    assert machine.depth() == 3
    machine.data_to_send()
    machine.receive_data(READY)
    assert machine.lost() == requests[1:]
    assert (machine.closed, machine.idle(), machine.pending()) == (True, True, False)


def test_last_words_that_came_before_a_request_was_sent_are_not_its_answer_elsewhere() -> None:
    first, second = Machine({}), Machine({})
    request = Request(b"x", b"Q")
    first.submit(request)
    first.receive_data(message(b"E", b"SFATAL\0VFATAL\0C57P01\0Mx\0\0"))
    (failed,) = fail_all(first, None)
    assert isinstance(failed.failure, ConnectionLost)
    assert failed.failure.outcome == "not_sent"
    request.again()
    second.submit(request)
    second.data_to_send()
    second.receive_data(message(b"C", b"SELECT 1\0") + READY)
    assert (request.done, request.error, request.failure) == (True, None, None)


def test_a_request_counts_as_sent_when_its_bytes_are_taken() -> None:
    machine = Machine({})
    first, second = Request(b"a", b"Y"), Request(b"b", b"Y")
    machine.submit(first)
    assert machine.data_to_send() == b"a"
    machine.submit(second)
    assert (first.sent, second.sent) == (True, False)
    assert machine.data_to_send() == b"b"
    assert second.sent


COPIES = {
    "simple, in": (b"Q", "", "G", b"f", b""),
    "simple, out": (b"Q", "", "H", b"", b""),
    "extended, in": (b"BEY", "2", "G", b"f", b"S\0\0\0\4"),
    "extended, out": (b"BEY", "2", "H", b"", b""),
}


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_that_nobody_asked_for_is_ended(case: str) -> None:
    script, before, kind, first, last = COPIES[case]
    machine, request = machine_with(script)
    assert request is not None
    machine.receive_data(say(before + kind))
    said = machine.data_to_send() if machine.pending() else b""
    assert said[:1] == first
    assert said.endswith(last)
    machine.receive_data(say("E" if kind == "G" else "ddcC") + READY)
    assert request.done
    assert isinstance(request.failure, UsageError)
    assert request.slices == []


def test_a_stream_that_was_ended_may_still_be_suspended_before_the_end() -> None:
    machine, request = machine_with(b"BE")
    assert request is not None
    machine.submit(Request(b"next", b"Y"))
    machine.receive_data(say("2Ds") + READY)
    assert (request.done, request.abandoned, machine.depth()) == (True, True, 1)


def test_a_large_reply_is_handed_over_in_parts() -> None:
    machine, request = machine_with(b"Q")
    assert request is not None
    request.partial = True
    machine.receive_data(say("T"))
    big = message(b"D", bytes(LARGE))
    machine.receive_data(big)
    assert machine.finished == [request]
    assert (request.ready(), request.done) == (True, False)
    assert request.take() == [big, 0, len(big)]
    assert not request.ready()


def test_the_reply_to_an_abandoned_request_is_thrown_away() -> None:
    machine, request = machine_with(b"Q")
    assert request is not None
    request.abandoned = True
    machine.receive_data(say("TDDC") + READY)
    assert (request.done, request.slices, request.buffered) == (True, [], 0)


# What is prepared on the connection, by the machine and by the server, after a batch some of which cannot be parsed.


def batch(world: World, *names: str) -> Request:
    bound = [world.statements[name].bind((1,)).data[:-5] for name in names]
    request = Request(
        b"".join(bound) + b"S\0\0\0\4", b"BE" * len(names) + b"Y", tuple(map(world.statements.get, names))
    )
    world.machine.submit(request)
    while not request.done:
        world.send(1 << 20)
        world.machine.receive_data(bytes(world.to_client))
        world.to_client.clear()
    world.machine.finished.clear()
    return request


BATCHES = {
    "all are good": (["echo", "rows"], []),
    "the first is bad": (["bad parse", "echo"], []),
    "the second is bad": (["echo", "bad parse", "rows"], []),
    "the last is bad": (["echo", "rows", "bad parse"], []),
    "bad, and others must be closed first": (["bad parse", "echo again"], ["echo", "rows", "nothing", "bad sync"]),
    "good, then bad, and others closed": (["echo again", "bad parse"], ["echo", "rows", "nothing", "bad sync"]),
}


@pytest.mark.parametrize("case", BATCHES)
def test_machine_and_server_agree_on_what_is_prepared(case: str) -> None:
    names, before = BATCHES[case]
    world = World()
    for name in before:
        world.submit(name, 1)
    world.settle()
    request = batch(world, *names)
    assert (request.error is not None) == ("bad parse" in names)
    assert set(world.machine.prepared) == set(world.server.prepared)
    for name in names:  # none is parsed twice
        world.submit(name, 2)
    world.settle()


def test_each_statement_of_a_batch_has_its_own_tag_and_columns() -> None:
    machine, request = machine_with(b"Q")
    assert request is not None
    request.results = []
    row = message(b"D", b"\0\0")
    machine.receive_data(say("T") + row + say("CIC") + READY)
    assert [(tag, len(slices), columns) for tag, slices, columns in request.results] == [
        (b"DONE\0", 3, b"\0\0"),
        (None, 0, None),
        (b"DONE\0", 0, None),
    ]


REPLY = say("2DDDsC1nGHdc3tI") + READY


@given(st.binary(max_size=200) | st.lists(st.sampled_from([REPLY, notice(), b"\0", b"D", b"\xff"])).map(b"".join))
def test_only_a_protocol_error_leaves_the_machine(data: bytes) -> None:
    for script in (None, b"BEY", b"Q", b"pcY"):
        machine, _ = machine_with(script)
        with contextlib.suppress(ProtocolError):
            machine.receive_data(data)
