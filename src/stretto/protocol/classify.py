"""What a statement asks of its connection, by its first word only; the lexer takes its place."""

from __future__ import annotations

from dataclasses import dataclass

READ = 0
WRITE = 1
SESSION = 2
CONTROL = 3
COPYING = 4


@dataclass(frozen=True, slots=True)
class Traits:
    """What a text of SQL asks."""

    kind: int
    what: str = ""
    statements: int = 1


def classify(sql: str) -> Traits:
    """Tell what a text of SQL asks of the connection."""
    words = sql.lower().split(None, 2)
    word = words[0] if words else ""
    if word in ("select", "values", "table", "with", "show"):
        return Traits(READ)
    if word in ("begin", "commit", "rollback", "start"):
        return Traits(CONTROL, word.upper())
    if word in ("set", "listen", "prepare", "declare", "load") and words[1:2] != ["local"]:
        return Traits(SESSION, word.upper())
    return Traits(WRITE)
