"""What the figures were made on: processor, system, Python, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stretto import core_info

# The library as a reader knows it, and the distributions that may hold it.
_DISTRIBUTIONS = {
    "asyncpg": ("asyncpg",),
    "psycopg 3": ("psycopg",),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "SQLAlchemy": ("SQLAlchemy",),
    "Tortoise": ("tortoise-orm",),
    "Piccolo": ("piccolo",),
    "uvloop": ("uvloop",),
    "gevent": ("gevent",),
}
_CORES = {"compiled": "compiled core", "interpreted": "INTERPRETED core: about ten times slower"}


def describe() -> dict[str, str]:
    """Name everything that the reader of a figure asks for first."""
    found = ((library, library_version(library)) for library in _DISTRIBUTIONS)
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores in use, load {os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "stretto": f"{_version('stretto') or 'not installed, from its sources'}, {core()}",
        "peers": ", ".join(f"{library} {number}" for library, number in found if number),
        **_warnings(),
    }


def _warnings() -> dict[str, str]:
    load = os.getloadavg()[0]
    if load <= len(os.sched_getaffinity(0)) + 1:
        return {}
    return {"beware": f"the machine had other work (its load was {load:.1f}), which makes these figures wander"}


def core() -> str:
    """Whether stretto's core is compiled, in words."""
    return _CORES.get(core_info(), core_info())


def library_version(library: str) -> str | None:
    """The version of a library that takes part; None where it is not installed, or is stretto."""
    return next(filter(None, map(_version, _DISTRIBUTIONS.get(library, ()))), None)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
