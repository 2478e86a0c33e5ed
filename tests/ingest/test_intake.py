"""What a message makes of its signal: turns, repeats, resolutions, and what a rule held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.deliveries import Claim, DeliveryState, Recipient, Settlement
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.retention import Retention
from router.domain.rulebook import Clause, Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message, release_held
from router.store.claims import settle_claims
from router.store.decisions import find_decisions, find_outcomes
from router.store.quarantine import discard_quarantined, list_quarantined
from tests.builders import (
    NOW,
    a_destination,
    a_message,
    a_route,
    a_rule,
    a_rulebook,
    alert_body,
    an_ip,
    finding_body,
    without_rules,
)
from tests.parse.messages import COMMON_ALERT, a_common_alert, body_of
from tests.store.opened import Place, open_store
from tests.store.within import claim_in, within

HELD: dict[str, object] = {"Entities": [an_ip("10.20.0.5")]}
MINUTE = timedelta(minutes=1)


class House:
    """A store and an intake over it, driven step by step."""

    def __init__(self, place: Place, book: Rulebook, only: Stream | None = None) -> None:
        self.store = open_store(place)
        self.book = book
        self.other: Rulebook | None = None
        self.only = only

    def key(self, id: str = "alert-1") -> str:
        return signal_key("cwpp", "alert", id)

    def ingest(self, *messages: Message, now: datetime = NOW) -> list[RecordEntry]:
        return asyncio.run(self._intake.ingest(messages, now))

    def release(self, now: datetime = NOW) -> list[RecordEntry]:
        return asyncio.run(release_held(self._intake, self.store, self.book, now))

    def owed(self, destination: str, now: datetime = NOW) -> list[Claim]:
        """Every delivery that a destination gets, in order, each acknowledged."""
        return asyncio.run(self._owed(destination, now))

    async def _owed(self, destination: str, now: datetime) -> list[Claim]:
        claimed: list[Claim] = []
        recipient = Recipient(self.book.stream.value, Lane.TICKET, destination)
        while claims := await claim_in(self.store, recipient, now, now + MINUTE, 10):
            done = [
                Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.SENT, at=now)
                for claim in claims
            ]
            await within(self.store, settle_claims, done)
            claimed.extend(claims)
        return claimed

    @property
    def _intake(self) -> Intake:
        books = {book.stream: book for book in (self.book, self.other) if book is not None}
        return Intake(self.store, books, Catalogue(), self.only)


type Build = Callable[..., House]


@pytest.fixture
def build(place: Place) -> Iterator[Build]:
    """Builds a house over a rulebook; it is closed when the test ends."""
    houses: list[House] = []

    def build(book: Rulebook, only: Stream | None = None) -> House:
        houses.append(House(place, book, only))
        return houses[-1]

    yield build
    for house in houses:
        asyncio.run(house.store.close())


@pytest.fixture
def house(build: Build) -> House:
    """A house with one CWPP policy."""
    return build(a_rulebook())


def outcomes(entries: Sequence[RecordEntry]) -> list[tuple[str, str | None]]:
    return [(entry.outcome, entry.notice) for entry in entries]


def changes(claims: Sequence[Claim]) -> list[str]:
    return [claim.delivery.change.value for claim in claims]


def test_a_new_alert_is_opened_where_the_rules_say(house: House) -> None:
    """The first message of a signal owes an opening to each of its destinations."""
    (entry,) = house.ingest(a_message(alert_body()))
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", "opened", ("sentinel", "tickets"))
    assert changes(house.owed("tickets")) == changes(house.owed("sentinel")) == ["opened"]


def test_the_same_state_again_is_a_repeat_and_owes_nothing(house: House) -> None:
    """New and Active are one status; a repeat goes to the record only."""
    house.ingest(a_message(alert_body(Status="New")))
    (entry,) = house.ingest(a_message(alert_body(Status="Active")))
    assert (entry.outcome, entry.reason, entry.destinations) == ("repeat", "same", ())
    assert len(house.owed("tickets")) == 1


def test_a_message_that_is_twice_in_a_batch_is_on_record_as_what_it_was_first(house: House) -> None:
    """The second one is a repeat of the first, and takes its place in nothing."""
    message = a_message(alert_body())
    assert outcomes(house.ingest(message, message)) == [("routed", "opened")] * 2
    (kept,) = asyncio.run(within(house.store, find_decisions, house.key(), 9))
    assert kept.outcome == "routed"
    assert changes(house.owed("tickets")) == ["opened"]


def test_a_change_is_an_update_where_the_signal_is_open(house: House) -> None:
    """A standing turn is updated where it is open."""
    house.ingest(a_message(alert_body(Status="New")))
    (entry,) = house.ingest(a_message(alert_body(Status="InProgress")))
    assert (entry.outcome, entry.notice) == ("routed", "updated")
    assert changes(house.owed("tickets")) == ["opened", "updated"]


def test_a_destination_that_rules_name_later_is_opened_there_and_updated_elsewhere(house: House) -> None:
    """The decision's notice is `opened` if any destination is told so."""
    house.ingest(a_message(alert_body(Severity="Medium")))
    house.book = a_rulebook(routes=[a_route("page", "oncall")])
    (entry,) = house.ingest(a_message(alert_body(Severity="High")))
    assert (entry.notice, entry.destinations) == ("opened", ("oncall", "sentinel", "tickets"))
    assert changes(house.owed("oncall")) == ["opened"]
    assert changes(house.owed("tickets")) == ["opened", "updated"]


def test_a_resolution_finds_every_place_where_the_signal_is_open_whatever_the_rules_say_now(house: House) -> None:
    """Routes changed and the rule that would hold it is new: the resolution still arrives, and points at the opening."""
    house.ingest(a_message(alert_body("alert-1", **HELD)))
    house.book = a_rulebook(a_rule(), routes=[a_route("page", "oncall")], always=[])
    (entry,) = house.ingest(a_message(alert_body("alert-1", Status="Resolved", **HELD)))
    assert (entry.outcome, entry.notice, entry.destinations) == ("resolved", "resolved", ("sentinel", "tickets"))
    opening, resolution = (claim.delivery for claim in house.owed("sentinel"))
    assert (resolution.change, resolution.opened) == ("resolved", opening.turn)
    assert house.owed("oncall") == []


def test_a_resolution_of_what_was_never_forwarded_tells_nobody(house: House) -> None:
    """The ledger shows that nobody was told that it opened."""
    house.ingest(a_message(alert_body(Severity="Low")))
    (entry,) = house.ingest(a_message(alert_body(Severity="Low", Status="Dismissed")))
    assert (entry.outcome, entry.notice, entry.destinations) == ("resolved", None, ())
    assert entry.reason.startswith("no_destination")
    assert house.owed("sentinel") == []


def test_a_resolution_of_what_the_ledger_never_saw_goes_to_always(house: House) -> None:
    """What opened before the router was here may still be open in the SIEM."""
    (entry,) = house.ingest(a_message(alert_body(Status="Resolved")))
    assert (entry.outcome, entry.destinations) == ("resolved", ("sentinel",))


def test_an_older_state_never_reopens(house: House) -> None:
    """Messages overtake one another between partitions: their own times say which state is older."""
    late, early = NOW.isoformat(), (NOW - MINUTE).isoformat()
    house.ingest(a_message(alert_body(Status="Resolved", ProcessingEndTime=late)))
    (entry,) = house.ingest(a_message(alert_body(Status="New", ProcessingEndTime=early)))
    assert (entry.outcome, entry.reason) == ("repeat", "older")


def test_a_message_that_is_on_record_is_a_replay_whatever_its_times_say(house: House) -> None:
    """Routed twice, the same messages tell nothing new, also where no time of their own orders them."""
    opened, resolved = a_message(alert_body()), a_message(alert_body(Status="Resolved"), origin="another/0")
    house.ingest(opened)
    house.ingest(resolved)
    again = house.ingest(replace(opened)) + house.ingest(replace(resolved))
    assert [(entry.outcome, entry.reason) for entry in again] == [("repeat", "older"), ("repeat", "same")]


def test_a_replay_of_what_was_held_is_decided_afresh_and_has_its_own_place_on_record(house: House) -> None:
    """Its first outcome stays on record, and so does what became of it now."""
    message = a_message(alert_body("alert-1", **HELD))
    house.book = a_rulebook(a_rule())
    (held,) = house.ingest(message)
    house.book = a_rulebook()
    (routed,) = house.ingest(message)
    assert (held.outcome, routed.outcome) == ("suppressed", "routed")
    assert held.key != routed.key
    assert asyncio.run(within(house.store, find_outcomes, [message.arrival.key])) == {
        message.arrival.key: Outcome.ROUTED
    }


def test_what_was_quarantined_and_is_understood_now_is_no_replay(build: Build) -> None:
    """It was never told of, so it is taken in as what it is, beside a row that knows another state."""
    house = build(a_rulebook())
    house.ingest(a_message(alert_body(Severity="Medium")))
    message = a_message(alert_body(Severity="Critical"))
    house.only = Stream.CSPM
    (quarantined,) = house.ingest(message)
    house.only = None
    (routed,) = house.ingest(message)
    assert (quarantined.outcome, routed.outcome) == ("quarantined", "routed")
    assert quarantined.key != routed.key


def test_what_was_quarantined_once_is_a_replay_after_it_was_told(build: Build) -> None:
    """Its latest outcome counts, so that a nightly pair of runs, one for each stream, opens nothing again."""
    house = build(a_rulebook())
    opened, resolved = a_message(alert_body()), a_message(alert_body(Status="Resolved"))
    told = []
    for only in (Stream.CSPM, None, Stream.CSPM, None):
        house.only = only
        told.append([entry.outcome for entry in house.ingest(opened, resolved)])
    assert told == [["quarantined"] * 2, ["routed", "resolved"], ["quarantined"] * 2, ["repeat", "repeat"]]


def test_a_replay_tells_nothing_as_long_as_the_signal_or_the_message_is_known(house: House) -> None:
    """The row goes 90 days after the end; until then an older state is a repeat, though its decision went before."""
    opened, resolved = a_message(alert_body()), a_message(alert_body(Status="Resolved"))
    house.ingest(opened)
    house.ingest(resolved, now=NOW + timedelta(days=30))
    house.owed("tickets")
    house.owed("sentinel")
    forgotten = asyncio.run(house.store.forget(NOW + timedelta(days=91), Retention(), (), 10_000))
    assert forgotten.number == 1
    (again,) = house.ingest(opened, now=NOW + timedelta(days=92))
    assert (again.outcome, again.reason) == ("repeat", "older")


def test_a_replay_of_what_is_still_held_changes_nothing(house: House) -> None:
    """The body that comes out when the rule ends is the latest one."""
    house.book = a_rulebook(a_rule(expires=NOW + MINUTE))
    first = a_message(alert_body("alert-1", AlertDisplayName="first", **HELD))
    house.ingest(first)
    house.ingest(a_message(alert_body("alert-1", AlertDisplayName="second", **HELD)))
    house.ingest(first)
    (released,) = house.release(NOW + MINUTE)
    assert released.title == "second"


def test_an_untimed_message_is_ordered_by_its_arrival_in_one_batch_as_in_many(build: Build) -> None:
    """A message without a time of its own stands where it came in, and no later one with an older time passes it."""
    late, early = NOW.isoformat(), (NOW - MINUTE).isoformat()
    bodies = [alert_body(ProcessingEndTime=late), alert_body(Status="Resolved"), alert_body(ProcessingEndTime=early)]
    house = build(a_rulebook())
    entries = house.ingest(*map(a_message, bodies))
    assert [entry.outcome for entry in entries] == ["routed", "resolved", "repeat"]


def test_blanks_around_a_status_make_no_new_state(house: House) -> None:
    """`New ` is New."""
    house.ingest(a_message(alert_body(Status="New")))
    (entry,) = house.ingest(a_message(alert_body(Status="New ")))
    assert entry.outcome == "repeat"


def test_a_time_far_in_the_future_makes_nothing_after_it_look_old(house: House) -> None:
    """A message dated 9999 is ordered by its arrival, so the resolution that follows is heard."""
    house.ingest(a_message(alert_body(ProcessingEndTime="9999-01-01T00:00:00Z")))
    (entry,) = house.ingest(a_message(alert_body(Status="Resolved", ProcessingEndTime=NOW.isoformat())))
    assert entry.outcome == "resolved"


def test_a_delete_is_ordered_by_its_arrival_since_its_own_time_tells_nothing(build: Build) -> None:
    """A Delete carries the date of the last status change, not of the deletion."""
    house = build(a_rulebook(stream=Stream.CSPM))
    house.ingest(a_message(finding_body(changed=NOW)))
    (entry,) = house.ingest(a_message(finding_body(changed=NOW - MINUTE, action="Delete")))
    assert entry.outcome == "resolved"
    (entry,) = house.ingest(a_message(finding_body(changed=NOW - MINUTE)))
    assert (entry.outcome, entry.notice) == ("routed", "opened")


def test_what_a_rule_held_comes_out_when_the_rule_ends_and_only_once(house: House) -> None:
    """An expiry never buries what it covered."""
    house.book = a_rulebook(a_rule(expires=NOW + MINUTE))
    (held,) = house.ingest(a_message(alert_body("alert-1", **HELD)))
    assert held.suppressed_by == "scanner"
    assert house.release(NOW + MINUTE - timedelta(microseconds=1)) == []
    (released,) = house.release(NOW + MINUTE)
    assert (released.outcome, released.notice, released.source) == ("routed", "opened", held.source)
    assert house.release(NOW + 2 * MINUTE) == []
    assert changes(house.owed("tickets", NOW + 2 * MINUTE)) == ["opened"]


def test_a_rule_that_is_removed_lets_go_of_what_it_held(house: House) -> None:
    """Removed, disabled or changed, a rule that no longer covers a signal no longer holds it."""
    house.book = a_rulebook(a_rule())
    house.ingest(a_message(alert_body("alert-1", **HELD)))
    house.book = without_rules(house.book)
    assert outcomes(house.release()) == [("routed", "opened")]


def test_what_was_resolved_while_it_was_held_does_not_come_out(house: House) -> None:
    """Only what still stands is decided again."""
    house.book = a_rulebook(a_rule(expires=NOW + MINUTE))
    house.ingest(a_message(alert_body("alert-1", **HELD)))
    house.ingest(a_message(alert_body("alert-1", Status="Resolved", **HELD)))
    assert house.release(NOW + 2 * MINUTE) == []
    assert house.owed("tickets") == []


def test_what_somebody_took_out_of_quarantine_is_not_kept_again(house: House) -> None:
    """A message that comes again, as it does to whoever reads a hub from its start, is on record already."""
    message = a_message(b"no JSON")
    (first,) = house.ingest(message)
    (kept,) = asyncio.run(within(house.store, list_quarantined))
    asyncio.run(within(house.store, discard_quarantined, kept.id))
    assert house.ingest(message) == [first]
    assert asyncio.run(within(house.store, list_quarantined)) == []


def test_an_alert_of_azure_monitor_is_opened_by_fired_and_ended_by_resolved(house: House) -> None:
    """Both have one id and may have one time: then the order in which they came in counts, and a repeat of either says nothing.
    The next one of the same rule has an id of its own."""
    fired, over = body_of(a_common_alert()), body_of(a_common_alert(condition="Resolved"))
    entries = house.ingest(*(a_message(body) for body in (fired, fired, over, over)))
    assert outcomes(entries) == [("routed", "opened"), ("repeat", None), ("resolved", "resolved"), ("repeat", None)]
    assert {entry.signal for entry in entries} == {house.key(COMMON_ALERT)}
    (again,) = house.ingest(a_message(body_of(a_common_alert(alertId=f"{COMMON_ALERT}-2"))))
    assert (again.outcome, again.notice) == ("routed", "opened")


def test_a_signal_on_the_wrong_stream_is_quarantined_whole(build: Build) -> None:
    """Posture never reaches the SOC's queue by standing on its hub."""
    house = build(a_rulebook(), only=Stream.CWPP)
    body = finding_body()
    (entry,) = house.ingest(a_message(body))
    assert (entry.outcome, entry.reason.split(":")[0], entry.stream) == ("quarantined", "wrong_stream", "cwpp")
    (kept,) = asyncio.run(within(house.store, list_quarantined))
    assert kept.quarantined.body == body


def test_a_fault_of_ours_parks_the_message_and_not_its_neighbours(house: House) -> None:
    """A rule of ours that breaks on one alert must not cost the batch: the message is kept, with reason `internal`."""

    def breaks(signal: object, attack: object) -> bool:
        if getattr(signal, "id", None) == "bad":
            raise ZeroDivisionError
        return True

    house.book = a_rulebook(routes=[a_route("odd", "tickets", when=[Clause("odd", "odd", breaks)])])
    entries = house.ingest(*map(a_message, [alert_body("a"), alert_body("bad"), alert_body("c")]))
    assert [(e.outcome, e.reason) for e in entries] == [
        ("routed", "routes: odd"), ("quarantined", "internal: ZeroDivisionError"), ("routed", "routes: odd"),
    ]  # fmt: skip
    assert len(asyncio.run(within(house.store, list_quarantined))) == 1


def test_a_body_with_several_signals_gives_each_its_own_outcome(house: House) -> None:
    """An array in one message is as many signals, told apart by their place in it."""
    body = b"[" + alert_body("a") + b",17," + alert_body("b", Severity="Low") + b"]"
    message = a_message(body)
    entries = house.ingest(message)
    assert [entry.outcome for entry in entries] == ["routed", "quarantined", "below_floor"]
    assert [entry.source for entry in entries] == [f"{message.source}[{n}]" for n in (1, 2, 3)]


def test_every_decision_is_owed_to_the_records_second_home(build: Build) -> None:
    """Where a policy names one, also what forwards nothing is told there, once a message."""
    house = build(a_rulebook(record=a_destination("record", Lane.ROWS)), only=Stream.CWPP)
    messages = [a_message(alert_body("a")), a_message(alert_body("b", Severity="Low")), a_message(b"?")]
    for _ in range(2):
        house.ingest(*messages)
    entries = [claim.delivery.content for claim in house.owed("record")]
    assert sorted(entry.outcome for entry in entries if isinstance(entry, RecordEntry)) == [
        "below_floor", "quarantined", "routed",
    ]  # fmt: skip
