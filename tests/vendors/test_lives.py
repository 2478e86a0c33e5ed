"""However a signal's life is told, what stands at the vendor in the end is right: turns put down in any order, answers that
are lost, refusals, and what people do by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count

import pytest
from hypothesis import given, settings

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.findings import FindingsDouble
from alert_router_demo.soc.jira import JiraDouble
from alert_router_demo.soc.jsm_ops import JsmOpsDouble
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from alert_router_demo.soc.servicenow import ServiceNowDouble
from alert_router_demo.soc.servicenow_events import EventManagementDouble
from alert_router_demo.soc.slack import SlackDouble
from alert_router_demo.soc.webhook import PATH
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from tests.destinations.builders import NOW, a_destination
from tests.examples import some_of
from tests.vendors.lives import Life, Vendor, lives, tell
from tests.vendors.room import TIME, Room, a_huge_life, one_room_at, play

ACCOUNT = new_account("cwpp")
AUTH = {"user": ACCOUNT.servicenow_user, "password": {"secret": "PASSWORD"}}
SECRETS = {"PASSWORD": ACCOUNT.servicenow_password}


def pagerduty() -> Vendor:
    """Events of one key fold, and what is over is resolved; people close nothing there."""
    double = PagerDutyDouble([ACCOUNT])
    return Vendor(
        double,
        lambda url: (a_destination("pagerduty", url=url), {"PAGERDUTY_ROUTING_KEY": ACCOUNT.routing_key}),
        lambda key: [page.dedup_key for page in double.pages if page.status == "triggered"].count(key),
    )


def jsm_ops() -> Vendor:
    """At most one alert under an alias."""
    double = JsmOpsDouble(["ops-key"])
    return Vendor(
        double,
        lambda url: (a_destination("jsm_ops", url=url), {"JSM_OPS_KEY": "ops-key"}),
        lambda key: [alert.alias for alert in double.open].count(key),
        lambda key: double.close_by_hand(),
    )


def jira() -> Vendor:
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


def servicenow(table: str = "incident", closed: str = "7") -> Vendor:
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


def security_incidents() -> Vendor:
    """The table whose states are others."""
    return servicenow("sn_si_incident", "3")


def servicenow_events() -> Vendor:
    """At most one alert is open, whoever closed one before."""
    double = EventManagementDouble([ACCOUNT], clock=lambda: 0.0)
    return Vendor(
        double,
        lambda url: (a_destination("servicenow_events", url=url, auth=AUTH), SECRETS),
        lambda key: len(double.open_alerts(key)),
        double.close,
        has_statuses=True,
    )


def webhook() -> Vendor:
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


def live(vendor: Vendor, check: Callable[[str, Life], None]) -> None:
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
def test_a_vendor_takes_the_longest_notice(vendor: Callable[[], Vendor]) -> None:
    """What was cut is within every limit that the vendor checks, and nothing is cut behind our back."""
    there = vendor()

    async def act(room: Room) -> None:
        for delivery in a_huge_life():
            await room.deliver(delivery)
        assert await room.states() == {DeliveryState.SENT: 3}

    play(there.double, there.make, act)
    assert not getattr(there.double, "cut", None)


@each_vendor
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(vendor: Callable[[], Vendor]) -> None:
    """At most one thing is open for a signal, and only while it stands and nobody has closed it since."""
    there = vendor()

    def is_right(key: str, life: Life) -> None:
        assert there.open(key) == there.expected(life)

    live(there, is_right)


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
    slack = SlackDouble(ACCOUNT.slack_path)

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        return a_destination("slack", origin=url), {"SLACK_WEBHOOK_URL": url + ACCOUNT.slack_path}

    def is_right(key: str, life: Life) -> None:
        assert is_in_order([header.partition(":")[0].lower() for header in slack.headers_shown()], life)
        slack.messages.clear()

    live(Vendor(slack, make, lambda key: 0), is_right)
