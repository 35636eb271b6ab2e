"""What is compiled: each module that has a .pxd beside it. STRETTO_EXT in the environment says what to do with them:

auto (the default)  compile, and install the plain Python files with a loud warning where that fails
require             compile or fail
off                 do not compile
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SRC = Path("src")
GENERATED = Path("build/cython")  # the C files: not beside the sources, so that no wheel can have them
# capi is C already (capi.pxd) with Python stand-ins (capi.py).
FILES = [pxd.with_suffix(".py") for pxd in sorted(SRC.glob("stretto/**/*.pxd")) if pxd.stem != "capi"]
JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # annotations are for people and mypy; the types for C are in the .pxd files
    "boundscheck": True,
    "wraparound": True,
    "embedsignature": False,
    "auto_pickle": False,
    "freethreading_compatible": False,
}
# -O3 takes a tenth longer than -O2 and makes no codec faster by more than the spread; -g takes half as long again.
FLAGS = ["-O2", "-g0", "-Werror=sign-compare", "-Wno-unreachable-code"]
MODE = os.environ.get("STRETTO_EXT", "auto")
if MODE not in ("auto", "require", "off"):
    sys.exit(f"STRETTO_EXT must be auto, require or off, not {MODE!r}")

BANNER = """
************************************************************************************************
stretto was installed WITHOUT its compiled core: {reason}
It works, and it is about ten times slower. To have the fast one: install a C compiler and Python's
headers (Debian: gcc, python3-dev) and install again; STRETTO_EXT=require makes a failure an error.
************************************************************************************************
"""


class build_core(build_ext):  # noqa: N801  # setuptools' way to name a command
    """All or nothing: a compiled module beside an interpreted one that it cimports does not load."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = JOBS

    def run(self) -> None:
        try:
            self._translate()
            super().run()
        except Exception as error:
            self._remove()
            if MODE == "require":
                raise
            self.extensions.clear()
            print(BANNER.format(reason=f"{type(error).__name__}: {error!s:.200}"), file=sys.stderr, flush=True)

    def _translate(self) -> None:
        """Make the C files, in several processes; one whose .py and .pxd files did not change is kept."""
        from Cython.Build import cythonize

        made = cythonize(
            [str(file) for file in FILES],
            nthreads=JOBS,
            force=bool(self.force) or self._is_newer_than_the_c_files(Path(__file__)),
            quiet=True,
            build_dir=str(GENERATED),
            include_path=[str(SRC)],
            compiler_directives=DIRECTIVES,
        )
        sources = {extension.name: extension.sources for extension in made}
        for extension in self.extensions:
            extension.sources = sources[extension.name]

    @staticmethod
    def _is_newer_than_the_c_files(path: Path) -> bool:
        return any(file.stat().st_mtime < path.stat().st_mtime for file in GENERATED.rglob("*.c"))

    def _remove(self) -> None:
        """Leave no module compiled, neither in the wheel to be nor beside the sources."""
        for extension in self.extensions:
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            Path(self.build_lib, self.get_ext_filename(extension.name)).unlink(missing_ok=True)


def extensions() -> list[Extension]:
    """The modules to compile; their C files are named when they have been made."""
    return [
        Extension(
            ".".join(file.relative_to(SRC).with_suffix("").parts),
            [str(file)],
            depends=["setup.py"],
            extra_compile_args=FLAGS,
        )
        for file in FILES
    ]


if MODE == "off":
    setup()
else:
    setup(ext_modules=extensions(), cmdclass={"build_ext": build_core})
