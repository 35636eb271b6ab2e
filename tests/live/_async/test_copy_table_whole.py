"""copy_table() tells how many rows are there, and copies all of a table or nothing, whatever its policies hide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.live._async.test_copy_table import WAYS, failure, far, far_url, one_value, tables, there

from stretto._async.database import AsyncDatabase
from stretto.sqlstate import InsufficientPrivilege

__all__ = ["far", "far_url", "there"]  # fixtures

HALF = """
create function half() returns trigger language plpgsql as
    'begin if new.n % 2 = 0 then return null; end if; return new; end';
create trigger half before insert on t for each row execute function half()
"""


@pytest.fixture
def t(outside: Any, there: Any) -> None:
    """A table on both sides, full and empty."""
    for connection in (outside, there):
        connection.execute("create table t (n int primary key, name text)")
    outside.execute("insert into t select i, 'bob' from generate_series(1, 100) i")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("t")
async def test_rows_that_a_trigger_leaves_out_are_not_counted(
    db: AsyncDatabase, far: AsyncDatabase, there: Any, way: Any
) -> None:
    there.execute(HALF)
    report = await db.copy_table("t", far, **way)
    assert report.rows == one_value(there, "select count(*) from t") == 50
    assert str(report) == "COPY 50"


@pytest.fixture
def reader(open_db: Callable[..., Any], outside: Any, schema: str) -> Iterator[Any]:
    """The source, for somebody who sees some rows of the table only."""
    role = f"{schema}_reader"
    outside.execute(
        f"create role {role}; grant usage on schema {schema} to {role}; grant select on t to {role};"
        "alter table t enable row level security; create policy late on t using (n > 95)"
    )
    yield open_db(server_settings={"search_path": schema, "role": role}, connections=3)
    outside.execute(f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.usefixtures("t")
async def test_a_table_of_which_a_policy_hides_rows_is_not_copied_in_part(
    reader: AsyncDatabase, far: AsyncDatabase, outside: Any, there: Any, way: Any
) -> None:
    with pytest.raises(failure(InsufficientPrivilege, way), match="row-level security policy"):
        await reader.copy_table("t", far, verify=True, **way)
    assert one_value(there, "select count(*) from t") == 0
    assert tables(there) == {"t"}
    report = await reader.copy_table(
        "select * from t", far, "t", verify=True, **way
    )  # who asks for it has what it sees
    assert (report.rows, report.verified) == (5, True)
    assert await reader.fetchval("show row_security") == "on"
    outside.execute("alter table t disable row level security")
    there.execute("truncate t")
    assert (await reader.copy_table("t", far, verify=True, **way)).rows == 100
    assert await reader.fetchval("select current_setting('row_security') from t limit 1") == "on"


@pytest.mark.usefixtures("t")
async def test_the_callers_transaction_keeps_its_own_row_security(db: AsyncDatabase, far: AsyncDatabase) -> None:
    async with db.transaction(isolation="repeatable_read", readonly=True):
        assert (await db.copy_table("t", far)).rows == 100
        assert await db.fetchval("show row_security") == "on"
        await db.execute("set local row_security = off")
        await db.copy_table("select * from t where n > 1000", far, "t")
        assert await db.fetchval("show row_security") == "off"
