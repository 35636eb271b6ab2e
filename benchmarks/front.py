"""stretto's front doors, wherever this revision has them."""

from __future__ import annotations

try:
    from stretto import AsyncDatabase, Database

    IMPORTS = ("import stretto; stretto.Database", "import stretto; stretto.AsyncDatabase")
except ImportError:
    from stretto._async.database import AsyncDatabase
    from stretto._sync.database import Database

    IMPORTS = ("from stretto._sync.database import Database", "from stretto._async.database import AsyncDatabase")

__all__ = ["IMPORTS", "AsyncDatabase", "Database"]
