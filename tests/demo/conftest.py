"""The demo runs in the house in which the command line's tests run."""

from tests.cli.conftest import house

__all__ = ["house"]
