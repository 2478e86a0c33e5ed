"""Teams: cards that it takes, whose text makes no link, and what a workflow's answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from router.destinations.teams import COLOURS
from router.destinations.wording.fitting import MARK
from router.domain.conversation import HttpRequest
from router.domain.decisions import Change
from router.domain.errors import Unauthorized
from router.domain.evidence import Evidence
from router.domain.notices import Notice
from tests.destinations.builders import a_destination, a_finding, a_notice, an_attempt
from tests.destinations.conversations import converse, replied

HOOK = "TEAMS_WEBHOOK_URL"
LINKS = "[click](https://evil.example.com) ![x](https://evil.example.com) <https://evil.example.com> [a]: https://evil"

texts = st.text(alphabet=st.sampled_from("[]()<>!*_`\\~#+-=.1 \nab:/&;") | st.characters(codec="utf-8"), max_size=60)


def request_of(notice: Notice, change: Change = Change.OPENED) -> HttpRequest:
    """The request that tells of a change."""
    attempt = an_attempt(notice, change, secrets=[HOOK])
    asks, _ = converse(a_destination("teams"), [attempt], lambda ask: replied(202))
    assert isinstance(asks[0], HttpRequest)
    return asks[0]


def card_of(change: Change = Change.OPENED, **notice: Any) -> Any:
    """The card about a notice."""
    return orjson.loads(request_of(a_notice(**notice), change).body)["attachments"][0]["content"]


def blocks_of(card: Any) -> list[Any]:
    """The text blocks of a card."""
    return [one for one in card["body"] if one["type"] == "TextBlock"]


def texts_in(card: Any) -> Iterator[str]:
    """Every text of a card that is read as Markdown, a fact's with a plain name."""
    for block in blocks_of(card):
        yield words_of(block["text"])


def words_of(text: str) -> str:
    """A line in which the name that a fact begins with is not strong: what opens a block does not behind it."""
    strong = [one.type for one in tokens_in(text) if one.type.startswith("strong")]
    assert strong in ([], ["strong_open", "strong_close"])
    name, _, rest = text.partition(":** ")
    return f"{name.removeprefix('**')}: {rest}" if strong and name.startswith("**") else text


def lines_of(card: Any) -> list[str]:
    """The lines of a card, as they are read."""
    return ["".join(one.content for one in tokens_in(block["text"]) if not one.children) for block in blocks_of(card)]


def tokens_in(text: str) -> Iterator[Token]:
    """What CommonMark makes of a text."""
    for token in MarkdownIt("commonmark").parse(text):
        yield token
        yield from token.children or ()


def test_the_heading_has_the_colour_of_the_severity() -> None:
    """Unknown is as loud as Critical; what is over is good, whatever it was."""
    for severity in (*COLOURS, None):
        assert blocks_of(card_of(severity=severity))[0]["color"] == COLOURS[severity or "Critical"]
        assert blocks_of(card_of(Change.RESOLVED, severity=severity))[0]["color"] == "Good"


@example(text=LINKS)
@example(text="#\r0")
@given(text=texts)
def test_no_text_whatever_makes_a_link(text: str) -> None:
    """For any title and description CommonMark finds nothing but paragraphs: no link, list, heading, code or emphasis."""
    for shown in texts_in(card_of(title=text, description=text, resource=text, status=text)):
        kinds = {token.type for token in tokens_in(shown)}
        assert kinds <= {
            "paragraph_open",
            "paragraph_close",
            "inline",
            "text",
            "text_special",
            "softbreak",
            "hardbreak",
        }


def test_what_was_escaped_reads_as_it_was() -> None:
    """A backslash takes a sign's meaning away and is not shown itself; a name that an alert chose is words, too."""
    name = "**a** [x](https://evil)"
    card = card_of(cause="VM_[x]*`<a>~\\", extended={name: "v"}, unlisted=(name,), evidence=Evidence(), tactics=())
    assert {"Cause: VM_[x]*`<a>~\\", f"{name}: v"} <= set(lines_of(card))


def test_the_mark_of_a_cut_is_shown_as_everywhere() -> None:
    """`… [cut]`, with no backslash in it."""
    assert blocks_of(card_of(title="x" * 500))[0]["text"].endswith(f"x{MARK} - vm-pay-01")
    assert MARK in str(blocks_of(card_of(description="x " * 900, evidence=Evidence()))[1])
    for written in (f"{MARK}(https://a.example)", f"{MARK}[cut]", "…[cut]: https://a.example", rf"… \{MARK[2:]}"):
        assert MARK not in blocks_of(card_of(description=written, evidence=Evidence()))[1]["text"], written


def test_what_is_not_there_makes_no_empty_block_and_no_button() -> None:
    """A button opens https only; what else stands for a link leads nowhere."""
    card = card_of(link="javascript:alert(1)")
    assert "actions" not in card and "javascript" not in str(card)
    bare = a_finding(description="", remediation=(), evidence=Evidence(), link=None, owner=None)
    card = orjson.loads(request_of(bare).body)["attachments"][0]["content"]
    assert all(text.strip() for text in texts_in(card))


def test_an_address_elsewhere_is_not_used() -> None:
    """A secret that leads to another host pauses the destination, and nothing is asked."""
    attempt = replace(an_attempt(), secrets={HOOK: "https://evil.example.com/?sig=1"})
    asks, (result,) = converse(a_destination("teams"), [attempt], lambda ask: replied(202))
    assert (asks, type(result)) == ([], Unauthorized)
