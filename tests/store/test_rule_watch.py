"""Who hears of the lives of rules, silences and holds, and that they hear once, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.rule_watch import RuleWatch
from router.deliver.settlement import untried
from router.destinations import discover
from router.domain.changes import ChangeAction, ChangeEntry, ChangeSubject, document_of_change
from router.domain.deliveries import Delivery, DeliveryState, Recipient
from router.domain.destination_holds import DestinationHold, document_of_hold
from router.domain.documents import DocumentKind
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.recurrences import Recurrence
from router.domain.retention import Retention
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.silence_documents import document_of_silence
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule
from router.ingest.rule_register import read_known_rules
from router.store.claims import settle_claims
from router.store.delivery_status import count_deliveries
from router.store.documents import find_document, put_document
from router.store.store import Store
from tests.builders import NOW, a_destination, a_rule, a_rulebook, an_element, an_ip
from tests.examples import some_of
from tests.store.acts import DAY, LEASE, claim, run, settle
from tests.store.life import Life
from tests.store.opened import open_store
from tests.store.within import claim_in, within

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MAIL = discover()["email"].Config.model_validate(
    {"kind": "email", "host": "smtp.soc.example", "from": "router@soc.example", "to": ["soc@soc.example"]}
)
OWNER = "owner@contoso.example"


def a_mailbox(name: str = "mail") -> DestinationSpec:
    """A destination that sends mail."""
    return DestinationSpec(name=name, kind="email", lane=Lane.TICKET, config=MAIL)


def a_book(*rules: SuppressionRule, notify: Sequence[str] = ("mail",), warn: timedelta = 14 * DAY) -> Rulebook:
    """A rulebook whose policy has some destinations hear."""
    book = a_rulebook(*rules, destinations=[a_destination("tickets"), a_mailbox()])
    return replace(book, notify=tuple(notify), warn=warn)


def owned(name: str, expires: datetime, owner: str | None = OWNER, alert_type: str = "VM_Test") -> SuppressionRule:
    """A rule of somebody's."""
    rule = a_rule(name, expires=expires, alert_type=alert_type)
    return replace(rule, owner=owner, source=f"cwpp/suppressions/{name}.json")


def held(life: Life, id: str, **fields: object) -> None:
    """An alert comes in that rules and silences of these tests hold."""
    life.alert(id, Entities=[an_ip("10.20.0.5")], **fields)


def heard(store: Store, destination: str = "mail") -> list[Delivery]:
    """What a destination was owed of announcements, in the order in which it would be sent."""
    recipient = Recipient("cwpp", Lane.TICKET, destination)
    far = NOW + 4000 * DAY
    claims = run(claim_in(store, recipient, far, far + LEASE, 1_000))
    run(within(store, settle_claims, [untried(one, far, far) for one in claims]))
    return sorted((claim.delivery for claim in claims), key=lambda one: notice_in(one).changed or "")


def notice_in(delivery: Delivery) -> Notice:
    """The notice of a delivery."""
    assert isinstance(delivery.content, Notice)
    assert delivery.content.kind == ANNOUNCEMENT
    return delivery.content


def titles(store: Store, recipient: str | None = None) -> list[str]:
    """What the policy's destination heard, or one person, in its order."""
    return [notice.title for notice in map(notice_in, heard(store)) if notice.recipient == recipient]


def recipients(deliveries: Sequence[Delivery]) -> list[str | None]:
    """For whom alone the notices are."""
    return sorted((notice_in(one).recipient for one in deliveries), key=str)


def test_the_owner_and_the_policys_destinations_hear_that_a_rule_ends_soon(store: Store, twin: Store) -> None:
    """Once each, however often it is looked, whatever restarts, and whoever looks beside."""
    book = a_book(owned("scanner", NOW + 14 * DAY))
    assert run(RuleWatch(store, book).notify(NOW - timedelta(seconds=1))) == 0
    for number, place in enumerate((store, twin, store)):
        run(RuleWatch(place, book).notify(NOW + number * timedelta(minutes=1)))
    found = heard(store)
    assert recipients(found) == [None, OWNER]
    assert {notice_in(one).title for one in found} == {"Suppression rule scanner ends 2026-12-08 12:00 UTC"}


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store."""
    return Life(store)


def test_of_workers_that_look_at_the_same_time_one_tells(store: Store, twin: Store) -> None:
    """Whoever was slower finds that the other was faster."""
    book = a_book(*(owned(f"rule-{number}", NOW) for number in range(3)))

    async def all_look() -> None:
        await asyncio.gather(*(RuleWatch(one, book).notify(NOW) for one in (store, twin, store, twin)))

    run(all_look())
    looked(store, book, MINUTE)
    assert titles(store) == titles(store, OWNER) == ["Rules, silences and holds: 3 ended"]


def test_where_nobody_is_to_hear_it_is_known_since_when_each_rule_is_there_and_no_more_is_asked(store: Store) -> None:
    """A policy without `notify` costs one look in the life of a rulebook, and one without rules none."""
    book = a_book(owned("scanner", NOW), notify=())
    watch = RuleWatch(store, book)
    assert run(watch.notify(NOW)) == 0
    known = run(read_known_rules(store, book.stream.value))
    assert known.find_since("scanner", NOW) == NOW
    bare = a_book(notify=())
    run(store.close())
    assert [run(one.notify(NOW + HOUR)) for one in (watch, RuleWatch(store, bare))] == [0, 0]


def test_at_its_end_people_hear_what_a_rule_held_and_what_still_stands(life: Life) -> None:
    """How many in its life, how many stand, the gravest of them first, and where to look."""
    book = a_book(owned("scanner", NOW + DAY))
    life.book = book
    for number, severity in enumerate(["Medium", "Critical", "High", "Medium", "Medium", "Medium"]):
        held(life, f"alert-{number}", Severity=severity, AlertDisplayName=f"Alert *{number}*")
    held(life, "alert-0", Status="Resolved")
    life.goes_on(1)
    run(RuleWatch(life.store, book).notify(life.now))
    run(RuleWatch(life.store, book).notify(life.now + MINUTE))
    (one, other) = heard(life.store)
    notice = notice_in(one)
    assert notice.title == "Suppression rule scanner ended 2026-11-25 12:00 UTC"
    assert "It held 6 messages in its life, the last 2026-11-24 12:00 UTC." in notice.description
    assert "5 signals that it holds still stand: what no other rule or silence holds is told now." in notice.description
    assert notice.group is not None
    assert [(one.severity, one.title) for one in notice.group.named][:2] == [
        ("Critical", "Alert *1*"),
        ("High", "Alert *2*"),
    ]
    assert (notice.group.standing, len(notice.group.named)) == (5, 5)
    assert notice_in(other).description == notice.description


def test_what_ended_while_the_router_was_down_is_told_once_and_what_ended_long_ago_is_not(store: Store) -> None:
    """A first start on an old state floods nobody: two weeks back is far enough."""
    rules = [owned(f"rule-{days}", NOW - days * DAY) for days in range(100)]
    book = a_book(*rules, warn=DAY)
    for number in range(3):
        run(RuleWatch(store, book).notify(NOW + number * MINUTE))
    told = [notice_in(one).description for one in heard(store) if notice_in(one).recipient is None]
    assert len(told) == 1
    assert [f"rule {rule.name} ended" in told[0] for rule in rules] == [days < 14 for days in range(100)]


def test_a_thousand_ends_are_one_notice_for_each_who_hears(store: Store) -> None:
    """It names some and counts the others; each owner hears of their own alone."""
    rules = [owned(f"rule-{number:04}", NOW, f"owner{number % 2}@contoso.example") for number in range(1000)]
    book = a_book(*rules, notify=("mail", "tickets"))
    assert run(RuleWatch(store, book).notify(NOW)) == 4
    mails = {notice_in(one).recipient: notice_in(one) for one in heard(store)}
    assert mails.keys() == {None, "owner0@contoso.example", "owner1@contoso.example"}
    assert mails[None].title == "Rules, silences and holds: 1000 ended"
    assert mails[None].description.endswith("And 980 more.")
    assert "rule-0001" not in mails["owner0@contoso.example"].description
    assert mails["owner0@contoso.example"].title == "Rules, silences and holds: 500 ended"
    assert [notice_in(one).recipient for one in heard(store, "tickets")] == [None]


def test_an_owner_who_hears_already_is_not_mailed_twice(store: Store) -> None:
    """Nor is anybody whose address is none, nor anybody where no mail destination hears."""
    owners = [
        "SOC@soc.example",
        "somebody",
        "a@b.example\nBcc: c@d.example",
        None,
        "Ana@contoso.example",
        "ana@contoso.example",
    ]
    book = a_book(*(owned(f"rule-{number}", NOW, owner) for number, owner in enumerate(owners)))
    run(RuleWatch(store, book).notify(NOW))
    assert recipients(heard(store)) == ["Ana@contoso.example", None]


def test_without_a_mail_destination_owners_hear_nothing(store: Store) -> None:
    """Mail goes only by a server that the rules name for this."""
    book = a_book(owned("scanner", NOW), notify=("tickets",))
    run(RuleWatch(store, book).notify(NOW))
    assert recipients(heard(store, "tickets")) == [None]
    assert heard(store) == []


def test_a_rule_that_is_renewed_is_told_of_again_and_one_that_is_disabled_is_not(store: Store) -> None:
    """Each end is one; whoever disables or removes a rule knows it."""
    run(RuleWatch(store, a_book(owned("scanner", NOW + DAY))).notify(NOW))
    renewed = a_book(owned("scanner", NOW + 30 * DAY))
    run(RuleWatch(store, renewed).notify(NOW + MINUTE))
    run(RuleWatch(store, renewed).notify(NOW + 20 * DAY))
    off = a_book(replace(owned("scanner", NOW + 30 * DAY), enabled=False))
    run(RuleWatch(store, off).notify(NOW + 31 * DAY))
    assert titles(store) == [
        "Suppression rule scanner ends 2026-11-25 12:00 UTC",
        "Suppression rule scanner ends 2026-12-24 12:00 UTC",
    ]


@pytest.mark.parametrize("wrong", [timedelta(days=35), timedelta(days=60), timedelta(days=1000), timedelta(days=-60)])
def test_a_clock_that_was_wrong_for_a_minute_makes_nobody_miss_nor_hear_twice(store: Store, wrong: timedelta) -> None:
    """What it said falsely it said once; what is true is told when it is."""
    book = a_book(owned("early", NOW - DAY), owned("late", NOW + 30 * DAY), warn=DAY)
    for now in (NOW, NOW + MINUTE + wrong, NOW + 2 * MINUTE, NOW + 3 * MINUTE):
        run(RuleWatch(store, book).notify(now))
    before = titles(store).count("Suppression rule late ended 2026-12-24 12:00 UTC")
    assert before <= 1
    for now in (NOW + 30 * DAY, NOW + 30 * DAY + MINUTE):
        run(RuleWatch(store, book).notify(now))
    assert titles(store).count("Suppression rule late ended 2026-12-24 12:00 UTC") == before + 1
    assert titles(store).count("Suppression rule early ended 2026-11-23 12:00 UTC") == 1


def a_silence(begins: datetime, lasts: timedelta, **more: Any) -> Silence:
    """A silence of one type."""
    values: dict[str, Any] = {
        "id": "ab12cd",
        "stream": "cwpp",
        "alert_type": "VM_Test",
        "groups": ((an_element("entities.ip.address", "10.20.0.5"),),),
        "begins": begins,
        "until": begins + lasts,
        "reason": "patching",
        "author": "ben@contoso.example",
        "made": begins,
        "first": begins,
    }
    return Silence(**values | more)


def silenced(store: Store, silence: Silence) -> None:
    """Writes a silence, over the one that is there."""
    there = run(within(store, find_document, DocumentKind.SILENCE, silence.id))
    run(within(store, put_document, document_of_silence(silence, there.version if there is not None else None)))


def looked(store: Store, book: Rulebook, *after: timedelta) -> None:
    """It is looked for events at some times, each by a process of its own."""
    for one in after:
        run(RuleWatch(store, book).notify(NOW + one))


def test_an_author_hears_an_hour_before_a_long_silence_ends_and_at_its_end(store: Store) -> None:
    """Of one that lasts no longer than four hours only at its end."""
    silenced(store, a_silence(NOW, 4 * HOUR + SECOND))
    silenced(store, a_silence(NOW, 4 * HOUR, id="short"))
    looked(store, a_book(), 3 * HOUR, 3 * HOUR + SECOND, 4 * HOUR, 4 * HOUR + SECOND, 5 * HOUR)
    assert (
        titles(store)
        == titles(store, "ben@contoso.example")
        == [
            "Silence ab12cd ends 2026-11-24 16:00 UTC",
            "Silence short ended 2026-11-24 16:00 UTC",
            "Silence ab12cd ended 2026-11-24 16:00 UTC",
        ]
    )


def test_a_silence_that_is_ended_early_ends_then(store: Store) -> None:
    """And not once more at the end that it would have had."""
    silenced(store, a_silence(NOW, 8 * HOUR))
    silenced(store, a_silence(NOW, 8 * HOUR, ended=NOW + HOUR))
    looked(store, a_book(), HOUR, 7 * HOUR, 8 * HOUR)
    assert titles(store) == ["Silence ab12cd ended 2026-11-24 13:00 UTC"]


def test_of_a_recurring_silence_people_hear_at_the_end_of_windows_that_held_something(life: Life) -> None:
    """And at the end of the series, whatever it held."""
    every = Recurrence(frozenset(range(7)), time(12), time(13), "UTC")
    silenced(life.store, a_silence(NOW, 3 * DAY, every=every))
    life.book = a_book()
    run(RuleWatch(life.store, life.book).notify(NOW + HOUR))
    life.goes_on(1)
    held(life, "one")
    looked(life.store, life.book, DAY + HOUR, DAY + HOUR + MINUTE, 2 * DAY + HOUR, 3 * DAY, 3 * DAY + MINUTE)
    assert titles(life.store) == [
        "A window of the silence ab12cd ended 2026-11-25 13:00 UTC",
        "Silence ab12cd ended 2026-11-27 12:00 UTC",
    ]


def test_people_hear_when_what_a_silence_covers_was_silenced_for_more_than_half_of_a_month(store: Store) -> None:
    """Also by silences before it, and not at the half; once for each."""
    silenced(store, a_silence(NOW - 16 * DAY, 15 * DAY - HOUR, id="before"))
    silenced(store, a_silence(NOW - HOUR, 3 * HOUR))
    looked(store, a_book(), timedelta())
    before = titles(store)
    looked(store, a_book(), MINUTE, HOUR)
    assert before == ["Silence before ended 2026-11-23 11:00 UTC"]
    assert titles(store) == [*before, "What the silence ab12cd covers was silenced for 50 % of the last 30 days"]


def test_a_silence_of_another_stream_is_told_there(store: Store) -> None:
    """Each stream's people hear of their own."""
    silenced(store, a_silence(NOW, HOUR, stream="cspm"))
    looked(store, a_book(), HOUR)
    assert titles(store) == []


def test_the_author_of_a_hold_hears_before_it_ends_and_at_its_end(store: Store) -> None:
    """As of a silence."""
    hold = DestinationHold(
        stream="cwpp",
        destination="tickets",
        lane=Lane.TICKET,
        author="ben@contoso.example",
        reason="migration",
        since=NOW,
        until=NOW + 10 * HOUR,
    )
    run(within(store, put_document, document_of_hold(hold)))
    looked(store, a_book(), 8 * HOUR, 9 * HOUR, 10 * HOUR, 11 * HOUR)
    assert (
        titles(store)
        == titles(store, "ben@contoso.example")
        == [
            "Hold of the destination tickets ends 2026-11-24 22:00 UTC",
            "Hold of the destination tickets ended 2026-11-24 22:00 UTC",
        ]
    )


def test_the_policys_destinations_hear_that_a_silence_or_a_hold_was_made_or_extended(store: Store) -> None:
    """Its author, who knows, is not mailed."""
    change = ChangeEntry(
        subject=ChangeSubject.SILENCE,
        id="ab12cd",
        stream="cwpp",
        action=ChangeAction.ADDED,
        at=NOW,
        author="ben@contoso.example",
        reason="patching",
        until=NOW + HOUR,
    )
    hold = replace(change, subject=ChangeSubject.HOLD, id="cwpp/tickets", at=NOW + MINUTE)
    longer = replace(change, action=ChangeAction.EXTENDED, at=NOW + 2 * MINUTE, until=NOW + 2 * HOUR)
    others = (replace(change, stream="cspm"), replace(change, action=ChangeAction.RELEASED))
    for number, one in enumerate((change, hold, longer, *others)):
        run(within(store, put_document, document_of_change(one)))
        looked(store, a_book(), number * MINUTE)
    assert titles(store) == [
        "Silence ab12cd was made by ben@contoso.example, until 2026-11-24 13:00 UTC",
        "Hold of the destination tickets was made by ben@contoso.example, until 2026-11-24 13:00 UTC",
        "Silence ab12cd was extended by ben@contoso.example, until 2026-11-24 14:00 UTC",
    ]
    assert titles(store, "ben@contoso.example") == []


def test_people_hear_once_in_each_spell_in_which_a_rule_holds_nothing_for_thirty_days(life: Life) -> None:
    """Counted from when it was first known, or from its last hit; not while something that it holds stands."""
    life.book = a_book(owned("scanner", NOW + 300 * DAY), owned("idle", NOW + 300 * DAY, alert_type="VM_Other"))
    looked(life.store, life.book, timedelta())
    life.goes_on(1)
    held(life, "one")
    looked(life.store, life.book, 30 * DAY - SECOND)
    assert titles(life.store) == []
    looked(life.store, life.book, 30 * DAY, 31 * DAY, 40 * DAY)
    life.now = NOW + 40 * DAY
    held(life, "one", Status="Resolved")
    looked(life.store, life.book, 40 * DAY + HOUR, 41 * DAY, 80 * DAY)
    life.now = NOW + 90 * DAY
    held(life, "two")
    held(life, "two", Status="Resolved")
    looked(life.store, life.book, 119 * DAY, 120 * DAY, 130 * DAY)
    assert titles(life.store) == [
        "Suppression rule idle has held nothing for 30 days",
        "Suppression rule scanner has held nothing for 39 days",
        "Suppression rule scanner has held nothing for 30 days",
    ]


class Died(Exception):
    """A worker died."""


class Mortal:
    """A store of which one worker's writes fail from the n-th on, before or after that one is done."""

    def __init__(self, store: Store, last: int, *, is_after: bool) -> None:
        self._store, self._last, self._is_after = store, last, is_after
        self._writes = 0
        self.session = store.session

    async def run(self, work: Any) -> Any:
        """Owes deliveries, if the worker lives."""
        return await self._written(self._store.run(work))

    async def _written(self, write: Any) -> Any:
        self._writes += 1
        if self._writes == self._last and not self._is_after:
            write.close()
            raise Died
        done = await write
        if self._writes == self._last:
            raise Died
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


LOOKS = st.tuples(st.integers(1, 40), st.integers(0, 5), st.booleans())
"""Hours that go by, the write at which the worker dies who looks then, and whether after it."""


@given(looks=st.lists(LOOKS, min_size=1, max_size=8), ends=st.lists(st.integers(-20, 200), min_size=1, max_size=5))
@settings(max_examples=some_of(60), deadline=None)
def test_whoever_dies_people_hear_of_each_end_once(looks: list[tuple[int, int, bool]], ends: list[int]) -> None:
    """Whatever the worker did last, and whatever happened before the next one looked."""
    rules = [owned(f"rule-{number}", NOW + hours * HOUR) for number, hours in enumerate(ends)]
    book = a_book(*rules, warn=DAY)
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory))
        now, seen = NOW, set[str]()
        for hours, last, is_after in looks:
            now += hours * HOUR
            with suppress(Died):
                run(RuleWatch(cast(Store, Mortal(store, last, is_after=is_after)), book).notify(now))
        for number in range(3):
            run(RuleWatch(store, book).notify(now + number * MINUTE))
        for rule in rules:
            if rule.expires <= now:
                seen.add(f"Suppression rule {rule.name} ended {rule.expires:%Y-%m-%d %H:%M} UTC.")
            elif rule.expires - now <= DAY:
                seen.add(f"Suppression rule {rule.name} ends {rule.expires:%Y-%m-%d %H:%M} UTC.")
        for recipient in (None, OWNER):
            texts = [notice_in(one).description for one in heard(store) if notice_in(one).recipient == recipient]
            told = [line.partition("UTC.")[0] + "UTC." for text in texts for line in text.split("\n\n")]
            assert len(told) == len(set(told))
            assert seen <= set(told)
        run(store.close())


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_batch_is_published_whole_whoever_dies_at_it(store: Store, last: int, is_after: bool) -> None:
    """The next worker publishes it under the same keys, and then what happened meanwhile."""
    book = a_book(owned("one", NOW), owned("two", NOW + 30 * MINUTE), warn=SECOND)
    with suppress(Died):
        run(RuleWatch(cast(Store, Mortal(store, last, is_after=is_after)), book).notify(NOW))
    looked(store, book, HOUR, HOUR + MINUTE, HOUR + 2 * MINUTE)
    told = "\n\n".join(notice_in(one).description for one in heard(store) if notice_in(one).recipient is None)
    assert [told.count(f"rule {name} ended") for name in ("one", "two")] == [1, 1]


def test_what_people_were_told_is_forgotten_by_its_age_and_never_while_it_is_owed(store: Store) -> None:
    """No decision and no signal leads to it."""
    book = a_book(owned("scanner", NOW), notify=("mail", "tickets"))
    run(RuleWatch(store, book).notify(NOW))
    for one in claim(store, destination="mail"):
        settle(store, one, DeliveryState.SENT)

    def deliveries(days: int) -> dict[tuple[str, DeliveryState], int]:
        while not run(store.forget(NOW + days * DAY, Retention(), (), 100)).is_done:
            pass
        return dict(run(within(store, count_deliveries, "cwpp")))

    owed = {("tickets", DeliveryState.OWED): 1}
    assert deliveries(89) == {("mail", DeliveryState.SENT): 2, **owed}
    assert deliveries(91) == owed
