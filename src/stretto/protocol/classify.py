"""What a statement asks of its connection, read from its SQL: whether others' statements may travel behind it.

The classifier looks at how each statement begins, and then for the words and calls in it that lock, write, or leave
something with the session. What is not understood counts as WRITE: nothing rides behind it, and the server says what is
wrong. What functions and DO blocks do inside is not seen: the server's answers tell that (tag, status, parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import NamedTuple

from stretto.protocol.lexer import split, tokenize

READ = 0  # waits for no row's lock and leaves nothing behind: other callers' statements may follow
WRITE = 1  # may wait for locks
SESSION = 2  # changes the session, or needs it as an earlier statement left it
CONTROL = 3  # begins, ends or divides a transaction
COPYING = 4  # a COPY from or to the client
_RANK = (0, 1, 3, 4, 2)  # of several statements, the most demanding counts

Demand = tuple[int, str]  # a kind, and what made it so


class Traits(NamedTuple):
    """What a text of SQL asks: its ``kind`` (READ to COPYING), and how many ``statements`` it has (empty ones aside).

    ``what`` made it so, in words for a message: "BEGIN", "pg_advisory_lock()", "CREATE TEMP TABLE"; empty for READ and
    for what was not understood.
    """

    kind: int
    what: str
    statements: int


def classify(sql: str) -> Traits:
    """Tell what a text of SQL asks of the connection. Never raises; its time is linear in the text's length."""
    tokens, complete = tokenize(sql)
    demand: Demand = (READ, "")
    count = 0
    for statement in split(tokens):
        demand = _more(demand, _demand(statement))
        count += 1
    if not complete:
        demand = (WRITE, "")  # the server refuses all of it
    return Traits(*demand, count)


_QUERIES = frozenset(("select", "values", "table", "with"))
_CHANGES = frozenset(("insert", "update", "delete", "merge", "call"))
_BEGUN_WITH: dict[str, int] = {
    **dict.fromkeys(("begin", "end", "abort", "savepoint", "release"), CONTROL),
    **dict.fromkeys(("reset", "listen", "unlisten", "deallocate", "execute", "declare"), SESSION),
    **dict.fromkeys(("fetch", "move", "close", "discard", "load"), SESSION),
    "show": READ,
}
_LOCKS = [f"pg_{attempt}advisory_{{}}{shared}" for attempt in ("", "try_") for shared in ("", "_shared")]
_CALLED: dict[int, tuple[str, ...]] = {
    SESSION: (
        *(name.format("lock") for name in _LOCKS),
        *("pg_advisory_unlock", "pg_advisory_unlock_shared", "pg_advisory_unlock_all"),
        *("setseed", "currval", "lastval", "dblink_connect", "dblink_connect_u", "dblink_disconnect"),
        *("pg_replication_origin_session_setup", "pg_replication_origin_session_reset"),
    ),
    WRITE: (
        *(name.format("xact_lock") for name in _LOCKS),
        *("nextval", "setval", "pg_notify", "pg_logical_emit_message"),
        *("lo_create", "lo_creat", "lo_unlink", "lo_put", "lo_from_bytea", "lo_import"),
    ),
}
_FUNCTIONS: dict[str, Demand] = {
    quote + name: (kind, f"{name}()") for kind, names in _CALLED.items() for name in names for quote in ("", '"')
}
_SET_CONFIG = ("set_config", '"set_config')
_OWN_SCHEMA = ("pg_temp", '"pg_temp')
_FOLLOWED_BY = {"insert": "into", "merge": "into", "delete": "from"}
_TELLING = frozenset(("update", "share", "into", "uescape", *_FOLLOWED_BY, *_OWN_SCHEMA, *_FUNCTIONS))


def _more(one: Demand, other: Demand) -> Demand:
    """Choose the more demanding of two, the first of equals."""
    return other if _RANK[other[0]] > _RANK[one[0]] else one


def _demand(tokens: list[str]) -> Demand:
    """Tell what one statement asks; ``tokens`` end with "" twice, so that looking ahead and back is safe."""
    first = tokens[0]
    if first in _QUERIES or (first == "(" and next(word for word in tokens if word != "(") in _QUERIES):
        return _scan(tokens, (READ, ""))
    if first in _CHANGES:
        return _scan(tokens, (WRITE, first.upper()))
    if first in _BEGUN_WITH:
        kind = _BEGUN_WITH[first]
        return kind, first.upper() if kind else ""
    rule = _RULES.get(first)
    if rule is not None:
        return rule(tokens)
    named = first.upper()[:30] if first.isascii() and first.isidentifier() else ""
    return _more((WRITE, named), _own_schema(tokens))


def _scan(tokens: list[str], demand: Demand) -> Demand:
    """Look for what demands more than ``demand`` in a statement that computes: its calls, CTEs and sub-selects."""
    for place, word in enumerate(tokens):
        if word in _TELLING:
            demand = _more(demand, _asked(tokens, place))
            if demand[0] == SESSION:
                break
    if any(name in tokens for name in _SET_CONFIG) and not _are_local(tokens):
        return _more((SESSION, "set_config()"), demand)
    return demand


def _asked(tokens: list[str], place: int) -> Demand:
    """Tell what a telling word or name asks for where it stands."""
    word, before, after = tokens[place], tokens[place - 1], tokens[place + 1]
    if word in _OWN_SCHEMA:
        return (SESSION, "pg_temp") if after == "." else (READ, "")
    if word == "uescape":  # a name spelled in a way that is not looked into
        return (SESSION, "UESCAPE") if after == "'" and tokens[place + 2] in ("(", ".") else (READ, "")
    if word in _FUNCTIONS:
        return _FUNCTIONS[word] if _calls(tokens, place, _FUNCTIONS) else (READ, "")
    if before in (".", "as"):
        return READ, ""
    if word == "into":
        return _into(before, after)
    if word == "share":
        locks = before == "for" or tokens[place - 2 : place] == ["for", "key"]
        return (WRITE, "FOR SHARE") if locks else (READ, "")
    if word == "update":
        return WRITE, "FOR UPDATE" if before in ("for", "key") else "UPDATE"
    return (WRITE, word.upper()) if after == _FOLLOWED_BY[word] else (READ, "")


def _calls(tokens: list[str], place: int, names: Container[str]) -> bool:
    """Tell a call of a function that is the server's own from a column, an alias, another schema's function."""
    before = tokens[place - 1]
    others = before == "." and tokens[place - 2] not in ("pg_catalog", '"pg_catalog')
    return tokens[place] in names and tokens[place + 1] == "(" and before != "as" and not others


def _are_local(tokens: list[str]) -> bool:
    """Tell whether the third argument of each set_config() is TRUE, so that its setting ends with the statement."""
    commas: list[int] = []  # in each open parenthesis; those of set_config count from 0, others far from there
    for place, word in enumerate(tokens):
        if word == "(":
            commas.append(0 if _calls(tokens, place - 1, _SET_CONFIG) else -len(tokens))
        elif word == "," and commas:
            commas[-1] += 1
        elif word == ")" and commas:
            count = commas.pop()
            if count >= 0 and not (count == 2 and tokens[place - 2 : place] == [",", "true"]):
                return False
    return not commas


def _into(before: str, after: str) -> Demand:
    """INTO is of INSERT and MERGE, or it is SELECT .. INTO, which makes a table."""
    if before in ("insert", "merge"):
        return WRITE, before.upper()
    temporary = after in ("temp", "temporary", "local", "global")
    return (SESSION, "SELECT INTO TEMP") if temporary else (WRITE, "SELECT INTO")


def _own_schema(tokens: list[str]) -> Demand:
    """Look for something that lives in the session's own schema of temporary objects."""
    for place, word in enumerate(tokens):
        if word in _OWN_SCHEMA and tokens[place + 1] == ".":
            return SESSION, "pg_temp"
    return READ, ""


def _set(tokens: list[str]) -> Demand:
    """SET LOCAL and SET TRANSACTION end with their transaction; alone they do nothing but make the server warn."""
    if tokens[2] not in (".", "=", "to"):  # local.setting may be a setting's name
        if tokens[1] in ("local", "transaction"):
            return READ, ""
        if tokens[1] == "constraints":
            return WRITE, "SET CONSTRAINTS"
    return SESSION, "SET"


def _start(tokens: list[str]) -> Demand:
    return CONTROL, "START TRANSACTION"


def _end(tokens: list[str]) -> Demand:
    """COMMIT and ROLLBACK, also of a prepared transaction."""
    return CONTROL, f"{tokens[0]} prepared".upper() if tokens[1] == "prepared" else tokens[0].upper()


def _prepare(tokens: list[str]) -> Demand:
    """PREPARE TRANSACTION 'id'; or a statement, which may be called transaction."""
    return (CONTROL, "PREPARE TRANSACTION") if tokens[1:3] == ["transaction", "'"] else (SESSION, "PREPARE")


def _create(tokens: list[str]) -> Demand:
    place = 3 if tokens[1:3] == ["or", "replace"] else 1
    if tokens[place] in ("local", "global"):
        place += 1
    kind = tokens[place].upper()
    if kind in ("TEMP", "TEMPORARY"):
        kind = tokens[place + 1 + (tokens[place + 1 : place + 2] == ["recursive"])].upper()
        return SESSION, f"CREATE TEMP {kind}".rstrip()
    demand = _more((WRITE, f"CREATE {kind[:30]}".rstrip()), _own_schema(tokens))
    if kind in ("TABLE", "UNLOGGED", "MATERIALIZED"):
        for place, word in enumerate(tokens):
            if word == "as" and tokens[place + 1] in (*_QUERIES, "(", "execute"):
                return _made_of(tokens[place + 1 :], demand)
    return demand


def _made_of(query: list[str], demand: Demand) -> Demand:
    """CREATE TABLE .. AS runs its query; the other CREATE only keep theirs."""
    return (SESSION, "EXECUTE") if query[0] == "execute" else _scan(query, demand)


def _copy(tokens: list[str]) -> Demand:
    """COPY with the client, or with a file or program of the server's."""
    depth = 0
    for place, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("from", "to"):
            ours = tokens[place + 1] in ("stdin", "stdout")
            what = "COPY FROM STDIN" if word == "from" else "COPY TO STDOUT"
            return _scan(tokens, (COPYING, what) if ours else (WRITE, "COPY"))
    return WRITE, "COPY"


def _explain(tokens: list[str]) -> Demand:
    """EXPLAIN plans, and takes the tables' locks for it; with ANALYZE it runs the statement."""
    place, runs = 1, False
    if tokens[1] == "(" and tokens[2] not in _QUERIES and tokens[2] != "(":
        while tokens[place] not in (")", ""):
            asked = tokens[place] in ("analyze", "analyse")
            runs = runs or (asked and tokens[place + 1] not in ("false", "off"))
            place += 1
        place += tokens[place] == ")"
    else:
        while tokens[place] in ("analyze", "analyse", "verbose"):
            runs = runs or tokens[place] != "verbose"
            place += 1
    inner = tokens[place:]
    demand = (WRITE, "EXPLAIN") if inner[0] in ("explain", "") else _demand(inner)
    if runs or inner[0] == "execute":
        return _more((WRITE, "EXPLAIN ANALYZE"), demand)
    return (READ, "") if demand[0] == READ else (WRITE, "EXPLAIN")


_RULES: dict[str, Callable[[list[str]], Demand]] = {
    "set": _set,
    "start": _start,
    "commit": _end,
    "rollback": _end,
    "prepare": _prepare,
    "create": _create,
    "copy": _copy,
    "explain": _explain,
}
