"""The tree of errors: fields, text, outcome, pickling, and the class of each SQLSTATE."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from stretto import errors, sqlstate
from stretto.errors import ConnectionLost, DatabaseError, Notice, StatementTimeout, printable
from stretto.sqlstate import UniqueViolation, error_class, error_from_fields

ROOT = Path(__file__).resolve().parents[2]

FIELDS = {
    "S": "FEHLER",
    "V": "ERROR",
    "C": "23505",
    "M": "duplicate key",
    "D": "Key (id)=(1) already exists.",
    "H": "take another",
    "P": "8",
    "p": "3",
    "q": "select x",
    "W": "PL/pgSQL function f()",
    "s": "public",
    "t": "book",
    "c": "id",
    "d": "int4",
    "n": "book_pkey",
    "F": "nbtinsert.c",
    "L": "666",
    "R": "_bt_check_unique",
}

ATTRIBUTES = {
    "severity": "ERROR",
    "sqlstate": "23505",
    "message": "duplicate key",
    "detail": "Key (id)=(1) already exists.",
    "hint": "take another",
    "position": 8,
    "internal_position": 3,
    "internal_query": "select x",
    "where": "PL/pgSQL function f()",
    "schema_name": "public",
    "table_name": "book",
    "column_name": "id",
    "data_type_name": "int4",
    "constraint_name": "book_pkey",
}


def all_error_classes() -> Iterator[type[errors.Error]]:
    for module in (errors, sqlstate):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, errors.Error) and cls.__module__ == module.__name__:
                yield cls


def test_every_field_of_the_server_becomes_an_attribute() -> None:
    error = error_from_fields(FIELDS, "insert into book values (1)")
    assert {name: getattr(error, name) for name in ATTRIBUTES} == ATTRIBUTES
    assert error.fields == FIELDS
    assert error.query == "insert into book values (1)"


def test_an_error_that_is_not_the_server_s_has_no_fields() -> None:
    error = DatabaseError("no")
    assert error.message == "no"
    assert [name for name in ATTRIBUTES if name != "message" and getattr(error, name) is not None] == []
    assert (error.fields, error.query) == ({}, None)


@pytest.mark.parametrize("junk", ["", "x", "-1", "1" * 400, "٣", "1.0", " 1"])
def test_a_position_that_is_no_number_is_dropped(junk: str) -> None:
    error = error_from_fields({"M": "m", "P": junk, "p": junk}, "select")
    assert (error.position, error.internal_position, str(error)) == (None, None, "m")


def test_the_severity_that_is_translated_is_taken_from_servers_that_send_no_other() -> None:
    assert error_from_fields({"S": "FEHLER", "M": ""}).severity == "FEHLER"


# --- classes -----------------------------------------------------------------------------------------------------

CLASS_CASES = [
    ("23505", UniqueViolation, errors.IntegrityError),
    ("40001", sqlstate.SerializationFailure, errors.OperationalError),
    ("40P01", sqlstate.DeadlockDetected, errors.OperationalError),
    ("57014", sqlstate.QueryCanceled, errors.OperationalError),
    ("42601", sqlstate.SqlSyntaxError, errors.ProgrammingError),
    ("42P01", sqlstate.UndefinedTable, errors.ProgrammingError),
    ("58000", sqlstate.SqlSystemError, errors.OperationalError),
    ("XX000", sqlstate.SqlInternalError, errors.InternalError),
    ("0A000", sqlstate.FeatureNotSupported, errors.NotSupportedError),
    ("28P01", sqlstate.InvalidPassword, errors.AuthenticationError),
    ("22004", sqlstate.NullValueNotAllowed, errors.DataError),
    ("39004", sqlstate.NullValueNotAllowedInExternalRoutine, errors.OperationalError),
    ("22ZZZ", errors.DataError, errors.DataError),
    ("P0999", errors.ProgrammingError, errors.ProgrammingError),
    ("ZZ000", DatabaseError, DatabaseError),
    ("", DatabaseError, DatabaseError),
    ("2", DatabaseError, DatabaseError),
]


@pytest.mark.parametrize(("code", "cls", "base"), CLASS_CASES)
def test_the_class_is_the_sqlstate_s_else_its_group_s_else_database_error(
    code: str, cls: type[DatabaseError], base: type[DatabaseError]
) -> None:
    error = error_from_fields({"C": code, "M": "m"})
    assert type(error) is cls
    assert issubclass(cls, base)
    assert error.sqlstate == code


def test_without_a_sqlstate_it_is_a_plain_database_error() -> None:
    error = error_from_fields({"M": "m"})
    assert type(error) is DatabaseError
    assert error.sqlstate is None


def test_each_class_knows_its_sqlstate() -> None:
    assert len(sqlstate.CLASSES) > 240
    for code, cls in sqlstate.CLASSES.items():
        assert cls.sqlstate == cls("m").sqlstate == code
        assert getattr(sqlstate, cls.__name__) is cls


PSYCOPG = [
    cls
    for cls in vars(psycopg.errors).values()
    if isinstance(cls, type) and isinstance(getattr(cls, "sqlstate", None), str)
]


def test_pep_249_s_class_is_psycopg_s_for_every_sqlstate() -> None:
    mine = {code: cls.__bases__[0].__name__ for code, cls in sqlstate.CLASSES.items()}
    theirs = {cls.sqlstate: cls.__bases__[0].__name__ for cls in PSYCOPG}
    assert theirs.keys() - mine.keys() == set()
    differ = {code for code in mine if mine[code] != theirs[code]}
    assert differ == {"28000", "28P01"}
    assert issubclass(errors.AuthenticationError, errors.OperationalError)


def test_no_class_hides_a_builtin_or_another_class() -> None:
    names = [cls.__name__ for cls in sqlstate.CLASSES.values()]
    assert len(names) == len(set(names))
    assert [name for name in names if hasattr(builtins, name) or hasattr(errors, name)] == []


def test_the_generated_file_is_what_the_tool_writes() -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "make_sqlstate.py", "--check"], check=True)


def test_the_server_raises_every_error_that_has_a_class(server_url: str) -> None:
    conn = pq.PGconn.connect(server_url.encode())
    try:
        for code, cls in sqlstate.CLASSES.items():
            raised = f"do $$ begin raise exception using errcode = '{code}', message = 'm' ; end $$".encode()
            field = conn.exec_(raised).error_field(pq.DiagnosticField.SQLSTATE)
            assert field is not None
            assert error_class(field.decode()) is cls
    finally:
        conn.finish()


@pytest.mark.parametrize(
    ("code", "retryable"), [("40001", True), ("40P01", True), ("40003", False), ("08006", False), (None, False)]
)
def test_a_transaction_may_be_run_again_after_a_serialization_failure_or_a_deadlock(
    code: str | None, retryable: bool
) -> None:
    assert error_class(code)("m", fields={} if code is None else {"C": code}).retryable is retryable


# --- text --------------------------------------------------------------------------------------------------------


def test_str_has_message_line_detail_hint_and_context() -> None:
    error = error_from_fields(FIELDS, "insert into book values (1)")
    assert str(error).splitlines() == [
        "duplicate key",
        "LINE 1: insert into book values (1)",
        "               ^",
        "DETAIL: Key (id)=(1) already exists.",
        "HINT: take another",
        "CONTEXT: PL/pgSQL function f()",
    ]


POINTER_CASES = [
    # query, position, lines
    ("select x", 8, ["LINE 1: select x", "               ^"]),
    ("select\n  x,\n  y", 11, ["LINE 2:   x,", "           ^"]),
    ("a\r\nb\rc\nd", 8, ["LINE 4: d", "        ^"]),
    ("a\n\nb", 3, ["LINE 2: ", "        ^"]),
    ("\tselect\tx", 9, ["LINE 1:  select x", "                ^"]),
    ("select 'é', x", 13, ["LINE 1: select 'é', x", "                    ^"]),
    ("select '日本', x", 14, ["LINE 1: select '日本', x", "                       ^"]),
    ("select 'e\u0301', x", 14, ["LINE 1: select 'e\u0301', x", "                    ^"]),
    ("select '🎈', x", 13, ["LINE 1: select '🎈', x", "                     ^"]),
    ("select \x1b[1mx", 12, ["LINE 1: select \\x1b[1mx", "                      ^"]),
    ("select", 7, ["LINE 1: select", "              ^"]),
    ("select\n", 8, ["LINE 2: ", "        ^"]),
    ("select", 8, []),
    ("select", 0, []),
    ("", 1, ["LINE 1: ", "        ^"]),
    ("a" * 72, 1, [f"LINE 1: {'a' * 72}", "        ^"]),
    ("x" + "a" * 99, 1, [f"LINE 1: x{'a' * 71}...", "        ^"]),
    ("a" * 99 + "x", 100, [f"LINE 1: ...{'a' * 71}x", " " * 82 + "^"]),
    ("a" * 99 + "x" + "a" * 99, 100, [f"LINE 1: ...{'a' * 36}x{'a' * 35}...", " " * 47 + "^"]),
]


@pytest.mark.parametrize(("query", "position", "lines"), POINTER_CASES)
def test_the_caret_stands_under_the_place(query: str, position: int, lines: list[str]) -> None:
    error = error_from_fields({"M": "m", "P": str(position)}, query)
    assert str(error).split("\n")[1:] == lines


def test_a_query_that_a_function_ran_is_shown_when_the_caller_s_is_not_at_fault() -> None:
    error = error_from_fields({"M": "m", "p": "8", "q": "select x"}, "select f()")
    assert str(error).splitlines()[1:] == ["QUERY LINE 1: select x", "                     ^"]


@given(st.text(), st.integers(-1, 400))
def test_any_query_and_any_position_give_text_of_whole_lines(query: str, position: int) -> None:
    lines = str(error_from_fields({"M": "m", "P": str(position)}, query)).split("\n")
    assert len(lines) in (1, 3)
    assert all(printable(line) == line for line in lines)


LIBPQ_CASES = [
    "select 1 +* 2",
    "select\n  1,\n  nope\nfrom pg_class",
    "select\tnope",
    "select 'é日本', nope",
    "select 1 from nowhere",
    "select '\U0001f388' from nowhere -- and more",
]


@pytest.mark.parametrize("query", LIBPQ_CASES)
def test_the_line_and_the_caret_are_those_of_libpq(server_url: str, query: str) -> None:
    conn = pq.PGconn.connect(server_url.encode())
    try:
        conn.exec_(b"set client_encoding = 'UTF8'")
        result = conn.exec_(query.encode())
        theirs = [line for line in result.error_message.decode().splitlines() if not line.startswith("HINT")][1:]
        place = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
        assert place is not None
        assert str(error_from_fields({"M": "m", "P": place.decode()}, query)).splitlines()[1:] == theirs
    finally:
        conn.finish()


UNSAFE_CASES = [
    ("plain é 日本 🎈", "plain é 日本 🎈"),
    ("a\nFAKE LOG LINE", "a\\nFAKE LOG LINE"),
    ("a\r\tb", "a\\r\\tb"),
    ("\x1b[2J\x07", "\\x1b[2J\\x07"),
    ("\x9b2J\x7f\x00\x85", "\\x9b2J\\x7f\\x00\\x85"),
    ("a\u2028b\u202ec\u2066", "a\\u2028b\\u202ec\\u2066"),
    ("\ud800", "\\ud800"),
]


@pytest.mark.parametrize(("raw", "shown"), UNSAFE_CASES)
def test_server_text_is_harmless_in_str_and_raw_in_the_attributes(raw: str, shown: str) -> None:
    error = error_from_fields({"M": raw, "D": raw, "H": raw, "W": raw})
    assert str(error).split("\n") == [shown, f"DETAIL: {shown}", f"HINT: {shown}", f"CONTEXT: {shown}"]
    assert (error.message, error.detail, error.hint, error.where) == (raw, raw, raw, raw)
    notice = Notice.from_fields({"V": "WARNING", "M": raw})
    assert (str(notice), notice.message) == (f"WARNING: {shown}", raw)


@given(st.text(st.characters(codec=None)))
def test_printable_text_can_be_encoded_and_is_one_line(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1
    printable(text).encode()


# --- outcome -----------------------------------------------------------------------------------------------------

OUTCOME_CASES = [
    ("not_sent", True, "has not run"),
    ("unknown", False, "may have run"),
    ("rolled_back", True, "rolled back"),
]


@pytest.mark.parametrize("cls", [ConnectionLost, StatementTimeout])
@pytest.mark.parametrize(("outcome", "safe", "words"), OUTCOME_CASES)
def test_the_outcome_is_said_in_words_and_by_attribute(
    cls: type[ConnectionLost | StatementTimeout], outcome: errors.Outcome, safe: bool, words: str
) -> None:
    error = cls("the server went away", outcome=outcome)
    assert (error.outcome, error.safe_to_retry) == (outcome, safe)
    assert str(error).startswith("the server went away; ")
    assert words in str(error)
    assert words in str(cls(outcome=outcome))


def test_an_outcome_that_nobody_gave_is_unknown() -> None:
    assert ConnectionLost("x").outcome == "unknown"


def test_an_outcome_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="not_sent"):
        ConnectionLost("x", outcome="maybe")  # type: ignore[arg-type]  # what is tested


def test_timeouts_are_timeout_errors_too() -> None:
    assert issubclass(StatementTimeout, TimeoutError)
    assert issubclass(errors.PoolTimeout, TimeoutError)


# --- copies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", list(all_error_classes()))
def test_every_error_survives_pickle_and_copy(cls: type[errors.Error]) -> None:
    if issubclass(cls, ConnectionLost | StatementTimeout):
        error: errors.Error = cls("went away", outcome="rolled_back", fields=FIELDS, query="select 1")
    elif issubclass(cls, DatabaseError):
        error = cls("m", fields=FIELDS, query="select 1")
    else:
        error = cls("m")
    error.add_note("a note")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is cls
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        assert (str(twin), repr(twin)) == (str(error), repr(error))


# --- notices -----------------------------------------------------------------------------------------------------


def test_a_notice_has_the_same_attributes_as_an_error() -> None:
    notice = Notice.from_fields(FIELDS)
    assert {name: getattr(notice, name) for name in ATTRIBUTES} == ATTRIBUTES
    assert str(notice).splitlines() == [
        "ERROR: duplicate key",
        "DETAIL: Key (id)=(1) already exists.",
        "HINT: take another",
    ]
    assert pickle.loads(pickle.dumps(notice)) == notice


def test_a_notice_without_fields_is_empty() -> None:
    assert Notice.from_fields({}) == Notice("")
