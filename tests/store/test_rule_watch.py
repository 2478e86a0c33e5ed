"""Who hears of the lives of rules, silences and holds, that they hear once, and since when rules are known; on both stores."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.rule_watch import RuleWatch
from router.deliver.retries import untried
from router.destinations import discover
from router.domain.deliveries import DeliveryState
from router.domain.errors import StoreError
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.suppression import SuppressionRule, Suppressions
from router.store.claims import Recipient, settle_claims
from router.store.delivery_status import count_deliveries
from router.store.documents import document_of_hold, put_document
from router.store.forgetting import forget
from router.store.retention import Retention
from router.store.rules import GONE, read_known_rules
from router.store.store import Store
from tests.builders import NOW, a_destination, a_rule, a_rulebook, an_ip
from tests.examples import some_of
from tests.silences import a_silence, weekly
from tests.store.acts import DAY, HOUR, LEASE, MINUTE, SECOND, an_empty_store, ask, claim, run, settle, silenced
from tests.store.builders import a_hold
from tests.store.deadly import Deadly
from tests.store.life import Life
from tests.store.within import claim_in

MAIL = discover()["email"].Config.model_validate(
    {"kind": "email", "host": "smtp.soc.example", "from": "router@soc.example", "to": ["soc@soc.example"]}
)
MAILBOX = DestinationSpec(name="mail", kind="email", lane=Lane.TICKET, config=MAIL)
SCANNED: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
OWNER, BEN = "owner@contoso.example", "ben@contoso.example"
LONG_NAME = "".join(sha256(bytes([n])).hexdigest() for n in range(10))


def a_book(*rules: SuppressionRule, notify: Sequence[str] = ("mail",), warn: timedelta = 14 * DAY) -> Rulebook:
    """A rulebook whose policy has some destinations hear."""
    book = a_rulebook(*rules, destinations=[a_destination("tickets"), MAILBOX])
    return replace(book, notify=tuple(notify), warn=warn)


def owned(name: str, expires: datetime, owner: str | None = OWNER, alert_type: str = "VM_Test") -> SuppressionRule:
    """A rule of somebody's."""
    rule = a_rule(name, expires=expires, alert_type=alert_type)
    return replace(rule, owner=owner, source=f"cwpp/suppressions/{name}.json")


def looked(store: Store, book: Rulebook, *after: timedelta) -> None:
    """It is looked for events at some times, each by a process of its own."""
    for one in after:
        run(RuleWatch(store, book).notify(NOW + one))


def heard(store: Store, destination: str = "mail") -> list[Notice]:
    """What a destination was owed of announcements, in the order in which it was found."""
    recipient, far = Recipient("cwpp", Lane.TICKET, destination), NOW + 4000 * DAY
    claims = run(claim_in(store, recipient, far, far + LEASE, 1_000))
    ask(store, settle_claims, [untried(one, far, far) for one in claims])
    notices = [one.delivery.content for one in claims if isinstance(one.delivery.content, Notice)]
    assert {one.kind for one in notices} <= {ANNOUNCEMENT}
    return sorted(notices, key=lambda one: one.changed or "")


def titles(store: Store, recipient: str | None = None) -> list[str]:
    """What the policy's destination heard, or one person, in its order."""
    return [one.title for one in heard(store) if one.recipient == recipient]


def lines(store: Store, recipient: str | None = None) -> list[str]:
    """The first sentence of each event that was told."""
    texts = [one.description for one in heard(store) if one.recipient == recipient]
    return [f"{line.partition('UTC.')[0]}UTC" for text in texts for line in text.split("\n\n")]


def written(at: datetime) -> str:
    """An instant as notices write it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def test_what_ended_long_ago_is_no_news_and_a_thousand_ends_are_one_notice_for_each_who_hears(store: Store) -> None:
    """A first start on an old state tells of two weeks; of many events it names some; owners hear of their own alone."""
    old = [owned(f"old-{days}", NOW - days * DAY, None) for days in (13, 14, 100)]
    rules = [owned(f"rule-{number:04}", NOW, f"owner{number % 2}@contoso.example") for number in range(999)]
    book = a_book(*old, *rules, notify=("mail", "tickets"))
    assert [run(RuleWatch(store, book).notify(NOW + minutes * MINUTE)) for minutes in (0, 1)] == [4, 0]
    mails = {one.recipient: one for one in heard(store)}
    assert {to: one.title for to, one in mails.items()} == {
        None: "Rules, silences and holds: 1000 ended",
        "owner0@contoso.example": "Rules, silences and holds: 500 ended",
        "owner1@contoso.example": "Rules, silences and holds: 499 ended",
    }
    assert "rule old-13 ended" in mails[None].description
    assert mails[None].description.endswith("And 980 more.")
    assert "rule-0001" not in mails["owner0@contoso.example"].description
    assert [one.recipient for one in heard(store, "tickets")] == [None]


def test_of_workers_that_look_at_the_same_time_one_tells(store: Store, twin: Store) -> None:
    """The policy's destination and the owner hear once that rules end soon."""
    book = a_book(*(owned(f"rule-{number}", NOW + 14 * DAY) for number in range(3)))
    watches = [RuleWatch(one, book) for one in (store, twin)]
    # Both are connected then, and nothing keeps one behind the other.
    assert [run(one.notify(NOW - MINUTE)) for one in watches] == [0, 0]

    async def all_look() -> list[int]:
        return await asyncio.gather(*(one.notify(NOW + number * SECOND) for number, one in enumerate(watches)))

    assert sorted(run(all_look())) == [0, 2]
    looked(store, book, MINUTE)
    assert titles(store) == titles(store, OWNER) == ["Rules, silences and holds: 3 end soon"]


def test_where_nobody_is_to_hear_it_is_noted_since_when_rules_are_there_and_no_more_is_asked(store: Store) -> None:
    """A policy without `notify` costs one look in the life of a rulebook, and one without rules none."""
    watch = RuleWatch(store, a_book(owned("scanner", NOW), notify=()))
    assert run(watch.notify(NOW)) == 0
    assert ask(store, read_known_rules, "cwpp", NOW) == {"scanner": NOW}
    run(store.close())
    assert [run(one.notify(NOW + HOUR)) for one in (watch, RuleWatch(store, a_book(notify=())))] == [0, 0]


def test_at_its_end_people_hear_what_a_rule_held_and_what_still_stands(store: Store) -> None:
    """How many in its life, how many stand, the gravest of them first, and where to look."""
    life = Life(store, a_book(owned("scanner", NOW + DAY)))
    for number, severity in enumerate(["Medium", "Critical", "High", "Medium", "Medium", "Medium"]):
        life.alert(f"alert-{number}", **SCANNED, Severity=severity, AlertDisplayName=f"Alert *{number}*")
    life.alert("alert-0", **SCANNED, Status="Resolved")
    looked(store, life.book, DAY, DAY + MINUTE)
    notice, other = heard(store)
    assert {notice.recipient, other.recipient} == {None, OWNER}
    title = "Suppression rule scanner ended 2026-11-25 12:00 UTC"
    said = (
        f"{title}. It held 6 messages in its life, the last 2026-11-24 12:00 UTC. "
        "5 signals that it holds still stand: what no other rule or silence holds is told now. "
        "File: cwpp/suppressions/scanner.json. Owner: owner@contoso.example."
    )
    assert [notice.title, notice.description, other.description] == [title, said, said]
    assert notice.group is not None
    named = [(one.severity, one.title, one.place) for one in notice.group.named]
    assert named[:2] == [("Critical", "Alert *1*", "vm-1"), ("High", "Alert *2*", "vm-1")]
    assert (notice.group.standing, len(named)) == (5, 5)


def test_owners_are_mailed_once_by_the_mail_destination_that_hears_and_again_of_a_renewed_rule(store: Store) -> None:
    """Not who hears already, nor who is no address, nor anybody where no mail destination is named. Who disables a rule
    knows it."""
    injected = "a@b.example\nBcc: c@d.example"
    owners = ["SOC@soc.example", "somebody", injected, None, "Ana@contoso.example", "ana@contoso.example"]
    rules = [owned(f"rule-{number}", NOW, owner) for number, owner in enumerate(owners)]
    looked(store, a_book(*rules, notify=("tickets",)), timedelta())
    assert ([one.recipient for one in heard(store, "tickets")], heard(store)) == ([None], [])
    looked(store, a_book(*(owned(f"{one.name}b", NOW, one.owner) for one in rules)), MINUTE)
    assert {one.recipient for one in heard(store)} == {"Ana@contoso.example", None}
    before, renewed = titles(store), owned("scanner", NOW + 30 * DAY)
    looked(store, a_book(owned("scanner", NOW + DAY)), 2 * MINUTE)
    looked(store, a_book(renewed), 3 * MINUTE, 20 * DAY)
    looked(store, a_book(replace(renewed, enabled=False)), 31 * DAY)
    ends = [f"Suppression rule scanner ends {written(NOW + days * DAY)}" for days in (1, 30)]
    assert titles(store) == [*before, *ends]


@pytest.mark.parametrize("wrong", [days * DAY for days in (35, 60, 1000, -60, -200)])
def test_a_clock_that_was_wrong_for_a_minute_makes_nobody_miss_nor_hear_twice(store: Store, wrong: timedelta) -> None:
    """What it said falsely it said once; what is true is told when it is."""
    then = owned("then", NOW + wrong - HOUR)
    book = a_book(owned("early", NOW - DAY), owned("late", NOW + 30 * DAY), then, warn=DAY)
    early, late, ended = (f"Suppression rule {name} ended" for name in ("early", "late", "then"))
    looked(store, book, timedelta(), MINUTE + wrong, 2 * MINUTE, 3 * MINUTE)
    before = lines(store).count(f"{late} {written(NOW + 30 * DAY)}")
    assert before <= 1
    looked(store, book, 30 * DAY, 30 * DAY + MINUTE)
    told = lines(store)
    assert told.count(f"{late} {written(NOW + 30 * DAY)}") == before + 1
    assert told.count(f"{early} {written(NOW - DAY)}") == 1
    assert told.count(f"{ended} {written(then.expires)}") <= 1


def test_an_author_hears_an_hour_before_a_long_silence_or_hold_ends_and_at_its_end(store: Store) -> None:
    """Of one that lasts no longer than four hours, is ended early, or is of another stream, only at its end there."""
    silenced(store, a_silence(lasts=4 * HOUR + SECOND, author=BEN))
    silenced(store, a_silence("short", lasts=4 * HOUR, author=BEN))
    silenced(store, a_silence("early", lasts=8 * HOUR, ended=NOW + HOUR, author=BEN))
    silenced(store, a_silence("other", stream="cspm"))
    hold = a_hold(author=BEN, reason="migration", since=NOW, until=NOW + 10 * HOUR)
    ask(store, put_document, document_of_hold(hold))
    hours = (hours * HOUR for hours in (1, 3, 4, 5, 7, 8, 9, 10, 11))
    looked(store, a_book(), *sorted([*hours, 3 * HOUR + SECOND, 4 * HOUR + SECOND]))
    expected = [
        "Silence early ended 2026-11-24 13:00 UTC",
        "Silence ab12cd ends 2026-11-24 16:00 UTC",
        "Silence short ended 2026-11-24 16:00 UTC",
        "Silence ab12cd ended 2026-11-24 16:00 UTC",
        "Hold of the destination tickets ends 2026-11-24 22:00 UTC",
        "Hold of the destination tickets ended 2026-11-24 22:00 UTC",
    ]
    assert titles(store) == titles(store, BEN) == expected


def test_of_a_recurring_silence_people_hear_at_the_end_of_windows_that_held_something(store: Store) -> None:
    """And at the end of the series, whatever it held; also where the router was down at the end of a window."""
    life = Life(store, a_book())
    silenced(store, a_silence(lasts=10 * DAY, every=weekly(*range(7), begins="12:00", ends="13:00")))
    looked(store, life.book, HOUR)
    life.goes_on(1)
    life.alert("one", **SCANNED)
    looked(store, life.book, 8 * DAY, 8 * DAY + HOUR, 10 * DAY, 10 * DAY + MINUTE)
    assert titles(store) == [
        "A window of the silence ab12cd ended 2026-11-25 13:00 UTC",
        "Silence ab12cd ended 2026-12-04 12:00 UTC",
    ]


@pytest.mark.parametrize("name", ["scanner", "a" * 201, LONG_NAME], ids=len)
def test_people_hear_once_in_each_spell_in_which_a_rule_holds_nothing_for_thirty_days(store: Store, name: str) -> None:
    """Counted from when it was first known, or from its last hit; not while something that it holds stands. What was told is
    remembered for as long as the spell may last."""
    rules = owned(name, NOW + 2000 * DAY), owned("idle", NOW + 2000 * DAY, alert_type="VM_Other")
    life = Life(store, a_book(*rules))

    def until(days: float, *more: float) -> None:
        looked(store, life.book, *(one * DAY for one in (days, *more)))
        life.now = NOW + max(days, *more, 0) * DAY

    until(0)
    life.goes_on(1)
    life.alert("one", **SCANNED)
    until(30 - SECOND / DAY)
    assert titles(store) == []
    until(30, 31, 40)
    life.alert("one", **SCANNED, Status="Resolved")
    until(40 + HOUR / DAY, 41, 80, 90)
    life.alert("two", **SCANNED)
    life.alert("two", **SCANNED, Status="Resolved")
    until(119, 120, 130)
    for days in range(150, 900, 50):
        until(days)
        life.forget()
    expected = [("idle", 30), (name, 39), (name, 30)]
    assert titles(store) == [f"Suppression rule {one} has held nothing for {days} days" for one, days in expected]


LOOKS = st.tuples(st.integers(1, 40), st.integers(1, 20), st.booleans())
"""Hours that go by, the statement at which the worker dies who looks then, and whether after it."""


@given(looks=st.lists(LOOKS, min_size=1, max_size=8), ends=st.lists(st.integers(-20, 200), min_size=1, max_size=5))
@settings(max_examples=some_of(60), deadline=None)
def test_whoever_dies_people_hear_of_each_end_once(looks: list[tuple[int, int, bool]], ends: list[int]) -> None:
    """At whichever statement, and whatever happened before the next one looked."""
    rules = [owned(f"rule-{number}", NOW + hours * HOUR) for number, hours in enumerate(ends)]
    book = a_book(*rules, warn=DAY)
    after = timedelta()
    with an_empty_store() as store:
        for hours, dies_at, is_done in looks:
            after += hours * HOUR
            with suppress(StoreError):
                looked(Deadly(store, dies_at, is_done), book, after)
        looked(store, book, after, after + MINUTE)
        for recipient in (None, OWNER):
            told = lines(store, recipient)
            assert len(told) == len(set(told))
            for rule in rules:
                what = "ended" if rule.expires <= NOW + after else "ends"
                is_told = f"Suppression rule {rule.name} {what} {written(rule.expires)}" in told
                assert is_told or rule.expires - NOW - after > DAY


def test_what_people_were_told_is_forgotten_by_its_age_and_never_while_it_is_owed(store: Store) -> None:
    """No decision and no signal leads to it."""
    looked(store, a_book(owned("scanner", NOW), notify=("mail", "tickets")), timedelta())
    for one in claim(store, destination="mail"):
        settle(store, one, DeliveryState.SENT)
    owed = {("tickets", DeliveryState.OWED): 1}
    for days, left in ((89, {("mail", DeliveryState.SENT): 2, **owed}), (91, owed)):
        while not run(forget(store, NOW + days * DAY, Retention(), 100)).is_done:
            pass
        assert ask(store, count_deliveries, "cwpp") == left


NAMES = st.frozensets(st.sampled_from(["a", "b", "c", "shadow:a"]), min_size=1)
STEPS = st.lists(st.tuples(NAMES, st.integers(0, 80)), max_size=8)


def seen(store: Store, names: Iterable[str], at: datetime) -> None:
    """A process with rules and shadow rules of these names begins."""
    book = a_book(*(owned(one, NOW + 300 * DAY) for one in names if ":" not in one), notify=())
    shadows = Suppressions.from_rules([a_rule(one.partition(":")[2]) for one in names if ":" in one])
    run(RuleWatch(store, replace(book, shadows=shadows)).notify(at))


@pytest.mark.usefixtures("either")
def test_a_rule_is_known_since_it_was_first_seen_of_those_times_that_it_was_not_long_away(store: Store) -> None:
    """However rules come and go, whoever looks, and whatever wrong clocks wrote before."""

    @settings(max_examples=some_of(20 if store.is_shared else 60), deadline=None)
    @given(STEPS)
    def however(steps: list[tuple[frozenset[str], int]]) -> None:
        run(store.run(lambda tx: tx.execute("DELETE FROM rules")))
        now = NOW
        for wrong in (NOW + 400 * DAY, datetime(1970, 1, 1, tzinfo=UTC)):
            seen(store, ["a"], wrong)
            assert ask(store, read_known_rules, "cwpp", NOW) == {}
        first: dict[str, datetime] = {}
        missing: dict[str, datetime] = {}
        for names, hours in steps:
            now += hours * HOUR
            seen(store, names, now)
            for name in names:
                if name not in first or now - missing.get(name, now) > GONE:
                    first[name] = now
                missing.pop(name, None)
            for name in first.keys() - names:
                missing.setdefault(name, now)
            known = ask(store, read_known_rules, "cwpp", now)
            assert {name: known[name] for name in names} == {name: first[name] for name in names}

    however()
