"""Staging tables: where rows wait until all of them are there, or until they are merged by INSERT .. ON CONFLICT.

One that only one transaction sees is temporary. One that several connections fill is unlogged, and belongs to the
target's schema; whoever made it holds a lock on its OID, by which one whose maker is gone is known, and dropped
by the next load.
"""

# all names are quoted

from __future__ import annotations

import secrets
from collections.abc import Sequence

from stretto.flows.names import quote_literal, quote_name, quote_table

PREFIX = "stretto_staging_"
_SPACE = 0x5374  # the first key of the advisory locks

TEMPORARY = PREFIX + "temporary"


def new_name() -> str:
    """A name that no other load has."""
    return PREFIX + secrets.token_hex(8)


def quoted(name: tuple[str, ...]) -> str:
    """The name of a staging table in SQL."""
    return quote_table(name)


def empty(name: tuple[str, ...]) -> str:
    """Take all rows out of it."""
    return f"truncate {quoted(name)}"


def create_temporary(target: str, columns: Sequence[str]) -> str:
    """Make the temporary table; it goes with the transaction, or by DROP."""
    listed = ", ".join(map(quote_name, columns))
    return (
        f"create temporary table {quote_name(TEMPORARY)} on commit drop as select {listed} from {target} with no data"
    )


def create_unlogged(name: str, target: str, columns: Sequence[str]) -> str:
    """Make a table for several connections, and lock its OID for this session."""
    listed = ", ".join(map(quote_name, columns))
    return (
        f"create unlogged table {name} as select {listed} from {target} with no data; "
        f"select pg_catalog.pg_advisory_lock({_SPACE}, {quote_literal(name)}::regclass::oid::int8::bit(32)::int4)"
    )


# Tables of the target's schema whose maker's session has ended.
ABANDONED = f"""
select pg_catalog.format('%I.%I', n.nspname, c.relname)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'u' and starts_with(c.relname, '{PREFIX}')
  and c.relnamespace = (select relnamespace from pg_catalog.pg_class where oid = pg_catalog.to_regclass($1))
  and pg_catalog.pg_has_role(c.relowner, 'usage')
  and pg_catalog.pg_try_advisory_xact_lock({_SPACE}, c.oid::int8::bit(32)::int4)"""

# Of a table that is not there it raises UndefinedTable, as COPY does.
SCHEMA = """
select n.nspname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = $1::text::regclass"""


def drop(name: str) -> str:
    """Drop a staging table that may be gone already."""
    return f"drop table if exists {name}"


def merge(
    staging: str,
    target: str,
    columns: Sequence[str],
    on_conflict: str | None,
    key: Sequence[str],
    primary: Sequence[str],
    version: str | None,
) -> str:
    """Insert what is staged. Of rows with one key, the last is taken for ``update``; a ``version`` grows by one.

    Of keys with a NULL none is another's: such rows are all taken. The primary key of what is there is kept.
    """
    listed = ", ".join(map(quote_name, columns))
    head = f"insert into {target} as t ({listed}) overriding system value"
    if on_conflict is None:
        return f"{head} select {listed} from {staging}"
    keys = ", ".join(map(quote_name, key))
    if on_conflict == "ignore":
        only = f" ({keys})" if keys else ""
        return f"{head} select {listed} from {staging} on conflict{only} do nothing"
    sets = [
        f"{quote_name(one)} = excluded.{quote_name(one)}" for one in columns if one not in (*key, *primary, version)
    ]
    if version is not None and version not in key:
        sets.append(f"{quote_name(version)} = t.{quote_name(version)} + 1")
    action = f"update set {', '.join(sets)}" if sets else "nothing"
    alone = f"case when ({keys}) is not null then null else ctid end"
    last = f"select distinct on ({keys}, {alone}) {listed} from {staging} order by {keys}, {alone}, ctid desc"
    return f"{head} {last} on conflict ({keys}) do {action}"
