"""Encoded queries select what ServiceNow's own would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router_demo.soc.encoded_query import parse
from alert_router_demo.soc.tickets import is_column

RECORD = {"correlation_id": "k^1", "state": "2", "active": "true", "u_env": "Prod", "category": ""}


@pytest.mark.parametrize(
    ("query", "is_met"),
    [
        ("", True),
        ("active=true", True),
        ("active=false", False),
        ("active=true^state=2", True),
        ("active=true^state=3", False),
        ("state=3^ORstate=2^active=true", True),
        ("state=3^ORstate=2^active=false", False),
        ("active=false^NQstate=2", True),
        ("stateIN1,2,3", True),
        ("stateNOT IN1,2,3", False),
        ("state!=2", False),
        ("u_env=prod", True),
        ("u_envSTARTSWITHpr", True),
        ("u_envLIKEro", True),
        ("categoryISEMPTY", True),
        ("categoryISNOTEMPTY", False),
    ],
)
def test_conditions(query: str, is_met: bool) -> None:
    """And, or, new queries and the usual operators mean what they mean in ServiceNow."""
    assert parse(query, is_column).is_met(RECORD) is is_met


@pytest.mark.parametrize("query", ["corelation_id=x", "state~2", "^^", "correlation id=x"])
def test_an_invalid_condition_is_ignored(query: str) -> None:
    """A misspelt column or operator does not narrow the query: the base system drops it, and so finds everything."""
    assert parse(query, is_column).is_met(RECORD)


def test_order() -> None:
    """Orders are read in their order, with their direction."""
    assert parse("active=true^ORDERBYstate^ORDERBYDESCnumber", is_column).order == (("state", False), ("number", True))


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("active=true^correlation_id=a", "a"),
        ("correlation_id=a^ORstate=1", None),
        ("correlation_id=a^NQstate=1", None),
        ("correlation_id!=a", None),
    ],
)
def test_the_index_is_used_only_where_the_value_is_certain(query: str, value: str | None) -> None:
    """A key narrows the search only if no other branch of the query could be met without it."""
    assert parse(query, is_column).find_equal("correlation_id") == value


@given(st.text())
def test_reading_is_total(text: str) -> None:
    """No text makes the reader fail."""
    parse(text, is_column).is_met(RECORD)
