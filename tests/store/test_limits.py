"""Limits defer and never silence: a standing group that waits opens as soon as there is room, on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Recipient, Settlement
from router.domain.errors import StoreError
from router.domain.groups import GroupState, Opening, States
from router.domain.notices import Notice
from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import Lane, Limit, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake
from router.store.claims import claim_deliveries, settle_claims
from router.store.dead_letters import abandon_deliveries
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rulebook, alert_body
from tests.grouping.test_grouping import a_grouping_book, an_incident
from tests.store.acts import groups_at, letters_in, run, write_groups
from tests.store.deadly import Deadly
from tests.store.within import within

AT = ("cwpp", "tickets")
MINUTE = timedelta(minutes=1)
WINDOW = 10 * MINUTE
BOOK = a_grouping_book(None, Limit(1, WINDOW))
PAGED = a_grouping_book(None, Limit(1, WINDOW), Lane.PAGE)
SAMPLE: dict[str, Any] = {"AlertDisplayName": "[SAMPLE ALERT] test"}


class LimitedDestination:
    """The destination `tickets` under a limit: messages are taken in, and it receives notices."""

    def __init__(self, store: Store, book: Rulebook = BOOK) -> None:
        self.store, self.book = store, book

    @property
    def intake(self) -> Intake:
        return Intake(self.store, {Stream.CWPP: self.book}, Catalogue())

    def take(self, *ids: str, at: timedelta = timedelta(), **fields: object) -> None:
        run(self.intake.ingest([a_message(alert_body(id, **fields)) for id in ids], NOW + at))

    def sweep(self, at: timedelta) -> None:
        run(self.intake.admit_waiting(Stream.CWPP, NOW + at))

    def receive(self, at: timedelta = timedelta()) -> list[Claim]:
        """What the destination receives, in order, each acknowledged."""
        return run(self._receive(NOW + at))

    async def _receive(self, now: datetime) -> list[Claim]:
        found: list[Claim] = []
        while claims := await within(
            self.store, claim_deliveries, Recipient(AT[0], Lane.TICKET, AT[1]), now, now + MINUTE, 10
        ):
            found += claims
            done = [Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=now) for one in claims]
            await within(self.store, settle_claims, done)
        return found

    def over(self, id: str, at: timedelta) -> None:
        self.take(id, at=at, Status="Dismissed")


async def standing_in(store: Store) -> dict[str, GroupState]:
    """The groups of the destination in which somebody stands."""
    return await groups_at(store, *AT)


def story(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """What each notice changes, and in whose words."""
    return [
        (one.delivery.change.value, one.delivery.content.title)
        for one in claims
        if isinstance(one.delivery.content, Notice)
    ]


def flapped(tickets: LimitedDestination) -> None:
    """A opens, B and C come and go beyond the limit, and D stands with no room left."""
    for minute, (id, status) in enumerate(
        [("A", "New"), ("B", "New"), ("B", "Dismissed"), ("C", "New"), ("C", "Dismissed"), ("D", "New")]
    ):
        tickets.take(id, at=minute * MINUTE, Status=status, AlertDisplayName=id)
        tickets.receive(minute * MINUTE)


def test_a_signal_beyond_the_limit_opens_as_soon_as_there_is_room(store: Store) -> None:
    """Nobody sends another message: a sweep opens D once the first opening has left the window, and not before."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.sweep(WINDOW - timedelta(microseconds=1))
    assert story(tickets.receive(WINDOW)) == []
    tickets.sweep(WINDOW)
    assert story(tickets.receive(WINDOW)) == [("opened", "D")]
    tickets.sweep(2 * WINDOW)
    assert tickets.receive(2 * WINDOW) == [], "it opens once"
    tickets.over("D", 2 * WINDOW)
    assert [change for change, _ in story(tickets.receive(2 * WINDOW))] == ["resolved"]


def test_the_next_message_finds_the_room_taken_by_who_waited_longer(store: Store) -> None:
    """E comes when there is room for one: D, which waited, opens, and E joins it."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.take("E", at=WINDOW, AlertDisplayName="E")
    (opening, *updates) = tickets.receive(WINDOW)
    assert story([opening]) == [("opened", "D")]
    assert [one.delivery.change for one in updates] == ["updated"]
    notice = updates[0].delivery.content
    assert isinstance(notice, Notice) and notice.group is not None
    assert {one.title for one in notice.group.named} == {"D", "E"}


def test_a_signal_that_is_over_before_there_is_room_never_opens(store: Store) -> None:
    """D ends while it waits: nothing is opened, and nothing resolved."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.over("D", 6 * MINUTE)
    tickets.sweep(WINDOW)
    assert tickets.receive(WINDOW) == []


def test_a_group_that_waits_opens_in_the_words_of_one_that_stands(store: Store) -> None:
    """D waits, E joins it, D ends: the summary counts one, and names E."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.take("E", at=6 * MINUTE, Severity="Medium", AlertDisplayName="E")
    tickets.over("D", 7 * MINUTE)
    tickets.sweep(WINDOW)
    (claim,) = tickets.receive(WINDOW)
    assert story([claim]) == [("opened", "E")]
    notice = claim.delivery.content
    assert isinstance(notice, Notice) and notice.group is not None
    assert notice.group.standing == 1


# Every pair of a step, a moment and what comes next.
@pytest.mark.parametrize(
    ("step", "is_done", "comes_next"),
    [
        (1, False, "sweep"),
        (1, True, "message"),
        (1, False, "end"),
        (2, True, "sweep"),
        (2, False, "message"),
        (2, True, "end"),
    ],
)
def test_a_sweep_that_dies_half_way_loses_no_opening_and_makes_no_second_one(
    store: Store, step: int, is_done: bool, comes_next: str
) -> None:
    """Whoever comes next owes the notices that the dead one had decided, once, and before its own."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.store = Deadly(store, step, is_done)
    with pytest.raises(StoreError):
        tickets.sweep(WINDOW)
    tickets.store = store
    match comes_next:
        case "sweep":
            tickets.sweep(WINDOW)
        case "message":
            tickets.take("D", at=WINDOW, Severity="Medium", AlertDisplayName="D")
        case "end":
            tickets.over("A", WINDOW)
    assert [one for one in story(tickets.receive(WINDOW)) if one[0] == "opened"] == [("opened", "D")]
    tickets.sweep(WINDOW)
    assert "opened" not in [change for change, _ in story(tickets.receive(WINDOW))]


def test_a_limit_that_the_policy_lifts_keeps_nobody_waiting(store: Store) -> None:
    """The sweep under the new rules opens D at once."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.book = a_grouping_book(None, None)
    tickets.sweep(6 * MINUTE)
    assert story(tickets.receive(6 * MINUTE)) == [("opened", "D")]


def test_who_waits_at_a_destination_that_the_policy_drops_becomes_a_dead_letter(store: Store) -> None:
    """D waits at `tickets`, which the policy then calls otherwise: the next sweep gives D up where everybody can see it."""
    tickets = LimitedDestination(store)
    flapped(tickets)
    tickets.sweep(5 * MINUTE)
    tickets.book = a_rulebook(destinations=[a_destination("intake"), a_destination("sentinel", Lane.ROWS)])
    for minute in (6, 7):
        tickets.sweep(minute * MINUTE)
        run(
            within(
                store, abandon_deliveries, "cwpp", ["intake", "sentinel"], NOW + minute * MINUTE, NOW + minute * MINUTE
            )
        )
    (letter,) = run(letters_in(store))
    assert isinstance(letter.delivery.content, Notice)
    assert (letter.delivery.destination, letter.delivery.content.title) == ("tickets", "D")


def test_samples_use_up_no_limit_of_real_alerts(store: Store) -> None:
    """However many samples came: the real alert opens by itself, not in a summary; and the other way round."""
    tickets = LimitedDestination(store)
    tickets.take("s1", "s2", "s3", **SAMPLE)
    tickets.receive()
    tickets.take("real")
    (claim,) = tickets.receive()
    assert isinstance(claim.delivery.content, Notice)
    assert (claim.delivery.change.value, claim.delivery.content.group) == ("opened", None)


def test_an_opening_in_an_impossible_future_counts_for_nothing(store: Store) -> None:
    """The clock of a worker was a year ahead for a minute: now that it is right, B opens by itself."""
    tickets = LimitedDestination(store)
    tickets.take("A", at=timedelta(days=365))
    tickets.receive(timedelta(days=365))
    tickets.take("B", at=timedelta())
    (claim,) = tickets.receive()
    assert isinstance(claim.delivery.content, Notice)
    assert (claim.delivery.change.value, claim.delivery.content.group) == ("opened", None)


def test_a_window_that_ends_in_an_impossible_future_takes_nobody_in(store: Store) -> None:
    """A group that a wrong clock opened next year does not swallow what comes for a year."""
    tickets = LimitedDestination(store, a_grouping_book())
    tickets.take("A", at=timedelta(days=365))
    tickets.receive(timedelta(days=365))
    tickets.take("B")
    assert [one.delivery.change.value for one in tickets.receive()] == ["opened"]


def test_the_clocks_of_two_workers_may_differ_a_little(store: Store) -> None:
    """An opening that another worker wrote down a few seconds ahead counts."""
    run(write_groups(store, *AT, States(openings=[Opening(NOW + timedelta(seconds=30), None, False, False, 1)])))
    tickets = LimitedDestination(store)
    tickets.take("A")
    (claim,) = tickets.receive()
    assert isinstance(claim.delivery.content, Notice) and claim.delivery.content.group is not None


def test_severities_that_alternate_make_no_storm_of_pages(store: Store) -> None:
    """Beyond the limit a graver one opens a page of its own, but not again and again within the window."""
    tickets = LimitedDestination(store, PAGED)
    opened = 0
    for round in range(8):
        for severity in ("Medium", "High"):
            tickets.take(f"{round}{severity}", Severity=severity)
            opened += [change for change, _ in story(tickets.receive())].count("opened")
        for severity in ("Medium", "High"):
            tickets.take(f"{round}{severity}", Severity=severity, Status="Resolved")
            tickets.receive()
    # One by itself; two summaries, the limit being one; and the one that was graver than those before it.
    assert opened <= 1 + 2 + 1
    tickets.take("last", AlertDisplayName="last")
    tickets.sweep(WINDOW + MINUTE)
    assert ("opened", "last") in story(tickets.receive(WINDOW + MINUTE))


THEIRS = RESOURCE.replace("rg-web", "rg-b")
OWNERS = Owners(
    (
        Ownership(lambda _, group: group == "rg-web", Owner(group="a", pager="A_KEY")),
        Ownership(lambda _, group: group == "rg-b", Owner(group="b", pager="B_KEY")),
    )
)


@pytest.mark.parametrize("order", [("i", "b"), ("b", "i")])
def test_an_incident_takes_no_alert_of_another_pager(store: Store, order: tuple[str, str]) -> None:
    """An incident on A's resource names an alert on B's: B's pager is called, whichever comes first."""
    tickets = LimitedDestination(store, replace(a_grouping_book(lane=Lane.PAGE), owners=OWNERS))
    bodies = {"i": an_incident("i", "b", AzureResourceId=RESOURCE), "b": alert_body("b", AzureResourceId=THEIRS)}
    pagers = []
    for id in order:
        run(tickets.intake.ingest([a_message(bodies[id])], NOW))
        pagers += [
            one.delivery.content.owner.pager
            for one in tickets.receive()
            if isinstance(one.delivery.content, Notice)
            and one.delivery.content.owner is not None
            and one.delivery.change.value == "opened"
        ]
    assert sorted(map(str, pagers)) == ["A_KEY", "B_KEY"]


@pytest.mark.parametrize("is_b_free", [False, True])
def test_one_that_moves_to_another_pager_takes_nobody_along_who_waits_with_it(store: Store, is_b_free: bool) -> None:
    """D and E wait for A's pager, and D turns out to be B's: A's pager is called for E all the same."""
    tickets = LimitedDestination(store, replace(PAGED, owners=OWNERS))
    if not is_b_free:
        tickets.take("1", "2", "3", AzureResourceId=THEIRS)
        tickets.receive()
    flapped(tickets)
    tickets.take("E", at=6 * MINUTE)
    tickets.take("D", at=7 * MINUTE, AzureResourceId=THEIRS, Severity="Critical")
    tickets.sweep(WINDOW)
    notices = [one.delivery.content for one in tickets.receive(WINDOW)]
    (called,) = [one.owner for one in notices if isinstance(one, Notice) and one.group and one.group.standing == 2]
    assert called is not None
    assert called.pager == "A_KEY"


@pytest.mark.parametrize("order", [("i", "b"), ("b", "i")])
def test_a_sample_incident_takes_no_real_alert(store: Store, order: tuple[str, str]) -> None:
    """A drill that names a real alert hides nothing."""
    tickets = LimitedDestination(store, a_grouping_book())
    bodies = {"i": an_incident("i", "b", **SAMPLE), "b": alert_body("b")}
    for id in order:
        run(tickets.intake.ingest([a_message(bodies[id])], NOW))
        assert [one.delivery.change.value for one in tickets.receive()] == ["opened"]
