"""Identifiers and literals: the one place that writes a name or a string into SQL."""

from __future__ import annotations

from stretto.errors import UsageError

MAX_NAME = 63  # bytes; NAMEDATALEN - 1: the server would cut a longer one silently


def quote_name(name: str) -> str:
    """Quote one identifier. Raises UsageError for one that is empty, too long, or not sendable."""
    if not isinstance(name, str) or not name:
        raise UsageError(f"a name must be a non-empty str, not {type(name).__name__}")
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise UsageError("a name has a character that is not valid Unicode") from None
    if "\0" in name:
        raise UsageError("a name has a NUL character")
    if size > MAX_NAME:
        raise UsageError(f"the name {name[:20]}... has {size} bytes, PostgreSQL's names have at most {MAX_NAME}")
    return '"' + name.replace('"', '""') + '"'


def quote_table(name: str | tuple[str, ...]) -> str:
    """Quote a table's name: ``schema.table`` in one str is split at its first dot; a tuple is taken as it is."""
    if not isinstance(name, str | tuple):
        raise UsageError(f"a table is named by a str, or a tuple of schema and table, not {type(name).__name__}")
    parts = name.split(".", 1) if isinstance(name, str) else name
    return ".".join(quote_name(part) for part in parts)


def quote_literal(value: str) -> str:
    """Quote a string for an option of a command that takes no parameters (COPY)."""
    if "\0" in value:
        raise UsageError("a NUL character cannot be written into SQL")
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted
