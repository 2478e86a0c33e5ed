"""The event loop in which stores are asked."""

from tests.store.conftest import _running

__all__ = ["_running"]
