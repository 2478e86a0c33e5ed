"""The tags that were read of Azure, in every store: owners are found by them wherever a worker asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

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
from router.store.documents import put_document
from router.store.retention import LONGEST
from router.store.sources import list_sources
from router.store.store import Store
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_rule, an_alert, an_ip
from tests.constructed.weeks import row_of
from tests.ingest.weeks import Weeks, notices
from tests.rulebook.builders import a_policy, a_sound_rulebook
from tests.store.acts import run
from tests.store.life import Life
from tests.store.watching import watched
from tests.store.within import within

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
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
    life.book = replace(unruled, suppressions=Suppressions.from_rules([a_rule(expires=NOW + DAY)]))
    assert life.alert("held", Entities=[an_ip("10.20.0.5")]).suppressed_by is not None
    assert owners_notified(life.deliver()) == [("opened", Owner("nobody-else"))]
    keep(store, (GROUP, {"Team": "payments", "cost": "1"}), (f"/subscriptions/{SUBSCRIPTION}", None))
    life.book = unruled
    assert life.alert("after").routes == ("pay",)
    life.release()
    assert owners_notified(life.deliver()) == [("opened", Owner("payments"))] * 2
    heard = [one.heard.source.id for one in run(within(store, list_sources, [CoverageSourceKind.OWNER]))]
    assert heard == ["owner:nobody-else", "owner:payments"]


def test_the_end_of_a_finding_that_is_not_seen_any_more_names_the_owner_of_that_day(
    sqlite: Store, tmp_path: Path
) -> None:
    """Not the one that its opening named."""
    owners = {"tags": "live", "owners": [BY_TEAM]}
    weeks = Weeks(sqlite, a_sound_rulebook(tmp_path / "rules", {"owners.yaml": owners}, Stream.CSPM))
    claims: list[Claim] = []
    for number, names in enumerate(("abcd", "abc", "abc")):
        weeks.now = NOW + number * 7 * DAY
        keep(sqlite, (f"/subscriptions/{SUBSCRIPTION}", {"team": f"team-{number}"}), at=weeks.now)
        weeks.take([row_of(name) for name in names], f"week-{number}")
        weeks.now += 2 * DAY
        run(weeks.end(weeks.now))
        claims += weeks.deliver()
    told = zip(owners_notified(claims), (title for _, title in notices(claims)), strict=True)
    assert [one for one, title in told if title == "d"] == [("opened", Owner("team-0")), ("resolved", Owner("team-2"))]


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
    assert [owner(store, book, end), owner_by(worker, end + DAY)] == ["nobody-else", "nobody-else"]


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


def test_a_file_in_git_counts_before_the_state(store: Store, tmp_path: Path) -> None:
    """Of the very same thing, since somebody reviewed it; and a resource's own tag before its group's, whoever says it."""
    file = "tags/reviewed.json"
    files: dict[str, object] = {file: [{"id": GROUP, "tags": {"team": "reviewed"}}]}
    book = ruled(tmp_path / "rules", tags=[file, "live"], files=files)
    keep(store, (GROUP, {"team": "live"}))
    assert owner(store, book) == "reviewed"
    keep(store, (RESOURCE, {"team": "live"}))
    assert owner(store, book) == "live"


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
