"""Teams: cards that it takes, whose text makes no link, and what a workflow's answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from router.destinations.teams import BODY_LIMIT, COLOURS
from router.destinations.wording.fitting import MARK
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Counterpart, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.notices import Link
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

HOOK = "TEAMS_WEBHOOK_URL"
LINKS = "[click](https://evil.example.com) ![x](https://evil.example.com) <https://evil.example.com> [a]: https://evil"

texts = st.text(alphabet=st.sampled_from("[]()<>!*_`\\~#+-=.1 \nab:/&;") | st.characters(codec="utf-8"), max_size=60)


def request_of(attempt: Attempt) -> HttpRequest:
    """The request that an attempt makes."""
    asks, _ = converse(a_destination("teams"), [attempt], lambda ask: replied(202))
    assert isinstance(asks[0], HttpRequest)
    return asks[0]


def card_of(change: Change = Change.OPENED, **notice: Any) -> Any:
    """The card about a notice."""
    message = orjson.loads(request_of(an_attempt(a_notice(**notice), change, secrets=[HOOK])).body)
    return message["attachments"][0]["content"]


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


def answered(status: int, body: Any = None, raw: bytes = b"") -> DeliveryError | Receipt:
    """What an answer of a workflow's means."""
    answer = HttpAnswer(status=status, body=raw or (orjson.dumps(body) if body is not None else b""))
    _, (result,) = converse(a_destination("teams"), [an_attempt(secrets=[HOOK])], lambda ask: answer)
    return result


@pytest.mark.parametrize("change", Change)
def test_a_card_says_first_what_changed(change: Change) -> None:
    """The heading begins with opened, updated or resolved; a webhook can only add cards."""
    first, *_, last = blocks_of(card_of(change, turn=3))
    assert first["text"] == f"{change.capitalize()}: High: Suspicious sign-in to a virtual machine - vm-pay-01"
    assert last["text"].endswith(f"{a_notice().key}, turn 3")


def test_a_resolution_is_told_in_short() -> None:
    """How it ended, and no story: the channel has that already."""
    assert "Somebody signed in" in str(card_of(Change.UPDATED))
    assert "Somebody signed in" not in str(card_of(Change.RESOLVED))
    assert lines_of(card_of(Change.RESOLVED))[1] == "Microsoft Defender for Cloud reports that this is over."


def test_what_happened_stands_first() -> None:
    """What the title speaks of, the description, where, since when and whose, the evidence, the first step, and the key."""
    assert lines_of(card_of())[1:-1] == [
        "IP addresses: 203.0.113.7",
        "Accounts: root",
        "Somebody signed in from an address that was never seen before.",
        "Where: vm-pay-01, resource group rg-payments",
        "Since: 2026-11-24 11:58 UTC, last seen 11:59",
        "Owner: payments-platform / Payments",
        "Processes: php -r 1",
        "Tactics: Credential Access (TA0006)",
        "To do: Change the password.",
    ]


def test_what_people_copy_has_letters_of_one_width() -> None:
    """Processes are code, and nothing else is."""
    fonts = [block["text"] for block in blocks_of(card_of()) if block.get("fontType") == "Monospace"]
    assert fonts == ["**Processes:** php -r 1"]


@pytest.mark.parametrize("severity", [*COLOURS, None])
def test_the_heading_has_the_colour_of_the_severity(severity: str | None) -> None:
    """Unknown is as loud as Critical; what is over is good, whatever it was."""
    assert blocks_of(card_of(severity=severity))[0]["color"] == COLOURS.get(severity or "Critical")
    assert blocks_of(card_of(Change.RESOLVED, severity=severity))[0]["color"] == "Good"


def test_text_of_an_alert_makes_no_link() -> None:
    """Links, images and addresses in brackets stay text, wherever in a notice they stand."""
    told: dict[str, Any] = dict.fromkeys(
        ("title", "description", "status", "resource", "type", "plan", "cause", "reason"), LINKS
    )
    card = card_of(**told, remediation=(LINKS,), evidence=Evidence(hosts=(LINKS,), urls=(LINKS,)))
    shown = list(texts_in(card))
    assert sum("evil" in text for text in shown) >= 4
    kinds = {token.type for text in shown for token in tokens_in(text)}
    assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak"}


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
    """A backslash takes a sign's meaning away and is not shown itself."""
    (line,) = [one for one in lines_of(card_of(cause="VM_[x]*`<a>~\\")) if one.startswith("Cause")]
    assert line == "Cause: VM_[x]*`<a>~\\"


def test_a_name_that_an_alert_chose_is_words_too() -> None:
    """Of a property that stands in no list, whatever it is called."""
    name = "**a** [x](https://evil)"
    card = card_of(extended={name: "v"}, unlisted=(name,), evidence=Evidence(), tactics=())
    assert f"{name}: v" in lines_of(card)
    assert all(
        token.type not in {"link_open", "em_open"} for block in blocks_of(card) for token in tokens_in(block["text"])
    )


def test_the_mark_of_a_cut_is_shown_as_everywhere() -> None:
    """`… [cut]`, with no backslash in it."""
    assert blocks_of(card_of(title="x" * 500))[0]["text"].endswith(f"x{MARK} - vm-pay-01")
    assert MARK in str(blocks_of(card_of(description="x " * 900, evidence=Evidence()))[1])
    for written in (f"{MARK}(https://a.example)", f"{MARK}[cut]", "…[cut]: https://a.example", rf"… \{MARK[2:]}"):
        assert MARK not in blocks_of(card_of(description=written, evidence=Evidence()))[1]["text"], written


@pytest.mark.parametrize(
    ("character", "change"),
    [
        *((character, Change.OPENED) for character in ("x", "Ö", "🔥", "\x01", "[", "\n", '"')),
        *((character, change) for character in ("🔥", "[") for change in Change if change is not Change.OPENED),
    ],
)
def test_a_message_stays_below_28_kb(character: str, change: Change) -> None:
    """In UTF-8 and UTF-16, whatever its characters: every part is still there, and says where it was cut."""
    names = (
        "title", "description", "resource", "type", "status", "plan", "cause", "measure", "reason", "subscription",
        "started", "severity_written", "link",
    )  # fmt: skip
    # Blanks alone name nothing, so that the compromised entity says where.
    long = dict.fromkeys(names, character * 5000) | {"compromised_entity": "c" * 5000}
    body = request_of(
        an_attempt(a_huge_notice(**long, severity=None, techniques=(character * 900,)), change, secrets=[HOOK])
    ).body
    assert max(len(body), len(body.decode().encode("utf-16-le"))) <= BODY_LIMIT
    card = orjson.loads(body)["attachments"][0]["content"]
    assert blocks_of(card)[-1]["text"].endswith(f"{a_notice().key}, turn 1")
    assert MARK in str(card)


def test_a_link_that_is_none_is_not_told() -> None:
    """A button opens https only; what else stands for a link leads nowhere."""
    assert card_of()["actions"][0]["url"] == "https://portal.azure.com/#view/alerts/1"
    card = card_of(link="javascript:alert(1)")
    assert "actions" not in card
    assert "javascript" not in str(card)


def test_the_runbook_and_the_ticket_have_buttons_too() -> None:
    """The portal first, then the runbook, then what people were told of it elsewhere: four at most."""
    elsewhere = Counterpart(destination="snow", lane=Lane.TICKET, reference="INC1", link="https://snow.example/1")
    links = tuple(Link(text=f"Page {number}", url="https://a.example/") for number in range(5))
    attempt = an_attempt(
        a_notice(runbooks=("https://runbooks.example/1",), links=links),
        secrets=[HOOK],
        background=Background(elsewhere=(elsewhere,)),
    )
    card = orjson.loads(request_of(attempt).body)["attachments"][0]["content"]
    assert [one["title"] for one in card["actions"]] == ["Azure portal", "Runbook", "Ticket INC1 (snow)", "Page 0"]
    assert {one["type"] for one in card["actions"]} == {"Action.OpenUrl"}


def test_a_finding_without_details_is_a_card_too() -> None:
    """No empty block is sent."""
    bare = a_finding(description="", remediation=(), evidence=Evidence(), link=None, owner=None)
    card = orjson.loads(request_of(an_attempt(bare, secrets=[HOOK])).body)["attachments"][0]["content"]
    assert all(text.strip() for text in texts_in(card))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "TriggerInputSchemaMismatch", Rejected), (400, "WorkflowTriggerIsNotEnabled", Unauthorized),
        (401, "DirectApiAuthorizationRequired", Unauthorized), (403, "Forbidden", Unauthorized),
        (404, "WorkflowNotFound", Unauthorized), (404, None, Unauthorized), (410, None, Rejected),
        (413, "RequestEntityTooLarge", Rejected), (429, "WorkflowRunActionThrottled", Unavailable),
        (502, "NoResponse", Unavailable), (302, None, Rejected), (200, "GatewayError", Unavailable),
    ],
)  # fmt: skip
def test_an_answer_is_about_the_workflow_or_about_the_card(
    status: int, code: str | None, expected: type[DeliveryError]
) -> None:
    """Where no card can get through the destination waits for somebody to mend it; what is wrong with one is dead."""
    body = {"error": {"code": code, "message": "Some words."}} if code else None
    result = answered(status, body)
    assert type(result) is expected
    assert str(result).startswith(f"teams: answered {status}")


@pytest.mark.parametrize(
    ("status", "raw", "is_taken"),
    [
        (202, b"", True), (200, b"", True), (200, b'{"posted": true}', True), (200, b"done", True),
        (200, b"<html>a page for people</html>", False), (200, b' {"error": {"code": "x"}}', False),
    ],
)  # fmt: skip
def test_a_workflow_with_an_answer_of_its_own_has_taken_the_card(status: int, raw: bytes, is_taken: bool) -> None:
    """202 is what a workflow says by itself; a page or an error under another success is none."""
    assert isinstance(answered(status, raw=raw), Receipt) is is_taken


def test_the_address_is_told_nobody() -> None:
    """Neither whole nor by its signature, which is all that it takes to post."""
    signature = a_secret(HOOK).rpartition("sig=")[2]
    for said in (a_secret(HOOK), f"bad signature {signature}", a_secret(HOOK).partition(":443")[2]):
        for status in (400, 401, 404, 500):
            assert "Y2FuYXJ5" not in str(answered(status, {"error": {"message": said}}))
    assert "sig=" not in repr(request_of(an_attempt(secrets=[HOOK])))


def test_a_workflow_elsewhere_is_not_used() -> None:
    """A secret that leads to another host pauses the destination, and nothing is asked."""
    attempt = Attempt(delivery=a_delivery(), number=1, now=NOW, secrets={HOOK: "https://evil.example.com/?sig=1"})
    asks, (result,) = converse(a_destination("teams"), [attempt], lambda ask: replied(202))
    assert asks == []
    assert isinstance(result, Unauthorized)
