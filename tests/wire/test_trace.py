"""The trace of a conversation: libpq's own of the same bytes, masked secrets, pieces, malformed messages."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq
from tests.flows.driver import auth, message, sasl
from tests.wire.recorder import Recorder, recorder

from stretto.wire import startup
from stretto.wire.trace import MASK, Tracer

TALK = Path(__file__).with_name("libpq_talk.py")


def lines_of(recording: Recorder, tracer: Tracer) -> list[str]:
    lines = []
    for side, data in recording.spoken:
        lines += tracer.frontend(data) if side == "F" else tracer.backend(data)
    return lines


def comparable(lines: list[str]) -> list[str]:
    """Leave out what libpq does not print, and the key, which it does."""
    kept = [line for line in lines if "\tAuthentication" not in line]
    return [line.rpartition(" ")[0] if "\tBackendKeyData" in line else line for line in kept]


@pytest.mark.parametrize("regress", [False, True])
def test_our_trace_is_libpqs(server_url: str, tmp_path: Path, regress: bool) -> None:
    place = urlsplit(server_url)
    file = tmp_path / "libpq"
    flags = pq.Trace.SUPPRESS_TIMESTAMPS | (pq.Trace.REGRESS_MODE if regress else pq.Trace(0))
    with recorder(place.hostname or "127.0.0.1", place.port or 5432) as recording:
        subprocess.run([sys.executable, TALK, str(recording.port), file, str(int(flags))], check=True, timeout=30)
    theirs = file.read_text().splitlines()
    ours = lines_of(recording, Tracer(regress=regress))
    assert len(theirs) > 100
    for side in "FB":  # a server's notice may overtake what we said before, by the time both are recorded
        assert [line for line in comparable(ours) if line[0] == side] == [
            line for line in comparable(theirs) if line[0] == side
        ]


SECRET = b"hunter2"
MASKED = {
    "password": ([auth(3)], startup.password_message(SECRET), "PasswordMessage"),
    "md5": ([auth(5, b"salt")], startup.password_message(SECRET), "PasswordMessage"),
    "password nobody asked for": ([], startup.password_message(SECRET), "PasswordMessage"),
    "SASL, first": ([sasl("SCRAM-SHA-256")], startup.sasl_initial_response("SCRAM-SHA-256", SECRET), "SASLInitialResp"),
    "SASL, then": ([sasl("X"), auth(11, SECRET)], startup.sasl_response(SECRET), "SASLResponse"),
    "GSS": ([auth(7), auth(8, SECRET)], message(b"p", SECRET), "GSSResponse"),
    "SASL, last": ([auth(12, SECRET)], startup.password_message(SECRET), "PasswordMessage"),
    "authentication of another kind": ([auth(99, SECRET)], startup.password_message(SECRET), "PasswordMessage"),
    "key": ([message(b"K", struct.pack("!i", 7) + SECRET)], b"", "BackendKeyData"),
    "wrong key": ([message(b"K", SECRET[:3])], b"", "BackendKeyData"),
}


@pytest.mark.parametrize("case", MASKED)
def test_secrets_are_masked(case: str) -> None:
    asked, answer, name = MASKED[case]
    tracer = Tracer(started=True)
    lines = [line for data in asked for line in tracer.backend(data)] + tracer.frontend(answer)
    assert lines[-1].split("\t")[2].startswith(name)
    assert SECRET.decode() not in "".join(lines)
    assert "salt" not in "".join(lines)
    assert case == "wrong key" or MASK in lines[-1]


def test_a_cancel_key_is_masked() -> None:
    assert Tracer().frontend(startup.cancel_request(7, b"\1\2\3\4")) == [f"F\t16\tCancelRequest\t 1234 5678 7 {MASK}"]


ODD = {
    "unknown": (message(b"?", b"x"), ["B\t5\tUnknown message: 3f"]),
    "not a letter": (message(b"\xff"), ["B\t4\tUnknown message: ff"]),
    "too long": (message(b"Z", b"Ixy"), ["B\t7\tReadyForQuery\t I (2 bytes more)"]),
    "too short": (message(b"Z"), ["B\t4\tReadyForQuery\t (the server's message ends 1 bytes too early)"]),
    "row of many": (
        message(b"D", b"\xff\xff"),
        ["B\t6\tDataRow\t 65535 (the server's message ends 4 bytes too early)"],
    ),
    "value of length -2": (
        message(b"D", b"\0\1\xff\xff\xff\xfe"),
        ["B\t10\tDataRow\t 1 -2 (the server's message ends -2 bytes too early)"],
    ),
    "control characters": (message(b"C", b"a\x1b[2J\nB\t\0"), [r"B" "\t13\tCommandComplete\t" r' "a\x1b[2J\nB\t"']),
    "length 3": (b"Z\0\0\0\3" + message(b"1"), ["B\t?\t(a message of length 3)"]),
    "length of 4 GB": (b"Z\xff\xff\xff\xff" + message(b"1"), ["B\t?\t(a message of length 4294967295)"]),
}


@pytest.mark.parametrize("case", ODD)
def test_malformed_messages_are_shown(case: str) -> None:
    data, lines = ODD[case]
    tracer = Tracer(started=True)
    assert tracer.backend(data) == lines


def test_an_error_may_come_instead_of_the_letter_for_tls() -> None:
    tracer = Tracer()
    tracer.frontend(startup.ssl_request())
    assert tracer.backend(message(b"E", b"Mno\0\0")) == ['B\t9\tErrorResponse\t M "no" \\x00']


CONVERSATION = b"".join(
    [
        message(b"T", b"\0\1a\0" + bytes(6) + b"\0\0\0\x17\0\4\xff\xff\xff\xff\0\1"),
        message(b"D", b"\0\1\0\0\0\4\0\0\0\1"),
        message(b"C", b"SELECT 1\0"),
        message(b"Z", b"I"),
    ]
)


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=8))
def test_pieces_give_the_same_lines(cuts: list[int]) -> None:
    tracer = Tracer(started=True)
    places = [0, *sorted(cuts), len(CONVERSATION)]
    lines = []
    for start, stop in itertools.pairwise(places):
        lines += tracer.backend(CONVERSATION[start:stop])
    assert lines == Tracer(started=True).backend(CONVERSATION)
