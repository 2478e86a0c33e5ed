"""However a signal's life is told, what there is in the end is right: the doubles that no other file lives a life at."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from alert_router_demo.soc.servicenow import ServiceNowDouble
from alert_router_demo.soc.slack import SlackDouble
from router.domain.decisions import Change
from router.domain.ports import DestinationKind
from tests.destinations.builders import NOW, a_destination, a_notice
from tests.vendors.acts_atlassian import Life, live, lives

some = settings(max_examples=25)
PATH = "/services/T00000000/B00000000/XXXXXXXXcanaryXXXXXXXXXX"


def nobody_closes() -> None:
    """People read and close nothing."""


@some
@given(life=lives())
def test_at_pagerduty_at_most_one_page_is_open_and_only_while_its_signal_stands(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals: events of one key fold, and what is over is resolved."""
    account = new_account("cwpp")
    vendor = PagerDutyDouble([account])

    def make(url: str) -> DestinationKind:
        return a_destination("pagerduty", url=url)

    live(vendor, make, {"PAGERDUTY_ROUTING_KEY": account.routing_key}, life, close_by_hand=nobody_closes)
    stands = life.changes[-1] is not Change.RESOLVED
    assert [page.dedup_key for page in vendor.pages if page.status == "triggered"] == [a_notice().key] * stands


def servicenow_lives(life: Life, **config: object) -> ServiceNowDouble:
    """A desk at which a life was told; people close tickets where the life says so."""
    account = new_account("cwpp")
    instance = ServiceNowDouble([account])
    is_security = config.get("table") == "sn_si_incident"
    over = {"state": "3" if is_security else "7", "close_code": "Done", "close_notes": "Done."}
    if is_security:
        instance.inactive_states = frozenset({"3", "7"})

    def make(url: str) -> DestinationKind:
        auth = {"user": account.servicenow_user, "password": {"secret": "SERVICENOW_PASSWORD"}}
        return a_destination("servicenow", url=url, auth=auth, **config)

    def close() -> None:
        for ticket in instance.tickets:
            if ticket.fields["active"] == "true":
                instance.tickets.update(ticket, over, "analyst", NOW)

    live(instance, make, {"SERVICENOW_PASSWORD": account.servicenow_password}, life, close_by_hand=close)
    return instance


@some
@given(life=lives())
def test_at_servicenow_at_most_one_ticket_is_open_and_only_while_its_signal_stands(life: Life) -> None:
    """In both tables, whatever people close: look-ups see what was inserted, so nothing is opened twice."""
    for config in ({}, {"table": "sn_si_incident", "fields": {"state": "10"}}):
        instance = servicenow_lives(life, **config)
        assert [ticket.fields["active"] for ticket in instance.tickets].count("true") == int(life.is_open)


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


@some
@given(life=lives())
def test_a_channel_is_told_in_the_order_of_turns(life: Life) -> None:
    """Slack deduplicates nothing: messages may come twice, never late."""
    slack = SlackDouble(PATH)
    secrets: dict[str, str] = {}

    def at_slack(url: str) -> DestinationKind:
        secrets["SLACK_WEBHOOK_URL"] = url + PATH
        return a_destination("slack", origin=url)

    live(slack, at_slack, secrets, life, close_by_hand=nobody_closes)
    assert is_in_order([header.partition(":")[0].lower() for header in slack.headers_shown()], life)
