"""Names and literals in SQL: the server reads back what we quoted, and quotes as we do."""

from __future__ import annotations

import pytest

import stretto
from stretto.errors import UsageError
from stretto.flows.copy import COPY_IN, copy_sql
from stretto.flows.names import quote_literal, quote_name, quote_table

NAMES = ["a", "A b", "select", "%s", "$1", "x'); drop table t; --", "ä日🎼", "line\nbreak", "x" * 63, "a.b", "/*"]
NAMES += ['q"uote', '""']
LITERALS = ["", "a", "'", "''", "\\", "\\'", "$$", "'; drop table t; --", "\n", "E'x'", "ʼ", "日"]
REFUSED = ["", "x" * 64, "ä" * 32, "nul\0", "\ud800", 5, None]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_itself(server_url: str, name: str) -> None:
    with stretto.Database(server_url, connections=1) as db, db.connection() as one:
        one.execute(f"create temp table {quote_name(name)} (i int)")
        assert one.fetchval("select relname from pg_class where oid = $1::text::regclass", quote_name(name)) == name
        assert one.fetchval("select quote_ident($1)", name) in (quote_name(name), name)


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        quote_name(name)


@pytest.mark.parametrize("value", LITERALS)
def test_a_literal_means_itself(server_url: str, value: str) -> None:
    with stretto.Database(server_url, connections=1) as db:
        assert db.fetchval(f"select {quote_literal(value)}::text") == value


def test_a_tables_schema_is_in_front_of_the_first_dot() -> None:
    assert quote_table("s.t.u") == '"s"."t.u"'
    assert quote_table(("s.t", "u")) == '"s.t"."u"'


@pytest.mark.parametrize("target", ["select 1) to '/nonexistent/x' --", "delete from t returning 1", 't" from program'])
def test_what_is_copied_into_is_a_name_whatever_it_looks_like(target: str) -> None:
    assert copy_sql(target, None, "FROM STDIN", "csv", {}).startswith(f"COPY {quote_table(target)} FROM STDIN")
    assert ord("G") == COPY_IN


@pytest.mark.parametrize("name", [None, 7, ["a"], {"a": 1}, b"a"])
def test_what_names_no_table_is_refused(name: object) -> None:
    with pytest.raises(UsageError, match="a table is named by a str, or a tuple"):
        quote_table(name)  # type: ignore[arg-type]  # what is tested
