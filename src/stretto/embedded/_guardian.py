"""What ends the server when the process that started it is gone, however that went.

PR_SET_PDEATHSIG is not enough: it is lost when root becomes the server's user, and it is bound to a thread. So a small
shell holds the reading end of a pipe whose writing end only we hold: when it closes, it clears up.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from stretto.embedded._account import SHELL, Account

# It reads the pid of each program as that starts, and "ended". At the end of the file it ends the last program and
# its helpers (each program leads a group), within ten seconds, and removes the directories. A zombie counts as ended:
# in a container there may be nobody to bury it.
_SCRIPT = r"""
pid=
while read -r line; do case $line in ended) pid= ;; *) pid=$line ;; esac; done
alive() { kill -0 "$pid" && ! grep -q '^[0-9]* (.*) Z' "/proc/$pid/stat"; }
if [ -n "$pid" ]; then
    kill -s INT -- "-$pid"
    tenths=0
    while alive && [ $tenths -lt 100 ]; do
        case $tenths in 50) kill -s QUIT -- "-$pid" ;; 80) kill -s KILL -- "-$pid" ;; esac
        sleep 0.1
        tenths=$((tenths + 1))
    done
fi
rm -rf -- "$@"
"""
# A program tells its pid before it is itself, so there is no instant in which nobody would end it.
_ANNOUNCED = 'echo $$; exec "$@" >&2'


class Guardian:
    """Runs the programs of one start, one at a time, as children of this process and under the eyes of the shell.

    Args:
        account: who they run as.
        doomed: the directories that are removed at the end.
    """

    def __init__(self, account: Account, doomed: Sequence[Path]) -> None:
        self._account = account
        self._program: subprocess.Popen[bytes] | None = None
        self._shell = subprocess.Popen(  # noqa: S603  # the script is the one above; the paths are its arguments
            [SHELL, "-c", _SCRIPT, "stretto-guardian", *doomed],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        assert self._shell.stdin is not None  # for mypy: a pipe was asked for
        self._pipe = self._shell.stdin

    def launch(
        self, argv: Sequence[str | Path], log: IO[bytes], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program; both its outputs go to the log."""
        announced = [SHELL, "-c", _ANNOUNCED, SHELL, *argv]
        self._program = self._account.popen(announced, stdin=stdin, stdout=self._pipe, stderr=log)
        return self._program

    def ended(self) -> None:
        """Say that the program has ended, so that its pid may be another's now."""
        with contextlib.suppress(BrokenPipeError):  # somebody killed the shell
            self._pipe.write(b"ended\n")

    def close(self) -> None:
        """Let the shell end what still runs and remove the directories; wait for both. Again: does nothing."""
        self._pipe.close()
        self._shell.wait()
        if self._program is not None and self._program.poll() is None:
            self._program.kill()
            self._program.wait()
