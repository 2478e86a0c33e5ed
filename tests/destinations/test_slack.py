"""Slack: messages that it takes, that call nobody and link nowhere, and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from router.destinations.slack import HEADER_LIMIT
from router.destinations.wording.fitting import MARK
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Counterpart
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.rulebook import Lane
from tests.destinations.builders import (
    NOW,
    a_delivery,
    a_destination,
    a_finding,
    a_huge_notice,
    a_notice,
    a_secret,
    an_attempt,
)
from tests.destinations.conversations import converse, replied

HOOK = "SLACK_WEBHOOK_URL"
CALLS = "<!channel> <!here|x> <@U123> <https://evil.example.com|click> & co"


def request_of(attempt: Attempt) -> HttpRequest:
    """The request that an attempt makes."""
    asks, _ = converse(a_destination("slack"), [attempt], lambda ask: replied(200, "ok"))
    assert isinstance(asks[0], HttpRequest)
    return asks[0]


def message_of(change: Change = Change.OPENED, **notice: Any) -> Any:
    """The message about a notice."""
    return orjson.loads(request_of(an_attempt(a_notice(**notice), change, secrets=[HOOK])).body)


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


def elements_in(message: Any) -> Iterator[Any]:
    """What the lines of a message are made of."""
    for block in blocks_of(message, "rich_text"):
        for section in block["elements"]:
            yield from section["elements"]


def lines_of(message: Any) -> list[str]:
    """The lines of a message, as they are read."""
    sections = [section for block in blocks_of(message, "rich_text") for section in block["elements"]]
    return "\n".join("".join(one["text"] for one in section["elements"]) for section in sections).split("\n")


def blocks_of(message: Any, type: str) -> list[Any]:
    """The blocks of a type."""
    return [block for block in message["blocks"] if block["type"] == type]


def answered(status: int, body: str) -> DeliveryError:
    """What an answer of Slack's means."""
    answer = HttpAnswer(status=status, body=body.encode())
    _, (result,) = converse(a_destination("slack"), [an_attempt(secrets=[HOOK])], lambda ask: answer)
    assert isinstance(result, DeliveryError)
    assert str(result).startswith("slack: answered ")
    return result


@pytest.mark.parametrize("change", Change)
def test_a_message_says_first_what_changed(change: Change) -> None:
    """The header and the notification begin with opened, updated or resolved; a webhook can only add messages."""
    message = message_of(change, turn=3)
    header = blocks_of(message, "header")[0]["text"]["text"]
    assert (
        header == message["text"] == f"{change.capitalize()}: High: Suspicious sign-in to a virtual machine - vm-pay-01"
    )
    assert any(text.endswith(f"{a_notice().key}, turn 3") for text in texts_in(message))


def test_a_resolution_is_told_in_short() -> None:
    """How it ended, and no story: the channel has that already."""
    story = "Somebody signed in"
    assert story in str(message_of(Change.UPDATED))
    assert story not in str(message_of(Change.RESOLVED))
    assert lines_of(message_of(Change.RESOLVED))[0] == "Microsoft Defender for Cloud reports that this is over."


def test_what_happened_stands_first() -> None:
    """What the title speaks of, the description, where, since when and whose, the evidence, the first step, the links."""
    message = message_of()
    assert lines_of(message) == [
        "IP addresses: 203.0.113.7",
        "Accounts: root",
        "Somebody signed in from an address that was never seen before.",
        "Where: vm-pay-01, resource group rg-payments",
        "Since: 2026-11-24 11:58 UTC, last seen 11:59",
        "Owner: payments-platform / Payments",
        "Processes: php -r 1",
        "Tactics: Credential Access (TA0006)",
        "To do: Change the password.",
        "Azure portal",
    ]
    assert [block["type"] for block in message["blocks"]] == ["header", *["rich_text"] * 3, "context"]


def test_names_are_bold_and_what_people_copy_is_code() -> None:
    """And nothing else has a style, but for the line that says how much more there is."""
    styles = {one["text"]: one["style"] for one in elements_in(message_of()) if "style" in one}
    assert styles.pop("php -r 1") == {"code": True}
    assert all(name.endswith(": ") and style == {"bold": True} for name, style in styles.items())
    more = {f"property {number}": "x" for number in range(20)}
    full = elements_in(message_of(extended=more, unlisted=tuple(more)))
    (rest,) = [one["text"] for one in full if one.get("style") == {"italic": True}]
    assert rest == "… and 21 more facts: open the alert"


def test_text_of_an_alert_calls_nobody_and_links_nowhere() -> None:
    """Where Slack would read a mention or a link it is escaped; elsewhere it is a text, which Slack reads as it stands."""
    told: dict[str, Any] = dict.fromkeys(
        ("title", "description", "status", "resource", "type", "plan", "cause", "reason"), CALLS
    )
    message = message_of(**told, remediation=(CALLS,), evidence=Evidence(hosts=(CALLS,), urls=(CALLS,)))
    for text in (message["text"], blocks_of(message, "header")[0]["text"]["text"]):
        assert text.startswith("Opened: High: &lt;!channel&gt; &lt;!here|x&gt; &lt;@U123&gt; &lt;https://evil")
    assert "<!channel> <!here|x> <@U123> <https://evil" in lines_of(message)[0]
    links = [one for one in elements_in(message) if one["type"] != "text"]
    assert links == [{"type": "link", "url": "https://portal.azure.com/#view/alerts/1", "text": "Azure portal"}]
    allowed = {"type", "text", "style"}
    assert all(one.keys() <= allowed for one in elements_in(message) if one["type"] == "text")


def test_slack_looks_for_no_names_in_a_text() -> None:
    """Nothing at all has markup; nothing is unfurled."""
    message = message_of(description="@channel *all* https://evil.example.com")
    assert list(_mrkdwn_in(message)) == []
    assert blocks_of(message, "header")[0]["text"] | {"text": ""} == {"type": "plain_text", "text": "", "emoji": False}
    assert not (message["mrkdwn"] or message["unfurl_links"] or message["unfurl_media"])


def _mrkdwn_in(value: Any) -> Iterator[Any]:
    match value:
        case {"type": "mrkdwn"}:
            yield value
        case dict():
            for item in value.values():
                yield from _mrkdwn_in(item)
        case list():
            for item in value:
                yield from _mrkdwn_in(item)


@pytest.mark.parametrize(("over", "is_cut"), [(0, False), (1, True)])
def test_a_header_is_cut_above_its_limit(over: int, is_cut: bool) -> None:
    """150 characters go whole, counted as they are sent: an ampersand is five; one more, and it ends with the mark."""
    title = "&" * 24 + "x" * 4
    assert len(f"Opened: High: {title} - vm-pay-01") + 4 * 24 == HEADER_LIMIT
    header = blocks_of(message_of(title=title + "x" * over), "header")[0]["text"]["text"]
    assert len(header) <= HEADER_LIMIT
    assert header.endswith(MARK) is is_cut


def test_a_huge_notice_keeps_every_limit() -> None:
    """50 blocks, 3,000 characters of a text, whatever is escaped."""
    calls = "&<>" * 2_000
    huge = a_huge_notice(
        title=calls, resource=calls, type=calls, reason=calls, status=calls, cause=calls, measure=calls,
        link="https://portal.azure.com/" + "x" * 4_000,
    )  # fmt: skip
    message = orjson.loads(request_of(an_attempt(huge, secrets=[HOOK])).body)
    assert len(message["blocks"]) <= 50
    assert sum(map(len, texts_in(message["blocks"]))) <= 3_000
    assert len(message["text"]) <= HEADER_LIMIT


def test_the_runbook_and_the_ticket_have_links_too() -> None:
    """Text links: a button would be shown with a warning, since a webhook's app answers no click."""
    elsewhere = Counterpart(destination="snow", lane=Lane.TICKET, reference="INC1", link="https://snow.example/1")
    attempt = an_attempt(
        a_notice(runbooks=("https://runbooks.example/1",)),
        secrets=[HOOK],
        background=Background(elsewhere=(elsewhere,)),
    )
    message = orjson.loads(request_of(attempt).body)
    assert lines_of(message)[-1] == "Azure portal · Runbook · Ticket INC1 (snow)"
    assert [one["url"] for one in elements_in(message) if one["type"] == "link"] == [
        "https://portal.azure.com/#view/alerts/1",
        "https://runbooks.example/1",
        "https://snow.example/1",
    ]
    assert not blocks_of(message, "actions")


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://portal.azure.com/#a?b=1&c=2", "https://portal.azure.com/#a?b=1&c=2"),
        ("https://portal.azure.com/a|b", None),
        ("https://portal.azure.com/a>b", None),
        ("javascript:alert(1)", None),
        ("http://portal.azure.com/", None),
        ("https://portal.azure.com/" + "x" * 1_976, None),
        ("https://portal.azure.com/" + "x" * 1_975, "https://portal.azure.com/" + "x" * 1_975),
        (None, None),
    ],
)
def test_the_link_is_one_only_where_it_can_be(link: str | None, shown: str | None) -> None:
    """What is no https address, could end the link early, or is too long for one is not told at all."""
    message = message_of(link=link)
    assert [one["url"] for one in elements_in(message) if one["type"] == "link"] == [shown] * (shown is not None)
    assert shown is not None or not any("ortal" in text for text in texts_in(message))


def test_a_finding_without_details_is_a_message_too() -> None:
    """No empty text is sent, which Slack refuses."""
    bare = a_finding(description="", remediation=(), evidence=Evidence(), link=None, owner=None, status=None)
    message = orjson.loads(request_of(an_attempt(bare, secrets=[HOOK])).body)
    assert all(text.strip() or text == "\n" for text in texts_in(message))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, "invalid_payload", Rejected), (400, "invalid_blocks", Rejected), (400, "user_not_found", Rejected),
        (400, "too_many_attachments", Rejected), (400, "channel_is_archived", Unauthorized),
        (403, "action_prohibited", Unauthorized), (403, "invalid_token", Unauthorized),
        (403, "posting_to_general_channel_denied", Unauthorized), (404, "no_service", Unauthorized),
        (404, "channel_not_found", Unauthorized), (404, "", Unauthorized), (410, "channel_is_archived", Unauthorized),
        (410, "", Rejected), (413, "", Rejected), (429, "rate_limited", Unavailable),
        (500, "rollup_error", Unavailable), (200, "", Unavailable), (200, "no_text", Unavailable),
        (200, "<html>ok</html>", Unavailable), (200, "ok, but from a proxy", Unavailable),
    ],
)  # fmt: skip
def test_an_answer_is_about_the_webhook_or_about_the_message(
    status: int, body: str, expected: type[DeliveryError]
) -> None:
    """Where no message can get through the destination waits for somebody to mend it; what is wrong with one is dead."""
    result = answered(status, body)
    assert type(result) is expected
    if expected is Unauthorized and status not in (401, 403):
        assert HOOK in str(result)


def test_the_webhook_is_told_nobody() -> None:
    """Not even where a vendor shows its path, which is all that it takes to post."""
    behind = a_secret(HOOK).removeprefix("https://hooks.slack.com")
    for body in (f"Cannot POST {behind}", a_secret(HOOK), a_secret(HOOK).rpartition("/")[2]):
        assert "Y2FuYXJ5" not in str(answered(404, body))
    assert "services" not in repr(request_of(an_attempt(secrets=[HOOK])))


def test_a_webhook_elsewhere_is_not_used() -> None:
    """A secret that leads to another host pauses the destination, and nothing is asked."""
    attempt = Attempt(delivery=a_delivery(), number=1, now=NOW, secrets={HOOK: "https://evil.example.com/services/1"})
    asks, (result,) = converse(a_destination("slack"), [attempt], lambda ask: replied(200, "ok"))
    assert asks == []
    assert isinstance(result, Unauthorized)
    elsewhere = a_destination("slack", origin="https://hooks.slack-gov.com")
    assert elsewhere.address == "https://hooks.slack-gov.com"


def test_an_address_written_out_is_a_problem() -> None:
    """The whole address is a secret, so it is named and not written; an origin has no path."""
    for config in ({"url": a_secret(HOOK)}, {"url": {"secret": HOOK}, "origin": a_secret(HOOK)}):
        with pytest.raises(ValidationError) as refused:
            a_destination("slack", **config)
        assert "Y2FuYXJ5" not in str(refused.value)


@pytest.mark.parametrize("path", ["/triggers/T0/1/2", "/", "/workflows/T0/services/"])
def test_what_is_no_incoming_webhook_is_not_called(path: str) -> None:
    """A workflow's trigger lives at the same host, and would run at each attempt."""
    attempt = an_attempt(secrets=())
    attempt = replace(attempt, secrets={"SLACK_WEBHOOK_URL": f"https://hooks.slack.com{path}"})
    asks, results = converse(a_destination("slack"), [attempt], lambda ask: None)
    assert (asks, [type(result) for result in results]) == ([], [Unauthorized])
