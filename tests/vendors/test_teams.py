"""Teams over real HTTP: each notice starts a workflow, at least once, and what fails after that is not seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Drop, LoseAnswer
from alert_router_demo.soc.teams import TeamsDouble, hook_of
from router.domain.conversation import DestinationKind, Result
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination, a_huge_notice
from tests.examples import some_of
from tests.vendors.room import a_life, opened
from tests.vendors.talks import Send, at_work
from tests.waiting import until

WORKFLOW, SIGNATURE = "0123456789abcdef", "Canary-of+a/signature_0123456789="


def at_teams(teams: TeamsDouble, play: Callable[[Send], Awaitable[None]]) -> None:
    """Plays with a destination that holds the URL of a workflow."""

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        return a_destination("teams", origin=url), {"TEAMS_WEBHOOK_URL": url + hook_of(WORKFLOW, SIGNATURE)}

    async def play_until_posted(send: Send) -> None:
        await play(send)
        await until(lambda: teams.runs == len(teams.cards) + len(teams.failed))

    at_work(teams, make, play_until_posted)


def types_of(results: Sequence[Result]) -> list[type]:
    """The types of results."""
    return [type(result) for result in results]


def test_a_life_is_three_cards_in_order() -> None:
    """Opened, updated and resolved are told one below the other; none is changed."""
    teams = TeamsDouble(WORKFLOW, SIGNATURE)

    async def play(send: Send) -> None:
        for delivery in a_life():
            assert await send(delivery) == [Receipt()]

    at_teams(teams, play)
    assert [heading.partition(":")[0] for heading in teams.headings()] == ["Opened", "Updated", "Resolved"]


def test_an_answer_that_is_lost_is_owed_again_and_leaves_a_copy() -> None:
    """At least once: nobody can tell whether the workflow was started."""
    teams = TeamsDouble(WORKFLOW, SIGNATURE)
    teams.faults.add(LoseAnswer())
    teams.faults.add(Drop())

    async def play(send: Send) -> None:
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Receipt]

    at_teams(teams, play)
    assert len(teams.cards) == 2


def test_an_acceptance_is_all_that_is_known() -> None:
    """202 counts as sent before the card is there, and also where it never will be: only the run history shows that."""
    teams = TeamsDouble(WORKFLOW, SIGNATURE, lag=0.1)

    async def play(send: Send) -> None:
        assert types_of(await send(opened())) == [Receipt]
        assert teams.cards == []
        await until(lambda: len(teams.cards) == 1)
        teams.is_orphaned = True
        assert types_of(await send(opened())) == [Receipt]

    at_teams(teams, play)
    assert (teams.runs, len(teams.cards), teams.failed) == (2, 1, ["the connection is gone"])


@given(st.characters(), st.integers(0, 6_000))
@settings(max_examples=some_of(12))
def test_whatever_an_alert_says_it_is_posted(character: str, length: int) -> None:
    """Any text makes a card that the channel takes: one that is too large would be accepted, and never be seen."""
    teams = TeamsDouble(WORKFLOW, SIGNATURE)
    text = character * length

    async def play(send: Send) -> None:
        huge = a_huge_notice()
        notice: dict[str, Any] = dict.fromkeys(
            ("title", "description", "resource", "status", "reason", "type", "link"), text
        )
        assert types_of(await send(opened(**notice, evidence=huge.evidence, remediation=(text,) * 9))) == [Receipt]

    at_teams(teams, play)
    assert (len(teams.cards), teams.failed) == (1, [])
