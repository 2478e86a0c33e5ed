"""How changes are put into transactions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.store.azure.transactions import MOST_BYTES, MOST_ROWS, Step, Unit, packs

BODIES = st.sampled_from([0, 10, 60_000, 500_000, 2_000_000]).map(bytes)


@st.composite
def a_unit(draw: st.DrawFn) -> Unit:
    """Some changes in one partition."""
    partition = draw(st.sampled_from("ab"))
    bodies = draw(st.lists(BODIES, min_size=1, max_size=60))
    return tuple(Step("put", {"PartitionKey": partition, "RowKey": "r", "body": body}) for body in bodies)


@given(st.lists(a_unit(), max_size=12))
def test_every_change_is_in_one_transaction_that_the_service_takes(units: list[Unit]) -> None:
    """None is left out or made twice; those of one partition keep their order; what must go together goes together."""
    found = list(packs(units))
    for pack in found:
        steps = [step for place in pack for step in units[place]]
        assert len({step.entity["PartitionKey"] for step in steps}) == 1
        assert len(pack) == 1 or len(steps) <= MOST_ROWS
        assert len(pack) == 1 or sum(len(step.entity["body"]) for step in steps) <= MOST_BYTES
    places = [place for pack in found for place in pack]
    assert sorted(places) == list(range(len(units)))
    for partition in "ab":
        own = [place for place in places if units[place][0].entity["PartitionKey"] == partition]
        assert own == sorted(own)


@given(st.integers(1, 1000))
def test_small_changes_share_as_few_transactions_as_can_be(many: int) -> None:
    """A hundred at a time."""
    units = [(Step("put", {"PartitionKey": "p", "RowKey": str(number)}),) for number in range(many)]
    assert [len(pack) for pack in packs(units)] == [
        *[MOST_ROWS] * (many // MOST_ROWS),
        *filter(None, [many % MOST_ROWS]),
    ]
