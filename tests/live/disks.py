"""A disk that is soon full: a small file system for a server, and how much of it is left is the server's business."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(megabytes: int, owner: Path) -> Iterator[Path]:
    """An empty file system in memory, with the owner of that directory; a test is skipped where none can be mounted."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("a file system is mounted by root only")
    place = Path(tempfile.mkdtemp(prefix="stretto-disk-"))
    made = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "none", place], capture_output=True)
    if made.returncode:
        place.rmdir()
        pytest.skip(f"this container may mount nothing: {made.stderr.decode().strip()}")
    try:
        os.chown(place, owner.stat().st_uid, owner.stat().st_gid)
        yield place
    finally:
        subprocess.run([umount, "-l", place], check=True)
        place.rmdir()


def move(directory: Path, place: Path) -> None:
    """Move a directory of a server that is stopped, and leave a link to it."""
    owner = directory.stat()
    shutil.move(directory, place)
    for one in (place, *place.rglob("*")):
        os.chown(one, owner.st_uid, owner.st_gid)
    directory.symlink_to(place)


def grow(place: Path, megabytes: int) -> None:
    """Give a small disk more room."""
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", place], check=True)
