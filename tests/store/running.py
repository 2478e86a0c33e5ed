"""Which runs of a test over both stores are for `make test`."""

from __future__ import annotations

import pytest

account_in_soak = pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("azure", marks=pytest.mark.soak)], indirect=True
)
"""Leaves the run over an account to `make soak`: the domain decides, and what it asks of the account other tests ask too."""

KEPT = "OVER_AN_ACCOUNT"
"""Under this name a module lists the tests that `make test` runs over an account, too; there the others are for `make soak`."""

_ACCOUNTS = {"store": "azure", "engine": "account"}


def is_left_to_soak(item: pytest.Item) -> bool:
    """Whether it is a run over an account that its module leaves to `make soak`; raises KeyError for a name of no test."""
    module = getattr(item, "module", None)
    kept: tuple[str, ...] | None = getattr(module, KEPT, None)
    if kept is None or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    if unknown := [name for name in kept if not hasattr(module, name)]:
        raise KeyError(f"{item.nodeid.partition('::')[0]}: {KEPT} names {', '.join(unknown)}")
    chosen = item.callspec.params
    return item.originalname not in kept and any(chosen.get(name) == account for name, account in _ACCOUNTS.items())
