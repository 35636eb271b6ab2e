"""Shared: what the connections of one Database have in common."""

from __future__ import annotations

from stretto.codecs.registry import CodecMap
from stretto.config import Config
from stretto.protocol.statement import StatementCache


class Shared:
    """The configuration, the codecs and the statements' descriptions of one Database."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.codecs = CodecMap()
        self.statements = StatementCache()
