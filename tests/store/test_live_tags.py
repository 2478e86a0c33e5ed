"""The tags that were read of Azure, in every store: owners are found by them wherever a worker asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from router.app.tags import keep_tags
from router.coverage.documents import document_of
from router.domain.clocks import SKEW
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.deliveries import Claim
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.notices import Notice
from router.domain.owners import Owner, find_owner_of
from router.domain.retention import LONGEST
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.suppression import Suppressions
from router.domain.tag_documents import find_tags_in
from router.ingest.readers import SLACK, TAGS_FRESH, TagReader
from router.store.documents import list_documents, put_document
from router.store.sources import list_sources
from router.store.store import Store
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_rule, an_alert, an_ip
from tests.constructed.weeks import row_of
from tests.ingest.weeks import Weeks, title_of
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
    document = document_of([{"id": id, "tags": tags} for id, tags in rows], "answer")
    run(keep_tags(store, [document], at))


def owner(store: Store, book: Rulebook, at: datetime = NOW, resource: str = RESOURCE) -> str | None:
    """Whose a resource is to a worker that starts now."""
    return owner_by(TagReader(store, {Stream.CWPP: book}), at, resource)


def owner_by(reader: TagReader, at: datetime, resource: str = RESOURCE) -> str | None:
    """The same to a worker that is there."""
    found = find_owner_of(an_alert(AzureResourceId=resource), run(reader.rulebook(Stream.CWPP, at)).owners)
    return found.name if found is not None else None


def test_an_alert_goes_to_the_owner_that_a_tag_of_the_state_names(store: Store, tmp_path: Path) -> None:
    """By a route that asks for the owner, and with the owner in what is told; inherited from the group as ever."""
    life = Life(store, ruled(tmp_path / "rules"))
    assert life.alert("before").destinations == ("tickets",)  # nothing routes it
    keep(store, (GROUP, {"Team": "payments", "cost": "1"}), (f"/subscriptions/{SUBSCRIPTION}", None))
    life.alert("after")
    told = {one.delivery.content.id: one.delivery.content for one in life.deliver()}
    notices = {id: one for id, one in told.items() if isinstance(one, Notice)}
    assert {id: one.owner for id, one in notices.items()} == {
        "before": Owner("nobody-else"),
        "after": Owner("payments"),
    }
    assert {id: one.routes for id, one in notices.items()} == {"before": (), "after": ("pay",)}
    heard = [one.heard.source.id for one in run(within(store, list_sources, [CoverageSourceKind.OWNER]))]
    assert heard == ["owner:nobody-else", "owner:payments"]


def test_what_a_rule_held_goes_to_the_owner_that_a_tag_names_by_then(sqlite: Store, tmp_path: Path) -> None:
    """It is decided by the tags that are known when it is let go."""
    life = Life(sqlite, ruled(tmp_path / "rules"))
    suppressions = Suppressions.of([a_rule(expires=NOW + DAY)])
    life.book = replace(life.book, suppressions=suppressions)
    assert life.alert(Entities=[an_ip("10.20.0.5")]).suppressed_by is not None
    keep(sqlite, (RESOURCE, {"team": "payments"}))
    life.goes_on(1)
    life.release()
    assert owners_notified(life.deliver()) == [("opened", Owner("payments"))]


def test_the_end_of_a_finding_that_is_not_seen_any_more_names_the_owner_of_that_day(
    sqlite: Store, tmp_path: Path
) -> None:
    """Not the one that its opening named."""
    owners = {"tags": "live", "owners": [BY_TEAM]}
    book = a_sound_rulebook(tmp_path / "rules", {"owners.yaml": owners}, Stream.CSPM)
    weeks = Weeks(sqlite, book)
    claims: list[Claim] = []
    for number, names in enumerate(("abcd", "abc", "abc")):
        weeks.now = NOW + number * 7 * DAY
        keep(sqlite, (f"/subscriptions/{SUBSCRIPTION}", {"team": f"team-{number}"}), at=weeks.now)
        run(weeks.run([row_of(name) for name in names], f"week-{number}"))
        weeks.now += 2 * DAY
        run(weeks.end(weeks.now))
        claims += run(weeks.deliver())
    told = [(one, title_of(claim)) for claim, one in zip(claims, owners_notified(claims), strict=True)]
    assert [one for one, title in told if title == "d"] == [("opened", Owner("team-0")), ("resolved", Owner("team-2"))]


def owners_notified(claims: Sequence[Claim]) -> list[tuple[str, Owner | None]]:
    """Which change each of some notices told, and of whom as the owner."""
    contents = [(one.delivery.change.value, one.delivery.content) for one in claims]
    return [(change, content.owner) for change, content in contents if isinstance(content, Notice)]


def test_a_part_of_an_answer_takes_nothing_from_the_rest(store: Store, tmp_path: Path) -> None:
    """What is named has what was read last, also nothing; what is not named keeps what it had."""
    book, other = ruled(tmp_path / "rules"), f"{GROUP}/providers/Microsoft.Sql/servers/s"
    keep(store, (RESOURCE, {"team": "a"}), (other, {"team": "a"}))
    keep(store, (RESOURCE, {"team": "b"}), at=NOW + SECOND)
    assert [owner(store, book, NOW + SECOND, one) for one in (RESOURCE, other)] == ["b", "a"]
    keep(store, (RESOURCE, {"cost": "1"}), at=NOW + 2 * SECOND)
    assert [owner(store, book, NOW + 2 * SECOND, one) for one in (RESOURCE, other)] == ["nobody-else", "a"]


def test_an_answer_that_was_read_earlier_replaces_nothing(store: Store, twin: Store, tmp_path: Path) -> None:
    """Whoever is last to write; and of two who write at once neither is lost."""
    book = ruled(tmp_path / "rules")
    answers = [document_of([{"id": RESOURCE, "tags": {"team": team}}, {"id": f"{GROUP}/{team}", "tags": {"team": team}}], team)
               for team in ("a", "b")]  # fmt: skip
    instants = (NOW, NOW - SECOND)

    async def at_once() -> None:
        await asyncio.gather(
            *(keep_tags(one, [answer], at) for one, answer, at in zip((store, twin), answers, instants, strict=True))
        )

    run(at_once())
    (document,) = run(within(store, list_documents, DocumentKind.TAGS))
    assert {id.rpartition("/")[2]: one.tags["team"] for id, one in (find_tags_in(document) or {}).items()} == {
        "vm-1": "a",
        "a": "a",
        "b": "b",
    }
    assert owner(store, book) == "a"


def test_a_worker_knows_tags_within_five_minutes(store: Store, twin: Store, tmp_path: Path) -> None:
    """Without a request for each batch; also of those that were read an hour before they were written."""
    ticked = 0.0
    reader = TagReader(store, {Stream.CWPP: ruled(tmp_path / "rules")}, lambda: ticked)
    assert owner_by(reader, NOW) == "nobody-else"
    keep(twin, (RESOURCE, {"team": "a"}), at=NOW - SLACK)
    assert owner_by(reader, NOW + TAGS_FRESH - SECOND) == "nobody-else"
    assert owner_by(reader, NOW + TAGS_FRESH) == "a"
    keep(twin, (RESOURCE, {"team": "b"}), at=NOW + TAGS_FRESH)
    ticked = TAGS_FRESH.total_seconds()
    assert owner_by(reader, NOW + TAGS_FRESH) == "b"


def test_tags_count_for_ninety_days(store: Store, tmp_path: Path) -> None:
    """Also at a worker that knows them already, which looks at all of them once a day."""
    book = ruled(tmp_path / "rules")
    end, worker = NOW + LONGEST, TagReader(store, {Stream.CWPP: book})
    keep(store, (RESOURCE, {"team": "a"}))
    assert [owner(store, book, end - SECOND), owner_by(worker, end - SECOND)] == ["a", "a"]
    assert [owner(store, book, end), owner_by(worker, end + DAY)] == ["nobody-else", "nobody-else"]


def test_tags_that_a_clock_ahead_wrote_count_for_nothing(store: Store, tmp_path: Path) -> None:
    """And are replaced by those of a clock that is right."""
    book = ruled(tmp_path / "rules")
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


def test_a_document_that_cannot_be_read_says_nothing(store: Store, tmp_path: Path) -> None:
    """Its neighbours do; and it is written anew with the next answer."""
    book = ruled(tmp_path / "rules")
    damaged = StoredDocument(kind=DocumentKind.TAGS, id=SUBSCRIPTION, at=NOW, body=b'{"reads": [{"rows": 1}]}')
    assert run(within(store, put_document, damaged)) is not None
    other = "/subscriptions/bbbb/resourceGroups/rg"
    keep(store, (other, {"team": "a"}))
    assert [owner(store, book), owner(store, book, resource=other)] == ["nobody-else", "a"]
    keep(store, (RESOURCE, {"team": "b"}))
    assert owner(store, book) == "b"


@pytest.mark.parametrize(("tags", "listed"), [(None, 0), ("live", 4)])
def test_what_it_costs(tags: object, listed: int, sqlite: Store, tmp_path: Path) -> None:
    """Nothing unless owners.yaml says so; else one question in five minutes."""
    keep(sqlite, (RESOURCE, {"team": "a"}))
    asked: list[str] = []
    reader = TagReader(
        watched(sqlite, lambda sql, _: asked.append(sql)),
        {Stream.CWPP: ruled(tmp_path / "rules", tags=tags)},
        lambda: 0.0,
    )
    for minutes in (0, 1, 2, 4, 30, 92, 96, 98):
        owner_by(reader, NOW + timedelta(minutes=minutes))
    assert len(asked) == listed


def test_tags_that_no_rule_names_are_not_held_in_memory(sqlite: Store, tmp_path: Path) -> None:
    """And what has the same tags as another has the very same."""
    keep(sqlite, (RESOURCE, {"cost": "1"}), *((f"{GROUP}/{one}", {"Team": "a", "cost": one}) for one in "xyz"))
    reader = TagReader(sqlite, {Stream.CWPP: ruled(tmp_path / "rules")})
    by_id = run(reader.rulebook(Stream.CWPP, NOW)).owners.tags.by_id
    assert by_id == {f"{GROUP}/{one}".lower(): {"team": "a"} for one in "xyz"}
    assert len({id(tags) for tags in by_id.values()}) == 1
