"""Slack over real HTTP: each notice is a message, at least once, and an alert's text calls nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Drop, LoseAnswer
from alert_router_demo.soc.slack import SlackDouble
from router.domain.conversation import DestinationKind, Result
from router.domain.decisions import Change
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from router.domain.evidence import Evidence
from tests.destinations.builders import a_destination
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives
from tests.vendors.room import a_life, opened
from tests.vendors.talks import Send, at_work

PATH = "/services/T00000000/B00000000/XXXXXXXXcanaryXXXXXXXXXX"


def at_slack(slack: SlackDouble, play: Callable[[Send], Awaitable[None]]) -> None:
    """Plays with a destination that holds a webhook of that Slack."""

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        return a_destination("slack", origin=url), {"SLACK_WEBHOOK_URL": url + PATH}

    at_work(slack, make, play)


def types_of(results: Sequence[Result]) -> list[type]:
    """The types of results."""
    return [type(result) for result in results]


def test_a_life_is_three_messages_in_order() -> None:
    """Opened, updated and resolved are told one below the other; none is changed."""
    slack = SlackDouble(PATH)

    async def play(send: Send) -> None:
        for delivery in a_life():
            assert await send(delivery) == [Receipt()]

    at_slack(slack, play)
    assert [header.partition(":")[0] for header in slack.headers_shown()] == ["Opened", "Updated", "Resolved"]


def test_an_answer_that_is_lost_is_owed_again_and_leaves_a_copy() -> None:
    """At least once: nobody can tell whether the message was posted."""
    slack = SlackDouble(PATH)
    slack.faults.add(LoseAnswer())
    slack.faults.add(Drop())

    async def play(send: Send) -> None:
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Receipt]

    at_slack(slack, play)
    assert len(slack.messages) == 2


@given(st.lists(st.text(alphabet=st.sampled_from("<>&!@#|*`~\n ab:/") | st.characters(codec="utf-8")), max_size=6))
@settings(max_examples=some_of(30))
def test_whatever_an_alert_says_slack_takes_it_and_calls_nobody(texts: list[str]) -> None:
    """Any text makes a message within every limit, without a mention, and with no link but the portal's."""
    slack = SlackDouble(PATH)
    text = "".join(texts) + "<!channel><@U1><https://evil.example.com|x>"

    async def play(send: Send) -> None:
        notice: dict[str, Any] = dict.fromkeys(("title", "description", "resource", "status", "reason"), text * 40)
        assert types_of(await send(opened(**notice, evidence=Evidence(hosts=(text,), urls=(text,))))) == [Receipt]

    at_slack(slack, play)
    assert slack.called == []
    assert slack.linked == ["https://portal.azure.com/#view/alerts/1|Azure portal"]


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


@settings(max_examples=some_of(25))
@given(life=lives())
def test_a_channel_is_told_in_the_order_of_turns(life: Life) -> None:
    """Messages may come twice, never late."""
    slack = SlackDouble(PATH)
    secrets: dict[str, str] = {}

    def make(url: str) -> DestinationKind:
        secrets["SLACK_WEBHOOK_URL"] = url + PATH
        return a_destination("slack", origin=url)

    live(slack, make, secrets, life)
    assert is_in_order([header.partition(":")[0].lower() for header in slack.headers_shown()], life)
