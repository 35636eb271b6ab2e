"""What a real server says of a type's binary format, asked through libpq (psycopg.pq): the codec tests' oracle."""

from __future__ import annotations

from psycopg import pq


class Oracle:
    """One libpq connection. Types are given as SQL writes them (``int4``, ``timestamptz[]``)."""

    def __init__(self, url: str) -> None:
        self.conn = pq.PGconn.connect(url.encode())
        if self.conn.status != pq.ConnStatus.OK:
            raise RuntimeError(self.conn.error_message.decode())
        self.execute("set timezone = 'UTC'")

    def close(self) -> None:
        self.conn.finish()

    def execute(self, sql: str) -> None:
        """Run SQL without a result; raises RuntimeError with the server's message."""
        self._check(self.conn.exec_(sql.encode()))

    def oid(self, type_name: str) -> int:
        """The type's OID."""
        return int(self.ask("select $1::regtype::oid::text", type_name) or "")

    def binary(self, type_name: str, literal: str | None) -> bytes | None:
        """The binary payload (without length) that the server sends for ``literal::type_name``."""
        params = [None if literal is None else literal.encode()]
        result = self.conn.exec_params(f"select $1::text::{type_name}".encode(), params, result_format=1)
        return self._check(result).get_value(0, 0)

    def text(self, type_name: str, payload: bytes | None) -> str | None:
        """The server's text for a binary payload that we made, sent as a parameter of the type."""
        result = self.conn.exec_params(
            f"select ($1::{type_name})::text".encode(), [payload], [self.oid(type_name)], [1], 0
        )
        value = self._check(result).get_value(0, 0)
        return None if value is None else value.decode()

    def ask(self, sql: str, *args: str) -> str | None:
        """The first value of a query with text parameters, as text."""
        value = self._check(self.conn.exec_params(sql.encode(), [a.encode() for a in args])).get_value(0, 0)
        return None if value is None else value.decode()

    @staticmethod
    def _check(result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise RuntimeError(result.error_message.decode())
        return result
