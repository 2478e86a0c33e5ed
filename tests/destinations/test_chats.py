"""Slack and Teams: messages that they take, and addresses that are secrets."""

from copy import replace
from typing import Any

import orjson
from markdown_it import MarkdownIt

from router.destinations.wording.fitting import MARK
from router.domain.decisions import Change
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from router.domain.notices import Notice
from tests.destinations.builders import a_destination, a_finding, a_notice, an_attempt
from tests.destinations.conversations import converse, payload_of
from tests.destinations.goldens import CASES, asks_of

CHANGES = {case.change: case for case in CASES[:3]}
BARE = a_finding(description="", remediation=(), evidence=Evidence(), link=None, owner=None, status=None)


def body_of(kind: str, notice: Notice, change: Change = Change.OPENED) -> Any:
    """The body of the request that tells of a change."""
    (ask,) = asks_of(kind, notice, CHANGES[change])
    return orjson.loads(payload_of(ask))


def card_of(change: Change = Change.OPENED, **notice: Any) -> Any:
    """The card of Teams about a notice."""
    return body_of("teams", a_notice(**notice), change)["attachments"][0]["content"]


def blocks_of(card: Any) -> list[Any]:
    """The text blocks of a card."""
    return [one for one in card["body"] if one["type"] == "TextBlock"]


def lines_of(card: Any) -> list[str]:
    """The lines of a card, as they are read."""
    tokens = [MarkdownIt("commonmark").parse(block["text"]) for block in blocks_of(card)]
    return ["".join(one.content for token in line for one in token.children or ()) for line in tokens]


def test_what_is_empty_makes_no_text_and_no_button() -> None:
    """Slack refuses an empty text; a button of Teams opens https only, and what else stands for a link leads nowhere."""
    lines = [section for block in body_of("slack", BARE)["blocks"] for section in block.get("elements", ())]
    assert all(one["text"].strip() or one["text"] == "\n" for line in lines for one in line.get("elements", [line]))
    card = body_of("teams", BARE)["attachments"][0]["content"]
    assert all(block["text"].strip() for block in blocks_of(card))
    card = card_of(link="javascript:alert(1)")
    assert "actions" not in card and "javascript" not in str(card)


def test_what_was_escaped_reads_as_it_was() -> None:
    """A backslash takes a sign's meaning away and is not shown itself; a name that an alert chose is words, too."""
    name = "**a** [x](https://evil)"
    card = card_of(cause="VM_[x]*`<a>~\\", extended={name: "v"}, unlisted=(name,), evidence=Evidence(), tactics=())
    assert {"Cause: VM_[x]*`<a>~\\", f"{name}: v"} <= set(lines_of(card))
    title = "<!channel> <!here|x> <@U123> <https://evil.example.com|click> & co"
    assert body_of("slack", a_notice(title=title))["text"].startswith("Opened: High: &lt;!channel&gt; &lt;!here|x&gt;")


def test_the_mark_of_a_cut_is_shown_as_everywhere() -> None:
    """`… [cut]`, with no backslash in it."""
    assert blocks_of(card_of(title="x" * 500))[0]["text"].endswith(f"x{MARK} - vm-pay-01")
    assert MARK in str(blocks_of(card_of(description="x " * 900, evidence=Evidence()))[1])
    for written in (f"{MARK}(https://a.example)", f"{MARK}[cut]", "…[cut]: https://a.example", rf"… \{MARK[2:]}"):
        assert MARK not in blocks_of(card_of(description=written, evidence=Evidence()))[1]["text"], written


def test_what_is_no_webhook_of_the_vendor_is_not_called() -> None:
    """Another host, or a workflow's trigger, which lives at Slack's host and would run at each attempt: it pauses."""
    slack = ("https://evil.example.com/services/1", *(
        f"https://hooks.slack.com{path}" for path in ("/triggers/T0/1/2", "/", "/workflows/T0/services/")
    ))  # fmt: skip
    for kind, hook, addresses in (
        ("slack", "SLACK_WEBHOOK_URL", slack),
        ("teams", "TEAMS_WEBHOOK_URL", ("https://evil.example.com/?sig=1",)),
    ):
        for address in addresses:
            attempt = replace(an_attempt(secrets=()), secrets={hook: address})
            asks, (result,) = converse(a_destination(kind), [attempt], lambda ask: None)
            assert (asks, type(result)) == ([], Unauthorized), address
