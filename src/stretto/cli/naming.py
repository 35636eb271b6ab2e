"""Names as a person writes them in an option: taken as they are; in double quotes, also with dots and commas."""

from __future__ import annotations

import re

from stretto.errors import UsageError

_QUOTED = r'(?<![^.,=\s])"(?:[^"]|"")*"'  # a quote within a name is a letter of it
Table = tuple[str, ...]  # its name, or its schema and its name


def listed(text: str, separator: str = ",") -> list[str]:
    """What stands between separators that are outside of quotes."""
    part = rf"(?:{_QUOTED}|[^{separator}])*"
    between = rf"(?:^|(?<={re.escape(separator)})){part}"
    return re.findall(between, text)


def names(text: str | None) -> list[str] | None:
    """The names of a list; None where there is none. Raises UsageError for one that is empty, or has no last quote."""
    return None if text is None else [unquoted(each, text) for each in listed(text)]


def table(text: str) -> Table:
    """A table's name, and its schema where a dot stands between them. Raises as `names`."""
    first, *rest = listed(text, ".")
    return tuple(unquoted(each, text) for each in ([first, ".".join(rest)] if rest else [first]))


def unquoted(text: str, whole: str) -> str:
    """One name of ``whole``; a doubled quote stands for one inside of quotes. Raises as `names`."""
    name = text.strip()
    if not name:
        raise UsageError(f"{whole!r}: a name in it is empty")
    if not name.startswith('"'):
        return name
    if not re.fullmatch(r'"(?:[^"]|"")+"', name):
        raise UsageError(f'{whole!r}: {name} is no name: what begins with a quote ends with one, and inside it is ""')
    return name[1:-1].replace('""', '"')


def quoted(name: Table) -> str:
    """The name in SQL."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in name)
