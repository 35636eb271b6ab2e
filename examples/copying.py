"""COPY: rows of Python's, bytes of CSV, a query's result into a file; all or nothing.

It prints:

    from tuples: COPY 1000
    from CSV: COPY 2
    out: COPY 3
    id,celsius
    1,0.5
    1001,21.25
    1002,
    a bad source leaves nothing: 1002 rows
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import stretto
import stretto.embedded


def broken() -> Iterator[tuple[int, float]]:
    yield 2000, 1.0
    raise OSError("the sensor is gone")


def main(url: str) -> None:
    with stretto.Database(url) as db, TemporaryDirectory() as directory:
        db.execute("create table readings (id integer primary key, celsius double precision)")
        rows = ((number, number / 2) for number in range(1, 1001))
        print("from tuples:", db.copy_in("readings", rows))
        print("from CSV:", db.copy_in("readings", b"1001,21.25\n1002,\n", format="csv"))

        path = Path(directory, "readings.csv")
        query = "select * from readings where id = 1 or id > 1000 order by id"
        print("out:", db.copy_out(query, path, format="csv", header=True))
        print(path.read_text(), end="")

        try:
            db.copy_in("readings", broken())
        except OSError:
            print("a bad source leaves nothing:", db.fetchval("select count(*) from readings"), "rows")


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
