"""Documents that a vendor refuses for ever, and the time that hostile texts take."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from router.destinations import discover
from router.destinations.jira.forms import RICH_LIMIT, rich_briefing_of, rich_note_of
from router.destinations.jsm_ops import DETAILS_LIMIT
from router.destinations.pagerduty import EVENT_LIMIT
from router.destinations.wording.fitting import json_size
from router.domain.background import Background
from router.domain.decisions import Change
from router.domain.notices import Link, Notice
from tests.destinations.builders import a_briefing, a_destination, a_notice, an_attempt, secret_names_in
from tests.destinations.conversations import converse, payload_of
from tests.destinations.goldens import replay


def with_properties(count: int, name: str = "Property number") -> Notice:
    """An alert with so many properties that no list knows."""
    extended = {f"{name} {number}": "v" * 40 for number in range(count)}
    return a_notice(extended=extended, unlisted=tuple(extended))


def sent(kind: str, notice: Notice) -> bytes:
    """The longest of what a kind sends of an opening."""
    example = discover()[kind].Config.model_json_schema()["examples"][0]
    attempt = an_attempt(notice, secrets=list(secret_names_in(example)))
    asks, _ = converse(a_destination(kind), [attempt], replay(kind, "opened"))
    return max((payload_of(ask) for ask in asks), key=len)


@pytest.mark.parametrize("count", [100, 150, 1_000])
def test_an_issue_of_many_properties_is_one_that_jira_takes(count: int) -> None:
    """Each property beyond the room still has a line, so that the text grows with their number."""
    assert json_size(rich_briefing_of(a_briefing(with_properties(count)))) <= RICH_LIMIT


def test_an_issue_of_long_links_is_one_that_jira_takes() -> None:
    """Twenty links and a few runbooks, each as long as one may be."""
    links = tuple(Link(text="t" * 200, url=f"https://x.example/{number}" + "u" * 1_900) for number in range(20))
    assert json_size(rich_briefing_of(a_briefing(a_notice(links=links)))) <= RICH_LIMIT


def test_a_comment_of_many_changes_is_one_that_jira_takes() -> None:
    """Each sentence is cut, but there are as many as there are properties."""
    briefing = a_briefing(with_properties(1_000), Change.UPDATED, background=Background(last=a_notice()))
    assert json_size(rich_note_of(briefing)) <= RICH_LIMIT


@pytest.mark.parametrize("notice", [with_properties(12_000), with_properties(60, "n" * 10_000)], ids=["many", "long"])
def test_a_page_of_many_properties_is_one_that_pagerduty_takes(notice: Notice) -> None:
    """The names of properties are keys of the details, and all keys stay."""
    assert len(sent("pagerduty", notice)) <= EVENT_LIMIT


@pytest.mark.parametrize("notice", [with_properties(300), with_properties(40, "n" * 1_000)], ids=["many", "long"])
def test_an_alert_of_many_properties_is_one_that_jsm_takes(notice: Notice) -> None:
    """As in PagerDuty."""
    details: dict[str, Any] = orjson.loads(sent("jsm_ops", notice))["details"]
    assert sum(len(name) + len(value) for name, value in details.items()) <= DETAILS_LIMIT
