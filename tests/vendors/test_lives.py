"""However a signal's life is told, what stands at the vendor in the end is right: turns put down in any order, answers that
are lost, refusals, keys that are right and wrong in turns, and what people do by hand."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count, product
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.endpoint import Endpoint
from alert_router_demo.soc.faults import Drop, Hang, LoseAnswer
from alert_router_demo.soc.findings import FindingsDouble
from alert_router_demo.soc.jira import JiraDouble
from alert_router_demo.soc.jsm_ops import JsmOpsDouble
from alert_router_demo.soc.logs import LogsIngestion
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from alert_router_demo.soc.servicenow import ServiceNowDouble
from alert_router_demo.soc.servicenow_events import EventManagementDouble
from alert_router_demo.soc.slack import SlackDouble
from alert_router_demo.soc.splunk_hec import SplunkHecDouble
from alert_router_demo.soc.teams import TeamsDouble, hook_of
from alert_router_demo.soc.webhook import PATH
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.errors import Unavailable
from router.domain.owners import Owner
from tests.destinations.builders import NOW, a_destination, a_notice
from tests.examples import some_of
from tests.vendors.room import (
    TIME,
    Life,
    Make,
    Room,
    Step,
    Vendor,
    a_huge_life,
    a_life,
    lives,
    one_room_at,
    opened,
    play,
    resolved,
    tell,
    types_of,
)
from tests.waiting import until

ACCOUNT = new_account("cwpp")
AUTH = {"user": ACCOUNT.servicenow_user, "password": {"secret": "PASSWORD"}}
SECRETS = {"PASSWORD": ACCOUNT.servicenow_password}


def pagerduty() -> Vendor[PagerDutyDouble]:
    """Events of one key fold, and what is over is resolved; people close nothing there."""
    double = PagerDutyDouble([ACCOUNT])
    return Vendor(
        double,
        lambda url: (a_destination("pagerduty", url=url), {"PAGERDUTY_ROUTING_KEY": ACCOUNT.routing_key}),
        lambda key: [page.dedup_key for page in double.pages if page.status == "triggered"].count(key),
    )


def jsm_ops() -> Vendor[JsmOpsDouble]:
    """At most one alert under an alias."""
    double = JsmOpsDouble(["ops-key"])
    return Vendor(
        double,
        lambda url: (a_destination("jsm_ops", url=url), {"JSM_OPS_KEY": "ops-key"}),
        lambda key: [alert.alias for alert in double.open].count(key),
        lambda key: double.close_by_hand(),
    )


def jira() -> Vendor[JiraDouble]:
    """The index lags, and has caught up by the time of a retry."""
    double = JiraDouble({"alert-router@contoso.example": "ATATT-token-1234"})
    double.is_lagging = True

    def close(key: str) -> None:
        double.close_by_hand()
        double.catch_up()

    return Vendor(
        double,
        lambda url: (a_destination("jira", url=url, fields={}), {"JIRA_TOKEN": "ATATT-token-1234"}),
        lambda key: sum(f"dfc-{key}" in issue.fields["labels"] for issue in double.open),
        close,
        double.catch_up,
        has_statuses=True,
    )


def servicenow(table: str = "incident", closed: str = "7") -> Vendor[ServiceNowDouble]:
    """Look-ups see what was inserted, so nothing is opened twice."""
    double = ServiceNowDouble([ACCOUNT])
    if table != "incident":
        double.inactive_states = frozenset({"3", "7"})

    def close(key: str) -> None:
        for ticket in filter(lambda one: one.is_active, double.tickets):
            double.tickets.update(ticket, {"state": closed, "close_code": "Done", "close_notes": "."}, "analyst", NOW)

    return Vendor(
        double,
        lambda url: (a_destination("servicenow", url=url, auth=AUTH, table=table), SECRETS),
        lambda key: sum(one.is_active and one.fields["correlation_id"] == key for one in double.tickets),
        close,
        has_statuses=True,
    )


def security_incidents() -> Vendor[ServiceNowDouble]:
    """The table whose states are others."""
    return servicenow("sn_si_incident", "3")


def servicenow_events() -> Vendor[EventManagementDouble]:
    """At most one alert is open, whoever closed one before."""
    double = EventManagementDouble([ACCOUNT], clock=lambda: 0.0)
    return Vendor(
        double,
        lambda url: (a_destination("servicenow_events", url=url, auth=AUTH), SECRETS),
        lambda key: len(double.open_alerts(key)),
        double.close,
        has_statuses=True,
    )


def webhook() -> Vendor[FindingsDouble]:
    """No older state of a finding is its last one."""
    clock = [NOW.timestamp()]
    double = FindingsDouble(ACCOUNT, "gateway-key", lambda: clock[0])
    auth = {"header": "x-api-key", "value": {"secret": "GATEWAY_KEY"}}
    secrets = {"WEBHOOK_SECRET": ACCOUNT.webhook_secret, "GATEWAY_KEY": "gateway-key"}

    def later() -> None:
        clock[0] += TIME.total_seconds()

    return Vendor(
        double,
        lambda url: (a_destination("webhook", url=url + PATH, body="ocsf", auth=auth), secrets),
        lambda key: double.open.count(key),
        later=later,
    )


def live(vendor: Vendor[Any], check: Callable[[str, Life], None]) -> None:
    """Lives many lives, each of a signal of its own; nothing dies in any, and each ends as the check says."""
    keys = map("{:032x}".format, count(1))
    with one_room_at(vendor.double, vendor.make) as (room, run):

        @settings(max_examples=some_of(25))
        @given(life=lives(vendor.has_statuses))
        def is_right(life: Life) -> None:
            key = next(keys)

            async def lived() -> None:
                for step in life.steps:
                    await tell(room, vendor, step, life.deliveries(key=key))
                    assert await room.dead() == []

            run(lived())
            check(key, life)

        is_right()


each_vendor = pytest.mark.parametrize(
    "vendor", [pagerduty, jsm_ops, jira, servicenow, security_incidents, servicenow_events, webhook]
)


@each_vendor
def test_a_vendor_takes_the_longest_notice(vendor: Callable[[], Vendor[Any]]) -> None:
    """What was cut is within every limit that the vendor checks, and nothing is cut behind our back."""
    there = vendor()

    async def act(room: Room) -> None:
        for delivery in a_huge_life():
            await room.deliver(delivery)
        assert await room.states() == {DeliveryState.SENT: 3}

    play(there.double, there.make, act)
    assert not getattr(there.double, "cut", None)


@each_vendor
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(vendor: Callable[[], Vendor[Any]]) -> None:
    """At most one thing is open for a signal, and only while it stands and nobody has closed it since."""
    there = vendor()

    def is_right(key: str, life: Life) -> None:
        assert there.open(key) == there.expected(life)

    live(there, is_right)


def test_what_was_paged_and_ended_untold_is_one_finished_issue_whichever_answer_is_lost() -> None:
    """Its description says that it opened and is over; a comment would say it again."""
    for method, nth in (("POST", 1), ("POST", 2), ("POST", 3), ("GET", 1), ("GET", 2)):
        site = jira()
        for _ in range(nth - 1):
            site.double.faults.add(Hang(0.001), method=method)
        site.double.faults.add(LoseAnswer(), method=method)

        async def act(room: Room, later: Callable[[], None] = site.later) -> None:
            await room.deliver_all(opened(paged=True), resolved(2, paged=True), later=later)

        play(site.double, site.make, act)
        (issue,) = site.double.issues
        assert (issue.status.category, issue.comments) == ("done", []), (method, nth)
        assert "before this could be told" in orjson.dumps(issue.fields["description"]).decode()


def test_what_was_paged_and_ended_untold_is_one_closed_ticket_whichever_answer_is_lost() -> None:
    """It says that it opened and is over; a closed ticket of an earlier life is not taken for it."""
    for lost, has_past in product(("POST", "PATCH", "GET"), (False, True)):
        instance = security_incidents()
        double = instance.double

        async def act(
            room: Room, double: ServiceNowDouble = double, lost: str = lost, has_past: bool = has_past
        ) -> None:
            if has_past:
                await room.deliver(opened(1))
                await room.deliver(resolved(2))
                next(iter(double.tickets)).fields["sys_created_on"] = "2026-11-24 11:54:00"
            double.faults.add(LoseAnswer(), method=lost)
            await room.deliver_all(opened(3, paged=True), resolved(4, 3, paged=True))

        play(double, instance.make, act)
        *past, ticket = double.tickets
        said = ticket.fields["description"]
        assert (len(past), ticket.fields["state"], ticket.is_active) == (has_past, "3", False), (lost, has_past)
        assert "Somebody signed in from an address that was never seen before." in said
        assert "before this could be told" in said


class Stream(NamedTuple):
    """A place to which turns are only added: `turns` gives what stands there, in its order."""

    double: Endpoint
    make: Make
    turns: Callable[[], list[str]]


def slack() -> Stream:
    double = SlackDouble(ACCOUNT.slack_path)
    return Stream(
        double,
        lambda url: (a_destination("slack", origin=url), {"SLACK_WEBHOOK_URL": url + ACCOUNT.slack_path}),
        lambda: [one.partition(":")[0].lower() for one in double.headers_shown()],
    )


def teams() -> Stream:
    hook = hook_of("0123456789abcdef", ACCOUNT.teams_signature)
    double = TeamsDouble("0123456789abcdef", ACCOUNT.teams_signature)
    return Stream(
        double,
        lambda url: (a_destination("teams", origin=url), {"TEAMS_WEBHOOK_URL": url + hook}),
        lambda: [one.partition(":")[0].lower() for one in double.headings()],
    )


def splunk() -> Stream:
    double = SplunkHecDouble(ACCOUNT.splunk_token)
    return Stream(
        double,
        lambda url: (a_destination("splunk_hec", url=url), {"SPLUNK_HEC_TOKEN": ACCOUNT.splunk_token}),
        lambda: [one["event"]["change"] for one in double.events],
    )


def logs() -> Stream:
    double = LogsIngestion([])
    return Stream(
        double,
        lambda url: (a_destination("log_analytics", endpoint=url), {}),
        lambda: [row["AdditionalFields"]["Change"] for rows in double.rows.values() for row in rows],
    )


@pytest.mark.parametrize("stream", [slack, teams, splunk, logs])
def test_a_life_is_told_in_order_and_what_is_lost_again(stream: Callable[[], Stream]) -> None:
    """Nothing that was told is changed; nobody can tell whether a lost answer's was taken, so that it stands there twice.

    What no vendor takes as it is arrives all the same: a card that is too large would be accepted, and never be seen.
    """
    double, make, turns = stream()

    async def act(room: Room) -> None:
        assert types_of(await room.send(*a_life())) == [Receipt] * 3
        await until(lambda: double.count() == 3)
        double.faults.add(LoseAnswer())
        double.faults.add(Drop())
        results = [await room.send(opened()) for _ in range(3)]
        assert list(map(types_of, results)) == [[Unavailable], [Unavailable], [Receipt]]
        await until(lambda: double.count() == 5)
        assert types_of(await room.send(*a_huge_life())) == [Receipt] * 3
        await until(lambda: double.count() == 8)

    play(double, make, act)
    life = [change.value for change in (Change.OPENED, Change.UPDATED, Change.RESOLVED)]
    assert turns() == [*life, "opened", "opened", *life]


def is_in_order(told: Sequence[str], life: Life) -> bool:
    """Whether what was told, each at least once, is a part of a life in its order, up to its last turn unless nothing was."""
    changes = [change.value for change in life.changes]
    place = 0
    for one, before in zip(told, [None, *told], strict=False):
        if one == before and (place == 0 or changes[place - 1] == one):
            continue  # sent again, since its answer was lost
        while place < len(changes) and changes[place] != one:
            place += 1
        place += 1
    return place <= len(changes) and (not told or told[-1] == changes[-1] or changes[-1] == Change.RESOLVED.value)


def test_a_channel_is_told_in_the_order_of_turns() -> None:
    """Messages may come twice, never late."""
    channel, told = slack(), list[str]()

    def is_right(key: str, life: Life) -> None:
        new = channel.turns()[len(told) :]
        told.extend(new)
        assert is_in_order(new, life)

    live(Vendor(channel.double, channel.make, lambda key: 0), is_right)


OWN, TEAM = "PAGERDUTY_ROUTING_KEY", "PAYMENTS_ROUTING_KEY"


class Pagers:
    """The stream's pager and that of a team, whose key is right or wrong."""

    def __init__(self) -> None:
        self._stream, self._team = new_account("stream"), new_account("team")
        self.double = PagerDutyDouble([self._stream, self._team])
        self.secrets = {OWN: self._stream.routing_key}
        self.set_key(is_right=True)

    def set_key(self, *, is_right: bool) -> None:
        """Sets the team's key; one that is wrong has the form of one."""
        self.secrets[TEAM] = self._team.routing_key if is_right else secrets.token_hex(16)

    def make(self, url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        """The destination of the stream's pager."""
        return a_destination("pagerduty", url=url), self.secrets

    def open(self, key: str = a_notice().key) -> Counter[str]:
        """How many pages of a signal are open, by whose they are."""
        pages = (page for page in self.double.pages if page.dedup_key == key)
        return Counter(page.account for page in pages if page.status == "triggered")

    async def tell(self, room: Room, life: Life, step: Step, key: str = a_notice().key) -> None:
        """Delivers the turns of a step of a signal that the team owns."""
        vendor = Vendor(self.double, self.make, lambda key: 0)
        await tell(room, vendor, step, life.deliveries(key=key, owner=Owner(group="Payments", pager=TEAM)))


def test_no_page_is_lost_while_a_teams_key_is_right_and_wrong_in_turns() -> None:
    """A signal that stands is open, once at each pager at most; and nothing else, but what a refused key has kept open.

    That is told by a dead letter. The stream's pager is never paused for it.
    """
    pagers, numbers = Pagers(), map("{:032x}".format, count(1))
    with one_room_at(pagers.double, pagers.make) as (room, run):

        @settings(max_examples=some_of(50))
        @given(life=lives(), keys=st.lists(st.booleans(), min_size=4, max_size=4))
        def is_right(life: Life, keys: list[bool]) -> None:
            key = next(numbers)

            async def lived() -> None:
                told = 0
                for step, is_right in zip(life.steps, keys, strict=False):
                    pagers.set_key(is_right=is_right)
                    await pagers.tell(room, life, step, key)
                    told += len(step.turns)
                    stands = life.changes[told - 1] is not Change.RESOLVED
                    open = pagers.open(key)
                    assert set(open.values()) <= {1}
                    assert open.total() >= stands
                    letters = [one for one in await room.dead() if one.delivery and one.delivery.key == key]
                    assert stands or (open["stream"] == 0 and open["team"] <= len(letters))
                    for one in letters:
                        assert one.delivery and one.delivery.change is Change.RESOLVED and TEAM in one.error
                    assert not await room.is_paused()

            run(lived())

        is_right()


def test_a_page_whose_key_is_refused_at_its_end_is_closed_by_its_dead_letter_once_the_key_is_right() -> None:
    """An update went by the stream's pager meanwhile; that page is closed at once, and closed it stays."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.UPDATED, Change.RESOLVED], [Step([turn]) for turn in range(3)])

    async def act(room: Room) -> None:
        for step, is_right, open in (
            (0, True, {"team": 1}),
            (1, False, {"team": 1, "stream": 1}),
            (2, False, {"team": 1}),
        ):
            pagers.set_key(is_right=is_right)
            await pagers.tell(room, life, life.steps[step])
            assert pagers.open() == open
        pagers.set_key(is_right=True)
        await room.redrive()
        await room.deliver_all()
        assert (pagers.open(), await room.dead()) == ({}, [])

    play(pagers.double, pagers.make, act)


def test_the_health_page_names_the_owner_whose_key_is_refused_until_it_is_taken_again() -> None:
    """For a week at most after the last page that it was refused for: a team that is paged no more may have set it anew."""
    pagers = Pagers()
    life = Life([Change.OPENED, Change.RESOLVED] * 3, [Step([turn]) for turn in range(6)])
    refused = (
        f"cwpp there: refuses {TEAM}, the pager key of Payments, and is paged by its own key instead, "
        "since 2026-11-24T12:00:30Z"
    )

    async def act(room: Room) -> None:
        pagers.set_key(is_right=False)
        await pagers.tell(room, life, life.steps[0])
        assert await room.complaints() == [refused]
        room.now += timedelta(days=7)
        assert await room.complaints() == []
        await pagers.tell(room, life, life.steps[1])
        await pagers.tell(room, life, life.steps[2])
        assert await room.complaints() == [refused]
        pagers.set_key(is_right=True)
        await pagers.tell(room, life, life.steps[3])
        assert await room.complaints() == [refused]
        await pagers.tell(room, life, life.steps[4])
        assert await room.complaints() == []

    play(pagers.double, pagers.make, act)
