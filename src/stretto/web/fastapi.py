"""For FastAPI: a dependency that gives a path operation a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Depends

from stretto import AsyncDatabase, AsyncTransaction, Database, Transaction
from stretto.web._block import Block, check

__all__ = ["transaction"]


def transaction(
    db: AsyncDatabase | Database,
    *,
    isolation: str | None = None,
    readonly: bool = False,
    deferrable: bool = False,
    timeout: float | None = None,
) -> Any:
    """Make a ``Depends`` that runs a path operation in a transaction; the keywords are those of ``db.transaction()``.

    ``Annotated[stretto.AsyncTransaction, transaction(db)]`` is a parameter's type; a route, router or application may
    have ``dependencies=[transaction(db)]``. It is committed when the function has returned and what it returned fits
    the response's model, before anything is sent: so a COMMIT that fails is a 500. An exception, HTTPException too,
    rolls back. It takes FastAPI 0.121 or newer, whose ``scope="function"`` ends dependencies before the response, not
    after it.
    """
    check(db)
    options = {"isolation": isolation, "readonly": readonly, "deferrable": deferrable, "timeout": timeout}
    db.transaction(**options)  # type: ignore[arg-type]  # each has its own; says now what is wrong with them

    async def in_transaction() -> AsyncIterator[AsyncTransaction | Transaction]:
        async with Block(db, options) as opened:
            yield opened

    return Depends(in_transaction, scope="function")
