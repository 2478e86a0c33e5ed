"""Who hears of the lives of rules, silences and holds, and that they hear once, on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from router.app.rule_watch import RuleWatch
from router.destinations import discover
from router.domain.deliveries import Delivery, Pointer
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.ports.store import Store
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.suppression import SuppressionRule
from tests.builders import NOW, a_destination, a_rule, a_rulebook
from tests.store.acts import DAY, LEASE, run

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


def owned(name: str, expires: datetime, owner: str | None = OWNER) -> SuppressionRule:
    """A rule of somebody's."""
    return replace(a_rule(name, expires=expires), owner=owner, source=f"cwpp/suppressions/{name}.json")


def heard(store: Store, destination: str = "mail") -> list[Delivery]:
    """What a destination was owed of announcements, in the order in which it would be sent."""
    pointer = Pointer("cwpp", Lane.TICKET, destination)
    far = NOW + 4000 * DAY
    claims = run(store.outbox.claim(pointer, far, far + LEASE, 1_000))
    return sorted((claim.delivery for claim in claims), key=lambda one: notice_in(one).changed or "")


def notice_in(delivery: Delivery) -> Notice:
    """The notice of a delivery."""
    assert isinstance(delivery.content, Notice)
    assert delivery.content.kind == ANNOUNCEMENT
    return delivery.content


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
