"""What is compiled: the modules that have a .pxd. STRETTO_EXT says what to do with them:

auto (the default)  compile, and install the plain Python files with a loud warning where that fails
require             compile or fail
off                 do not compile
"""

import os
import sys
from pathlib import Path

from setuptools import setup

SRC = Path("src")
# Each .py with a .pxd beside it is compiled; capi is C already (capi.pxd) with Python stand-ins (capi.py).
MODULES = sorted(
    ".".join(pxd.relative_to(SRC).with_suffix("").parts)
    for pxd in SRC.glob("stretto/**/*.pxd")
    if pxd.stem != "capi" and pxd.with_suffix(".py").exists()
)
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # annotations are for people and mypy; the types for C are in the .pxd files
    "boundscheck": True,
    "wraparound": True,
    "embedsignature": False,
    "auto_pickle": False,
    "freethreading_compatible": False,
}
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


def extensions():
    from Cython.Distutils.extension import Extension

    return [
        Extension(
            name,
            [f"src/{name.replace('.', '/')}.py"],
            depends=[str(pxd) for pxd in SRC.glob("stretto/**/*.pxd")],
            extra_compile_args=["-O3", "-Werror=sign-compare", "-Wno-unreachable-code"],
            cython_directives=DIRECTIVES,
            cython_include_dirs=["src"],
            optional=MODE == "auto",
        )
        for name in MODULES
    ]


def commands():
    from Cython.Build import build_ext

    class build_core(build_ext):
        """All or nothing: a compiled module beside an interpreted one that it cimports does not load."""

        def run(self):
            super().run()
            missing = [e.name for e in self.extensions if not os.path.exists(self.get_ext_fullpath(e.name))]
            if missing and MODE == "auto":
                for extension in self.extensions:
                    path = self.get_ext_fullpath(extension.name)
                    if os.path.exists(path):
                        os.unlink(path)
                self.extensions[:] = []
                print(BANNER.format(reason=f"{len(missing)} modules did not compile"), file=sys.stderr, flush=True)

    return {"build_ext": build_core}


if MODE == "off":
    setup()
else:
    setup(ext_modules=extensions(), cmdclass=commands())
