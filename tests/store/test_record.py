"""What every store promises of the record."""

from __future__ import annotations

from router.domain.decisions import Outcome
from router.domain.ledger import Arrival
from router.store.decisions import find_outcomes, put_on_record
from router.store.store import Store
from tests.store.acts import run
from tests.store.builders import an_entry
from tests.store.within import within


def put(store: Store, key: str, outcome: Outcome = Outcome.ROUTED, at: str = "2026-11-24T12:00:00Z") -> None:
    """Puts one decision on record."""
    run(within(store, put_on_record, [an_entry(key, outcome=outcome.value, at=at)]))


def test_the_first_outcome_of_a_message_is_its_outcome(store: Store) -> None:
    """Create-if-absent by its key, also within one batch: what comes later changes nothing."""
    routed, repeat = (an_entry("cwpp:0:1:7", outcome=outcome.value) for outcome in (Outcome.ROUTED, Outcome.REPEAT))
    run(within(store, put_on_record, [routed, repeat]))
    run(within(store, put_on_record, [repeat, an_entry("cwpp:0:1:8", outcome=Outcome.NOTED.value)]))
    found = run(within(store, find_outcomes, ["cwpp:0:1:7", "cwpp:0:1:8", "cwpp:0:1:9"]))
    assert found == {"cwpp:0:1:7": Outcome.ROUTED, "cwpp:0:1:8": Outcome.NOTED}


def test_a_further_decision_on_a_message_is_its_latest_outcome(store: Store) -> None:
    """A message is looked up by its own key; that of a further decision finds nothing."""
    put(store, "h:7", Outcome.SUPPRESSED)
    put(store, "h:7@9", Outcome.ROUTED)
    put(store, "h:7@10", Outcome.RESOLVED)
    assert run(within(store, find_outcomes, ["h:7"])) == {"h:7": Outcome.RESOLVED}
    put(store, "h:7@1", Outcome.REPEAT, at="2026-11-24T12:00:00.5Z")
    assert run(within(store, find_outcomes, ["h:7", "h:7@1", "h:7@10"])) == {"h:7": Outcome.REPEAT}


def test_the_signals_of_one_message_are_on_record_apart(store: Store) -> None:
    """Each has its own outcome, and so has each of them that is decided once more."""
    arrivals = [Arrival("cwpp:0:1", 7, part=part) for part in (0, 1, 10)]
    for arrival, outcome in zip(arrivals, (Outcome.NOTED, Outcome.ROUTED, Outcome.REPEAT), strict=True):
        put(store, arrival.key, outcome)
    put(store, f"{arrivals[1].key}@2", Outcome.RESOLVED, at="2026-11-24T12:00:01Z")
    assert run(within(store, find_outcomes, [arrivals[2].key])) == {arrivals[2].key: Outcome.REPEAT}
    assert run(within(store, find_outcomes, [one.key for one in arrivals])) == {
        arrivals[0].key: Outcome.NOTED,
        arrivals[1].key: Outcome.RESOLVED,
        arrivals[2].key: Outcome.REPEAT,
    }


def test_a_batch_that_is_partly_on_record_is_put_there_whole(store: Store) -> None:
    """Who repeats a step after dying in it finds some of it done."""
    entries = [an_entry(f"h:{place}", outcome=Outcome.ROUTED.value) for place in range(250)]
    run(within(store, put_on_record, []))
    run(within(store, put_on_record, entries[::7]))
    run(within(store, put_on_record, entries))
    assert len(run(within(store, find_outcomes, [entry.key for entry in entries]))) == 250
