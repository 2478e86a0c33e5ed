"""`destinations`: how each is, who keeps it from being asked until when, and whether it can be asked; on both stores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from router.deliver.destination_holds import FRESH, read_changes
from router.domain.deliveries import Pause
from router.domain.documents import DocumentKind, StoredDocument
from router.store.codec import micros
from router.store.destinations import pause_destination
from router.store.documents import list_documents
from router.store.store import Store
from tests.cli.house import House, ndjson
from tests.cli.test_state_in_postgresql import Both, both, take
from tests.cli.transcripts import Transcript
from tests.parse.messages import a_flat_alert, body_of
from tests.store.opened import open_store
from tests.store.within import within

__all__ = ["both"]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOLD = ("destinations", "hold", "--author", "ana", "--reason", "it is moved")


def at(now: datetime) -> tuple[str, str]:
    """The option that says when a command is given."""
    return "--now", now.isoformat()


def owing(*ids: str) -> Callable[[Store], Awaitable[None]]:
    """Alerts that are owed to `people` and to `everything`."""
    return lambda store: take(store, *(body_of(a_flat_alert(SystemAlertId=id)) for id in ids))


def listed(both: Both, *more: str) -> dict[str, Any]:
    """How each destination is, by its name, which is the same on both stores but for whether its settings are known."""
    found: list[list[dict[str, Any]]] = []
    for where in ((), ("--state", both.database)):
        said = both.house.says("destinations", "list", "--format", "json", *where, *more)
        assert said.code == 0, said
        found.append([{**one, "ready": None} for one in json.loads(said.out)])
    assert found[0] == found[1]
    return {one["name"]: one for one in found[0]}


def test_each_destination_is_listed_with_how_it_is(both: Both, transcript: Transcript) -> None:
    """Those of the rules, those that only the state knows, and what each is owed; in text one line for each."""
    both.hold(owing("one", "two"))
    transcript(f"destinations list {' '.join(at(NOW))}", f"destinations list --format json {' '.join(at(NOW))}")
    assert set(listed(both, *at(NOW))) == {"backlog", "everything", "people"}
    assert set(listed(both, "--stream", "cspm", *at(NOW))) == {"backlog"}


def test_a_destination_is_held_until_its_end_and_released_before(both: Both) -> None:
    """Its author, its reason and its end are seen in the list, and every change of it is on record."""
    both.hold(owing("one"))
    said = both.say(*HOLD, "people", "--for", "2h", *at(NOW))
    assert "cwpp people: held by ana until 2026-11-20T14:00:00Z, in 2h" in said
    assert "1 is owed there" in said
    times = {"since": "2026-11-20T12:00:00Z", "until": "2026-11-20T14:00:00Z"}
    expected = {"author": "ana", "reason": "it is moved", **times}
    found = listed(both, *at(NOW))
    assert (found["people"]["held"], found["people"]["next_due"]) == (expected, expected["until"])
    assert listed(both, *at(NOW + 2 * HOUR))["people"]["held"] is None
    for where in ((), ("--state", both.database)):
        words = "cwpp people: held by ana since 2026-11-20T12:00:00Z until 2026-11-20T14:00:00Z: it is moved"
        assert words in both.house.says("state", *at(NOW), *where).out
        assert words not in both.house.says("state", *at(NOW + 2 * HOUR), *where).out
        report = json.loads(both.house.says("state", "--format", "json", *at(NOW), *where).out)
        assert report["destination_holds"] == [{"stream": "cwpp", "name": "people", **expected}]
    assert "cwpp people: held by ana since" in both.house.says("destinations", "list", *at(NOW)).out
    said = both.say(*HOLD, "people", "--for", "90m", *at(NOW + HOUR))
    assert ", since 2026-11-20T12:00:00Z until 2026-11-20T14:30:00Z, in 1h30m" in said
    release = ("destinations", "release", "people", "--author", "ben", *at(NOW + 1.5 * HOUR))
    serves = "who serves the state sends what is due within two minutes"
    for where, when in (((), "the next run sends what is due"), (("--state", both.database), serves)):
        assert both.house.says(*release, *where).out == f"cwpp people: released by ben; 1 is owed there; {when}\n"
    assert both.say(*release).startswith("people: is held by nobody;")
    assert listed(both, *at(NOW + 1.5 * HOUR))["people"]["held"] is None
    made = [("added", "ana", "it is moved"), ("extended", "ana", "it is moved"), ("released", "ben", "released")]
    for store in (open_store(Path(".state")), open_store(both.database)):

        async def documents(store: Store = store) -> Sequence[StoredDocument]:
            try:
                return await within(store, list_documents, DocumentKind.CHANGE)
            finally:
                await store.close()

        changes = read_changes(asyncio.run(documents())).values
        assert [(one.action, one.author, one.reason) for one in changes] == made


def test_a_hold_that_cannot_be_is_refused_in_one_line(both: Both, transcript: Transcript) -> None:
    """Which names what is at fault; nothing is held, and nothing on record."""
    both.hold(owing("one"))
    hold = f"destinations hold --author ana --reason moved {' '.join(at(NOW))}"
    transcript(*(f"{hold} {more}" for more in ("peopel --for 1h", "people --for 49h", "people --for soon", "people")))
    transcript(*(f"{hold} people --for 1h {more}" for more in ("--reason ' '", "--author ''", "--stream cspm")))
    assert both.say(*hold.split(), "people", "--for", "49h")
    assert all(one["held"] is None for one in listed(both, *at(NOW)).values())


def test_a_name_that_both_streams_have_needs_the_stream(house: House, transcript: Transcript) -> None:
    """One of the two is held, and the other is not."""
    policy = house.directory / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("backlog:", "people:").replace("[backlog]", "[people]"))
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert())))
    hold = f"destinations hold people --author ana --reason moved --for 1h {' '.join(at(NOW))}"
    assert [transcript(hold).code, transcript(f"{hold} --stream cspm").code] == [2, 0]
    transcript(f"destinations list {' '.join(at(NOW))}")


def test_a_destination_can_be_held_where_rules_cannot_be_used_or_are_not_there(
    house: House, transcript: Transcript
) -> None:
    """What the state was told of has a name and a lane; that is said, and rules that are named must be good."""
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert())))
    (house.directory / "rules" / "cwpp" / "policy.yaml").write_text("stream: cwpp\nfloor: [")
    hold = f"destinations hold people --author ana --reason moved --for 1h {' '.join(at(NOW))}"
    assert [transcript(hold).code, transcript(f"{hold} --rules rules").code] == [0, 2]
    (house.directory / "rules").rename(house.directory / "elsewhere")
    transcript(
        f"destinations release people --author ben {' '.join(at(NOW))}", f"destinations list {' '.join(at(NOW))}"
    )


def test_what_is_held_is_listed_and_released_though_no_rules_name_it_and_nothing_was_ever_owed_there(
    both: Both,
) -> None:
    """Whoever ends a hold may have no rules at hand, or newer ones: what holds a destination can always be seen and ended."""
    both.hold(owing("one"))
    both.say(*HOLD, "backlog", "--for", "2h", *at(NOW))
    Path("rules").rename("elsewhere")
    found = listed(both, *at(NOW + HOUR))["backlog"]
    assert (found["stream"], found["lane"], found["kind"], found["owed"]) == ("cspm", "rows", None, 0)
    assert found["held"]["author"] == "ana"
    assert "backlog" not in listed(both, "--stream", "cwpp", *at(NOW + HOUR))
    assert "until 2026-11-20T15:00:00Z" in both.say(*HOLD, "backlog", "--for", "2h", *at(NOW + HOUR))
    for where in ((), ("--state", both.database)):
        assert both.house.says("destinations", "release", "backlog", *at(NOW + HOUR), *where).code == 0
    assert "backlog" not in listed(both, *at(NOW + HOUR))
    assert both.say("destinations", "release", "backlog", *at(NOW + HOUR)).startswith("backlog: is no destination")


def test_a_run_sends_nothing_to_what_is_held_and_says_who_holds_it(house: House, transcript: Transcript) -> None:
    """And the run after its release sends it, with nothing lost; whoever is not held is sent theirs."""
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId="before"))))
    house.says(*HOLD, "people", "--for", "2h", *at(NOW))
    run = f"run {' '.join(at(NOW + HOUR))} {house.writes('b.ndjson', ndjson(a_flat_alert(SystemAlertId='meanwhile')))}"
    assert transcript(run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before"]
    assert [one["id"] for one in house.lines("everything.ndjson")] == ["before", "meanwhile"]
    assert transcript(f"destinations release people --author ben {' '.join(at(NOW + HOUR))}", run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before", "meanwhile"]


def test_a_paused_destination_that_is_released_is_asked_at_once_with_one_delivery(both: Both) -> None:
    """What is owed there waits for a probe of minutes later. On a server both are due once every worker knows."""
    pause = Pause(stream="cwpp", destination="people", since=NOW, probe=NOW + HOUR / 12, error="answered 401")

    async def paused(store: Store) -> None:
        await owing("one")(store)
        await store.run(lambda tx: tx.execute("UPDATE deliveries SET due=?", micros(pause.probe)))
        await within(store, pause_destination, pause)

    both.hold(paused)
    release = ("destinations", "release", "people", "--author", "ben", *at(NOW))
    serves = "who serves the state asks it within"
    for where, who in (((), "the next run asks it"), (("--state", both.database), serves)):
        said = both.house.says(*release, *where)
        assert (said.code, said.err) == (0, "")
        paused_since = "it is paused since 2026-11-20T12:00:00Z"
        assert said.out.startswith(f"cwpp people: released by ben; 1 is owed there; {paused_since}")
        assert f"answered 401; {who}" in said.out
        listing = json.loads(both.house.says("destinations", "list", "--format", "json", *where).out)
        (known,) = [one for one in listing if one["name"] == "people"]
        assert known["paused"]["probe"] == "2026-11-20T12:00:00Z"
        assert datetime.fromisoformat(known["next_due"]) <= NOW + FRESH
    assert json.loads(both.house.says(*release, "--format", "json").out)["until"] == "2026-11-20T12:00:00Z"
    assert both.house.says("run", *at(NOW), both.house.writes("none.ndjson", "")).code == 0
    assert len(both.house.lines("people.ndjson")) == 1
