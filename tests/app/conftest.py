"""A store of each kind, empty."""

from tests.store.conftest import _running, address, azure, sqlite, store

__all__ = ["_running", "address", "azure", "sqlite", "store"]
