"""Silences and tags in every store: workers obey them soon, what was silenced comes out once, and tags find owners."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.silence_preview import preview_silence
from router.app.silences import add_silence, change_silence, stored_silences
from router.coverage.commands.tags import keep_tags
from router.coverage.documents import parsed_document
from router.decide.preview import silence_matcher
from router.domain.catalogue import Catalogue
from router.domain.clocks import SKEW
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.decisions import Change
from router.domain.deliveries import Claim, DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage
from router.domain.notices import Notice, Release
from router.domain.owners import Owner, find_owner_of
from router.domain.readable import timestamp
from router.domain.rulebook import By, Grouping, Rulebook
from router.domain.signals import Stream
from router.domain.silences import Silence, SilenceBounds
from router.domain.suppression import Suppressions
from router.ingest.intake import Intake, release_held
from router.ingest.state_cache import SLACK, TAGS_FRESH, SilenceReader, TagReader
from router.store import documents as bodies
from router.store.changes import ChangeAction, list_changes
from router.store.documents import (
    ReadTags,
    TagsById,
    by_subscription,
    document_of_tags,
    find_document,
    find_tags_in,
    put_document,
    tags_after,
)
from router.store.retention import LONGEST
from router.store.sources import list_sources
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rule, a_rulebook, alert_body, an_alert, an_ip
from tests.rulebook.builders import a_policy, a_sound_rulebook
from tests.silences import HOUR, a_silence, machine, named
from tests.store.acts import DAY, MINUTE, SECOND, ask, run, silenced
from tests.store.life import Life
from tests.store.watching import watched

ANA = "ana@contoso.example"


def release_by(ended: timedelta | None, *, since: timedelta = timedelta(), **fields: Any) -> Release:
    """What a notice says that a silence of ana's had held, by default one message."""
    until = f"{NOW + ended:%Y-%m-%dT%H:%M:%SZ}" if ended is not None else None
    release = Release(
        kind="silence", name="ab12cd", author=ANA, since=f"{NOW + since:%Y-%m-%dT%H:%M:%SZ}", ended=until, messages=1
    )
    return replace(release, **fields)


type Step = timedelta | Silence | Rulebook | bytes | dict[str, object]
"""Time goes by until so long after NOW; a person makes a silence; rules change; the silence is damaged; an alert comes."""


type Ticketed = tuple[timedelta, str, Change, Release | None]
"""When tickets are told, of which alert, which change, and what had held it."""


def opened(at: timedelta, release: Release | None, id: str = "alert-1") -> Ticketed:
    """That a ticket is opened then."""
    return (at, id, Change.OPENED, release)


ALERT: dict[str, object] = {"id": "alert-1"}
OTHER: dict[str, object] = {"id": "alert-2"}
UPDATE, AGAIN = ALERT | {"Severity": "Medium"}, ALERT | {"Description": "again"}
TWO = a_silence("two", begins=NOW + HOUR, groups=(machine("web-1"),))
ON_WEB_1 = ALERT | {"Entities": [{"Type": "host", "HostName": "web-1"}]}
DAILY = [a_silence(f"{day}", begins=NOW + day * DAY, lasts=DAY, made=NOW) for day in range(9)]
LATER = a_silence("later", begins=NOW + 9 * DAY + HOUR, made=NOW)
LONG, SHORT = (replace(a_rulebook(), silences=SilenceBounds(longest=longest)) for longest in (7 * DAY, 3 * HOUR))

HISTORIES: dict[str, tuple[Sequence[Step], Sequence[Ticketed]]] = {
    "at its end": (
        [a_silence(), ALERT, MINUTE, AGAIN, 2 * HOUR - SECOND, 2 * HOUR, 2 * HOUR],
        [opened(2 * HOUR, release_by(2 * HOUR, messages=2))],
    ),
    "ended before": ([a_silence(), ALERT, HOUR, a_silence(ended=NOW + HOUR), HOUR], [opened(HOUR, release_by(HOUR))]),
    "extended": (
        [a_silence(), ALERT, a_silence(lasts=4 * HOUR), 2 * HOUR, 2 * HOUR, 4 * HOUR],
        [opened(4 * HOUR, release_by(4 * HOUR))],
    ),
    "two overlap for as long as one may last": (
        [
            SHORT,
            a_silence("one"),
            TWO,
            ON_WEB_1,
            2 * HOUR,
            replace(TWO, until=NOW + 4 * HOUR),
            3 * HOUR - SECOND,
            3 * HOUR,
        ],
        [opened(3 * HOUR, release_by(3 * HOUR, since=2 * HOUR, name="two"))],
    ),
    "a chain lasts as long as one may": (
        [LONG, *DAILY, 7 * DAY - SECOND, ALERT, 7 * DAY, OTHER, 9 * DAY, LATER, 9 * DAY + HOUR, {"id": "alert-3"}],
        [opened(7 * DAY, release_by(7 * DAY, since=7 * DAY - SECOND, name="6")), opened(7 * DAY, None, "alert-2")],
    ),
    "an update of what is open": (
        [ALERT, a_silence(begins=NOW + MINUTE), MINUTE, UPDATE, MINUTE + 2 * HOUR],
        [
            opened(timedelta(), None),
            (MINUTE + 2 * HOUR, "alert-1", Change.UPDATED, release_by(MINUTE + 2 * HOUR, since=MINUTE)),
        ],
    ),
    "damaged": ([a_silence(), ALERT, b"{", MINUTE], [opened(MINUTE, release_by(None, author=None))]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_a_silence_held_comes_out_once_at_its_end_and_says_what_had_held_it(store: Store, name: str) -> None:
    """Also where it is extended, recurs, meets others, or is ended, damaged or refused before its time."""
    steps, expected = HISTORIES[name]
    life = Life(store)
    found = []
    for step in steps:
        match step:
            case timedelta():
                life.now = NOW + step
                life.release()
            case Silence():
                silenced(store, step)
            case Rulebook():
                life.book = step
            case bytes():
                document = ask(store, find_document, DocumentKind.SILENCE, "ab12cd")
                assert document is not None
                ask(store, put_document, replace(document, body=step))
            case _:
                life.alert(**step)  # type: ignore[arg-type]
        claims = [one.delivery for one in life.deliver() if one.delivery.destination == "tickets"]
        found += [
            (life.now - NOW, one.content.id, one.change, one.content.release)
            for one in claims
            if isinstance(one.content, Notice)
        ]
    assert found == expected


def test_what_was_extended_a_moment_before_its_end_goes_on_holding(store: Store) -> None:
    """Whoever lets go of what was held knows silences as they are by then, however lately it read them."""
    life = Life(store)
    silenced(store, a_silence())
    life.alert()
    worker = Intake(store, {life.book.stream: life.book}, Catalogue())
    life.now = NOW + 2 * HOUR
    run(worker.ingest([a_message(alert_body("alert-2"), at=life.now)], life.now - SECOND))
    silenced(store, a_silence(lasts=4 * HOUR))
    assert run(release_held(worker, store, life.book, life.now)) == []
    assert life.deliver() == []


def test_what_is_owed_already_is_counted_also_where_it_is_owed_of_a_group(store: Store) -> None:
    """Once for all of its members that the silence is about; neither what is of others, nor what went out."""
    grouped = replace(a_destination("tickets"), group=Grouping(by=(By.RESOURCE,), window=HOUR))
    places = [grouped, a_destination("oncall")]
    life = Life(store, a_rulebook(destinations=places, routes=(), otherwise=("tickets", "oncall"), always=[]))
    life.alert("alert-1"), life.alert("alert-2")
    life.alert("alert-3", CompromisedEntity="vm-2", AzureResourceId=RESOURCE.replace("vm-1", "vm-2"))

    def owed() -> list[int]:
        """How many deliveries people are told of that go out though they make a silence of either machine now."""
        matchers = [silence_matcher(one, a_rulebook()) for one in (a_silence(), a_silence(groups=(named("vm-2"),)))]
        return [run(preview_silence(store, "cwpp", one, {}, life.now, is_narrow=True)).owed for one in matchers]

    assert owed() == [2 + 2, 1 + 1]
    for claim in life.claims("tickets"):
        life.settle(claim, DeliveryState.SENT)
    assert owed() == [2 + 1, 1]
    life.deliver()
    assert owed() == [0, 0]


@pytest.mark.parametrize(("clock", "ticks"), [(15, 0), (0, 15), (-15, 0)], ids=["clock", "ticks", "clock put back"])
def test_silences_are_read_again_after_fifteen_seconds_by_either_clock(store: Store, clock: int, ticks: int) -> None:
    """A time to decide at may stand still, and a clock may be put back; before that a batch costs no request. Those that were
    not written since are the same."""
    ticked = 0.0
    reader = SilenceReader(store, ticks=lambda: ticked)
    assert not run(reader.silences("cwpp", NOW)).by_name
    silenced(store, a_silence(made=NOW - HOUR))
    assert not run(reader.silences("cwpp", NOW + 14 * SECOND)).by_name
    ticked += ticks
    assert list(run(reader.silences("cwpp", NOW + clock * SECOND)).by_name) == ["silence:ab12cd"]
    assert not run(reader.silences("cspm", NOW)).by_name
    known = run(reader.silences("cwpp", NOW))
    run(reader.read_again(NOW))
    assert run(reader.silences("cwpp", NOW)) is known
    silenced(store, replace(a_silence(made=NOW - HOUR), id="cd34ef"))
    run(reader.read_again(NOW))
    assert len(run(reader.silences("cwpp", NOW)).by_name) == 2


def test_of_two_who_change_a_silence_at_once_neither_change_is_lost(store: Store, twin: Store) -> None:
    """The second is made over the first, and both are on record; one that is refused is not. Each silence has its own id."""
    made, other = (run(add_silence(store, a_silence(""))) for _ in range(2))
    assert other == replace(made, id=other.id) != made

    def refused(silence: Silence) -> Silence:
        raise BadUsage("no")

    def extended(silence: Silence) -> Silence:
        return replace(silence, until=silence.until + HOUR)

    with pytest.raises(BadUsage):
        run(change_silence(store, other.id, ChangeAction.SILENCE_EXTENDED, NOW, refused, author="ben"))

    async def at_once() -> None:
        people = ((store, "ana"), (twin, "ben"), (store, "eve"), (twin, "joe"))
        action = ChangeAction.SILENCE_EXTENDED
        await asyncio.gather(*(change_silence(one, made.id, action, NOW, extended, author=who) for one, who in people))

    run(at_once())
    ends = {one.id: one.until for one in run(stored_silences(store, None)).values}
    assert ends == {made.id: NOW + 6 * HOUR, other.id: NOW + 2 * HOUR}
    changes = ask(store, list_changes, None, 10)
    extensions = [one for one in changes if one.action is ChangeAction.SILENCE_EXTENDED]
    assert sorted(one.author for one in extensions) == ["ana", "ben", "eve", "joe"]
    assert sorted(one.detail["ends"] for one in extensions) == [timestamp(NOW + hours * HOUR) for hours in (3, 4, 5, 6)]


# Tags.

SUBSCRIPTION = RESOURCE.split("/")[2]
GROUP = RESOURCE.rpartition("/providers/")[0]
BY_TEAM = {"tag": {"team": "*"}, "group": "{tag.team}"}


def ruled(directory: Path, *, tags: object = "live", files: dict[str, object] | None = None) -> Rulebook:
    """Rules by which the tag `team` names the owner, and one team's alerts alone go anywhere."""
    policy = a_policy(routes=[{"name": "pay", "when": {"owner": "payments"}, "to": ["tickets"]}])
    named = {} if tags is None else {"tags": tags}
    owners = {**named, "owners": [BY_TEAM, {"group": "nobody-else"}]}
    return a_sound_rulebook(directory, {"cwpp/policy.yaml": policy, "owners.yaml": owners, **(files or {})})


def keep(store: Store, *rows: tuple[str, dict[str, str] | None], at: datetime = NOW) -> None:
    """What was read of tags is kept."""
    document = parsed_document([{"id": id, "tags": tags} for id, tags in rows], "answer")
    run(keep_tags(store, [document], at))


def owner(store: Store, book: Rulebook, at: datetime = NOW, resource: str = RESOURCE) -> str | None:
    """Whose a resource is to a worker that starts now."""
    return owner_by(TagReader(store, {Stream.CWPP: book}), at, resource)


def owner_by(reader: TagReader, at: datetime, resource: str = RESOURCE) -> str | None:
    """The same to a worker that is there."""
    found = find_owner_of(an_alert(AzureResourceId=resource), run(reader.rulebook(Stream.CWPP, at)).owners)
    return found.name if found is not None else None


def owners_notified(claims: Sequence[Claim]) -> list[tuple[str, Owner | None]]:
    """Which change each of some notices told, and of whom as the owner."""
    contents = [(one.delivery.change.value, one.delivery.content) for one in claims]
    return [(change, content.owner) for change, content in contents if isinstance(content, Notice)]


def test_an_alert_goes_to_the_owner_that_a_tag_of_the_state_names(store: Store, tmp_path: Path) -> None:
    """By a route that asks for the owner, and named in what is told; what a rule held by the tags of when it is let go."""
    life = Life(store, ruled(tmp_path / "rules"))
    unruled = life.book
    assert life.alert("before").destinations == ("tickets",)  # nothing routes it
    life.book = replace(unruled, suppressions=Suppressions.from_rules([a_rule(expires=NOW + timedelta(days=1))]))
    assert life.alert("held", Entities=[an_ip("10.20.0.5")]).suppressed_by is not None
    assert owners_notified(life.deliver()) == [("opened", Owner("nobody-else"))]
    keep(store, (GROUP, {"Team": "payments", "cost": "1"}), (f"/subscriptions/{SUBSCRIPTION}", None))
    life.book = unruled
    assert life.alert("after").routes == ("pay",)
    life.release()
    assert owners_notified(life.deliver()) == [("opened", Owner("payments"))] * 2
    # A file in git counts before the state, of the very same thing: somebody reviewed it.
    files: dict[str, object] = {"tags/a.json": [{"id": GROUP, "tags": {"team": "reviewed"}}]}
    book = ruled(tmp_path / "other", tags=["tags/a.json", "live"], files=files)
    assert owner(store, book) == "reviewed"
    keep(store, (RESOURCE, {"team": "live"}))
    assert owner(store, book) == "live"
    heard = [one.heard.source.id for one in ask(store, list_sources, [CoverageSourceKind.OWNER])]
    assert heard == ["owner:nobody-else", "owner:payments"]


def test_of_answers_what_was_read_last_counts_of_each_thing(store: Store, twin: Store, tmp_path: Path) -> None:
    """Also nothing; what is not named keeps what it had, and of two who write at once neither is lost."""
    book, other = ruled(tmp_path / "rules"), f"{GROUP}/providers/Microsoft.Sql/servers/s"

    async def at_once() -> None:
        answers = [
            [{"id": RESOURCE, "tags": {"team": team}}, {"id": f"{GROUP}/{team}", "tags": {"team": team}}]
            for team in "ab"
        ]
        places = zip((store, twin), answers, (NOW, NOW - SECOND), strict=True)
        await asyncio.gather(*(keep_tags(one, [parsed_document(answer, "answer")], at) for one, answer, at in places))

    run(at_once())
    assert [owner(store, book, NOW, one) for one in (RESOURCE, f"{GROUP}/a", f"{GROUP}/b")] == ["a", "a", "b"]
    keep(store, (RESOURCE, {"team": "b"}), (other, {"team": "c"}), at=NOW + SECOND)
    keep(store, (RESOURCE, {"cost": "1"}), at=NOW + 2 * SECOND)
    keep(store, (RESOURCE, {"team": "late"}))
    assert [owner(store, book, NOW + 2 * SECOND, one) for one in (RESOURCE, other)] == ["nobody-else", "c"]


def test_a_worker_knows_tags_within_five_minutes_and_for_ninety_days(store: Store, twin: Store, tmp_path: Path) -> None:
    """Without a request for each batch; also of those that were read an hour before they were written."""
    ticked = 0.0
    book = ruled(tmp_path / "rules")
    reader = TagReader(store, {Stream.CWPP: book}, lambda: ticked)
    assert owner_by(reader, NOW) == "nobody-else"
    keep(twin, (RESOURCE, {"team": "a"}), at=NOW - SLACK)
    assert owner_by(reader, NOW + TAGS_FRESH - SECOND) == "nobody-else"
    assert owner_by(reader, NOW + TAGS_FRESH) == "a"
    keep(twin, (RESOURCE, {"team": "b"}), at=NOW + TAGS_FRESH)
    ticked = TAGS_FRESH.total_seconds()
    assert owner_by(reader, NOW + TAGS_FRESH) == "b"
    end, worker = NOW + TAGS_FRESH + LONGEST, TagReader(store, {Stream.CWPP: book})
    assert [owner(store, book, end - SECOND), owner_by(worker, end - SECOND)] == ["b", "b"]
    assert [owner(store, book, end), owner_by(worker, end + timedelta(days=1))] == ["nobody-else", "nobody-else"]


def test_what_a_clock_ahead_wrote_or_cannot_be_read_says_nothing(store: Store, tmp_path: Path) -> None:
    """Its neighbours do; and it is written anew with the next answer."""
    book, other = ruled(tmp_path / "rules"), "/subscriptions/bbbb/resourceGroups/rg"
    damaged = StoredDocument(kind=DocumentKind.TAGS, id=SUBSCRIPTION, at=NOW, body=b'{"reads": [{"rows": 1}]}')
    assert ask(store, put_document, damaged) is not None
    keep(store, (other, {"team": "a"}))
    assert [owner(store, book), owner(store, book, resource=other)] == ["nobody-else", "a"]
    keep(store, (RESOURCE, {"team": "a"}), at=NOW + SKEW + SECOND)
    assert owner(store, book) == "nobody-else"
    keep(store, (RESOURCE, {"team": "b"}))
    assert owner(store, book) == "b"


@pytest.mark.parametrize(("tags", "listed"), [(None, 0), ("live", 4)])
def test_what_it_costs(tags: object, listed: int, sqlite: Store, tmp_path: Path) -> None:
    """Nothing unless owners.yaml says so; else one question in five minutes, and memory for the tags that a rule names."""
    keep(sqlite, (RESOURCE, {"cost": "1"}), *((f"{GROUP}/{one}", {"Team": "a", "cost": one}) for one in "xyz"))
    asked: list[str] = []
    seen = watched(sqlite, lambda sql, _: asked.append(sql))
    reader = TagReader(seen, {Stream.CWPP: ruled(tmp_path / "rules", tags=tags)}, lambda: 0.0)
    for minutes in (0, 1, 2, 4, 30, 92, 96, 98):
        owner_by(reader, NOW + timedelta(minutes=minutes))
    assert len(asked) == listed
    by_id = run(reader.rulebook(Stream.CWPP, NOW + timedelta(minutes=98))).owners.tags.by_id
    assert by_id == ({f"{GROUP}/{one}".lower(): {"team": "a"} for one in "xyz"} if listed else {})
    assert len({id(one) for one in by_id.values()}) == min(listed, 1)


IDS = [f"/subscriptions/s/resourcegroups/{name}" for name in "abc"]

tags = st.dictionaries(st.sampled_from(["team", "env"]), st.sampled_from(["a", "b", ""]))
answers = st.dictionaries(st.sampled_from(IDS), tags)


@given(st.lists(answers, min_size=3, max_size=3))
def test_it_does_not_matter_in_which_order_tags_are_written(some: list[Mapping[str, Mapping[str, str]]]) -> None:
    """Of each thing those count that were read last; and what an answer does not name stays."""
    read = [(NOW + number * SECOND, one) for number, one in enumerate(some)]
    ends = []
    for order in permutations(read):
        known: TagsById = {}
        for at, said in order:
            known = tags_after(known, said, at)
            assert tags_after(known, said, at) == known
        ends.append(known)
    assert all(end == ends[0] for end in ends)
    latest = {id: ReadTags(at, tags) for at, said in read for id, tags in said.items()}
    assert ends[0] == latest


@given(st.dictionaries(st.text(), st.builds(ReadTags, st.sampled_from([NOW, NOW - SECOND]), tags)))
def test_what_is_written_of_tags_is_read_again_and_forgotten_by_the_last_that_was_read(some: TagsById) -> None:
    """What does not decode is not known, and written anew when it is read again."""
    document = document_of_tags("s", some, NOW)
    last = max((one.read for one in some.values()), default=NOW)
    assert (find_tags_in(document), document.kind, document.id) == (some, DocumentKind.TAGS, "s")
    assert document.at == last
    for body in (b"", b"{", b"[]", b'{"reads": [{"read": "now", "rows": []}]}', b'{"reads": [{"read": 1}]}'):
        assert find_tags_in(replace(document, body=body)) is None, body


def test_each_thing_is_in_its_subscription_and_of_too_many_those_are_known_that_were_read_last() -> None:
    """The subscription itself, too. A document has a bound, however large a subscription."""
    group, other = {"/subscriptions/a/resourcegroups/r": {"x": "1"}}, "/subscriptions/b"
    said = {other: {"x": "1"}, **group, f"{other}/resourcegroups/r": {}}
    assert by_subscription(said) == {"a": group, "b": {key: said[key] for key in said.keys() - group.keys()}}
    known = tags_after({}, {f"old-{number}": {} for number in range(bodies.MOST_TAGGED)}, NOW)
    after = tags_after(known, {"new": {"team": "a"}}, NOW + SECOND)
    assert len(known) == len(after) == bodies.MOST_TAGGED
    assert after["new"].tags == {"team": "a"}
