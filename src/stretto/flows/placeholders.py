"""The hint for those who write parameters as other drivers do. Looked for in errors only."""

from __future__ import annotations

import re

from stretto.errors import DatabaseError

HINT = "parameters are $1, $2 ..., and their values follow the SQL, as in fetch(sql, value)"
# psycopg's, SQLAlchemy's (not the second half of a cast, nor of a slice) and sqlite3's.
_FOREIGN = re.compile(r"(?P<percent>%(?:\(\w+\))?[sbt]\b)|(?P<colon>(?<![:\w\[\])]):\w+)|(?P<question>\?\s*)")


def hinted(error: DatabaseError) -> DatabaseError:
    """The same error, with a hint where the server has stumbled over a parameter of another driver's."""
    sqlstate, query, position = error.sqlstate, error.query, error.position
    if sqlstate is None or not sqlstate.startswith("42") or query is None or position is None:
        return error
    if any(_stumbled(match, position - 1, sqlstate) for match in _FOREIGN.finditer(query)):
        error.hint = HINT if error.hint is None else f"{HINT}. {error.hint}"
    return error


def _stumbled(match: re.Match[str], place: int, sqlstate: str) -> bool:
    """Whether the error is at this parameter; a ``?`` is an operator, and what follows it is what is wrong."""
    if match.lastgroup == "percent":
        return match.start() <= place < match.end()
    if match.lastgroup == "colon":
        return place == match.start()
    return sqlstate == "42601" and place == match.end()
