"""Say one of everything through libpq, traced: ``python libpq_talk.py PORT FILE FLAGS``.

A process of its own, because psycopg's C module holds the GIL while libpq waits: a proxy in a thread would be stuck.
"""

from __future__ import annotations

import os
import select
import sys

from psycopg import pq

SIMPLE = [
    "select 'é'::text, null, E'a\\tb', 'it''s'",
    "create temp table traced (a int, b bytea)",
    "insert into traced values (1, '\\x00ff')",
    "do $$ begin raise notice 'hi' using detail = 'more'; end $$",
    "listen traced; notify traced, 'payload'",
    "select 1/0",
    "",
    "select 1; select * from nowhere",
    "set application_name = 'zoë'",
]


def connect(port: int, trace: int, flags: pq.Trace) -> pq.PGconn:
    """Connect libpq, tracing from its first byte."""
    conn = pq.PGconn.connect_start(f"host=127.0.0.1 port={port} user=postgres dbname=postgres".encode())
    conn.trace(trace)
    conn.set_trace_flags(flags)
    while (state := conn.connect_poll()) != pq.PollingStatus.OK:
        assert state != pq.PollingStatus.FAILED, conn.error_message
        reading = state == pq.PollingStatus.READING
        select.select([conn.socket] if reading else [], [] if reading else [conn.socket], [], 10)
    return conn


def talk(conn: pq.PGconn) -> None:
    """Say one of everything."""
    for sql in SIMPLE:
        conn.exec_(sql.encode())
    conn.exec_params(b"select $1::bytea, $2::int, $3", [b"a\0\xff'b", None, b"x"], [17, 23, 25], [1, 0, 0], 1)
    conn.exec_params(b"select 1/$1", [b"0"], [23])
    conn.prepare(b"named", b"select $1::int + 1")
    conn.describe_prepared(b"named")
    conn.exec_prepared(b"named", [b"41"])
    conn.close_prepared(b"named")
    for end in (None, b"no more"):
        conn.exec_(b"copy traced from stdin")
        conn.put_copy_data(b"2\t\\N\n")
        conn.put_copy_end(end)
        while conn.get_result() is not None:
            pass
    conn.exec_(b"copy traced to stdout (format binary)")
    while conn.get_copy_data(0)[0] > 0:
        pass
    while conn.get_result() is not None:
        pass
    conn.finish()


if __name__ == "__main__":
    talk(connect(int(sys.argv[1]), os.open(sys.argv[2], os.O_CREAT | os.O_RDWR), pq.Trace(int(sys.argv[3]))))
