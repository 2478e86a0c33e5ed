"""Slack: messages that it takes, that call nobody and link nowhere, and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from router.domain.conversation import HttpRequest
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from router.domain.notices import Notice
from tests.destinations.builders import a_destination, a_finding, a_notice, a_secret, an_attempt
from tests.destinations.conversations import converse
from tests.destinations.goldens import asks_of

HOOK = "SLACK_WEBHOOK_URL"
CALLS = "<!channel> <!here|x> <@U123> <https://evil.example.com|click> & co"


def request_of(notice: Notice) -> HttpRequest:
    """The request that tells of an opening."""
    (ask,) = asks_of("slack", notice)
    assert isinstance(ask, HttpRequest)
    return ask


def message_of(**notice: Any) -> Any:
    """The message about a notice."""
    return orjson.loads(request_of(a_notice(**notice)).body)


def texts_in(value: Any) -> Iterator[str]:
    """Every text that a message shows."""
    match value:
        case {"text": str(text)}:
            yield text
            yield from texts_in({name: item for name, item in value.items() if name != "text"})
        case dict():
            for item in value.values():
                yield from texts_in(item)
        case list():
            for item in value:
                yield from texts_in(item)


def elements_in(message: Any) -> list[Any]:
    """What the lines of a message are made of."""
    sections = [section for block in message["blocks"] if block["type"] == "rich_text" for section in block["elements"]]
    return [one for section in sections for one in section["elements"]]


def header_of(message: Any) -> str:
    """The header of a message."""
    return str(message["blocks"][0]["text"]["text"])


def test_text_of_an_alert_calls_nobody_and_links_nowhere() -> None:
    """Where Slack would read a mention or a link it is escaped; elsewhere it is a text, which Slack reads as it stands."""
    told: dict[str, Any] = dict.fromkeys(
        ("title", "description", "status", "resource", "type", "plan", "cause", "reason"), CALLS
    )
    message = message_of(**told, remediation=(CALLS,), evidence=Evidence(hosts=(CALLS,), urls=(CALLS,)))
    for text in (message["text"], header_of(message)):
        assert text.startswith("Opened: High: &lt;!channel&gt; &lt;!here|x&gt; &lt;@U123&gt; &lt;https://evil")
    elements = elements_in(message)
    assert any("<!channel> <!here|x> <@U123> <https://evil" in one["text"] for one in elements)
    links = [one for one in elements if one["type"] != "text"]
    assert links == [{"type": "link", "url": "https://portal.azure.com/#view/alerts/1", "text": "Azure portal"}]
    assert all(one.keys() <= {"type", "text", "style"} for one in elements if one["type"] == "text")


def test_the_link_is_one_only_where_it_can_be() -> None:
    """What is no https address, could end the link early, or is too long for one is not told at all."""
    portal = "https://portal.azure.com/"
    for link in (f"{portal}#a?b=1&c=2", portal + "x" * 1_975):
        assert [one["url"] for one in elements_in(message_of(link=link)) if one["type"] == "link"] == [link]
    for link in (
        f"{portal}a|b",
        f"{portal}a>b",
        "javascript:alert(1)",
        "http://portal.azure.com/",
        portal + "x" * 1_976,
    ):
        message = message_of(link=link)
        assert not any(one["type"] == "link" for one in elements_in(message))
        assert not any("ortal" in text for text in texts_in(message))


def test_a_finding_without_details_is_a_message_too() -> None:
    """No empty text is sent, which Slack refuses."""
    bare = a_finding(description="", remediation=(), evidence=Evidence(), link=None, owner=None, status=None)
    assert all(text.strip() or text == "\n" for text in texts_in(orjson.loads(request_of(bare).body)))


def test_an_address_written_out_is_a_problem() -> None:
    """The whole address is a secret, so it is named and not written; an origin has no path."""
    for config in ({"url": a_secret(HOOK)}, {"url": {"secret": HOOK}, "origin": a_secret(HOOK)}):
        with pytest.raises(ValidationError) as refused:
            a_destination("slack", **config)
        assert "Y2FuYXJ5" not in str(refused.value)
    elsewhere = a_destination("slack", origin="https://hooks.slack-gov.com")
    assert elsewhere.address == "https://hooks.slack-gov.com"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/services/1",
        *(f"https://hooks.slack.com{path}" for path in ("/triggers/T0/1/2", "/", "/workflows/T0/services/")),
    ],
)
def test_what_is_no_incoming_webhook_is_not_called(address: str) -> None:
    """Another host, or a workflow's trigger, which lives at the same host and would run at each attempt: it pauses."""
    attempt = replace(an_attempt(secrets=()), secrets={HOOK: address})
    asks, results = converse(a_destination("slack"), [attempt], lambda ask: None)
    assert (asks, [type(result) for result in results]) == ([], [Unauthorized])
