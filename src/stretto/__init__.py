"""stretto: the fastest and safest way for Python to talk to PostgreSQL.

``Database`` is for blocking code, threads and gevent, ``AsyncDatabase`` for asyncio; their verbs are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stretto import _core

if TYPE_CHECKING:
    from stretto import testing as testing
    from stretto._async.connection import AsyncConnection
    from stretto._async.database import AsyncDatabase
    from stretto._async.transaction import AsyncTransaction
    from stretto._async.verbs import AsyncBatch
    from stretto.flows.bulk import Chunk, Progress, Rejected, Report
    from stretto.flows.moved import CopiedPart, CopyProgress, TableCopy
    from stretto.model.differences import Difference

_core.choose()

from stretto import _habits, errors, sqlstate  # noqa: E402  # which core runs is settled before any module of it is loaded
from stretto._core import core_info  # noqa: E402
from stretto._sync.connection import Connection  # noqa: E402
from stretto._sync.database import Database  # noqa: E402
from stretto._sync.transaction import Transaction  # noqa: E402
from stretto._sync.verbs import Batch  # noqa: E402
from stretto.codecs.base import Codec  # noqa: E402
from stretto.codecs.makers import Row  # noqa: E402
from stretto.codecs.ranges import Range  # noqa: E402
from stretto.codecs.values import (  # noqa: E402
    BitString,
    Box,
    Circle,
    Interval,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
)
from stretto.context import deadline, detached, transactional  # noqa: E402
from stretto.errors import Error, Notice  # noqa: E402
from stretto.flows.batch import BatchResult  # noqa: E402
from stretto.flows.listen import Notification  # noqa: E402
from stretto.model.base import Model  # noqa: E402
from stretto.model.changes import Delete, Update, delete, update  # noqa: E402
from stretto.model.expressions import (  # noqa: E402
    and_,
    any_of,
    asc,
    avg,
    between,
    count,
    desc,
    exists,
    ilike,
    is_not_null,
    is_null,
    like,
    max_,
    min_,
    not_,
    or_,
    raw,
    some,
    sum_,
)
from stretto.model.fields import field  # noqa: E402
from stretto.model.graph import related  # noqa: E402
from stretto.model.paths import outer  # noqa: E402
from stretto.model.query import Scalar, Select, select  # noqa: E402
from stretto.model.relations import relation  # noqa: E402
from stretto.model.statements import Query  # noqa: E402
from stretto.pool.lifetime import Stats  # noqa: E402

__version__ = "0.1.0.dev0"
__all__ = [
    "AsyncBatch",
    "AsyncConnection",
    "AsyncDatabase",
    "AsyncTransaction",
    "Batch",
    "BatchResult",
    "BitString",
    "Box",
    "Chunk",
    "Circle",
    "Codec",
    "Connection",
    "CopiedPart",
    "CopyProgress",
    "Database",
    "Delete",
    "Difference",
    "Error",
    "Interval",
    "Line",
    "LineSegment",
    "Model",
    "Notice",
    "Notification",
    "Path",
    "Point",
    "Polygon",
    "Progress",
    "Query",
    "Range",
    "Rejected",
    "Report",
    "Row",
    "Scalar",
    "Select",
    "Stats",
    "TableCopy",
    "Transaction",
    "Update",
    "and_",
    "any_of",
    "asc",
    "avg",
    "between",
    "core_info",
    "count",
    "deadline",
    "delete",
    "desc",
    "detached",
    "errors",
    "exists",
    "field",
    "ilike",
    "is_not_null",
    "is_null",
    "like",
    "max_",
    "min_",
    "not_",
    "or_",
    "outer",
    "raw",
    "related",
    "relation",
    "select",
    "some",
    "sqlstate",
    "sum_",
    "transactional",
    "update",
]

# asyncio is half of what the import would take, so only those who use it load it; few programs compare tables.
_LATER = {
    "AsyncBatch": "_async.verbs",
    "AsyncConnection": "_async.connection",
    "AsyncDatabase": "_async.database",
    "AsyncTransaction": "_async.transaction",
    "Chunk": "flows.bulk",
    "CopiedPart": "flows.moved",
    "CopyProgress": "flows.moved",
    "Difference": "model.differences",
    "Progress": "flows.bulk",
    "Rejected": "flows.bulk",
    "Report": "flows.bulk",
    "TableCopy": "flows.moved",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "testing":
        return importlib.import_module("stretto.testing")
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'stretto' has no attribute {name!r}{_elsewhere(name)}")
    value = globals()[name] = getattr(importlib.import_module(f"stretto.{module}"), name)
    return value


def _elsewhere(name: str) -> str:
    for module in (errors, sqlstate):
        found = getattr(module, name, None)
        if isinstance(found, type) and issubclass(found, Error):
            return f": it is {module.__name__}.{name}"
    remedy = _habits.MODULE.get(name)
    return f": {remedy}" if remedy else ""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
