"""What a vendor refuses for ever is never sent: it is cut where one sees it; and the steps that hostile texts take."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.destinations import discover, email, jsm_ops, pagerduty, servicenow, servicenow_events, splunk_hec
from router.destinations.jira import FIELD_LIMIT
from router.destinations.jira_document import RICH_LIMIT
from router.destinations.log_analytics import CALL_LIMIT
from router.destinations.log_analytics import FIELD_LIMIT as COLUMN_LIMIT
from router.destinations.slack import HEADER_LIMIT
from router.destinations.teams import BODY_LIMIT as CARD_LIMIT
from router.destinations.webhook import BODY_LIMIT
from router.destinations.wording.escaping import mrkdwn
from router.destinations.wording.fitting import (
    MARK,
    encodable,
    fitted,
    json_bytes,
    json_size,
    lines_of,
    packed,
    shorten,
    shorten_bytes,
    shorten_escaped,
)
from router.domain.conversation import HttpRequest, LogRows, SendMail
from router.domain.evidence import Evidence
from router.domain.notices import Link, Notice, Tactic
from router.parse import evidence_of
from tests.builders import NOW, a_rulebook
from tests.destinations.builders import a_huge_notice, a_notice
from tests.destinations.conversations import payload_of, read
from tests.destinations.goldens import CASES, asks_of
from tests.destinations.test_words import texts_in
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=20),
    max_leaves=12,
)


def test_a_text_at_its_limit_is_whole() -> None:
    """One character too many, and the end becomes a mark; at the limit of what is escaped it ends in front of an escape."""
    assert [shorten("x" * length, 20) for length in (20, 21)] == ["x" * 20, "x" * (20 - len(MARK)) + MARK]
    shown = {"&&&&": "&amp;" * 4, "&&&xxxxx": "&amp;&amp;&amp;xxxxx", "&&&xxxxxx": f"&amp;&amp;{MARK}"}
    assert {text: shorten_escaped(text, 20, lambda one: one.replace("&", "&amp;")) for text in shown} == shown


@given(st.text(max_size=200), st.integers(20, 200))
def test_bytes_are_counted_and_no_character_is_halved(text: str, limit: int) -> None:
    """A text cut by bytes is valid, within its limit, and marked where it was cut."""
    cut = shorten_bytes(text, limit)
    assert len(cut.encode()) <= limit
    assert cut == text or (cut.endswith(MARK) and text.startswith(cut.removesuffix(MARK)))


@given(st.dictionaries(st.text(max_size=10), values, max_size=5))
def test_what_fits_is_left_alone(value: dict[str, Any]) -> None:
    """A mapping within its limit is the same mapping."""
    assert fitted(value, json_size(value)) is value


@given(st.dictionaries(st.sampled_from("abcdefgh"), values, max_size=8), st.integers(0, 6))
def test_what_does_not_fit_shrinks_and_keeps_its_keys(value: dict[str, Any], part: int) -> None:
    """A mapping that is cut keeps its own keys, and is no larger than it was but for its marks."""
    cut = fitted(value, json_size(value) * part // 8)
    assert list(cut) == list(value)
    assert orjson.loads(json_bytes(cut)) is not None


def test_lists_go_before_texts() -> None:
    """Among thousands of entities an id of 300 characters stays whole."""
    value = {"id": "i" * 300, "hosts": ["h" * 300] * 5_000}
    cut = fitted(value, 10_000)
    assert cut["id"] == value["id"]
    assert cut["hosts"][-1] == "… [4984 more]"
    assert json_size(cut) <= 10_000


@given(st.dictionaries(st.text(st.characters(), max_size=5), st.text(st.characters(), max_size=20), max_size=4))
def test_any_text_can_be_encoded(value: dict[str, str]) -> None:
    """Lone surrogates become U+FFFD; everything else is as it was."""
    assert orjson.loads(json_bytes(value)) == encodable(value)
    assert json_bytes(["\ud83d", "\ud83d\ude00", "ok"]) == '["�","😀","ok"]'.encode()


@given(st.text(alphabet="&<x", max_size=80), st.integers(len(MARK), 60))
def test_an_escaped_text_keeps_its_limit(text: str, limit: int) -> None:
    """Whatever is escaped, the result is within the limit, and begins as the whole does."""
    whole = mrkdwn(text)
    shown = shorten_escaped(text, limit, mrkdwn)
    assert len(shown) <= limit
    assert shown == whole or (shown.endswith(MARK) and whole.startswith(shown.removesuffix(MARK)))


@given(st.lists(st.integers(1, 12), max_size=40))
def test_packs_keep_order_and_limit(sizes: list[int]) -> None:
    """Everything is in one pack, in order; a pack is above the limit only where one item is."""
    packs = list(packed(sizes, lambda size: size, 10))
    assert [size for pack in packs for size in pack] == sizes
    assert all(sum(pack) <= 10 or len(pack) == 1 for pack in packs)
    assert all(sum(pack) + after[0] > 10 for pack, after in pairwise(packs))


def test_values_by_name_are_lines_for_a_terminal() -> None:
    """One item stands behind the name, several on lines of their own; what stands under a name is indented."""
    values = {"hosts": ["a", "b"], "pods": ["web"], "none": [], "components": [{"name": "shop", "id": 1}], "text": "x"}
    assert list(lines_of(values)) == [
        "hosts:", "- a", "- b", "pods: web", "none:", "components: name: shop; id: 1", "text: x",
    ]  # fmt: skip
    values = {"fields": {"priority": {"name": "High"}, "labels": ["a", "b"]}}
    assert list(lines_of(values)) == ["fields:", "  priority:", "    name: High", "  labels:", "  - a", "  - b"]


def with_properties(count: int, name: str = "Property number") -> dict[str, Any]:
    """What is said of an alert with so many properties that no list knows."""
    extended = {f"{name} {number}": "v" * 40 for number in range(count)}
    return {"extended": extended, "unlisted": tuple(extended)}


NAMES = (
    "title", "description", "resource", "type", "status", "plan", "cause", "measure", "reason", "subscription", "started",
    "severity_written", "link",
)  # fmt: skip
LINKS = tuple(Link(text="t" * 200, url=f"https://x.example/{number}" + "u" * 1_900) for number in range(20))
# Blanks alone name nothing, so that the compromised entity says where.
TOO_LONG: dict[str, Notice] = {
    "everything": a_huge_notice(),
    **{
        f"everything in {character!r}": a_huge_notice(
            **dict.fromkeys(NAMES, character * 5_000),
            severity=None,
            techniques=(character * 900,),
            compromised_entity="c" * 5_000,
        )
        for character in ("安", "🔥", "\x01", "[", "&", "\n", '"')
    },
    "short lines": a_notice(description="x\n" * 50_000),
    "many properties": a_notice(**with_properties(1_000)),
    "more properties than a pager takes": a_notice(**with_properties(12_000)),
    "properties of long names": a_notice(**with_properties(60, "n" * 10_000)),
    "long links": a_notice(links=LINKS),
}


def sizes_of(kind: str, ask: HttpRequest | LogRows | SendMail) -> Iterator[tuple[int, int]]:
    """Sizes of an ask, each beside its limit."""
    body = payload_of(ask)
    told: Any = orjson.loads(body) if isinstance(ask, HttpRequest) and body else {}
    match kind:
        case "slack":
            yield from ((len(told["blocks"]), 50), (len(told["text"]), HEADER_LIMIT))
            lines = [line for block in told["blocks"] for line in block.get("elements", [])]
            yield sum(len(one["text"]) for line in lines for one in line.get("elements", [line])), 3_000
        case "teams":
            yield from ((len(body), CARD_LIMIT), (len(body.decode().encode("utf-16-le")), CARD_LIMIT))
        case "email" if isinstance(ask, SendMail):
            mail = read(ask)
            yield from ((len(mail.headers["Subject"]), email.SUBJECT_LIMIT), (len(mail.text), 2 * email.TEXT_LIMIT))
            yield len(mail.page.encode()), email.PAGE_LIMIT
        case "jira":
            texts = (told.get("body"), told["fields"]["description"] if "summary" in told.get("fields", ()) else None)
            yield from ((len(orjson.dumps(text)), RICH_LIMIT) for text in texts)
        case "servicenow":
            yield len(told.get("short_description", "")), servicenow.SHORT_LIMIT
            yield from ((len(told.get(name, "")), servicenow.TEXT_LIMIT) for name in ("description", "work_notes"))
        case "servicenow_events":
            yield len(told["records"][0]["description"]), servicenow_events.TEXT_LIMIT
            yield len(told["records"][0]["additional_info"]), servicenow_events.INFO_LIMIT
        case "pagerduty":
            yield from (
                (len(body), pagerduty.EVENT_LIMIT),
                (len(told.get("payload", {}).get("summary", "")), pagerduty.SUMMARY_LIMIT),
            )
        case "jsm_ops":
            yield len(told.get("message", "")), jsm_ops.MESSAGE_LIMIT
            yield from ((len(told.get(name, "")), jsm_ops.DESCRIPTION_LIMIT) for name in ("description", "note"))
            yield len("".join(texts_in(told.get("details", {})))), jsm_ops.DETAILS_LIMIT
        case "webhook":
            yield len(body), BODY_LIMIT
        case "splunk_hec":
            yield len(body), splunk_hec.EVENT_LIMIT
        case "log_analytics" if isinstance(ask, LogRows):
            yield len(json.dumps(ask.rows)), CALL_LIMIT  # as the SDK writes it
            yield from ((len(payload_of_value(value)), COLUMN_LIMIT) for value in ask.rows[0].values())


def payload_of_value(value: object) -> bytes:
    """A field of a row, as it travels."""
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


@pytest.mark.parametrize("kind", sorted(discover().keys() - {"file"}))
def test_whatever_is_too_long_is_within_every_limit_of_the_vendor(kind: str) -> None:
    """Whatever its letters, and however a limit is counted; what is cut is still well formed, and has a mark.

    A kind that names no limit here keeps below a megabyte. Of an alert that is cut its key is told.
    """
    for name, notice in TOO_LONG.items():
        for case in CASES[:3] if name in ("everything", "many properties") else CASES[:1]:
            asks = asks_of(kind, notice, case, case.background)
            sizes = [(len(payload_of(ask)), 1_048_576) for ask in asks]
            sizes += [one for ask in asks for one in sizes_of(kind, ask)]  # type: ignore[arg-type]  # Of these none appends to a file.
            assert [(size, limit) for size, limit in sizes if size > limit] == [], (name, case.name)
        sent = b"".join(map(payload_of, asks_of(kind, notice)))
        assert MARK.encode() in sent or not name.startswith("everything")
        assert notice.key.encode() in sent or (name != "everything" and kind != "teams")


type Text = Callable[[Any], str]


def titled(text: str) -> dict[str, Any]:
    """Without a subject that would stand behind it."""
    return {"title": text, "evidence": Evidence()}


def described(text: str) -> dict[str, Any]:
    return {"description": text}


AT_THE_LIMIT: dict[str, tuple[str, dict[str, Any], int, Callable[[str], dict[str, Any]], Text]] = {
    "a summary of PagerDuty": ("pagerduty", {}, pagerduty.SUMMARY_LIMIT, titled, lambda one: one["payload"]["summary"]),
    "a message of JSM's": ("jsm_ops", {}, jsm_ops.MESSAGE_LIMIT, titled, lambda one: one["message"]),
    "its entity": ("jsm_ops", {}, jsm_ops.ENTITY_LIMIT, lambda text: {"resource": text}, lambda one: one["entity"]),
    "its tag": (
        "jsm_ops", {}, jsm_ops.TAG_LIMIT, lambda text: {"tactics": (Tactic("TA0000", text),)}, lambda one: one["tags"][3],
    ),
    "its description": ("jsm_ops", {}, jsm_ops.DESCRIPTION_LIMIT, described, lambda one: one["description"]),
    "its details": (
        "jsm_ops", {}, jsm_ops.DETAILS_LIMIT, lambda text: {"extended": {"k": text}, "unlisted": ("k",)},
        lambda one: "".join(texts_in(one["details"])),
    ),
    "a summary of Jira's": ("jira", {}, FIELD_LIMIT, titled, lambda one: one["fields"]["summary"]),
    "a field of Jira's": (
        "jira", {"fields": {"customfield_1": "{title}"}}, FIELD_LIMIT, titled, lambda one: one["fields"]["customfield_1"],
    ),
    "a short description": ("servicenow", {}, servicenow.SHORT_LIMIT, titled, lambda one: one["short_description"]),
    "the type of an event": (
        "servicenow_events", {}, servicenow_events.NAME_LIMIT, lambda text: {"type": text},
        lambda one: one["records"][0]["type"],
    ),
    "a value of an event": (
        "servicenow_events", {}, servicenow_events.VALUE_LIMIT, lambda text: {"reason": text},
        lambda one: orjson.loads(one["records"][0]["additional_info"])["reason"],
    ),
    # Counted as it is sent: an ampersand is five.
    "a header of Slack's": ("slack", {}, HEADER_LIMIT, lambda text: titled("&" * 20 + text), lambda one: one["text"]),
    "the body of a webhook": ("webhook", {}, BODY_LIMIT, described, lambda one: orjson.dumps(one).decode()),
    "a finding": ("webhook", {"body": "ocsf"}, BODY_LIMIT, described, lambda one: orjson.dumps(one).decode()),
    "an event of PagerDuty's": (
        "pagerduty", {}, pagerduty.EVENT_LIMIT, described, lambda one: orjson.dumps(one).decode(),
    ),
    "an event of Splunk's": ("splunk_hec", {}, splunk_hec.EVENT_LIMIT, described, lambda one: orjson.dumps(one).decode()),
}  # fmt: skip
"""A kind and its config, how long a text of it may be, a notice that has a text there, and where it is told."""


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_what_is_as_long_as_its_limit_is_whole(name: str, over: int) -> None:
    """One letter more, and it is cut with a mark."""
    kind, config, limit, notice, told = AT_THE_LIMIT[name]

    def said(text: str) -> str:
        return told(orjson.loads(payload_of(asks_of(kind, a_notice(**notice(text)), **config)[-1])))

    text = said("x" * (limit - len(said("x")) + 1 + over))
    assert (len(text) <= limit, len(text) == limit or bool(over), MARK in text) == (True, True, bool(over))
    assert notice is not titled or config or text.endswith(" - vm-pay-01")


def test_what_pagers_take_of_many_is_counted() -> None:
    """All keys of PagerDuty's details stay, and JSM's are texts; of more than twenty tags one says how many."""
    event, alert = (orjson.loads(payload_of(asks_of(kind, a_huge_notice())[0])) for kind in ("pagerduty", "jsm_ops"))
    details = event["payload"]["custom_details"]
    assert (event["payload"]["severity"], details["hosts"][-1][-5:]) == ("error", "more]")
    assert all(isinstance(value, str) for value in alert["details"].values())
    for over in (0, 1):
        techniques = tuple(f"T{number}" for number in range(jsm_ops.TAGS_LIMIT - 4 + over))
        tags = orjson.loads(payload_of(asks_of("jsm_ops", a_notice(techniques=techniques))[0]))["tags"]
        assert (len(tags), tags[-1] == "… [2 more]") == (jsm_ops.TAGS_LIMIT, bool(over))


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
            asks_of(kind, notice)

    tells(1)  # What is remembered from one message to the next is no part of it.
    alone, few, many = (steps_of(partial(tells, size)) for size in (1, 150, 600))
    # Beside four times as much, Jira and JSM cut the many in several steps, and not all of their texts are remembered from one
    # kind to the next. What grows by the square takes sixteen times as much.
    assert many - alone < 6 * (few - alone) + 2_000
