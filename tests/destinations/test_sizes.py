"""Documents that a vendor refuses for ever, and the steps that hostile texts take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest

from router.decide import decide, notice_for
from router.destinations import discover
from router.destinations.jira_document import RICH_LIMIT, rich_briefing_of, rich_note_of
from router.destinations.jsm_ops import DETAILS_LIMIT
from router.destinations.pagerduty import EVENT_LIMIT
from router.destinations.wording.fitting import json_size
from router.domain.decisions import Change
from router.domain.deliveries import Background
from router.domain.notices import Link, Notice
from router.parse import evidence_of
from tests.builders import NOW, a_rulebook
from tests.destinations.builders import a_briefing, a_notice
from tests.destinations.conversations import payload_of
from tests.destinations.goldens import asks_of
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert


def with_properties(count: int, name: str = "Property number") -> Notice:
    """An alert with so many properties that no list knows."""
    extended = {f"{name} {number}": "v" * 40 for number in range(count)}
    return a_notice(extended=extended, unlisted=tuple(extended))


def sent(kind: str, notice: Notice) -> bytes:
    """The longest of what a kind sends of an opening."""
    return max(map(payload_of, asks_of(kind, notice)), key=len)


def test_an_issue_and_a_comment_are_ones_that_jira_takes() -> None:
    """Each property beyond the room still has a line, links may be long, and a change is a sentence for each property."""
    notices = [with_properties(count) for count in (100, 150, 1_000)]
    links = tuple(Link(text="t" * 200, url=f"https://x.example/{number}" + "u" * 1_900) for number in range(20))
    for notice in (*notices, a_notice(links=links)):
        assert json_size(rich_briefing_of(a_briefing(notice))) <= RICH_LIMIT
    briefing = a_briefing(with_properties(1_000), Change.UPDATED, background=Background(last=a_notice()))
    assert json_size(rich_note_of(briefing)) <= RICH_LIMIT


def test_a_page_of_many_or_long_properties_is_one_that_pagers_take() -> None:
    """The names of properties are keys of the details, and all keys stay."""
    for notice in (with_properties(12_000), with_properties(60, "n" * 10_000)):
        assert len(sent("pagerduty", notice)) <= EVENT_LIMIT
    for notice in (with_properties(300), with_properties(40, "n" * 1_000)):
        details: dict[str, Any] = orjson.loads(sent("jsm_ops", notice))["details"]
        assert sum(len(name) + len(value) for name, value in details.items()) <= DETAILS_LIMIT


ODD = "\u202e\u200b%`*_~<>|&[](){}\\/\"'=:@"
RESOURCE_OF_MANY = "/subscriptions/0b06d9ea-afe6-4779-bd59-30e5c2d9d13f/resourceGroups/rg/providers/A/b/"
SIZED: dict[str, Callable[[int], dict[str, Any]]] = {
    "properties of one value": lambda size: {"ExtendedProperties": {f"P{n}": "value" for n in range(size)}},
    "properties that the title speaks of": lambda size: {
        "ExtendedProperties": {f"IP address {n}": "10.0.0.1" for n in range(size)},
        "AlertDisplayName": "Suspicious sign-in from an IP address",
    },
    "odd signs": lambda size: dict.fromkeys(("AlertDisplayName", "CompromisedEntity", "Description"), (ODD * size)[: 8 * size]),
    "one sign": lambda size: dict.fromkeys(("AlertDisplayName", "CompromisedEntity", "Description"), "/" * 8 * size),
    "a path": lambda size: {"AzureResourceId": RESOURCE_OF_MANY + "d/" * size * 8, "CompromisedEntity": "d\\" * size * 8},
    "processes": lambda size: {
        "Entities": [{"Type": "process", "ProcessId": f"{n}", "CommandLine": f"c:\\a\\{n}.exe -p x{n}"} for n in range(size)]
    },
    "files": lambda size: {"Entities": [{"Type": "file", "Name": "a/" * 20, "Directory": f"/{n}"} for n in range(size)]},
    "steps": lambda size: {"RemediationSteps": [f"{n}. Do <a href='https://x.example/{n}'>this</a>." for n in range(size)]},
    "placeholders": lambda size: {
        "Description": " ".join(f"%{{P{n}}}" for n in range(size)),
        "ExtendedProperties": {f"P{n}": f"password=value{n}" for n in range(size)},
    },
}  # fmt: skip


def steps_of(call: Callable[[], object]) -> int:
    """How many lines and calls it takes: the same on any machine, however busy that is."""
    count, events = 0, sys.monitoring.events

    def step(*_: object) -> None:
        nonlocal count
        count += 1

    tool = sys.monitoring.PROFILER_ID
    sys.monitoring.use_tool_id(tool, "steps")
    for event in (events.LINE, events.CALL, events.JUMP):
        sys.monitoring.register_callback(tool, event, step)
    sys.monitoring.set_events(tool, events.LINE | events.CALL | events.JUMP)
    try:
        call()
    finally:
        sys.monitoring.free_tool_id(tool)
    return count


@pytest.mark.parametrize("sized", SIZED.values(), ids=SIZED)
def test_what_is_told_of_a_message_takes_steps_in_proportion_to_its_size(
    sized: Callable[[int], dict[str, Any]],
) -> None:
    """Every kind, from the message to the first request: nothing can interrupt one, and all lanes wait meanwhile."""
    book = a_rulebook()

    def tells(size: int) -> None:
        signal = read_alert(a_flat_alert(**sized(size)))
        notice = notice_for(signal, evidence_of(signal, CATALOGUE), decide(signal, book, NOW), book, "k" * 32, 1, ())
        for kind in discover():
            sent(kind, notice)

    tells(1)  # What is remembered from one message to the next is no part of it.
    alone, few, many = (steps_of(partial(tells, size)) for size in (1, 150, 600))
    assert many - alone < 4.6 * (few - alone) + 2_000
