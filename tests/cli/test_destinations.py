"""`destinations`: how each is, who keeps it from being asked until when, and whether it can be asked; on both stores."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from router.deliver.destination_holds import FRESH, read_changes
from router.domain.deliveries import Pause
from router.domain.documents import DocumentKind
from router.store.codec import micros
from router.store.destinations import pause_destination
from router.store.documents import list_documents
from router.store.store import Store
from tests.cli.house import House, ndjson, over_both, take
from tests.cli.transcripts import Transcript
from tests.parse.messages import a_flat_alert, body_of
from tests.store.within import within

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOLD = "destinations hold --author ana --reason moved --for 2h"
RELEASE = "destinations release people --author ben"


def at(now: datetime) -> str:
    """The option that says when a command is given."""
    return f"--now {now:%Y-%m-%dT%H:%M:%SZ}"


def owing(*ids: str) -> Callable[[Store], Awaitable[None]]:
    """Alerts that are owed to `people` and to `everything`."""
    return lambda store: take(store, NOW, *(body_of(a_flat_alert(SystemAlertId=id)) for id in ids))


def listed(house: House, now: datetime, *more: str) -> dict[str, Any]:
    """How each destination is, by its name."""
    said = house.says("destinations", "list", "--format", "json", *at(now).split(), *more)
    assert said.code == 0, said
    return {one["name"]: one for one in json.loads(said.out)}


def test_each_destination_is_listed_with_how_it_is(house: House, transcript: Transcript) -> None:
    """Those of the rules, those that only the state knows, and what each is owed; in text one line for each."""
    house.in_state(owing("one", "two"))
    transcript(f"destinations list {at(NOW)}", f"destinations list --format json {at(NOW)}")
    assert set(listed(house, NOW, "--stream", "cspm")) == {"backlog"}


@over_both
def test_a_destination_is_held_until_its_end_and_released_before(house: House, transcript: Transcript) -> None:
    """Its author, its reason and its end are seen in the list, and every change of it is on record."""
    house.in_state(owing("one"))
    transcript(f"{HOLD} people {at(NOW)}")
    times = {"since": "2026-11-20T12:00:00Z", "until": "2026-11-20T14:00:00Z"}
    expected = {"author": "ana", "reason": "moved", **times}
    found = listed(house, NOW)
    assert (found["people"]["held"], found["people"]["next_due"]) == (expected, expected["until"])
    assert listed(house, NOW + 2 * HOUR)["people"]["held"] is None
    words = "cwpp people: held by ana since 2026-11-20T12:00:00Z until 2026-11-20T14:00:00Z: moved"
    for command, more in (("state", []), ("destinations", ["list"])):
        for now, is_held in ((NOW, True), (NOW + 2 * HOUR, False)):
            assert (words in house.says(command, *more, *at(now).split()).out) is is_held
    report = json.loads(house.says("state", "--format", "json", *at(NOW).split()).out)
    assert report["destination_holds"] == [{"stream": "cwpp", "name": "people", **expected}]
    release = f"{RELEASE} {at(NOW + 1.5 * HOUR)}"
    transcript(f"{HOLD} people --for 90m {at(NOW + HOUR)}", release, release)
    assert listed(house, NOW + 1.5 * HOUR)["people"]["held"] is None
    changes = house.in_state(lambda store: within(store, list_documents, DocumentKind.CHANGE))
    assert [(one.action, one.author, one.reason) for one in read_changes(changes).values] == [
        ("added", "ana", "moved"),
        ("extended", "ana", "moved"),
        ("released", "ben", "released"),
    ]


@over_both
def test_a_hold_that_cannot_be_is_refused_in_one_line(house: House, transcript: Transcript) -> None:
    """Which names what is at fault; nothing is held, and nothing on record."""
    house.in_state(owing("one"))
    more = ("peopel", "people --for 49h", "people --for soon", "", "people --reason ' '", "people --author ''")
    for one in (*more, "people --stream cspm"):
        assert transcript(f"{HOLD} {at(NOW)} {one}").complaint
    transcript(f"{HOLD.removesuffix(' --for 2h')} {at(NOW)} people")
    assert all(one["held"] is None for one in listed(house, NOW).values())


def test_a_name_that_both_streams_have_needs_the_stream(house: House, transcript: Transcript) -> None:
    """One of the two is held, and the other is not."""
    policy = house.directory / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("backlog:", "people:").replace("[backlog]", "[people]"))
    house.in_state(owing("one"))
    hold = f"{HOLD} people {at(NOW)}"
    assert [transcript(hold).code, transcript(f"{hold} --stream cspm").code] == [2, 0]
    transcript(f"destinations list {at(NOW)}")


def test_a_destination_can_be_held_where_rules_cannot_be_used_or_are_not_there(
    house: House, transcript: Transcript
) -> None:
    """What the state was told of has a name and a lane; that is said, and rules that are named must be good."""
    house.in_state(owing("one"))
    (house.directory / "rules" / "cwpp" / "policy.yaml").write_text("stream: cwpp\nfloor: [")
    hold = f"{HOLD} people {at(NOW)}"
    assert [transcript(hold).code, transcript(f"{hold} --rules rules").code] == [0, 2]
    (house.directory / "rules").rename(house.directory / "elsewhere")
    transcript(f"{RELEASE} {at(NOW)}", f"destinations list {at(NOW)}")


@over_both
def test_what_is_held_is_listed_and_released_though_no_rules_name_it_and_nothing_was_ever_owed_there(
    house: House, transcript: Transcript
) -> None:
    """Whoever ends a hold may have no rules at hand, or newer ones: what holds a destination can always be seen and ended."""
    house.in_state(owing("one"))
    transcript(f"{HOLD} backlog {at(NOW)}")
    Path("rules").rename("elsewhere")
    now = at(NOW + HOUR)
    transcript(f"destinations list --format json {now}", f"destinations list --stream cwpp {now}")
    release = f"destinations release backlog --author ben {now}"
    transcript(f"{HOLD} backlog {now}", release, f"destinations list {now}", release)


def test_a_run_sends_nothing_to_what_is_held_and_says_who_holds_it(house: House, transcript: Transcript) -> None:
    """And the run after its release sends it, with nothing lost; whoever is not held is sent theirs."""
    house.routes(*at(NOW).split(), house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId="before"))))
    house.says(*HOLD.split(), "people", *at(NOW).split())
    run = f"run {at(NOW + HOUR)} {house.writes('b.ndjson', ndjson(a_flat_alert(SystemAlertId='meanwhile')))}"
    assert transcript(run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before"]
    assert [one["id"] for one in house.lines("everything.ndjson")] == ["before", "meanwhile"]
    assert transcript(f"{RELEASE} {at(NOW + HOUR)}", run).code == 0
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before", "meanwhile"]


@over_both
def test_a_paused_destination_that_is_released_is_asked_at_once_with_one_delivery(
    house: House, transcript: Transcript
) -> None:
    """What is owed there waits for a probe of minutes later. On a server both are due once every worker knows."""
    pause = Pause(stream="cwpp", destination="people", since=NOW, probe=NOW + HOUR / 12, error="answered 401")

    async def paused(store: Store) -> None:
        await owing("one")(store)
        await store.run(lambda tx: tx.execute("UPDATE deliveries SET due=?", micros(pause.probe)))
        await within(store, pause_destination, pause)

    house.in_state(paused)
    transcript(f"{RELEASE} {at(NOW)}")
    known = listed(house, NOW)["people"]
    assert known["paused"]["probe"] == "2026-11-20T12:00:00Z"
    assert datetime.fromisoformat(known["next_due"]) <= NOW + FRESH
    transcript(f"{RELEASE} {at(NOW)} --format json")
    assert house.says("run", *at(NOW + FRESH).split(), house.writes("none.ndjson", "")).code == 0
    assert len(house.lines("people.ndjson")) == 1
