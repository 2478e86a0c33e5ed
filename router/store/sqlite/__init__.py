"""Everything kept in one SQLite file: for files on a laptop, tests, and the router outside Azure.

Durability: write-ahead log with `synchronous=FULL`, so what a method returned from survives a power cut.
https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from router.store.sqlite.forgetting import STEP
from router.store.sqlite.store import SqliteStore

__all__ = ["STEP", "SqliteStore"]
