"""Which hosts are nobody's, however they are written."""

from __future__ import annotations

import pytest

from router.domain.urls import is_example


@pytest.mark.parametrize(
    "host", ["soc.example", "a.b.example", "SOC.Example", "soc.example.", "soc.EXAMPLE..", "example"]
)
def test_a_name_under_example_is_nobodys(host: str) -> None:
    """In any case, with the root's dot or without it."""
    assert is_example(host)


@pytest.mark.parametrize(
    "host", ["example.com", "soc.example.com", "myexample", "soc.examples", "192.0.2.1", "::1", ""]
)
def test_any_other_name_may_be_somebodys(host: str) -> None:
    """Also one that has the word in it."""
    assert not is_example(host)
