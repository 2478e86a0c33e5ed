"""A silence holds from its beginning to before its end, in windows by the clocks of their zone, and is stored as it is."""

import json
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from router.app.silences import silence_scope_words
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.silences import (
    NO_SILENCES,
    Recurrence,
    Silence,
    Silences,
    Window,
    find_shadow_rule,
    find_silence_id,
    name_in_words,
    shadow_name,
    silence_name,
)
from router.domain.suppression import RESOURCE_NAME, Element, Field, Operator
from router.store.documents import document_of_silence, find_silence_in
from tests.builders import NOW, an_element
from tests.silences import HOUR, a_silence, named, weekly

SATURDAY, SUNDAY = 5, 6
INSTANT = timedelta(microseconds=1)
DAYS = st.sets(st.integers(0, 6), min_size=1)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns"])
RECURRENCES = st.builds(Recurrence, DAYS.map(frozenset), TIMES, TIMES, ZONES)
INSTANTS = st.timedeltas(timedelta(), timedelta(days=1100)).map(lambda since: datetime(2025, 1, 1, tzinfo=UTC) + since)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def windows(every: Recurrence, since: str, until: str) -> list[Window]:
    """The windows between two instants."""
    return list(every.windows_between(at(since), at(until)))


def holding(every: Recurrence) -> Silence:
    """A silence in these windows, which began before the instants of these tests and ends after them."""
    return a_silence(begins=datetime(2010, 1, 1, tzinfo=UTC), lasts=timedelta(days=10_000), every=every)


def test_a_window_may_go_over_midnight() -> None:
    """It belongs to the day on which it begins; one that ends when it begins lasts a day."""
    every = weekly(SATURDAY, begins="22:00", ends="02:00")
    assert windows(every, "2026-11-27", "2026-12-01") == [Window(at("2026-11-28T22:00"), at("2026-11-29T02:00"))]
    assert holding(every).find_window_at(at("2026-11-29T01:00")) is not None
    assert holding(every).find_window_at(at("2026-11-28T01:00")) is None
    whole = windows(weekly(SUNDAY, begins="00:00", ends="00:00"), "2026-11-27", "2026-12-01")
    assert whole == [Window(at("2026-11-29T00:00"), at("2026-11-30T00:00"))]


def test_where_clocks_are_put_forward_a_window_is_shorter_and_where_they_are_put_back_longer() -> None:
    """What clocks never show lies where it would have been; a time that they show twice is the first of the two."""
    for since, begins, ends, first, last in (
        # On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00.
        ("2026-03-29T00:00", "01:00", "04:00", "2026-03-29T00:00", "2026-03-29T02:00"),
        ("2026-03-29T00:00", "02:00", "04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("2026-03-29T00:00", "02:15", "02:45", "2026-03-29T01:15", "2026-03-29T01:45"),
        ("2026-03-29T00:00", "22:00", "03:30", "2026-03-29T20:00", "2026-03-30T01:30"),
        # On 25 October 2026 they go from 03:00 to 02:00.
        ("2026-10-24T22:00", "01:00", "04:00", "2026-10-24T23:00", "2026-10-25T03:00"),
        ("2026-10-24T22:00", "02:00", "04:00", "2026-10-25T00:00", "2026-10-25T03:00"),
        ("2026-10-24T22:00", "02:15", "02:45", "2026-10-25T00:15", "2026-10-25T00:45"),
        ("2026-10-24T22:00", "00:00", "00:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ):
        every = weekly(SUNDAY, begins=begins, ends=ends, zone="Europe/Berlin")
        found = list(every.windows_between(at(since), at(since) + timedelta(days=1)))
        assert found == [Window(at(first), at(last))], (since, begins)
    # Of two windows that overlap, since 02:30 is after 03:00 on that day, the one that ends last holds.
    two = holding(weekly(*range(7), begins="03:00", ends="02:30", zone="Europe/Berlin"))
    assert two.find_window_at(at("2026-03-29T01:15")) == Window(at("2026-03-29T01:00"), at("2026-03-30T00:30"))


def test_a_zone_without_a_day_has_no_window_on_it_that_ends_before_it_begins() -> None:
    """Samoa had no 30 December 2011. Days are written in the order of the week; a recurrence of none has no window."""
    every = weekly(*range(7), begins="02:00", ends="04:00", zone="Pacific/Apia")
    found = windows(every, "2011-12-27", "2012-01-03")
    assert all(one.begins < one.ends for one in found)
    assert found == sorted(found)
    assert str(weekly(SUNDAY, SATURDAY, zone="Europe/Berlin")) == "Sat,Sun 02:00-04:00 Europe/Berlin"
    assert holding(weekly()).find_next_window(at("2026-11-24")) is None


@given(RECURRENCES, INSTANTS, st.timedeltas(timedelta(minutes=1), timedelta(days=20)))
def test_an_instant_lies_in_a_window_found_around_it(every: Recurrence, since: datetime, span: timedelta) -> None:
    """Whatever span is asked for, windows are the same, in their order, and whole."""
    found = list(every.windows_between(since, since + span))
    assert found == sorted(found)
    assert all(one.begins < since + span and one.ends > since for one in found)
    for instant in (since, since + span / 2, since + span - INSTANT):
        around = [one for one in found if one.begins <= instant < one.ends]
        assert holding(every).find_window_at(instant) == max(around, key=lambda one: one.ends, default=None)


@given(RECURRENCES, INSTANTS)
def test_the_next_window_is_the_open_one_or_the_first_to_come(every: Recurrence, now: datetime) -> None:
    """Or the one that is open, where one is."""
    silence = holding(every)
    coming = list(every.windows_between(now, now + timedelta(days=21)))
    assert silence.find_next_window(now) == (silence.find_window_at(now) or next(iter(coming), None))


TUESDAY = 1  # NOW is one, at noon.


def test_a_silence_holds_from_its_beginning_to_before_its_end() -> None:
    """Both sides of either. From when it was ended on it holds nothing; an end after its end changes nothing. One that a
    clock made which was ahead holds nothing until then: what it would hold is rather told."""
    silence = a_silence(begins=NOW, lasts=2 * HOUR)
    active = {-INSTANT: False, timedelta(): True, 2 * HOUR - INSTANT: True, 2 * HOUR: False}
    assert {after: silence.is_active(NOW + after) for after in active} == active
    ended = a_silence(ended=NOW + HOUR)
    assert (ended.is_active(NOW + HOUR - INSTANT), ended.is_active(NOW + HOUR)) == (True, False)
    assert a_silence(ended=NOW + 9 * HOUR).end == NOW + 2 * HOUR
    ahead = a_silence(begins=NOW, made=NOW + HOUR)
    assert (ahead.is_active(NOW), ahead.is_active(NOW + HOUR - timedelta(minutes=5))) == (False, True)
    silences = Silences.from_list([a_silence("a"), a_silence("b", begins=NOW + HOUR), a_silence("c", ended=NOW)])
    assert [one.id for one in silences.active(NOW)] == ["a"]
    assert Silences.from_list([]) is NO_SILENCES


def test_a_recurring_one_holds_in_its_windows_alone_and_none_begins_before_it_or_ends_after_it() -> None:
    """Its own beginning and end cut the windows in which they fall."""
    every = weekly(TUESDAY, begins="10:00", ends="14:00")
    silence = a_silence(lasts=timedelta(days=14) + HOUR, every=every)
    assert silence.find_window_at(NOW) == Window(NOW, NOW + 2 * HOUR)
    assert not silence.is_active(NOW + 2 * HOUR)
    week = timedelta(days=7)
    assert silence.find_window_at(NOW + week) == Window(NOW + week - 2 * HOUR, NOW + week + 2 * HOUR)
    assert silence.find_window_at(NOW + 2 * week) == Window(NOW + 2 * week - 2 * HOUR, NOW + 2 * week + HOUR)
    assert silence.find_next_window(NOW + 3 * HOUR) == Window(NOW + week - 2 * HOUR, NOW + week + 2 * HOUR)
    assert silence.find_next_window(NOW + 2 * week + HOUR) is None
    assert len(list(silence.windows_between(NOW - week, NOW + 4 * week))) == 3


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
FIELDS = st.sampled_from(
    [Field(None, "resourceid"), RESOURCE_NAME, Field("host", "hostname"), Field(None, "extendedproperties.a.b")]
)
RANGES = st.lists(st.sampled_from(["10.0.0.0/8", "10.20.0.0/16", "2001:db8::/32"]), min_size=1, unique=True)
ELEMENTS = st.builds(Element, FIELDS, st.sampled_from(Operator), st.frozensets(TEXTS, min_size=1)) | RANGES.map(
    lambda texts: an_element("entities.ip.address", *texts)
)
SILENCES = st.builds(
    Silence,
    id=TEXTS,
    stream=st.sampled_from(["cwpp", "cspm"]),
    alert_type=st.none() | TEXTS,
    groups=st.lists(st.lists(ELEMENTS, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple),
    begins=INSTANTS,
    until=INSTANTS,
    every=st.none() | RECURRENCES,
    reason=TEXTS,
    author=TEXTS,
    ticket=st.none() | TEXTS,
    made=INSTANTS,
    first=INSTANTS,
    ended=st.none() | INSTANTS,
)


@given(SILENCES)
def test_a_silence_is_read_as_it_was_written(silence: Silence) -> None:
    """Whole, under its id, and kept for as long as it counts from its end."""
    document = document_of_silence(silence, "7")
    assert (document.kind, document.id, document.version) == (DocumentKind.SILENCE, silence.id, "7")
    assert document.at == silence.end
    assert find_silence_in(document) == silence


def written(**changes: Any) -> StoredDocument:
    """A silence as a document, with something else in its body; what is to be left out is `...`."""
    document = document_of_silence(a_silence(every=weekly(1)))
    body = json.loads(document.body)
    for name, value in changes.items():
        (body if name == "scope" else body["silence"])[name] = value
    kept = {name: value for name, value in body["silence"].items() if value is not ...}
    whole = {name: value for name, value in {**body, "silence": kept}.items() if value is not ...}
    return replace(document, body=json.dumps(whole).encode())


NAME, ADDRESS = {"entity": None, "name": "resourcename"}, {"entity": "ip", "name": "address"}
EVERY: dict[str, Any] = {"days": [1], "begins": "02:00", "ends": "04:00", "zone": "UTC"}
BROKEN: list[dict[str, Any]] = [
    {"stream": ...},
    {"alert_type": 7},
    {"scope": ...},
    {"scope": [[]]},
    {"scope": [[[NAME, "in", [], []]]]},
    {"scope": [[[NAME, "near", ["a"], []]]]},
    {"scope": [[[ADDRESS, "in", [], ["nowhere"]]]]},
    {"scope": [[[{"entity": None}, "in", ["a"], []]]]},
    {"begins": "2026-11-24T12:00:00"},
    {"until": ...},
    *({"every": EVERY | {"zone": zone}} for zone in ("Nowhere/Else", "../../../etc/passwd", "Europe", "Z" * 300)),
    *({"every": EVERY | changed} for changed in ({"days": [9]}, {"days": ["x"]}, {"begins": "26:00"})),
    {"made": 7},
    {"ended": "soon"},
    {"begins": "0001-01-01T00:00:00+14:00"},
    {"reason": "\ud800"},
]


def test_a_damaged_silence_is_none() -> None:
    """What it would have held is rather told, and nobody else's silence is lost."""
    sound = [[[NAME, "in", ["a"], []]], [[ADDRESS, "in", [], ["10.0.0.0/8"]]]]
    assert find_silence_in(written(scope=sound)) is not None
    for changes in BROKEN:
        assert find_silence_in(written(**changes)) is None, changes


NESTED = st.recursive(st.none() | st.integers() | TEXTS, st.lists).map(lambda it: json.dumps(it).encode())


@given(st.binary(max_size=30) | NESTED)
@example(b'{"scope":' * 100_000)
def test_whatever_lies_in_a_document_is_read_without_a_fault(body: bytes) -> None:
    """It is no silence, also where it nests without end."""
    assert find_silence_in(StoredDocument(kind=DocumentKind.SILENCE, id="a", at=NOW, body=body)) is None


def test_what_holds_has_one_name_by_which_it_is_known() -> None:
    """Rules, silences and shadow rules are told apart by it; and a silence says in words what it is about."""
    assert find_silence_id(silence_name("ab12cd")) == "ab12cd"
    assert find_shadow_rule(shadow_name("scanner")) == "scanner"
    assert find_silence_id("scanner") is find_silence_id(shadow_name("scanner")) is None
    words = [name_in_words(name) for name in ("scanner", "silence:ab12cd", "shadow:scanner")]
    assert words == ["scanner", "silence ab12cd", "shadow scanner"]
    addresses, resource = an_element("entities.ip.address", "10.0.0.1", "10.0.0.2"), an_element("resourceid", "/a")
    for silence, said in (
        (a_silence(alert_type="VM_X", groups=(named("web-*"),)), "VM_X at a resource called web-*"),
        (a_silence(groups=((addresses,),)), "anything with ip.address 10.0.0.1 or 10.0.0.2"),
        (a_silence(groups=((resource,), named("b"))), "anything at /a and at a resource called b"),
    ):
        assert silence_scope_words(silence) == said
