"""Jira over real sockets: an issue's life, what a lagging search does to it, and what people do."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from hypothesis import given, settings

from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.faults import Hang, LoseAnswer
from alert_router_demo.soc.jira import JiraDouble
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination, a_huge_notice, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives_of_alerts
from tests.vendors.room import a_room, opened, resolved
from tests.vendors.talks import Line, on_the_line

USER, TOKEN = "alert-router@contoso.example", "ATATT-token-1234"
SECRETS = {"JIRA_TOKEN": TOKEN}
HUGE = {name: getattr(a_huge_notice(), name) for name in ("title", "description", "remediation", "evidence")}


def make(url: str) -> DestinationKind:
    """The destination at a double, with its own example's fields left out."""
    return a_destination("jira", url=url, fields={}, labels=["{plan}"])


def a_site() -> JiraDouble:
    """A site that knows the account."""
    return JiraDouble({USER: TOKEN})


@pytest.mark.parametrize("path", ["", "/ex/jira/11223344"])
def test_an_issue_lives_as_its_signal(path: str) -> None:
    """Opened, commented while it stands, taken to done when it is over: at the site and through the gateway."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        assert isinstance(opening, Receipt)
        (issue,) = vendor.open
        assert opening.reference == issue.key
        assert issue.fields["labels"] == [f"dfc-{a_notice().key}", "VirtualMachines"]
        assert isinstance(await line.tell(Change.UPDATED, opening=opening, status="Active"), Receipt)
        assert "Status\nActive" in issue.comments[0]
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening), Receipt)
        assert vendor.open == []
        assert len(vendor.issues) == 1

    on_the_line(vendor, make, SECRETS, talk, path)


def test_the_vendor_takes_the_longest_issue() -> None:
    """What was cut is within every limit that the vendor checks."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell(**HUGE)
        assert isinstance(opening, Receipt)
        assert isinstance(await line.tell(Change.UPDATED, opening=opening, **HUGE), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.open[0].comments) == 1


def test_two_deliveries_at_once_make_two_issues() -> None:
    """Jira has no key of ours, so that two deliverers are not told apart there: that is counted, not hidden."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        await asyncio.gather(line.tell(), line.tell())

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 2


def test_a_lag_beyond_the_wait_makes_two_issues() -> None:
    """Where the index is later still, the retry sees nothing: at least one issue, and here two."""
    vendor = a_site()
    vendor.is_lagging = True

    async def talk(line: Line) -> None:
        await line.tell()
        await line.tell(number=2)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 2


def test_a_resolution_whose_opening_died_finishes_what_it_left() -> None:
    """Without a receipt the label is enough, and without an issue the delivery is done as well."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        assert [type(await line.tell(Change.RESOLVED, number=number)) for number in (1, 2, 3)] == [
            Unavailable, Unavailable, Receipt,
        ]  # fmt: skip
        await line.tell()
        assert isinstance(await line.tell(Change.RESOLVED), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [issue.is_open for issue in vendor.issues] == [False]


def test_a_client_is_known_by_its_tokens() -> None:
    """OAuth client credentials: a token that was taken back is replaced once."""
    vendor = JiraDouble({USER: TOKEN}, client=("us", "client-secret-1234"))

    def as_client(url: str) -> DestinationKind:
        auth = {"client_id": "us", "client_secret": {"secret": "JIRA_CLIENT"}, "token_url": f"{url}/oauth/token"}
        return a_destination("jira", url=url, auth=auth, fields={})

    async def talk(line: Line) -> None:
        assert isinstance(await line.tell(), Receipt)
        vendor.tokens.clear()
        assert isinstance(await line.tell(number=2), Receipt)
        assert len(vendor.tokens) == 1

    on_the_line(vendor, as_client, {"JIRA_CLIENT": "client-secret-1234"}, talk)
    assert len(vendor.issues) == 1


@pytest.mark.parametrize("lost", [("POST", 1), ("POST", 2), ("POST", 3), ("GET", 1), ("GET", 2)])
def test_what_was_paged_and_ended_untold_is_one_finished_issue_whichever_answer_is_lost(lost: tuple[str, int]) -> None:
    """Its description says that it opened and is over; a comment would say it again."""
    method, nth = lost
    vendor = a_site()
    vendor.is_lagging = True

    async def lived() -> None:
        async with served(vendor.application()) as url, a_room(make(url), SECRETS) as room:
            for _ in range(nth - 1):
                vendor.faults.add(Hang(0.001), method=method)
            vendor.faults.add(LoseAnswer(), method=method)
            await room.deliver_all(opened(paged=True), resolved(2, paged=True), later=vendor.catch_up)

    asyncio.run(lived())
    (issue,) = vendor.issues
    assert issue.status.category == "done"
    assert issue.comments == []
    assert "before this could be told" in orjson.dumps(issue.fields["description"]).decode()


@given(life=lives_of_alerts())
@settings(max_examples=some_of(25))
def test_however_a_life_is_told_what_is_open_in_the_end_is_right(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals, people who finish: at most one issue, open if it stands.

    The index lags, and has caught up by the time of a retry.
    """
    vendor = a_site()
    vendor.is_lagging = True

    def close_by_hand() -> None:
        vendor.close_by_hand()
        vendor.catch_up()

    live(vendor, make, SECRETS, life, close_by_hand=close_by_hand, later=vendor.catch_up)
    assert len(vendor.open) == int(life.is_open)
