"""Stream generated rows into a table and out again, and print the peak of this process' memory.

    python tools/measure_bulk_memory.py URL [ROWS] [CHUNKS]

The table is unlogged and dropped at the end. With CHUNKS the rows go in chunk by chunk over so many connections.
"""

from __future__ import annotations

import resource
import sys
import time

import stretto


def peak() -> float:
    """MB that were resident at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    url, count, chunks = [*sys.argv[1:], *("10000000", "")[len(sys.argv) - 2 :]]
    with stretto.Database(url) as db:
        db.execute("drop table if exists stretto_memory; create unlogged table stretto_memory (id int8, name text)")
        try:
            for what, rows in (("a little", 10_000), ("all", int(count))):
                begun = time.perf_counter()
                source = ((i, "name") for i in range(rows))
                report = db.copy_in("stretto_memory", source, atomic=not chunks, chunks=int(chunks or 1))
                seconds = time.perf_counter() - begun
                print(f"in, {what}: {report.rows:,} rows, {report.rows / seconds:,.0f} a second, peak {peak():.1f} MB")
            size = 0

            def sink(data: bytes) -> None:
                nonlocal size
                size += len(data)

            begun = time.perf_counter()
            tag = db.copy_out("stretto_memory", sink, format="binary")
            seconds = time.perf_counter() - begun
            print(f"out: {tag}, {size / 1e6:,.0f} MB, {size / 1e6 / seconds:,.0f} MB a second, peak {peak():.1f} MB")
        finally:
            db.execute("drop table stretto_memory")


if __name__ == "__main__":
    main()
