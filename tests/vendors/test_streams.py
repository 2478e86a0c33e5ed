"""Slack, Teams, Splunk, Log Analytics and webhooks over real HTTP: every turn arrives at least once, and copies can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.endpoint import Endpoint
from alert_router_demo.soc.faults import Drop, LoseAnswer, Status
from alert_router_demo.soc.findings import FindingsDouble
from alert_router_demo.soc.logs import LogsIngestion
from alert_router_demo.soc.slack import SlackDouble
from alert_router_demo.soc.splunk_hec import SplunkHecDouble
from alert_router_demo.soc.teams import TeamsDouble, hook_of
from alert_router_demo.soc.webhook import PATH
from router.domain.conversation import DestinationKind
from router.domain.deliveries import Delivery, Receipt
from router.domain.errors import Rejected, Unavailable
from router.domain.evidence import Evidence
from tests.destinations.builders import NOW, a_delivery, a_destination, a_notice
from tests.destinations.ocsf_schema import problems_in
from tests.examples import some_of
from tests.vendors.room import Make, Room, a_huge_life, a_life, one_room_at, opened, play, resolved, types_of, updated
from tests.waiting import until

LIFE = ["opened", "updated", "resolved"]
KEY, TOKEN = a_notice().key, "11111111-2222-3333-4444-555555555555"
HOOK = "/services/T00000000/B00000000/XXXXXXXXcanaryXXXXXXXXXX"
WORKFLOW, SIGNATURE = "0123456789abcdef", "Canary-of+a/signature_0123456789="


def slack_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """A destination that holds a webhook of that Slack."""
    return a_destination("slack", origin=url), {"SLACK_WEBHOOK_URL": url + HOOK}


def teams_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """A destination that holds the URL of a workflow."""
    return a_destination("teams", origin=url), {"TEAMS_WEBHOOK_URL": url + hook_of(WORKFLOW, SIGNATURE)}


def splunk_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """A destination that writes to that Splunk."""
    return a_destination("splunk_hec", url=url), {"SPLUNK_HEC_TOKEN": TOKEN}


def logs_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """A destination that writes to that endpoint."""
    return a_destination("log_analytics", endpoint=url), {}


class Stream(NamedTuple):
    """A place to which turns are only added: `turns` gives what stands there, in its order."""

    double: Endpoint
    make: Make
    turns: Callable[[], list[str]]


def slack() -> Stream:
    double = SlackDouble(HOOK)
    return Stream(double, slack_at, lambda: [one.partition(":")[0].lower() for one in double.headers_shown()])


def teams() -> Stream:
    double = TeamsDouble(WORKFLOW, SIGNATURE)
    return Stream(double, teams_at, lambda: [one.partition(":")[0].lower() for one in double.headings()])


def splunk() -> Stream:
    double = SplunkHecDouble(TOKEN)
    return Stream(double, splunk_at, lambda: [one["event"]["change"] for one in double.events])


def logs() -> Stream:
    double = LogsIngestion([])
    return Stream(
        double, logs_at, lambda: [row["AdditionalFields"]["Change"] for rows in double.rows.values() for row in rows]
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
    assert turns() == [*LIFE, "opened", "opened", *LIFE]


def test_whatever_an_alert_says_slack_takes_it_and_calls_nobody() -> None:
    """Any text makes a message within every limit, without a mention, and with no link but the portal's."""
    double = SlackDouble(HOOK)
    with one_room_at(double, slack_at) as (room, run):

        @given(st.lists(st.text(st.sampled_from("<>&!@#|*`~\n ab:/") | st.characters(codec="utf-8")), max_size=6))
        @settings(max_examples=some_of(30))
        def is_taken(texts: list[str]) -> None:
            text = "".join(texts) + "<!channel><@U1><https://evil.example.com|x>"
            notice: dict[str, Any] = dict.fromkeys(("title", "description", "resource", "status", "reason"), text * 40)

            async def act() -> None:
                evidence = Evidence(hosts=(text,), urls=(text,))
                assert types_of(await room.send(opened(**notice, evidence=evidence))) == [Receipt]

            double.linked.clear()
            run(act())
            assert (double.called, double.linked) == ([], ["https://portal.azure.com/#view/alerts/1|Azure portal"])

        is_taken()


def test_an_acceptance_of_teams_is_all_that_is_known() -> None:
    """202 counts as sent before the card is there, and also where it never will be: only the run history shows that."""
    double = TeamsDouble(WORKFLOW, SIGNATURE, lag=0.1)

    async def act(room: Room) -> None:
        assert types_of(await room.send(opened())) == [Receipt]
        assert double.cards == []
        await until(lambda: len(double.cards) == 1)
        double.is_orphaned = True
        assert types_of(await room.send(opened())) == [Receipt]
        await until(lambda: len(double.failed) == 1)

    play(double, teams_at, act)
    assert (double.runs, len(double.cards), double.failed) == (2, 1, ["the connection is gone"])


def many(count: int, **notice: Any) -> list[Delivery]:
    """Deliveries of as many signals, whose ids are their numbers."""
    return [a_delivery(a_notice(key=f"{number:032x}", id=str(number), **notice)) for number in range(count)]


def test_requests_that_are_too_large_all_the_same_are_halved() -> None:
    """A collector with a smaller limit gets smaller requests, and one event that it does not take is cut."""
    double = SplunkHecDouble(TOKEN, body_limit=20_000)

    async def act(room: Room) -> None:
        assert types_of(await room.send(*many(40), *many(1, description="x" * 50_000))) == [Receipt] * 41

    play(double, splunk_at, act)
    assert len(double.events) == 41
    assert double.events[-1]["event"]["description"].endswith("[cut]")


def test_a_refused_event_costs_only_itself() -> None:
    """Whichever events Splunk cannot read, those alone are dead; every other one arrives, and none more than twice."""
    refused = set[str]()
    double = SplunkHecDouble(TOKEN, poison=refused)
    with one_room_at(double, splunk_at) as (room, run):

        @given(poison=st.sets(st.integers(0, 59), max_size=8))
        @settings(max_examples=some_of(15))
        def costs_itself(poison: set[int]) -> None:
            refused.clear()
            refused.update(map(str, poison))
            double.events.clear()
            asked = double.answers.total()

            async def act() -> None:
                expected = [Rejected if number in poison else Receipt for number in range(60)]
                assert types_of(await room.send(*many(60))) == expected

            run(act())
            copies = Counter(int(one["event"]["id"]) for one in double.events)
            assert set(copies) == set(range(60)) - poison
            assert max(copies.values(), default=0) <= 2
            assert double.answers.total() - asked <= 1 + 4 * len(poison)

        costs_itself()


def test_a_signal_is_a_finding_of_a_webhook_from_its_opening_to_its_end() -> None:
    """Created, updated and closed under one subject behind a gateway; what is sent twice is known by its id.

    A resolution whose opening died is told all the same.
    """
    account, rooms = new_account("cwpp"), list[Room]()
    double = FindingsDouble(account, "gateway-key", lambda: (rooms[0].now if rooms else NOW).timestamp())

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        auth = {"header": "x-api-key", "value": {"secret": "GATEWAY_KEY"}}
        secrets = {"WEBHOOK_SECRET": account.webhook_secret, "GATEWAY_KEY": "gateway-key"}
        return a_destination("webhook", url=url + PATH, body="ocsf", auth=auth), secrets

    async def act(room: Room) -> None:
        rooms.append(room)
        told = [*await room.send_at_once(opened(), opened()), *await room.send(opened())]
        assert told == [Receipt(reference=opened().id)] * 3
        assert (double.seen, double.open) == ({opened().id: 3}, [KEY])
        await room.deliver(updated(severity="Critical"))
        assert double.findings[KEY]["severity_id"] == 5
        await room.deliver(resolved())
        assert (double.open, problems_in(double.findings[KEY])) == ([], [])
        double.faults.add(Status(404))
        await room.deliver(opened(4))
        assert len(await room.dead()) == 1
        await room.deliver_all(resolved(5, opening=4))
        assert double.open == []

    play(double, make, act)
