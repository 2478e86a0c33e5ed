"""Which runs of a test over both stores are for `make test`."""

from __future__ import annotations

import pytest

account_in_soak = pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("azure", marks=pytest.mark.soak)], indirect=True
)
"""Leaves the run over an account to `make soak`: the domain decides, and what it asks of the account other tests ask too."""
