"""How much is measured: the full run, and the smoke run that a test does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of one run; `seconds` and `warmup` are those of a rate, `repeats` those of one large result.

    `sample`: after so many seconds census ends a second phase; `patience`: what a process may take in all.
    """

    rounds: int = 3
    seconds: float = 0.8
    warmup: float = 0.3
    repeats: int = 5
    callers: tuple[int, ...] = (1, 10, 100, 1000)
    writers: tuple[int, ...] = (1, 10, 100)
    neighbours: tuple[int, ...] = (8, 50)
    sleep: float = 0.2
    idle: int = 100
    connections: int = 10
    points: int = 10_000
    rows: int = 100_000
    parents: int = 1_000
    operations: int = 35_000
    stream_rows: int = 1_000_000
    copy_rows: int = 200_000
    sources: tuple[str, ...] = ("tuples", "objects", "CSV")
    elements: int = 1_000_000
    workers: int = 120
    shared_by_workers: int = 40
    commits: tuple[str, ...] = ("on", "off")
    flow_rows: int = 2_000_000
    sample: float = 5.0
    imports: int = 5
    connects: int = 50
    codec_values: int = 20_000
    web_seconds: float = 2
    web_warmup: float = 1
    web_stacks: int = 3
    shared_buffers: str = "1GB"
    patience: int = 600


QUICK = Sizes(
    rounds=1,
    seconds=0.05,
    warmup=0.01,
    repeats=2,
    callers=(1, 12),
    writers=(4,),
    neighbours=(4,),
    sleep=0.02,
    idle=5,
    connections=2,
    points=100,
    rows=500,
    parents=7,
    operations=60,
    stream_rows=5_000,
    copy_rows=500,
    sources=("objects", "CSV"),
    elements=500,
    workers=6,
    shared_by_workers=2,
    commits=("on",),
    flow_rows=20_000,
    imports=1,
    connects=2,
    codec_values=200,
    web_seconds=1,  # wrk knows no less
    web_warmup=0,
    web_stacks=1,
    shared_buffers="64MB",
)
