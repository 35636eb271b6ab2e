"""raw(): its SQL cut at its ``$1`` ..., so that they get the numbers that they have in the whole statement.

It follows PostgreSQL's lexer (src/backend/parser/scan.l): what looks like a parameter in a string, a quoted name or a
comment is none.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from stretto.errors import UsageError

_LEXEMES = r"""
      (?P<parameter>\$[0-9]+)
    | (?P<line>--[^\n\r]*)
    | (?P<block>/\*)
    | [eE]'(?:[^'\\]|\\.|'')*+'(?:\s*[\n\r]\s*'(?:[^'\\]|\\.|'')*+')*   # E'..', which may go on in the next line
    | '(?:[^']|'')*+'
    | "(?:[^"]|"")*+"
    | \$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$
    | (?P<open>[eE]?'|"|\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
    | [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*             # a word: $1 at its end is a part of it
    | .
    """
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@cache
def _token() -> re.Pattern[str]:
    return re.compile(_LEXEMES, re.VERBOSE | re.DOTALL)  # on first use: it takes as long as importing all of this


@lru_cache(maxsize=1024)
def cut(sql: str) -> tuple[str | int, ...]:
    """Cut SQL into text and the numbers of parameters; comments to the end of a line are left out.

    Raises UsageError where a string, quoted name or comment has no end: it would swallow what follows.
    """
    parts: list[str | int] = []
    token = _token()
    place = start = 0
    while place < len(sql):
        match = token.match(sql, place)
        assert match is not None  # its last alternative takes any character
        kind = match.lastgroup
        place, end = match.end(), match.start()
        if kind == "open":
            raise UsageError(f"raw(): what begins with {match[0]} has no end: {sql!r}")
        if kind == "block":
            place = _end_of_comment(sql, place)
        elif kind in ("parameter", "line"):
            parts.append(sql[start:end])
            parts.append(int(match[0][1:]) if kind == "parameter" else " ")
            start = place
    parts.append(sql[start:])
    return tuple(part for part in parts if part != "")


def _end_of_comment(sql: str, place: int) -> int:
    depth = 1
    for match in _COMMENT_EDGE.finditer(sql, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    raise UsageError(f"raw(): a comment has no end: {sql!r}")
