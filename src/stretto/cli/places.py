"""Where the demo keeps its server's data: a directory that the server's user can reach, and nobody else may change."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

from stretto.errors import ConfigError

_SERVER_USERS = ("postgres", "nobody")  # as whom the embedded server runs for root


def demo_directory() -> Path:
    """The directory of this user's demo, under the temporary directory; not made here.

    It is not under the home directory: for root the server runs as another user, who can't go there.

    Raises:
        ConfigError: somebody else made it, or may write in it.
    """
    path = Path(tempfile.gettempdir(), f"stretto-demo-{os.geteuid()}")
    try:
        found = path.lstat()
    except FileNotFoundError:
        return path
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022 or found.st_uid not in _owners():
        raise ConfigError(
            f"{str(path)!r} is not a directory of this user's alone: remove it, or name one (--directory)"
        )
    return path


def _owners() -> set[int]:
    if os.geteuid():
        return {os.geteuid()}
    return {0, *(entry.pw_uid for entry in pwd.getpwall() if entry.pw_name in _SERVER_USERS)}
