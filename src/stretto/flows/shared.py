"""Shared: what the connections of one Database have in common."""

from __future__ import annotations

from typing import Any, Literal

from stretto.codecs.makers import Maker, RowMaker, row_class
from stretto.codecs.registry import CodecMap
from stretto.codecs.scalars import scalar_codecs
from stretto.config import Config
from stretto.protocol.classify import Traits, classify
from stretto.protocol.statement import StatementCache

_TEXTS = 1024  # texts whose traits are remembered


class Shared:
    """The configuration, the codecs and the statements' descriptions of one Database.

    ``infinity`` and ``intervals`` are ``scalar_codecs``' options. Composites decode to Rows. ``slow``: seconds from
    which on a statement is logged (None: never). ``trace``: where the runtime writes what connections say and hear.
    ``retry_reads``: what only reads is sent again where its connection was lost.
    """

    def __init__(
        self,
        config: Config,
        *,
        infinity: Literal["error", "sentinel"] = "error",
        intervals: Literal["timedelta", "interval"] = "timedelta",
    ) -> None:
        plain = infinity == "error" and intervals == "timedelta"
        scalars = None if plain else scalar_codecs(infinity=infinity, intervals=intervals)
        self.config = config
        self.slow: float | None = None
        self.retry_reads = False
        self.trace: Any = None
        self.codecs = CodecMap(scalars, _rows_of)
        self.lookup = self.codecs.get  # one bound method for all queries
        self.statements = StatementCache()
        self.connecting: set[Any] = set()  # in blocking code: what must be stopped when the Database is closed
        self._traits: dict[str, Traits] = {}

    def traits(self, sql: str) -> Traits:
        """How SQL for the simple protocol gets on with others; the texts of a while ago are remembered."""
        found = self._traits.get(sql)
        if found is None:
            if len(self._traits) >= _TEXTS:
                self._traits.clear()
            found = self._traits[sql] = classify(sql)
        return found


def _rows_of(type_name: Any, names: list[str]) -> Maker:
    return RowMaker(row_class(tuple(names)))
