"""The text of INSERT, UPDATE and DELETE for objects of Models. Names are quoted columns; values are only ever $1, $2.

The forms for many objects take one array of the table's own row type: so the server reads each value by the column's
exact type, arrays too, and the text is the same for any number of objects.
"""

# all names are quoted, and values are never in the text

from __future__ import annotations

import re
from collections.abc import Sequence

from stretto.errors import DatabaseError

Names = Sequence[str]

_NUMBER = '"stretto number"'
_MISSING = "stretto: missing "
# The planner guesses a thousand subscripts, which is nothing to an INSERT. An UPDATE would read all of a middling table
# for them; so it counts by a value that the planner looks at, and is planned anew where that is much better.
_SUBSCRIPTS = "generate_subscripts($1::{}[], 1)"
_SERIES = "generate_series(1, $2::int8)"


def select(table: str, columns: Names, key: Names) -> str:
    """The row with a key."""
    return f"select {', '.join(columns)} from {table} where {_equal(key, 1)}"


def insert(table: str, given: Names, starts: Names, back: Names, overriding: bool = False) -> str:
    """One row; ``starts`` begin at 1, ``back`` comes back (a 1 where nothing does, as a sign that there is a row).

    ``overriding``: with values for columns that the server always makes.
    """
    parameters = [f"${i + 1}" for i in range(len(given))] + ["1"] * len(starts)
    if not parameters:
        return f"insert into {table} as t default values{_returning(back)}"
    names = ", ".join([*given, *starts])
    over = " overriding system value" if overriding else ""
    return f"insert into {table} as t ({names}){over} values ({', '.join(parameters)}){_returning(back)}"


def insert_many(table: str, given: Names, starts: Names, back: Names) -> str:
    """The rows of $1, $2 of them.

    The order of what comes back is that of the array: ORDER BY is done before the server makes any value, and INSERT
    returns each row as it is stored. The manual does not promise the second; there is no plan that does otherwise.
    """
    names = ", ".join([*given, *starts])
    picked = ", ".join([f"u.{name}" for name in given] + ["1"] * len(starts))
    rows = f"{_rows(table, _SUBSCRIPTS)} order by {_NUMBER}"
    sql = f"insert into {table} as t ({names}) select {picked} from {rows}{_returning(back)}"
    return guarded(sql, back, "$2::int8")


def upsert(
    table: str,
    given: Names,
    starts: Names,
    target: Names,
    sets: Names,
    keeps: Names,
    grows: Names,
    back: Names,
    *,
    overriding: bool,
) -> str:
    """One row, or new values for the one that has the same ``target``; ``keeps`` stay as they are."""
    inserted = insert(table, given, starts, (), overriding)
    news = [f"{name} = excluded.{name}" for name in sets] + [f"{name} = t.{name}" for name in keeps]
    news += [f"{name} = t.{name} + 1" for name in grows]
    conflict = f" on conflict ({', '.join(target)}) do update set {', '.join(news)}"
    return inserted.removesuffix(_returning(())) + conflict + _returning(back)


def update(table: str, changed: Names, grows: Names, key: Names, back: Names) -> str:
    """One row; ``grows`` are one more than before."""
    sets = [f"{name} = ${i + 1}" for i, name in enumerate(changed)] + [f"{name} = t.{name} + 1" for name in grows]
    where = _equal(key, len(changed) + 1)
    return f"update {table} as t set {', '.join(sets)} where {where}{_returning(back)}"


def update_many(table: str, changed: Names, grows: Names, key: Names, back: Names) -> str:
    """The rows that have the keys of those in $1, which are $2; in the order of the array."""
    sets = [f"{name} = u.{name}" for name in changed] + [f"{name} = t.{name} + 1" for name in grows]
    join = " and ".join(f"t.{name} = u.{name}" for name in key)
    returning = f" returning u.{_NUMBER}{''.join(f', t.{name}' for name in back)}"
    sql = f"update {table} as t set {', '.join(sets)} from {_rows(table, _SERIES)} where {join}{returning}"
    return guarded(sql, back, "$2::int8", _NUMBER)


def delete(table: str, key: Names) -> str:
    """One row."""
    return f"delete from {table} as t where {_equal(key, 1)}{_returning(())}"


def guarded(sql: str, back: Names, wanted: str, number: str = "") -> str:
    """A statement that fails, and so undoes itself and all of its batch, where it has not ``wanted`` rows.

    SQL has no RAISE: a cast that can't be done is the error, and its text says how many are missing (``missing_of``).
    """
    guard = f"case when g.found = {wanted} then true else ('{_MISSING}' || ({wanted} - g.found))::bool end"
    order = f" order by n.{number}" if back and number else ""
    columns = ", ".join(f"n.{name}" for name in back) or "1"
    rows = "g left join n on true" if back else "g"
    return f"with n as ({sql}) select {columns} from (select count(*) as found from n) as {rows} where {guard}{order}"


def missing_of(error: DatabaseError) -> int | None:
    """How many rows a guarded statement had too few (or, negative, too many); None for another error."""
    if error.sqlstate != "22P02":
        return None
    found = re.search(f"{_MISSING}(-?[0-9]+)", error.message)  # what quotes it is the language's of lc_messages
    return int(found[1]) if found else None


def _rows(table: str, numbers: str) -> str:
    """$1, an array of the table's row type, as rows u with their number. (WITH ORDINALITY takes a name of theirs.)"""
    return f"rows from ({numbers.format(table)}, unnest($1::{table}[])) as u({_NUMBER})"


def _equal(key: Names, first: int) -> str:
    return " and ".join(f"{name} = ${first + i}" for i, name in enumerate(key))


def _returning(back: Names) -> str:
    return f" returning {', '.join(f't.{name}' for name in back) or '1'}"
