"""Which core runs: the compiled one where it was built, or the same files interpreted.

``STRETTO_CORE=py`` in the environment chooses the interpreted core, ``STRETTO_CORE=c`` insists on the compiled one.
The choice is for the whole process and is made before any other module of the package is loaded: a compiled module
beside an interpreted one that it cimports does not load.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class _SourceOnly:
    """A meta path finder that finds only the ``.py`` files of this package."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith("stretto."):
            return None
        for folder in path:
            spec = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if spec is not None:
                return spec
        return None


def choose() -> None:
    """Act on STRETTO_CORE; raises ImportError for another value than ``py``, ``c`` or none.

    Also where the package can't be relied on: in a subinterpreter, and without the GIL.
    """
    if _in_subinterpreter():
        raise ImportError(
            "stretto can't be loaded in a subinterpreter: its compiled modules belong to the main one. Under mod_wsgi: "
            "WSGIApplicationGroup %{GLOBAL}"
        )
    wanted = os.environ.get("STRETTO_CORE", "")
    if wanted not in ("", "py", "c"):
        raise ImportError(f"STRETTO_CORE must be 'py' or 'c', not {wanted!r}")
    if wanted == "py":
        sys.meta_path.insert(0, _SourceOnly)
    elif wanted == "c":
        from stretto.wire import buffer

        if not is_compiled(buffer):
            raise ImportError("STRETTO_CORE=c, but the core is not compiled: run 'make build'")
    if not _has_gil():
        from stretto.wire import buffer  # a compiled module switches the GIL on, unless that is forbidden

        if not _has_gil():
            raise ImportError("stretto is not made for Python without the GIL: start it with PYTHON_GIL=1")


def _in_subinterpreter() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):  # of Python 3.13, and before
        try:
            interpreters: Any = importlib.import_module(name)
        except ImportError:
            continue
        return bool(interpreters.get_current() != interpreters.get_main())
    return False


def _has_gil() -> bool:
    """Tell whether only one thread runs at a time; only a free-threaded Python has to be asked."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def is_compiled(module: ModuleType) -> bool:
    """Tell whether a module was loaded from an extension."""
    return not str(module.__file__).endswith(".py")


def core_info() -> str:
    """Say which core runs: ``compiled`` or ``interpreted``."""
    from stretto.wire import buffer

    return "compiled" if is_compiled(buffer) else "interpreted"


def compiled_modules() -> dict[str, Path]:
    """Give the modules that are compiled here, whichever core runs, each with its file."""
    from pathlib import Path

    root = Path(__file__).parent
    found = {}
    for source in sorted(pxd.with_suffix("") for pxd in root.rglob("*.pxd")):
        for file in (source.with_name(source.name + suffix) for suffix in EXTENSION_SUFFIXES):
            if file.exists():
                found[".".join(("stretto", *source.relative_to(root).parts))] = file
                break
    return found
