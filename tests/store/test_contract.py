"""What every store promises. The suite runs on each kind of storage there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from router.decide import entry_for, quarantined
from router.domain.decisions import Change, Outcome
from router.domain.errors import BadFile, StateInUse
from router.domain.ledger import Arrival, Held, Row, Seen, State, Turn
from router.domain.notices import Delivery, Receipt, RecordEntry
from router.domain.ports import Claim, DeliveryState, Kept, NextDue, Pause, Redrive, Retention, Settlement, Store
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Lane
from router.domain.signals import Quarantined
from router.store.sqlite import SqliteStore
from tests.builders import NOW

LEASE = timedelta(minutes=5)
DAY = timedelta(days=1)


@pytest.fixture(params=[SqliteStore])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    store: Store = request.param(tmp_path)
    yield store
    asyncio.run(store.close())


def a_row(key: str = "k", **changes: object) -> Row:
    row = Row(
        key=key,
        stream="cwpp",
        state=State(resolved=False, status="active", severity=4),
        seen=Seen(NOW, Arrival("hub/0", 7, NOW)),
        turn=1,
        outcome=Outcome.ROUTED,
        open={"tickets": 1},
        forwarded=True,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def an_entry(key: str = "hub/0:1") -> RecordEntry:
    nonsense = Quarantined(reason=Reason(Code.NOT_JSON), body=b"?")
    return entry_for(nonsense, quarantined(nonsense, None), key=key, source="test", now=NOW)


def a_delivery(
    turn: int = 1, change: Change = Change.OPENED, *, key: str = "k", opened: int = 1, lane: Lane = Lane.TICKET
) -> Delivery:
    return Delivery(
        stream="cwpp",
        destination="tickets",
        lane=lane,
        key=key,
        turn=turn,
        change=change,
        opened=opened,
        content=an_entry(f"{key}:{turn}"),
    )


OPENING = a_delivery()
UPDATE = a_delivery(2, Change.UPDATED)
RESOLUTION = a_delivery(3, Change.RESOLVED)


def owe(store: Store, *deliveries: Delivery) -> None:
    asyncio.run(store.outbox.add(deliveries, NOW))


def claim(
    store: Store, *, after: timedelta = timedelta(), limit: int = 10, destination: str = "tickets"
) -> Sequence[Claim]:
    return asyncio.run(store.outbox.claim("cwpp", destination, NOW + after, NOW + after + LEASE, limit))


def settle(store: Store, claim: Claim, state: DeliveryState, **more: object) -> None:
    settlement = Settlement(delivery=claim.delivery, state=state, at=NOW, **more)  # type: ignore[arg-type]
    asyncio.run(store.outbox.settle([settlement]))


def states(store: Store) -> dict[DeliveryState, int]:
    return {state: count for (_, state), count in asyncio.run(store.outbox.counts("cwpp")).items()}


def test_a_row_comes_back_as_it_was_written(store: Store) -> None:
    """The ledger keeps every part of a row, and gives it a version."""
    row = a_row(closed_at=NOW, open={"a": 1, "b": 2})
    versions = asyncio.run(store.ledger.write([row]))
    assert asyncio.run(store.ledger.find(["k", "unknown"])) == {"k": replace(row, version=versions["k"])}


def test_of_two_writers_of_one_row_one_loses(store: Store) -> None:
    """Compare-and-swap: a row is written only over the version that its writer read."""
    first = asyncio.run(store.ledger.write([a_row()]))["k"]
    assert asyncio.run(store.ledger.write([a_row(turn=9)])) == {}
    second = asyncio.run(store.ledger.write([a_row(turn=2, version=first)]))["k"]
    assert list(asyncio.run(store.ledger.write([a_row(turn=3, version=first), a_row("other")]))) == ["other"]
    found = asyncio.run(store.ledger.find(["k"]))["k"]
    assert (found.turn, found.version) == (2, second)


def test_an_intent_is_there_until_it_is_finished_and_a_newer_one_is_left_alone(store: Store) -> None:
    """Who finishes an intent names the version that carried it, so that nobody clears another's."""
    intent = Turn(number=1, entry=an_entry())
    first = asyncio.run(store.ledger.write([a_row(intent=intent)]))["k"]
    (unfinished,) = asyncio.run(store.ledger.unfinished("cwpp"))
    assert unfinished.intent == intent
    second = asyncio.run(store.ledger.write([a_row(version=first, intent=replace(intent, number=2))]))["k"]
    asyncio.run(store.ledger.finish({"k": first}))
    assert [row.turn for row in asyncio.run(store.ledger.unfinished("cwpp"))] == [1]
    asyncio.run(store.ledger.finish({"k": second}))
    assert list(asyncio.run(store.ledger.unfinished("cwpp"))) == []


def test_held_rows_come_back_when_their_rule_is_gone_or_the_rulebook_changed(store: Store) -> None:
    """What is held by an active rule of the same rulebook is left in peace; what was let go is forgotten."""
    held = Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}")
    version = asyncio.run(store.ledger.write([a_row(held=held, outcome=Outcome.SUPPRESSED)]))["k"]

    def doubted(book: str, active: Sequence[str]) -> list[Held | None]:
        return [row.held for row in asyncio.run(store.ledger.held_in_doubt("cwpp", book, active))]

    assert doubted("h", ["r"]) == []
    assert doubted("h", []) == [held]
    assert doubted("other", ["r"]) == [held]
    assert asyncio.run(store.ledger.held_in_doubt("cspm", "h", [])) == []
    asyncio.run(store.ledger.write([a_row(version=version)]))
    assert doubted("h", []) == []


def test_a_delivery_is_owed_once_however_often_it_is_added(store: Store) -> None:
    """Create-if-absent: repeating a step owes nothing twice, also after it was sent."""
    owe(store, OPENING, OPENING)
    (first,) = claim(store)
    settle(store, first, DeliveryState.SENT)
    owe(store, OPENING)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SENT: 1}


def test_a_claim_is_one_workers_alone_until_its_lease_ends(store: Store) -> None:
    """Two workers never send one delivery at a time; a dead worker's claim is free again after its lease."""
    owe(store, OPENING)
    assert [one.number for one in claim(store)] == [1]
    assert claim(store, after=LEASE - timedelta(microseconds=1)) == []
    assert [one.number for one in claim(store, after=LEASE)] == [2]


def test_deliveries_of_a_signal_go_to_a_destination_strictly_in_turn_order(store: Store) -> None:
    """A later turn waits until the earlier one is sent, skipped or dead, whatever its due time."""
    owe(store, UPDATE, OPENING)
    (opening,) = claim(store)
    assert opening.delivery.change is Change.OPENED
    settle(store, opening, DeliveryState.OWED, due=NOW + DAY, error="503")
    assert claim(store) == []
    (opening,) = claim(store, after=DAY)
    settle(store, opening, DeliveryState.SENT, receipt=Receipt(reference="INC1", handles={"sys_id": "x"}))
    (update,) = claim(store, after=DAY)
    assert (update.delivery.change, update.opening) == (
        Change.UPDATED,
        Receipt(reference="INC1", handles={"sys_id": "x"}),
    )


def test_an_opening_that_was_never_attempted_is_skipped_together_with_its_resolution(store: Store) -> None:
    """Nobody was told that it opened, so nobody needs to hear that it is over."""
    owe(store, OPENING, UPDATE, RESOLUTION)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SKIPPED: 3}


def test_an_opening_that_was_attempted_is_resolved_even_if_it_died(store: Store) -> None:
    """It may have arrived all the same; the destination resolves it by key or look-up."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    assert [one.delivery.change for one in claim(store)] == [Change.RESOLVED]


def test_a_resolution_is_sent_where_an_update_told_people_though_the_opening_died_untried(store: Store) -> None:
    """Any attempt after the opening counts: it may have opened a page by itself."""
    owe(store, OPENING)
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    assert [one.delivery.change for one in claim(store)] == [Change.RESOLVED]


def test_a_resolution_is_sent_where_an_earlier_one_never_got_through(store: Store) -> None:
    """The later opening was told to nobody, but what the first one opened is still open there."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, a_delivery(4, opened=4))
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    owe(store, a_delivery(5, Change.RESOLVED, opened=4))
    assert [one.delivery.turn for one in claim(store)] == [5]


def test_in_the_rows_lane_nothing_is_skipped(store: Store) -> None:
    """Rows are history: each turn has its own."""
    owe(store, a_delivery(lane=Lane.ROWS), a_delivery(3, Change.RESOLVED, lane=Lane.ROWS))
    assert len(claim(store)) == 1
    assert DeliveryState.SKIPPED not in states(store)


def test_a_resolution_of_a_later_opening_does_not_skip_an_earlier_one(store: Store) -> None:
    """Each resolution belongs to one opening."""
    owe(store, OPENING, a_delivery(4, opened=4), a_delivery(5, Change.RESOLVED, opened=4))
    assert [one.delivery.turn for one in claim(store)] == [1]


def test_a_claim_put_back_has_spent_no_attempt(store: Store) -> None:
    """Waiting costs nothing."""
    owe(store, OPENING)
    (first,) = claim(store)
    settle(store, first, DeliveryState.OWED, due=NOW, spent=False)
    assert [one.number for one in claim(store)] == [1]


def test_an_acknowledgement_on_record_is_never_overwritten(store: Store) -> None:
    """A slower twin whose lease had ended has nothing more to say."""
    owe(store, OPENING)
    (slow,) = claim(store)
    (fast,) = claim(store, after=LEASE)
    settle(store, fast, DeliveryState.SENT)
    settle(store, slow, DeliveryState.OWED, due=NOW, error="timeout")
    assert states(store) == {DeliveryState.SENT: 1}


def test_what_is_too_old_or_has_nowhere_left_to_go_becomes_a_dead_letter(store: Store) -> None:
    """Both sides of the age, by lane; a destination that the policy no longer names."""
    owe(store, OPENING)
    expire = store.outbox.expire
    assert asyncio.run(expire(Lane.TICKET, NOW - timedelta(microseconds=1), NOW)) == 0
    assert asyncio.run(expire(Lane.PAGE, NOW, NOW)) == 0
    assert asyncio.run(expire(Lane.TICKET, NOW, NOW)) == 1
    owe(store, a_delivery(key="other"))
    assert asyncio.run(store.outbox.abandon("cwpp", ["tickets"], NOW)) == 0
    assert asyncio.run(store.outbox.abandon("cwpp", ["oncall"], NOW)) == 1
    assert {letter.error.partition(":")[0] for letter in asyncio.run(store.outbox.dead())} == {
        "too old to be sent", "no_destination",
    }  # fmt: skip


def test_what_is_given_up_on_keeps_its_last_trouble(store: Store) -> None:
    """Who looks at a dead letter wants to know what was wrong, also when it died of age."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.OWED, due=NOW + DAY, error="503")
    assert asyncio.run(store.outbox.next_due("cwpp")) == {"tickets": NextDue(NOW + DAY, "503")}
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    assert [letter.error for letter in asyncio.run(store.outbox.dead())] == [
        "too old to be sent; its last trouble: 503"
    ]
    assert asyncio.run(store.outbox.next_due("cwpp")) == {}


def test_a_dead_letter_is_redriven_with_the_resolution_that_came_after_it(store: Store) -> None:
    """Redriving a dead opening of a resolved signal sends the opening, then its resolution."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    (resolution,) = claim(store)
    settle(store, resolution, DeliveryState.SENT)
    (letter,) = asyncio.run(store.outbox.dead())
    assert (letter.error, letter.attempts, letter.delivery) == ("400", 1, OPENING)
    assert asyncio.run(store.outbox.redrive(OPENING.id, NOW)) is Redrive.OWED
    for expected in (Change.OPENED, Change.RESOLVED):
        (again,) = claim(store)
        assert again.delivery.change is expected
        settle(store, again, DeliveryState.SENT)
    assert asyncio.run(store.outbox.redrive(OPENING.id, NOW)) is Redrive.UNKNOWN


def test_a_dead_update_of_a_resolved_signal_is_let_go(store: Store) -> None:
    """What it tells of is over, and it would open another page."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    assert asyncio.run(store.outbox.redrive(UPDATE.id, NOW)) is Redrive.OVERTAKEN
    assert claim(store) == []


def test_a_dead_resolution_is_redriven_though_a_later_opening_died_untold(store: Store) -> None:
    """Nobody was told of the later one, so the page of the first is what is open, and it must be closed."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, a_delivery(4, opened=4))
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    assert asyncio.run(store.outbox.redrive(RESOLUTION.id, NOW)) is Redrive.OWED
    assert [one.delivery.turn for one in claim(store)] == [3]


def test_a_dead_letter_that_a_later_opening_overtook_is_let_go(store: Store) -> None:
    """Its resolution would close the page that is open now."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, a_delivery(4, opened=4))
    settle(store, claim(store)[0], DeliveryState.SENT)
    assert asyncio.run(store.outbox.redrive(OPENING.id, NOW)) is Redrive.OVERTAKEN
    assert claim(store) == []
    assert list(asyncio.run(store.outbox.dead())) == []


def test_a_redriven_opening_is_sent_even_if_it_was_never_attempted(store: Store) -> None:
    """Somebody asked for it."""
    owe(store, OPENING, RESOLUTION)
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    assert asyncio.run(store.outbox.redrive(OPENING.id, NOW)) is Redrive.OWED
    (opening,) = claim(store)
    assert opening.delivery.change is Change.OPENED


def test_a_discarded_dead_letter_is_gone(store: Store) -> None:
    """A person decides that it is not worth sending."""
    owe(store, OPENING)
    asyncio.run(store.outbox.expire(Lane.TICKET, NOW, NOW))
    assert asyncio.run(store.outbox.discard(OPENING.id, NOW))
    assert not asyncio.run(store.outbox.discard(OPENING.id, NOW))
    assert list(asyncio.run(store.outbox.dead())) == []


def test_claims_of_a_dead_process_are_given_back_at_once_by_the_one_holder(store: Store) -> None:
    """Whoever holds the state alone need not wait for leases; what was claimed counts as attempted."""
    owe(store, OPENING)
    claim(store)
    assert asyncio.run(store.outbox.release_claims()) == 1
    assert [one.number for one in claim(store)] == [2]


def test_a_pause_keeps_when_it_began(store: Store) -> None:
    """Each refused probe moves the next one, not the beginning."""
    first = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + LEASE, error="401")
    later = replace(first, since=NOW + LEASE, probe=NOW + 2 * LEASE)
    asyncio.run(store.outbox.pause(first))
    asyncio.run(store.outbox.pause(later))
    assert asyncio.run(store.outbox.pauses("cwpp")) == {"tickets": replace(later, since=NOW)}
    assert asyncio.run(store.outbox.pauses("cspm")) == {}
    asyncio.run(store.outbox.resume("cwpp", "tickets"))
    assert asyncio.run(store.outbox.pauses("cwpp")) == {}


def test_the_quarantine_keeps_bodies_whole_until_they_are_discarded(store: Store) -> None:
    """Bytes in, the same bytes out."""
    body = bytes(range(256))
    kept = Kept(
        id="q1", source="f:1", stream=None, at=NOW, arrival=Arrival("hub/0", 7, NOW, 2),
        quarantined=Quarantined(reason=Reason(Code.INVALID, "no id"), body=body, at_fault="SystemAlertId"),
    )  # fmt: skip
    asyncio.run(store.quarantine.add([kept, kept]))
    assert list(asyncio.run(store.quarantine.all())) == [kept]
    assert asyncio.run(store.quarantine.find("q1")) == kept
    assert asyncio.run(store.quarantine.find("q2")) is None
    assert asyncio.run(store.quarantine.remove("q1"))
    assert not asyncio.run(store.quarantine.remove("q1"))


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=90), 1), (timedelta(days=90, microseconds=-1), 0)])
def test_a_ledger_row_is_kept_until_resolved_plus_90_days(store: Store, age: timedelta, gone: int) -> None:
    """A standing signal's row stays for ever; a resolved one's as long as a late repeat may come."""
    asyncio.run(store.ledger.write([a_row("standing"), a_row("resolved", closed_at=NOW)]))
    assert asyncio.run(store.purge(NOW + age, Retention())).rows == gone
    assert len(asyncio.run(store.ledger.find(["standing", "resolved"]))) == 2 - gone


def test_a_row_outlives_every_delivery_of_its_signal(store: Store) -> None:
    """Turns would start anew, and a dead letter of the old turn 1 would swallow the new one."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    asyncio.run(store.ledger.write([a_row(closed_at=NOW)]))
    assert asyncio.run(store.purge(NOW + 400 * DAY, Retention())).rows == 0


def test_a_resolution_is_kept_as_long_as_its_opening_may_be_redriven(store: Store) -> None:
    """Redriven after a month, a dead opening still finds the resolution that belongs after it."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    asyncio.run(store.purge(NOW + 31 * DAY, Retention()))
    asyncio.run(store.outbox.redrive(OPENING.id, NOW))
    for expected in (Change.OPENED, Change.RESOLVED):
        (again,) = claim(store)
        assert again.delivery.change is expected
        settle(store, again, DeliveryState.SENT)


def test_an_opening_is_kept_as_long_as_its_resolution_is_owed(store: Store) -> None:
    """The resolution needs its receipt: which ticket, which key."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT, receipt=Receipt(reference="INC1"))
    asyncio.run(store.outbox.add([RESOLUTION], NOW + 40 * DAY))
    asyncio.run(store.purge(NOW + 41 * DAY, Retention()))
    (resolution,) = claim(store, after=41 * DAY)
    assert resolution.opening == Receipt(reference="INC1")


def test_a_body_that_still_waits_for_its_rule_to_end_is_kept(store: Store) -> None:
    """However long nobody ran the stream, what a rule held is there to come out."""
    held = Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}")
    asyncio.run(store.ledger.write([a_row(held=held, outcome=Outcome.SUPPRESSED)]))
    assert asyncio.run(store.purge(NOW + 400 * DAY, Retention())).bodies == 0


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=30), 1), (timedelta(days=30, microseconds=-1), 0)])
def test_a_suppressed_body_is_kept_until_its_rule_ends_plus_30_days(store: Store, age: timedelta, gone: int) -> None:
    """Long enough to be decided again."""
    asyncio.run(store.ledger.write([a_row(held=Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}"))]))
    assert asyncio.run(store.purge(NOW + age, Retention())).bodies == gone


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=30), 1), (timedelta(days=30, microseconds=-1), 0)])
def test_a_sent_payload_is_kept_30_days_and_a_dead_one_until_it_is_discarded(
    store: Store, age: timedelta, gone: int
) -> None:
    """Dead letters stay."""
    owe(store, OPENING, a_delivery(key="dead"))
    sent, dead = claim(store)
    settle(store, sent, DeliveryState.SENT)
    settle(store, dead, DeliveryState.DEAD, error="400")
    assert asyncio.run(store.purge(NOW + age, Retention())).payloads == gone
    assert len(asyncio.run(store.outbox.dead())) == 1


def test_one_process_at_a_time_works_on_a_state(tmp_path: Path) -> None:
    """A second run on the same directory is told so."""
    one, two = SqliteStore(tmp_path), SqliteStore(tmp_path)
    one.hold()
    with pytest.raises(StateInUse, match="another run"):
        two.hold()
    asyncio.run(one.close())
    two.hold()
    asyncio.run(two.close())


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"this is no database at all" * 99)]
)
def test_a_state_that_cannot_be_opened_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """One line that names the file."""
    make(tmp_path / "router.db")
    with pytest.raises(BadFile, match=r"router\.db: "):
        SqliteStore(tmp_path)
