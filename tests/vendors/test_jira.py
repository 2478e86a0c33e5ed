"""Jira over real sockets: an issue's life, what a lagging search does to it, and what people do."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings

from alert_router_demo.soc.faults import LoseAnswer
from alert_router_demo.soc.faults import Status as Answered
from alert_router_demo.soc.jira import IN_PROGRESS, TO_DO, JiraDouble, WorkflowTransition
from router.destinations.jira.issue import SETTLED
from router.domain.decisions import Change
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Receipt
from router.domain.ports import DestinationKind
from tests.destinations.builders import a_destination, a_huge_notice, a_notice
from tests.vendors.lives import Life, live, lives
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
        assert "Status: Active" in issue.comments[0]
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


def test_a_delivery_that_is_sent_twice_makes_one_issue() -> None:
    """The second one finds what the first made."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        first, second = await line.tell(), await line.tell(number=2)
        assert first == second

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 1


def test_two_deliveries_at_once_make_two_issues() -> None:
    """Jira has no key of ours, so that two deliverers are not told apart there: that is counted, not hidden."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        await asyncio.gather(line.tell(), line.tell())

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 2


def test_an_answer_that_is_lost_is_looked_for_when_the_index_has_it() -> None:
    """The retry comes a minute later, finds the issue, and makes no other."""
    vendor = a_site()
    vendor.is_lagging = True

    async def talk(line: Line) -> None:
        vendor.faults.add(Answered(200, body={"issues": []}))
        vendor.faults.add(LoseAnswer())
        lost = await line.tell()
        assert isinstance(lost, Unavailable)
        assert lost.retry_after == SETTLED
        vendor.catch_up()
        assert isinstance(await line.tell(number=2), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 1


def test_a_lag_beyond_the_wait_makes_two_issues() -> None:
    """Where the index is later still, the retry sees nothing: at least one issue, and here two."""
    vendor = a_site()
    vendor.is_lagging = True

    async def talk(line: Line) -> None:
        await line.tell()
        await line.tell(number=2)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 2


def test_what_follows_an_opening_waits_for_no_index() -> None:
    """With the opening's receipt an update and a resolution find the issue though the search does not."""
    vendor = a_site()
    vendor.is_lagging = True

    async def talk(line: Line) -> None:
        opening = await line.tell()
        await line.tell(Change.UPDATED, opening=opening)
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [(len(issue.comments), issue.is_open) for issue in vendor.issues] == [(1, False)]


def test_an_index_that_still_has_it_as_open_hides_no_signal_that_comes_back() -> None:
    """What a search finds is read before it counts."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.is_lagging = True
        await line.tell(Change.RESOLVED, opening=opening)
        await line.tell(turn=3)

    on_the_line(vendor, make, SECRETS, talk)
    assert [issue.is_open for issue in vendor.issues] == [False, True]


def test_an_update_of_an_issue_that_people_finished_opens_one() -> None:
    """The finished one is left alone; the next update and the resolution go to the new one."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.close_by_hand()
        await line.tell(Change.UPDATED, opening=opening, status="Active")
        await line.tell(Change.UPDATED, opening=opening, status="Active", turn=3)
        assert [len(issue.comments) for issue in vendor.issues] == [0, 1]
        await line.tell(Change.RESOLVED, opening=opening, turn=4)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.issues) == 2
    assert vendor.open == []


def test_an_issue_that_an_update_made_is_not_missed_by_the_resolution_that_follows_at_once() -> None:
    """The index does not have it yet; the resolution looks again instead of finding that there is nothing to do."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.close_by_hand()
        vendor.is_lagging = True
        await line.tell(Change.UPDATED, opening=opening)
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening, turn=3), Unavailable)
        vendor.catch_up()
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening, turn=3, number=2), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [issue.is_open for issue in vendor.issues] == [False, False]


def test_an_issue_that_people_deleted_is_opened_anew_or_left() -> None:
    """An update opens another one; a resolution has nothing to do."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.delete(vendor.issues[0])
        assert await line.tell(Change.RESOLVED, opening=opening) == Receipt(
            reference="no open issue, nothing to resolve"
        )
        assert isinstance(await line.tell(Change.UPDATED, opening=opening), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.open) == 1


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


def test_a_resolution_that_was_done_though_its_answer_was_lost_is_not_done_again() -> None:
    """The retry finds nothing open."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.faults.add(LoseAnswer(), method="POST")
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening), Unavailable)
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening, number=2), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [issue.is_open for issue in vendor.issues] == [False]


def test_a_workflow_without_a_way_to_done_is_told_to_people_and_to_operators() -> None:
    """A comment and a dead letter; when the workflow is mended and it is redriven, the issue is finished."""
    vendor = a_site()
    whole = vendor.transitions
    vendor.transitions = [WorkflowTransition("11", "Back", TO_DO), WorkflowTransition("21", "Start", IN_PROGRESS)]

    async def talk(line: Line) -> None:
        opening = await line.tell()
        stuck = await line.tell(Change.RESOLVED, opening=opening)
        assert isinstance(stuck, Rejected)
        assert "reports that this is over" in vendor.open[0].comments[0]
        assert isinstance(await line.tell(turn=3), Receipt)
        assert vendor.open[0].comments[1].startswith("Opened again.")
        vendor.transitions = whole
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening, number=2), Receipt)

    on_the_line(vendor, make, SECRETS, talk)
    assert [issue.is_open for issue in vendor.issues] == [False]


def test_a_resolution_is_written_where_the_screen_has_it() -> None:
    """Where it has none, the refusal pauses the destination and names the field."""
    vendor = a_site()

    def with_resolution(url: str) -> DestinationKind:
        return a_destination("jira", url=url, fields={}, resolve={"transition": "close", "resolution": "Won't Do"})

    async def talk(line: Line) -> None:
        opening = await line.tell()
        vendor.on_close = set()
        refused = await line.tell(Change.RESOLVED, opening=opening)
        assert isinstance(refused, Unauthorized)
        assert "resolution" in str(refused)
        vendor.on_close = {"resolution"}
        assert isinstance(await line.tell(Change.RESOLVED, opening=opening, number=2), Receipt)

    on_the_line(vendor, with_resolution, SECRETS, talk)
    assert vendor.issues[0].resolution == "Won't Do"


def test_a_token_that_is_over_loses_nothing() -> None:
    """Jira answers as to nobody, with an empty search and no issue; the router pauses instead of believing it."""
    vendor = a_site()

    async def talk(line: Line) -> None:
        opening = await line.tell()
        line.secrets = {"JIRA_TOKEN": "ATATT-old-5678"}
        for change in Change:
            refused = await line.tell(change, opening=opening)
            assert isinstance(refused, Unauthorized)
            assert "5678" not in str(refused)

    on_the_line(vendor, make, SECRETS, talk)
    assert len(vendor.open) == 1


def test_a_field_that_no_screen_has_pauses_the_destination() -> None:
    """Team-managed projects often have no priority; every issue would be refused alike, so none is given up on."""
    vendor = a_site()
    vendor.screen.remove("priority")

    async def talk(line: Line) -> None:
        refused = await line.tell()
        assert isinstance(refused, Unauthorized)
        assert "priority" in str(refused)

    on_the_line(vendor, make, SECRETS, talk)

    def without(url: str) -> DestinationKind:
        return a_destination("jira", url=url, fields={}, priorities={})

    async def again(line: Line) -> None:
        assert isinstance(await line.tell(), Receipt)

    on_the_line(vendor, without, SECRETS, again)


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


@given(life=lives())
@settings(max_examples=25)
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
