"""What the figures were made on: processor, system, Python and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = (
    "asyncpg",
    "psycopg",
    "psycopg-binary",
    "psycopg-pool",
    "psycopg2-binary",
    "aiopg",
    "SQLAlchemy",
    "tortoise-orm",
    "piccolo",
    "uvloop",
    "gevent",
    "starlette",
    "uvicorn",
    "httptools",
    "tornado",
)


def describe() -> dict[str, str]:
    """Name everything that the reader of a figure asks for first."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores in use, load {os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "stretto": f"{_revision()}, {_core()}",
        "peers": ", ".join(f"{name} {found}" for name in DISTRIBUTIONS if (found := _version(name))),
    }


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


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return done.stdout.strip() if done.returncode == 0 else _version("stretto") or "unknown revision"


def _core() -> str:
    from stretto import _core
    from stretto.wire import buffer

    return "compiled core" if _core.is_compiled(buffer) else "INTERPRETED core: about ten times slower"
