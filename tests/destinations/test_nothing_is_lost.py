"""Nothing that a real message says is lost on the way to people: whatever is left out is counted where it would stand.

What has to be told is read out of the messages themselves, and what is told out of what each kind sends.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import orjson
import pytest

from alert_router_demo.soc.jira import text_of as text_of_document
from router.decide import decide, notice_for
from router.destinations.base import OneByOne
from router.destinations.wording.chat_text import LINES, first_screen_of
from router.destinations.wording.facts import EVIDENCE, title_of
from router.destinations.wording.fitting import MARK
from router.destinations.wording.masking import credential_names, masked
from router.destinations.wording.plain_text import text_of
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.conversation import HttpRequest
from router.domain.entities import Entities
from router.domain.evidence import Evidence, items_in, property_key, says_something
from router.domain.notices import Notice
from router.domain.resources import is_guid, is_telling, names_of_resource
from router.domain.signals import Signal
from router.parse import evidence_of
from router.rulebook import load_catalogue
from tests.builders import a_rulebook
from tests.destinations.builders import NOW, a_destination, an_attempt
from tests.destinations.goldens import asks_of
from tests.destinations.test_chat_text import screen_height
from tests.destinations.test_words import texts_in
from tests.parse.test_samples import names_in, properties_in, sample_signals

pytestmark = pytest.mark.shared

_ELSEWHERE = frozenset(
    {
        "description", "news", "status_description", "location", "compromised_entity", "remediation", "links",
        "id", "reason", "rulebook",
    }
)  # fmt: skip
"""The details that are not evidence, though they may quote some."""

_TICKET = 4_000  # characters of a ticket's description at ServiceNow
_MORE = re.compile(r"… \[(\d+) more lines\]")
_CUT = re.compile(r"… \[(?:cut|\d+ more)\]|… \d+ more|: \d+ more properties")

type Sent = tuple[HttpRequest, ...]


class Sample(NamedTuple):
    """A signal, its notice, and what names something in the signal, in the words that people are told."""

    signal: Signal
    notice: Notice
    values: tuple[str, ...]


def notice_of(signal: Signal) -> Notice:
    """The notice of a signal under the shipped catalogue."""
    book = replace(a_rulebook(stream=signal.stream), catalogue=load_catalogue())
    return notice_for(signal, evidence_of(signal, book.catalogue), decide(signal, book, NOW), book, "0" * 32, 1)


@cache
def samples_once() -> tuple[Sample, ...]:
    """Each signal of the samples that says something other than one before it."""
    found: dict[tuple[str, ...], Sample] = {}
    for signal in sample_signals():
        values = tuple(dict.fromkeys(_values_in(signal)))
        found.setdefault((signal.type, *values), Sample(signal, notice_of(signal), values))
    return tuple(found.values())


def _values_in(signal: Signal) -> Iterator[str]:
    for _, _, value in names_in(signal):
        yield masked(value)
    for name, value in properties_in(signal):
        if property_key(name) not in credential_names():
            yield from map(masked, items_in(value))


def details_in(notice: Notice) -> dict[str, str]:
    """The evidence in PagerDuty's details, by name."""
    (request,) = _sent("pagerduty", notice)
    details = orjson.loads(request.body)["payload"]["custom_details"]
    return {name: "\n".join(texts_in(held)) for name, held in details.items() if name not in _ELSEWHERE}


def missing_on_page(notice: Notice, sample: Sample) -> list[str]:
    """What a page with some notice lacks of a signal: what names something, lists of evidence, properties."""
    details = details_in(notice)
    by_name = {_plain(name.removesuffix(" (property)")): _plain(held) for name, held in details.items()}
    by_name["resources"] = by_name.get("resources", "") + by_name.get("resource", "")
    lists = {name: getattr(sample.notice.evidence, name) for name in EVIDENCE}
    properties = {name: items_in(sample.notice.extended[name]) for name in sample.notice.unlisted}
    named = [
        f"{name}: {item}"
        for name, items in (lists | properties).items()
        for item in items
        if _plain(masked(item)) not in by_name.get(_plain(name), "")
    ]
    return [*missing_in("\n".join(details.values()), sample), *named]


def ticket_in(notice: Notice) -> str:
    """The description of ServiceNow's ticket."""
    return str(_opening("servicenow", notice)["description"])


def issue_in(notice: Notice) -> str:
    """The description of Jira's issue, a line for each block."""
    return text_of_document(_opening("jira", notice)["fields"]["description"])


def alert_in(notice: Notice) -> str:
    """The description of JSM Operations' alert."""
    return str(_opening("jsm_ops", notice)["description"])


def missing_in(text: str, sample: Sample, words: Callable[[str], str] = str) -> list[str]:
    """What names something and does not stand in a text; one behind a comma may stand by itself."""
    there = _plain(text)
    return [
        value
        for value in sample.values
        if _plain(words(value)) not in there
        and not all(_plain(words(part)) in there for part in value.split(",") if says_something(part))
    ]


def test_a_page_tells_everything_as_evidence() -> None:
    """PagerDuty's details have every name and every property of every signal, outside the texts that only quote them.

    Each signal is told of again without its properties, and without its entities: neither leans on the other.
    """
    assert len(samples_once()) > 100
    assert {value for sample in samples_once() for value in missing_on_page(sample.notice, sample)} == set()
    for sample in samples_once():
        for signal in (replace(sample.signal, extended={}), replace(sample.signal, entities=Entities([]))):
            alone = Sample(signal, notice_of(signal), tuple(_values_in(signal)))
            assert missing_on_page(alone.notice, alone) == [], signal.type


def test_a_ticket_tells_everything() -> None:
    """A ticket's evidence is whole, since no message of the samples is longer than the description of a ticket."""
    kind = _kind_named("servicenow")
    for sample in samples_once():
        ticket = ticket_in(sample.notice)
        assert len(ticket) <= _TICKET
        resource = [line for line in ticket.split("\n") if line.startswith("Resource: ")]
        assert missing_in("\n".join([*resource, *evidence_lines(ticket)]), sample, kind.words) == [], sample.notice.type


def test_a_ticket_that_has_less_room_counts_what_it_leaves_out() -> None:
    """Its evidence is as many whole lines as fit, the first ones, and then how many more there are."""
    kind = _kind_named("servicenow")
    counted = 0
    for limit, sample in product((1_000, 1_500), samples_once()):
        briefing = kind.briefing_in(an_attempt(sample.notice))
        whole, lines = (evidence_lines(text_of(briefing, room)) for room in (10**9, limit))
        if lines != whole and (mark := _MORE.fullmatch(lines[-1] if lines else "")):
            assert lines[:-1] == whole[: len(lines) - 1]
            assert int(mark[1]) == len(whole) - len(lines) + 1
            counted += 1
        elif lines != whole:
            assert text_of(briefing, limit).endswith(MARK), sample.notice.type
    assert counted > 20


def test_an_issue_and_an_alert_tell_everything_or_show_where_they_were_cut() -> None:
    """Their limits are so wide that few are cut at all."""
    for kind, text in (("jira", issue_in), ("jsm_ops", alert_in)):
        words, cut = _kind_named(kind).words, 0
        for sample in samples_once():
            if missing_in(said := text(sample.notice), sample, words):
                assert _CUT.search(said) or _MORE.search(said), sample.notice.type
                cut += 1
        assert cut < len(samples_once()) // 20


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_tells_the_first_facts_and_counts_the_others(kind: str) -> None:
    """A screen's facts are the first ones in the order of the briefing; those that it neither has nor says are counted."""
    destination = _kind_named(kind)
    for sample in samples_once():
        attempt = an_attempt(sample.notice)
        briefing = destination.briefing_in(attempt)
        screen = first_screen_of(briefing)
        assert screen_height(screen) <= LINES
        every = [fact.name for fact in (*briefing.evidence, *briefing.others)]
        shown = [line.name for line in screen.facts if line.name in every]
        assert shown == [name for name in every if name in shown], sample.notice.type
        shown += [line.name for line in screen.story]
        there = _plain(screen.text)
        facts = [fact for fact in (*briefing.evidence, *briefing.others) if any(map(str.strip, fact.values))]
        unsaid = [
            fact for fact in facts if fact.name not in shown and not all(_plain(one) in there for one in fact.values)
        ]
        assert len(unsaid) <= screen.hidden, sample.notice.type
        assert bool(screen.hidden) == (screen.rest is not None and f" {screen.hidden} more fact" in screen.rest)
        sent = _plain("".join(texts_in([orjson.loads(request.body) for request in _sent(kind, sample.notice)])))
        assert not screen.hidden or f"{screen.hidden}morefact" in sent


_SPEAKS_OF = {
    "process|command|executable|powershell|mining": ("commands", "processes"),
    "communication|login|brute force|accessed": ("ips", "attackers", "locations"),
    "sql injection": ("queries", "urls"),
    "malware": ("malware",),
    "phishing": ("urls",),
    "registry value": ("registry_values",),
    "account creation": ("accounts",),
    "file share": ("blobs", "storage_containers"),
}
"""What words of a title speak of, in the eyes of whoever is on call."""


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_says_first_what_its_title_speaks_of_and_the_first_step_whole(kind: str) -> None:
    """Of every real message: the subject stands before all else, the step at the end, and since when and by when between."""
    told = Counter[str]()
    for sample in samples_once():
        started = datetime.fromisoformat(sample.notice.started or NOW.isoformat()).replace(
            hour=23, minute=50, tzinfo=UTC
        )
        by = started + timedelta(hours=1)
        notice = replace(sample.notice, started=started.isoformat(), respond_by=by.isoformat())
        destination = _kind_named(kind)
        screen = first_screen_of(destination.briefing_in(an_attempt(notice)))
        bodies = [orjson.loads(request.body) for request in _sent(kind, notice)]
        # Teams' escapes stand between the letters.
        sent = _plain("".join(texts_in(bodies)) if kind == "slack" else screen.text)
        for word, lists in _SPEAKS_OF.items():
            names = {title_of(name) for name in lists if getattr(_beside_resource(notice), name)}
            if names and re.search(word, notice.title, re.IGNORECASE):
                assert {line.name for line in screen.story[:3]} & names, notice.title
                told[word] += 1
        for step in notice.remediation[:1]:
            assert _plain(step) in sent, notice.title
            told["step"] += 1
        times = f"{started:%Y-%m-%d %H:%M} UTC, respond by {by:%Y-%m-%d %H:%M}"
        assert _plain(times) in sent, notice.title
    assert told.keys() == {*_SPEAKS_OF, "step"}


def test_every_real_message_says_where() -> None:
    """Words that tell, no bare GUID, and no host that is not the resource, where the resource has a name."""
    for sample in samples_once():
        said = whereabouts_of(sample.notice)
        assert is_telling(said.words), sample.notice.id
        assert not any(is_guid(word.strip("()")) for word in said.words.replace("/", " ").split()), sample.notice.id
        if names := names_of_resource(sample.notice.resource or ""):
            assert (*said.parents, said.name)[: len(names)] == names
            assert said.name in names or said.name not in sample.notice.evidence.hosts


def _beside_resource(notice: Notice) -> Evidence:
    """The evidence without the resource that the notice is about, which is told by itself."""
    resource = (notice.resource or "").casefold()
    others = tuple(one for one in notice.evidence.resources if one.casefold() != resource)
    return replace(notice.evidence, resources=others)


def evidence_lines(text: str) -> list[str]:
    """The lines of a text under its heading EVIDENCE."""
    lines = text.split("\n")
    if "EVIDENCE" not in lines:
        return []
    rest = lines[lines.index("EVIDENCE") + 1 :]
    ends = [at for at, line in enumerate(rest) if line in ("WHAT TO DO", "LINKS", "REFERENCE")]
    return rest[: ends[0] - 1] if ends else rest


def _opening(kind: str, notice: Notice) -> Any:
    """The body of the request that creates something."""
    bodies = [orjson.loads(request.body) for request in _sent(kind, notice) if request.body]
    return next(body for body in bodies if "description" in body or ("fields" in body and "summary" in body["fields"]))


def _sent(name: str, notice: Notice) -> Sent:
    return tuple(ask for ask in asks_of(name, notice) if isinstance(ask, HttpRequest))


def _kind_named(name: str) -> OneByOne:
    kind = a_destination(name)
    assert isinstance(kind, OneByOne)
    return kind


def _plain(text: str) -> str:
    """A text as it is compared: whatever its case, without blanks, which lines are broken and joined at."""
    return "".join(text.split()).casefold()
