"""The tags that were read of Azure, in every store: owners are found by them wherever a worker asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.coverage.commands.tags import keep_tags
from router.coverage.documents import parsed_document
from router.domain.clocks import SKEW
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.deliveries import Claim
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.notices import Notice
from router.domain.owners import Owner, find_owner_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.suppression import Suppressions
from router.ingest.state_cache import SLACK, TAGS_FRESH, TagReader
from router.store import documents as bodies
from router.store.documents import (
    ReadTags,
    TagsById,
    by_subscription,
    document_of_tags,
    find_tags_in,
    put_document,
    tags_after,
    tags_that_count,
)
from router.store.retention import LONGEST
from router.store.sources import list_sources
from router.store.store import Store
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_rule, an_alert, an_ip
from tests.rulebook.builders import a_policy, a_sound_rulebook
from tests.store.acts import run
from tests.store.life import Life
from tests.store.watching import watched
from tests.store.within import within

SECOND = timedelta(seconds=1)
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
    heard = [one.heard.source.id for one in run(within(store, list_sources, [CoverageSourceKind.OWNER]))]
    assert heard == ["owner:nobody-else", "owner:payments"]


def test_of_answers_what_was_read_last_counts_of_each_thing_that_one_names(
    store: Store, twin: Store, tmp_path: Path
) -> None:
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
    assert run(within(store, put_document, damaged)) is not None
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


def test_what_was_read_ninety_days_ago_counts_no_more() -> None:
    """Just younger, it does; and what a clock that is wrong says was read later than now does not."""
    known = {
        "old": ReadTags(NOW - LONGEST, {"team": "a"}),
        "young": ReadTags(NOW - LONGEST + SECOND, {"team": "a"}),
        "soon": ReadTags(NOW + SKEW, {"team": "a"}),
        "ahead": ReadTags(NOW + SKEW + SECOND, {"team": "a"}),
    }
    assert tags_that_count(known, NOW).keys() == {"young", "soon"}
    assert tags_after(known, {"ahead": {"team": "b"}}, NOW) == {
        "young": known["young"],
        "soon": known["soon"],
        "ahead": ReadTags(NOW, {"team": "b"}),
    }


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
