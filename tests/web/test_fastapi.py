"""The FastAPI dependency: over before the response is sent, in async and plain path operations."""

# Annotations are not kept as text here: FastAPI would look for the names of a function in the module only.

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import psycopg
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.exceptions import DependencyScopeError
from pydantic import BaseModel
from tests.web.asgi import Client

import stretto
from stretto.errors import UsageError
from stretto.sqlstate import ForeignKeyViolation
from stretto.web.fastapi import transaction

SEEN = "select array_agg(i order by i) from t"
INSERT = "insert into t values ($1)"


@pytest.fixture
def seen(outside: psycopg.Connection[Any], t: str) -> Callable[[], list[int] | None]:
    """What another connection sees in the table."""

    def look() -> list[int] | None:
        row = outside.execute(SEEN).fetchone()
        return None if row is None else row[0]

    return look


class Number(BaseModel):
    """What is answered."""

    number: int


def application(db: Any, seen: Any) -> FastAPI:
    """One path operation, on asyncio, by a dependency in each of its forms."""
    app = FastAPI()
    tx = transaction(db)

    async def put(number: int, then: str, tx: Any, background: BackgroundTasks) -> Any:
        await tx.execute(INSERT, number)
        await db.execute(INSERT, number + 1)
        assert seen() is None
        if then == "raise":
            raise HTTPException(409, "no")
        if then == "later":
            background.add_task(db.execute, INSERT, number + 2)
        return {"number": "none"} if then == "mistake" else {"number": number}

    @app.post("/annotated/{number}/{then}", response_model=Number)
    async def annotated(
        number: int, then: str, opened: Annotated[stretto.AsyncTransaction, tx], background: BackgroundTasks
    ) -> Any:
        return await put(number, then, opened, background)

    @app.post("/default/{number}/{then}", response_model=Number)
    async def default(number: int, then: str, background: BackgroundTasks, opened: Any = tx) -> Any:
        return await put(number, then, opened, background)

    @app.post("/route/{number}/{then}", response_model=Number, dependencies=[tx])
    async def route(number: int, then: str, background: BackgroundTasks) -> Any:
        return await put(number, then, db, background)

    return app


@pytest.mark.parametrize("form", ["annotated", "default", "route"])
async def test_it_is_committed_when_the_first_byte_is_sent(db: stretto.AsyncDatabase, seen: Any, form: str) -> None:
    client = Client(application(db, seen), seen)
    assert await client.request(f"/{form}/1/later") == (200, b'{"number":1}')
    assert (client.seen, seen()) == ([1, 2], [1, 2, 3])


async def test_a_failed_commit_is_a_500(db: stretto.AsyncDatabase, seen: Any) -> None:
    client = Client(application(db, seen))
    assert await client.request("/annotated/2000/later") == (500, b"")
    assert isinstance(client.error, ForeignKeyViolation)
    assert seen() is None


@pytest.mark.parametrize(("then", "status"), [("raise", 409), ("mistake", 500)])
async def test_an_exception_rolls_back(db: stretto.AsyncDatabase, seen: Any, then: str, status: int) -> None:
    assert (await Client(application(db, seen)).request(f"/annotated/1/{then}"))[0] == status
    assert seen() is None


async def test_plain_path_operations_with_a_blocking_database(server_url: str, t: str, seen: Any) -> None:
    app = FastAPI()
    with stretto.Database(server_url, server_settings={"search_path": t}) as blocking:

        @app.post("/{number}")
        def put(
            number: int, tx: Annotated[stretto.Transaction, transaction(blocking)], background: BackgroundTasks
        ) -> int:
            background.add_task(blocking.execute, INSERT, number + 2)
            tx.execute(INSERT, number)
            blocking.execute(INSERT, number + 1)
            assert number not in (seen() or [])
            if number == 10:
                raise HTTPException(409, "no")
            return number

        client = Client(app, seen)
        assert await client.request("/1") == (200, b"1")
        assert (client.seen, seen()) == ([1, 2], [1, 2, 3])
        assert await client.request("/10") == (409, b'{"detail":"no"}')
        assert await client.request("/1000") == (500, b"")
        assert seen() == [1, 2, 3]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_dependency_of_ones_own_that_yields_ends_inside(
    db: stretto.AsyncDatabase, seen: Any, fails: bool
) -> None:
    opened = transaction(db)

    async def audited(tx: Any = opened) -> AsyncIterator[None]:
        yield
        await tx.execute(INSERT, 2)
        if fails:
            raise ValueError

    app = FastAPI()

    @app.post("/{number}")
    async def put(number: int, audit: Annotated[None, Depends(audited, scope="function")], tx: Any = opened) -> int:
        await tx.execute(INSERT, number)
        return number

    client = Client(app, seen)
    assert await client.request("/1") == ((500, b"") if fails else (200, b"1"))
    assert (client.seen, seen()) == ((None, None) if fails else ([1, 2], [1, 2]))
    with pytest.raises(DependencyScopeError, match="audited"):
        app.post("/late/{number}", dependencies=[Depends(audited)])(put)


async def test_options(db: stretto.AsyncDatabase) -> None:
    app = FastAPI()

    @app.get("/", dependencies=[transaction(db, isolation="serializable", readonly=True)])
    async def show() -> Any:
        return [await db.fetchval(f"show transaction_{name}") for name in ("isolation", "read_only")]

    assert await Client(app).request("/", "GET") == (200, b'["serializable","on"]')
    with pytest.raises(UsageError, match="isolation"):
        transaction(db, isolation="none")
