"""How large a state in a file is, by table."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple


class Size(NamedTuple):
    """How many rows a table has, and how many bytes they and their indexes take."""

    rows: int
    bytes: int


type Sizes = Mapping[str, Size]
"""By table."""


def of_file(directory: Path) -> Sizes:
    """Of a state in a file; without dbstat, which not every SQLite has, the bytes are those of the whole file."""
    with closing(sqlite3.connect(f"file:{directory / 'router.db'}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        rows = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608
        try:
            taken = dict(
                db.execute(
                    "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name=d.name "
                    "WHERE d.aggregate=1 GROUP BY s.tbl_name"
                )
            )
        except sqlite3.OperationalError:
            taken = {}
        pages = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    sizes = {name: Size(rows[name], taken.get(name, 0)) for name in tables if rows[name]}
    return sizes | {"(the rest of the file)": Size(0, pages - sum(size.bytes for size in sizes.values()))}
