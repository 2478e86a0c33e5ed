"""`destinations`: how each is, who keeps it from being asked until when, and whether it can be asked; on both stores."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.deliver.destination_holds import FRESH, read_changes
from router.domain.deliveries import Pause
from router.domain.documents import DocumentKind
from router.store.codec import micros
from router.store.destinations import pause_destination
from router.store.documents import list_documents
from router.store.store import Store
from tests.cli.house import House, ndjson
from tests.cli.test_state_in_postgresql import Both, both, take
from tests.leash import leashed
from tests.parse.messages import a_flat_alert, body_of
from tests.store.opened import open_store
from tests.store.within import within
from tests.waiting import PATIENCE, wait_until

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


def house_says(both: Both, *arguments: str) -> str:
    """What a command prints that must be done."""
    said = both.house.says(*arguments)
    assert said.code == 0, said
    return said.out


def listed(both: Both, *more: str) -> dict[str, Any]:
    """How each destination is, by its name, which is the same on both stores but for whether its settings are known."""
    found: list[list[dict[str, Any]]] = []
    for where in ((), ("--state", both.database)):
        said = both.house.says("destinations", "list", "--format", "json", *where, *more)
        assert said.code == 0, said
        found.append([{**one, "ready": None} for one in json.loads(said.out)])
    assert found[0] == found[1]
    return {one["name"]: one for one in found[0]}


def test_each_destination_is_listed_with_how_it_is(both: Both) -> None:
    """Those of the rules, those that only the state knows, and what each is owed; in text one line for each."""
    both.hold(owing("one", "two"))
    found = listed(both, *at(NOW))
    assert {name: (one["stream"], one["kind"], one["lane"]) for name, one in found.items()} == {
        "backlog": ("cspm", "file", "rows"),
        "everything": ("cwpp", "file", "rows"),
        "people": ("cwpp", "file", "rows"),
    }
    assert (found["people"]["owed"], found["people"]["dead"], found["backlog"]["owed"]) == (2, 0, 0)
    assert found["people"]["owed_since"] == found["people"]["next_due"] == "2026-11-20T12:00:00Z"
    assert not found["people"]["has_delivered"]
    assert set(listed(both, "--stream", "cspm", *at(NOW))) == {"backlog"}
    text = both.house.says("destinations", "list", *at(NOW)).out.splitlines()
    assert [line.split()[1] for line in text] == ["destination", "backlog", "everything", "people"]


def test_a_destination_is_held_until_its_end_and_released_before(both: Both) -> None:
    """Its author, its reason and its end are seen in the list, and every change of it is on record."""
    both.hold(owing("one"))
    said = both.say(*HOLD, "people", "--for", "2h", *at(NOW))
    assert "cwpp people: held by ana until 2026-11-20T14:00:00Z, in 2h" in said
    assert "1 is owed there" in said
    expected = {
        "author": "ana",
        "reason": "it is moved",
        "since": "2026-11-20T12:00:00Z",
        "until": "2026-11-20T14:00:00Z",
    }
    found = listed(both, *at(NOW))
    assert (found["people"]["held"], found["people"]["next_due"]) == (expected, expected["until"])
    assert listed(both, *at(NOW + 2 * HOUR))["people"]["held"] is None
    for where in ((), ("--state", both.database)):
        words = "cwpp people: held by ana since 2026-11-20T12:00:00Z until 2026-11-20T14:00:00Z: it is moved"
        assert words in house_says(both, "state", *at(NOW), *where)
        assert words not in house_says(both, "state", *at(NOW + 2 * HOUR), *where)
        report = json.loads(house_says(both, "state", "--format", "json", *at(NOW), *where))
        assert report["destination_holds"] == [{"stream": "cwpp", "name": "people", **expected}]
    assert "cwpp people: held by ana since" in both.house.says("destinations", "list", *at(NOW)).out
    said = both.say(*HOLD, "people", "--for", "90m", *at(NOW + HOUR))
    assert ", since 2026-11-20T12:00:00Z until 2026-11-20T14:30:00Z, in 1h30m" in said
    release = ("destinations", "release", "people", "--author", "ben", *at(NOW + 1.5 * HOUR))
    for where, when in (
        ((), "the next run sends what is due"),
        (
            ("--state", both.database),
            "who serves the state sends what is due within two minutes",
        ),
    ):
        assert both.house.says(*release, *where).out == f"cwpp people: released by ben; 1 is owed there; {when}\n"
    assert both.say(*release).startswith("people: is held by nobody;")
    assert listed(both, *at(NOW + 1.5 * HOUR))["people"]["held"] is None
    for store in (open_store(Path(".state")), open_store(both.database)):
        changes = asyncio.run(_changes(store))
        assert changes == [
            ("added", "ana", "it is moved"),
            ("extended", "ana", "it is moved"),
            ("released", "ben", "released"),
        ]


async def _changes(store: Store) -> list[tuple[str, str, str]]:
    try:
        found = read_changes(await within(store, list_documents, DocumentKind.CHANGE)).values
        return [(one.action, one.author, one.reason) for one in found]
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("peopel", "--for", "1h"), "peopel: is no destination that the rules or the state know; did you mean people?"),
        (
            ("people", "--for", "49h"),
            "people: cannot be held for so long: a destination of the rows lane is held for 48 h",
        ),
        (("people", "--for", "1h", "--reason", " "), "--reason: is empty"),
        (("people", "--for", "1h", "--author", ""), "--author: is empty"),
        (("people", "--for", "soon"), "--for: 'soon' is no duration; write one such as 2h"),
        (("people",), "--for: is missing; say how long"),
        (("people", "--for", "1h", "--stream", "cspm"), "people: is no destination that"),
    ],
)
def test_a_hold_that_cannot_be_is_refused_in_one_line(both: Both, arguments: tuple[str, ...], complaint: str) -> None:
    """Which names what is at fault; nothing is held, and nothing on record."""
    both.hold(owing("one"))
    assert both.say(*HOLD, *arguments, *at(NOW)).startswith(complaint)
    assert all(one["held"] is None for one in listed(both, *at(NOW)).values())


def test_a_name_that_both_streams_have_needs_the_stream(house: House) -> None:
    """One of the two is held, and the other is not."""
    policy = house.directory / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("backlog:", "people:").replace("[backlog]", "[people]"))
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert())))
    said = house.says(*HOLD, "people", "--for", "1h", *at(NOW))
    assert said.complaint == "people: is a destination of cspm and of cwpp; say which with --stream"
    assert house.says(*HOLD, "people", "--for", "1h", "--stream", "cspm", *at(NOW)).code == 0
    listing = json.loads(house.says("destinations", "list", "--format", "json", *at(NOW)).out)
    assert [(one["stream"], one["name"]) for one in listing if one["held"]] == [("cspm", "people")]


def test_a_destination_can_be_held_where_rules_cannot_be_used_or_are_not_there(house: House) -> None:
    """What the state was told of has a name and a lane; that is said, and rules that are named must be good."""
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert())))
    (house.directory / "rules" / "cwpp" / "policy.yaml").write_text("stream: cwpp\nfloor: [")
    said = house.says(*HOLD, "people", "--for", "1h", *at(NOW))
    assert said.code == 0
    assert "going by what the state knows" in said.err
    assert house.says(*HOLD, "people", "--for", "2h", "--rules", "rules", *at(NOW)).code == 2
    (house.directory / "rules").rename(house.directory / "elsewhere")
    assert house.says("destinations", "release", "people", *at(NOW)).code == 0
    listing = house.says("destinations", "list", *at(NOW)).out
    assert "in no policy" in listing


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
        house_says(both, "destinations", "release", "backlog", *at(NOW + HOUR), *where)
    assert "backlog" not in listed(both, *at(NOW + HOUR))
    assert both.say("destinations", "release", "backlog", *at(NOW + HOUR)).startswith("backlog: is no destination")


def test_a_run_sends_nothing_to_what_is_held_and_says_who_holds_it(house: House) -> None:
    """And the run after its release sends it, with nothing lost; whoever is not held is sent theirs."""
    house.routes(*at(NOW), house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId="before"))))
    house.says(*HOLD, "people", "--for", "2h", *at(NOW))
    messages = house.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="meanwhile")))
    said = house.says("run", *at(NOW + HOUR), messages)
    assert said.code == 0
    assert "cwpp people: held by ana since 2026-11-20T12:00:00Z until 2026-11-20T14:00:00Z: it is moved" in said.out
    assert "cwpp people: 1 owed, next due 2026-11-20T14:00:00Z (in 60 min)" in said.out
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before"]
    assert [one["id"] for one in house.lines("everything.ndjson")] == ["before", "meanwhile"]
    assert house.says("destinations", "release", "people", *at(NOW + HOUR)).code == 0
    house.says("run", *at(NOW + HOUR), messages)
    assert [one["id"] for one in house.lines("people.ndjson")] == ["before", "meanwhile"]


@pytest.mark.soak
def test_a_run_at_work_obeys_a_hold_that_is_given_beside_it(house: House) -> None:
    """A hold and a release are written beside it, and obeyed within 15 seconds; what needs the state for itself is refused."""
    command = [sys.executable, "-m", "router", "run", "-"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, preexec_fn=leashed
    ) as process:
        assert process.stdin is not None
        stdin, sent = process.stdin, 0

        def send() -> int:
            nonlocal sent
            sent += 1
            stdin.write(ndjson(a_flat_alert(SystemAlertId=f"al-{sent}")))
            stdin.flush()
            wait_until(lambda: _count("everything.ndjson") >= sent, goes_on=lambda: process.poll() is None)
            return _count("people.ndjson")

        send()
        assert house.says(*HOLD, "people", "--for", "2h").code == 0
        wait_until(lambda: send() < sent, look=1.0)
        held = _count("people.ndjson")
        assert house.says("destinations", "release", "people").code == 0
        wait_until(lambda: send() > held, look=1.0)
        stdin.close()
        assert process.wait(PATIENCE) == 0
    assert len(house.lines("people.ndjson")) == sent


def _count(name: str) -> int:
    path = Path(name)
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_paused_destination_that_is_released_is_asked_at_once_with_one_delivery(both: Both) -> None:
    """What is owed there waits for a probe of minutes later. On a server both are due once every worker knows."""
    pause = Pause(stream="cwpp", destination="people", since=NOW, probe=NOW + HOUR / 12, error="answered 401")

    async def paused(store: Store) -> None:
        await owing("one")(store)
        await store.run(lambda tx: tx.execute("UPDATE deliveries SET due=?", micros(pause.probe)))
        await within(store, pause_destination, pause)

    both.hold(paused)
    release = ("destinations", "release", "people", "--author", "ben", *at(NOW))
    for where, who in (
        ((), "the next run asks it"),
        (("--state", both.database), "who serves the state asks it within"),
    ):
        said = both.house.says(*release, *where)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(
            "cwpp people: released by ben; 1 is owed there; it is paused since 2026-11-20T12:00:00Z"
        )
        assert f"answered 401; {who}" in said.out
        listing = json.loads(both.house.says("destinations", "list", "--format", "json", *where).out)
        (known,) = [one for one in listing if one["name"] == "people"]
        assert known["paused"]["probe"] == "2026-11-20T12:00:00Z"
        assert datetime.fromisoformat(known["next_due"]) <= NOW + FRESH
    assert json.loads(both.house.says(*release, "--format", "json").out)["until"] == "2026-11-20T12:00:00Z"
    assert both.house.says("run", *at(NOW), both.house.writes("none.ndjson", "")).code == 0
    assert len(both.house.lines("people.ndjson")) == 1
