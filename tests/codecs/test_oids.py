"""The generated table of built-in types is what the server says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from stretto.codecs.oids import OID_OF, TYPES

ROOT = Path(__file__).parents[2]


def test_the_table_is_up_to_date(server_url: str) -> None:
    with psycopg.connect(server_url) as connection:
        if connection.info.server_version // 10000 != 18:
            pytest.skip("the table is of PostgreSQL 18")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/make_oids.py"), server_url, "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_and_oids_are_unique() -> None:
    assert len(OID_OF) == len(TYPES)
    oids = [oid for _, oid, array, *_ in TYPES for oid in (oid, array) if oid]
    assert len(set(oids)) == len(oids)
    assert (OID_OF["int4"], OID_OF["numeric"], OID_OF["timestamptz"]) == (23, 1700, 1184)
