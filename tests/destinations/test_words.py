"""What an alert's words can do, wherever they are told: be read. Whoever owns a host chooses many of them."""

import re
from collections.abc import Iterator, Mapping
from copy import replace
from html import unescape
from typing import Any
from unicodedata import category, normalize

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from router.destinations import discover
from router.destinations.wording.escaping import html, in_language, journal, markdown, mrkdwn, plain
from router.domain.conversation import AppendLines, Ask, HttpRequest, LogRows, SendMail
from router.domain.notices import Link, Notice
from router.domain.rulebook import Lane
from router.domain.values import Value
from tests.destinations import goldens
from tests.destinations.builders import a_destination, a_group, a_notice, an_attempt, examples_of
from tests.destinations.conversations import converse, payload_of, read, tags_in
from tests.destinations.goldens import CASES, Case, asks_of
from tests.examples import some_of

KINDS = discover()
PEOPLE = [name for name, kind in KINDS.items() if kind.lane is not Lane.ROWS]

FRAGMENTS = [
    "[code]", "[/code]", "[CODE]", "[co", "de]", "[ code ]", "\uff3bcode\uff3d", "[\uff43\uff4f\uff44\uff45]",
    "co\u200bde]", "[", "]", "<a href='https://evil.example.com'>", "</a>", "<script>", "<", "a>", "<!-- ", "\uff1cb>",
    "&lt;b&gt;", "@[0123:Ada]", "@", "@here", "<!channel>", "<@U123>", "<https://evil.example.com|x>", "<at>Ada</at>",
    "[~ada]", "*b*", "_i_", "`c`", "```", "~~~", "# h", "- l", "1. l", "    c", "[x](https://evil.example.com)",
    "![x](https://evil.example.com)", "{code}", "\n", "\r\n", "\t", " ", "x", "\\", "C:\\a_b\\c.exe --x=[1]",
    "javascript:", "\x00", "\x07", "\x1b[31m", "\x1b]8;;https://evil.example.com\x07", "\x7f", "\x85", "\x9b31m",
    "\u2028", "\u2029", "\u200b", "\u200d", "\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d",
    "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\ufeff", "\ufe0f", "\U000e0041", "\U000e007f", "\U000e0100",
    "\u3164", "\xad", "\ud800", "\udfff", "\ue000", "\ufff9",
    "&#x202e;", "&#8238", "&rlm;", "&", "#x7;", "#\r0", "+ l", "1) l", "===", "***", "[a]: https://evil", "**a:** ",
]  # fmt: skip
"""What means something to somebody, whole and in pieces."""

SIGNS = st.text(st.sampled_from("[]()<>!*_`\\~#+-=.1 \nab:/&;|@"), max_size=9)
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | SIGNS | st.text(max_size=3), max_size=8).map("".join)

EXACT = frozenset(
    {"key", "stream", "kind", "severity", "owner", "started", "ended", "changed", "respond_by", "attack_version"}
)
"""What a notice says that no alert chooses."""


def every_text(value: Any, text: str) -> Any:
    """A value in which each text that an alert may choose is that text."""
    match value:
        case str():
            return text
        case tuple():
            return tuple(every_text(item, text) for item in value)
        case Mapping():
            return {text: every_text(item, text) for item in list(value.values())[:1]}  # noqa: B035 - there is one
        case Value():
            told = {name: getattr(value, name) for name in value.__struct_fields__ if name not in EXACT}
            return replace(value, **{name: every_text(item, text) for name, item in told.items()})
        case _:
            return value


def a_hostile_notice(text: str, **changes: Any) -> Notice:
    """A notice of a group, of which every field says that text."""
    full = a_notice(
        group=a_group(), correlation="c", measure="m", cause="c", cloud="c", alerts=("a",), categories=("c",)
    )
    hostile: Notice = every_text(full, text)
    return replace(hostile, **changes)


def texts_in(value: Any) -> Iterator[str]:
    """Every text of a document, the names of its keys too."""
    match value:
        case str():
            yield value
        case dict():
            for name, item in value.items():
                yield name
                yield from texts_in(item)
        case list():
            for item in value:
                yield from texts_in(item)


def documents_in(asks: list[Ask]) -> Iterator[Any]:
    """The bodies of some requests, as the vendor reads them."""
    for ask in asks:
        if isinstance(ask, HttpRequest) and ask.body:
            yield orjson.loads(ask.body)
        if isinstance(ask, SendMail):
            yield read(ask)._asdict()


def acts(character: str) -> bool:
    """Whether a character does something else than be read."""
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return character != "\n" and (category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or is_selector)


def markup_in(kind: str, document: Any) -> list[str]:
    """What a vendor would make of a document beside reading it."""
    texts = list(texts_in(document))
    match kind:
        case "servicenow" | "servicenow_events":
            tags = re.compile(r"<[a-z/!?]|\[\s*/?\s*code|@\[", re.IGNORECASE)
            return [
                text
                for text in texts
                if tags.search(text)
                or tags.search(normalize("NFKC", text).replace("<", "< "))
                or any(map(acts, unescape(text)))
            ]
        case "jsm_ops":
            return [
                text for text in texts if re.search(r"<[a-z/!?]", text, re.IGNORECASE) or any(map(acts, unescape(text)))
            ]
        case "slack":
            return [*_mrkdwn_in(document), *(one for one in _rich_in(document) if one not in _SLACK_KNOWS)]
        case "teams":
            known = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "hardbreak"}
            return [
                text
                for text in _markdown_in(document)
                if not _tokens_in(_without_name(text)) <= known or any(map(acts, "".join(_seen_in(text))))
            ]
        case "email":
            odd = [tag for tag, allowed in tags_in(document["page"]) if not allowed]
            return odd + [text for text in (unescape(document["page"]),) if any(map(acts, text))]
        case "jira":
            # Which nodes stand where is checked by the vendor's double; what is here shows text as it is.
            return [one for one in _nodes_in(document) if one not in JIRA_NODES]
        case _:
            return []


def _mrkdwn_in(value: Any) -> Iterator[str]:
    match value:
        case {"type": "mrkdwn", "text": str(text)}:
            yield text
        case {"blocks": list(blocks), "text": str(text), **rest}:
            assert rest["mrkdwn"] is False
            assert "<" not in text
            yield from _mrkdwn_in(blocks)
        case dict():
            for item in value.values():
                yield from _mrkdwn_in(item)
        case list():
            for item in value:
                yield from _mrkdwn_in(item)


_SLACK_KNOWS = {"text", "link to https://portal.azure.com/#view/alerts/1: Azure portal"}


def _rich_in(message: Any) -> Iterator[str]:
    """What the elements of Slack's rich text are: a text is as it stands, whatever is in it."""
    for block in message["blocks"]:
        for section in block["elements"] if block["type"] == "rich_text" else ():
            for one in section["elements"]:
                yield f"link to {one['url']}: {one['text']}" if one["type"] == "link" else one["type"]


def _without_name(text: str) -> str:
    """A line of a card without the strong letters in which a name may stand, once, at its beginning; the name is words, too."""
    tokens = [one for token in MarkdownIt("commonmark").parse(text) for one in token.children or ()]
    strong = [one.type for one in tokens if one.type.startswith("strong")]
    if text.startswith("**") and strong == ["strong_open", "strong_close"]:
        return text.removeprefix("**").replace(":** ", ": ", 1)
    return text


def _markdown_in(message: Any) -> Iterator[str]:
    for element in message["attachments"][0]["content"]["body"]:
        yield from [element["text"]] if "text" in element else [fact["value"] for fact in element["facts"]]


def _tokens_in(text: str) -> set[str]:
    tokens = MarkdownIt("commonmark").parse(text)
    return {one.type for token in tokens for one in (token, *(token.children or ()))}


def _seen_in(text: str) -> Iterator[str]:
    for token in MarkdownIt("commonmark").parse(text):
        yield from (one.content for one in token.children or ())


JIRA_NODES = frozenset(
    {
        "doc", "paragraph", "text", "hardBreak", "heading", "table", "tableRow", "tableHeader", "tableCell", "bulletList",
        "listItem", "codeBlock",
    }
)  # fmt: skip
JIRA_LINKS = ("https://portal.azure.com/", "https://contoso.pagerduty.example/")


def _nodes_in(value: Any) -> Iterator[str]:
    match value:
        case {"type": str(type), **rest} if {"content", "text"} & rest.keys() or type == "hardBreak":
            yield type
            # A link is one of those that a notice carries as such, and no word in a text becomes one.
            yield from ("marks" for mark in value.get("marks", []) if not mark["attrs"]["href"].startswith(JIRA_LINKS))
            yield from _nodes_in(rest.get("content", []))
        case dict():
            for item in value.values():
                yield from _nodes_in(item)
        case list():
            for item in value:
                yield from _nodes_in(item)


@settings(deadline=None, max_examples=some_of(25))
@given(text=HOSTILE, case=st.sampled_from(CASES), number=st.integers(0, 1))
@pytest.mark.parametrize("kind", PEOPLE)
def test_what_people_are_told_is_words_and_nothing_else(kind: str, text: str, case: Case, number: int) -> None:
    """Whatever every field of an alert says: no markup, no mention, and nothing that acts on a screen or turns a text."""
    notice = a_hostile_notice(text, link="https://portal.azure.com/#view/alerts/1")
    for document in documents_in(asks_of(kind, notice, case, example=number % len(examples_of(kind)))):
        assert [one for one in texts_in(document) if any(map(acts, one))] == []
        assert markup_in(kind, document) == []


@settings(deadline=None, max_examples=some_of(25))
@given(text=HOSTILE, case=st.sampled_from(CASES))
@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_that_is_sent_acts_on_whoever_looks_at_it(kind: str, text: str, case: Case) -> None:
    """Rows are data and stay what they are, yet their JSON says by escapes what would act; so a file can be shown."""
    for ask in asks_of(kind, a_hostile_notice(text), case):
        if not isinstance(ask, LogRows):
            assert not any(map(acts, payload_of(ask).decode()))


@settings(deadline=None)
@given(text=HOSTILE)
def test_rows_keep_what_an_alert_says(text: str) -> None:
    """A file's name with a sign that turns it is found by its name; half a pair alone cannot travel."""
    (ask,) = asks_of("file", a_hostile_notice(text))
    assert isinstance(ask, AppendLines)
    assert orjson.loads(ask.lines)["title"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@pytest.mark.parametrize("kind", KINDS)
def test_no_link_leads_anywhere_but_to_a_web_page(kind: str) -> None:
    """What is no whole link to one is told by nobody; rows keep one that is odd. A key stays exact: no alert chooses it."""
    links = ("javascript:alert(1)", "JavaScript:x", " https://x", "data:text/html,x", "file:///etc", "https://a b")
    for link in links:
        told = b"".join(payload_of(ask) for ask in asks_of(kind, a_notice(link=link)))
        assert link.encode() not in told or (KINDS[kind].lane is Lane.ROWS and link.startswith("https://"))
    notice = a_hostile_notice("\u202e[code]")
    told = b"".join(payload_of(ask) for ask in asks_of(kind, notice))
    assert notice.key.encode() in told


@pytest.mark.parametrize("language", [plain, html, journal, mrkdwn, markdown], ids=lambda one: one.__name__)
def test_links_beside_the_portals_stay_whole_too(language: Any) -> None:
    """Their names are words in the language, their addresses stay as they are, and what is no whole link is left out."""
    url = "https://a.example/my_report*.pdf?a=1&lt;=2&b=3#x"
    links = (
        Link(text="<b>Re\nport", url=url),
        Link(text="x", url="http://a.example/"),
        Link(text="x", url="https://a b"),
    )
    said = in_language(a_notice(links=links), language)
    assert said.links == (Link(text=language("<b>Re port"), url=url),)


@settings(deadline=None)
@given(text=HOSTILE)
@pytest.mark.parametrize("language", [plain, html, journal], ids=lambda one: one.__name__)
def test_what_is_words_already_stays_as_it_is(language: Any, text: str) -> None:
    """A notice may be put into a language twice: an update takes up what an opening said."""
    once = in_language(a_hostile_notice(text), language)
    assert in_language(once, language) == once


READABLE = {
    "[co[code]de] [/code][CODE]": "[co(code]de] (/code](CODE]",
    "[code]<a href=x>": "(code]< a href=x>",
    "@[0123:Ada] a@b": "@(0123:Ada] a@b",
    "[[ -f /etc/a_b ]] && cat <in >out; x=[1]": "[[ -f /etc/a_b ]] && cat < in >out; x=[1]",
    "C:\\Users\\a_b\\[x].exe": "C:\\Users\\a_b\\[x].exe",
    "a\u202ecod.exe\x1b[31m": "a\\u202ecod.exe\\x1b[31m",
    "line\r\nnext\u2028last\tword": "line\nnext\nlast word",
    "a&b=1 && c &#x202e;&rlm;": "a&b=1 && c & #x202e;& rlm;",
    "Ünïcödé 漢字 😀": "Ünïcödé 漢字 😀",
}


def test_what_a_person_needs_to_read_stays_readable() -> None:
    """Only what would act is changed, and a reader sees that it was there."""
    assert {said: journal(said) for said in READABLE} == READABLE


def test_a_tag_that_two_fields_make_together_is_none() -> None:
    """Where the words of several fields meet, in a template of the customer's or in a sentence of ours.

    A name with a line end in it makes no line of its own, so one fact cannot pretend to be another.
    """
    kind = a_destination("servicenow", fields={"u_x": "{title}{status}", "u_y": "[{plan}]"})
    odd: dict[str, Any] = {"resource": "vm\nSeverity: Low", "compromised_entity": "x", "owner": None}
    attempt = an_attempt(a_notice(title="[co", status="de]", plan="code", **odd), secrets=["SERVICENOW_PASSWORD"])
    asks, _ = converse(kind, [attempt], goldens.replay("servicenow", "opened"))
    (columns,) = documents_in(asks)
    assert (columns["u_x"], columns["u_y"]) == ("(code]", "(code]")
    assert "Resource: vm Severity: Low" in columns["description"].split("\n")


def test_a_finding_of_ocsf_is_words_too() -> None:
    """The other body of a webhook is made of the same notice."""
    (document,) = documents_in(asks_of("webhook", a_hostile_notice("\u202e"), example=2))
    assert document["specversion"] == "1.0"
    assert not any(any(map(acts, text)) for text in texts_in(document))
