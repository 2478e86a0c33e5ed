"""`explain ID`: the life of a signal, from a state of either kind."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from router.cli.signal_paging import AwaitedCode, PagingCode
from tests.cli.house import House, a_suppression, ndjson
from tests.cli.test_words import EVIL, alert_of
from tests.destinations.test_words import acts
from tests.parse.messages import a_flat_alert
from tests.store.opened import rows_in

NOW = "2026-11-24T12:00:00Z"
LATER = "2026-11-24T13:00:00Z"
ID = str(a_flat_alert()["SystemAlertId"])


@pytest.fixture
def routed(house: House) -> House:
    """A house where an alert was routed an hour ago."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    assert house.says("run", "--now", NOW, "a.ndjson").code == 0
    return house


def lines_of(out: str) -> list[str]:
    """Lines as words with one blank between them."""
    return [" ".join(line.split()) for line in out.splitlines()]


def as_json(house: House, *arguments: str) -> Any:
    said = house.says("explain", "--format", "json", "--now", LATER, *arguments)
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


def test_the_life_of_a_signal_is_told_from_the_state(routed: House) -> None:
    """The answer first, each message with its outcome and stored steps, each delivery; and the rules may have changed since."""
    routed.writes("rules/cwpp/policy.yaml", "stream: cwpp\nfloor: {default: Critical}\n")
    said = routed.says("explain", ID.upper(), "--state", ".state", "--now", LATER)
    assert (said.code, said.err) == (0, "")
    lines = lines_of(said.out)
    assert lines[0] == "It paged nobody: its routes (high) lead to everything, people, none of which is a pager."
    for line in (
        "what High alert VM_Example: Something happens",
        "now it stands, open at everything, people",
        "2026-11-24T12:00:00Z routed, routes: high (turn 1)",
        "from a.ndjson:1",
        "people (rows lane)",
        "1 opened sent 2026-11-24T12:00:00Z 1 2026-11-24T12:00:00Z taken -",
    ):
        assert line in lines, said.out
    assert any(line.startswith("steps ") and "route high takes it" in line for line in lines)
    assert "still to happen" not in lines


def test_what_holds_a_signal_is_told_and_what_it_waits_for(house: House) -> None:
    """Until when, since when, how many messages; with the state in its default place no option is needed."""
    house.writes("rules/cwpp/suppressions/nightly.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.says("run", "--now", NOW, "a.ndjson")
    lines = lines_of(house.says("explain", ID, "--now", LATER).out)
    assert lines[0] == "It paged nobody: at 2026-11-24T12:00:00Z rule nightly held it until 2026-12-31T00:00:00Z."
    assert "held by rule nightly until 2026-12-31T00:00:00Z, since 2026-11-24T12:00:00Z, messages: 1" in lines
    assert lines[lines.index("still to happen") + 1] == (
        "the signal is held by rule nightly until 2026-12-31T00:00:00Z; then it is decided again"
    )


def test_the_end_of_a_silence_is_told_as_it_stands_now(house: House) -> None:
    """One that was extended holds longer than it did when the signal came; one that was ended holds it no more."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.says("run", "--now", NOW, house.writes("none.ndjson", b""))
    silence = ("--host", "web-01", "--for", "2h", "--reason", "patching", "--author", "ana", "--yes")
    id = json.loads(house.says("silences", "add", *silence, "--now", NOW, "--format", "json").out)["id"]
    house.says("run", "--now", NOW, "a.ndjson")
    later, ended = "2026-11-24T15:00:00Z", f"{LATER}, when a person ended the silence"
    held = f"the signal is held by silence {id} until {later}; then it is decided again"
    over = f"silence {id} held the signal until {ended}; the next run or the next sweep decides it again"
    for change, end, words, wait in (
        (("extend", id, "--for", "1h"), later, later, held),
        (("end", id), LATER, ended, over),
    ):
        assert house.says("silences", *change, "--author", "ben", "--now", LATER).code == 0
        lines = lines_of(house.says("explain", ID, "--now", LATER).out)
        assert lines[0] == f"It paged nobody: at {NOW} silence {id} held it until {words}."
        assert f"held by silence {id} until {end}, since {NOW}, messages: 1" in lines
        assert lines[lines.index("still to happen") + 1] == wait


def test_a_delivery_that_fails_is_told_with_each_attempt(house: House) -> None:
    """Its errors, when it is due again, and at last that it is dead."""
    (house.directory / "people.ndjson").mkdir()
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.says("run", "--now", NOW, "a.ndjson")
    document = as_json(house, ID)
    (people,) = [one for one in document["destinations"] if one["name"] == "people"]
    (delivery,) = people["deliveries"]
    assert (
        delivery["error"] and [one["error"] for one in delivery["failed"]] == [delivery["error"]] * delivery["attempts"]
    )
    (wait,) = document["waits"]
    assert (wait["destination"], wait["key"], wait["turn"]) == ("people", document["signal"]["key"], 1)
    assert AwaitedCode(wait["code"]) in (AwaitedCode.TIME, AwaitedCode.WORKER)
    assert "still to happen" in lines_of(house.says("explain", ID).out)


def test_what_the_record_lacks_is_told_as_of_any_destination(house: House) -> None:
    """A setting that is missing keeps it from being asked as a secret does."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    record = "{kind: log_analytics, endpoint: {setting: LOGS_ENDPOINT}, rule: dcr-1, table: Test_CL}"
    policy.write_text(f"{policy.read_text()}record: {record}\n")
    house.says("run", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    (wait,) = as_json(house, ID)["waits"]
    assert wait["words"] == "turn 1 to record (opened) waits until record can be asked: LOGS_ENDPOINT is missing"


def test_what_is_owed_is_not_open(house: House) -> None:
    """Open is where a destination took the signal and not its end, whatever was decided since."""
    people = house.directory / "people.ndjson"

    def comes_to(status: str, now: str) -> tuple[str, object]:
        house.writes("a.ndjson", ndjson(a_flat_alert(Status=status)))
        house.says("run", "--now", now, "a.ndjson")
        lines = lines_of(house.says("explain", ID, "--now", now).out)
        return next(line for line in lines if line.startswith("now ")), as_json(house, ID)["now"]["open"]

    people.mkdir()
    assert comes_to("New", NOW) == ("now it stands, open at everything; owed to people", {"everything": 1})
    assert comes_to("New", "2026-11-28T12:00:00Z") == (
        "now it stands, open at everything; given up on at people",
        {"everything": 1},
    )
    people.rmdir()
    assert house.says("dead-letters", "redrive", "--all", "--now", "2026-11-28T12:01:00Z").code == 0
    both = {"everything": 1, "people": 1}
    assert comes_to("New", "2026-11-28T12:02:00Z") == ("now it stands, open at everything, people", both)
    people.unlink()
    people.mkdir()
    assert comes_to("Resolved", "2026-11-28T12:03:00Z") == ("now over, open at people", {"people": 1})
    people.rmdir()
    assert comes_to("Resolved", "2026-11-28T13:00:00Z") == ("now over, open nowhere", {})


def test_what_a_destination_was_last_told_is_shown_as_text(routed: House) -> None:
    """In its own words; where it took nothing, that; a name that nobody has is refused as for a file."""
    said = routed.says("explain", ID, "--notice", "people")
    assert said.code == 0 and '"title": "Something happens"' in said.out
    assert as_json(routed, ID, "--notice", "people")["notice"] + "\n" == said.out
    routed.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="low", Severity="Low")))
    routed.says("run", "--now", NOW, "b.ndjson")
    assert routed.says("explain", "low", "--notice", "people").out == (
        "people: took nothing of it, or what it took is not kept.\n"
    )
    assert "no policy names such a destination" in routed.says("explain", ID, "--notice", "peple").complaint


def test_the_document_has_the_same_keys_whatever_happened(routed: House) -> None:
    """Which docs/command-line.md lists."""
    document = as_json(routed, ID)
    assert document["paging"] == {
        "code": PagingCode.NO_PAGER,
        "words": "It paged nobody: its routes (high) lead to everything, people, none of which is a pager.",
    }
    assert document["now"] == {
        "resolved": False,
        "outcome": "routed",
        "open": {"everything": 1, "people": 1},
        "pending_turn": None,
    }
    (decision,) = document["decisions"]
    assert decision["at"] == NOW and decision["turn"] == 1 and decision["outcome"] == "routed"
    assert {"code": "route.matched", "rule": "high", "words": "route high takes it"} in decision["steps"]
    assert (document["held"], document["silences"], document["waits"]) == (None, [], [])


def test_several_signals_that_may_be_meant_are_listed(house: House) -> None:
    """With what tells them apart, and no one of them is chosen; a stream chooses."""
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=f"{id}-same") for id in ("one", "two"))))
    house.says("run", "--now", NOW, "a.ndjson")
    said = house.says("explain", "same", "--state", ".state")
    assert (said.code, said.err) == (2, "same: may mean 2 signals; give the key of one, or more of its id\n")
    heads, *rows = lines_of(said.out)
    assert heads == "key when type title resource"
    assert {tuple(row.split()[1:3]) for row in rows} == {(NOW, "VM_Example")}
    matches = json.loads(house.says("explain", "same", "--format", "json").out)["matches"]
    assert {one["id"] for one in matches} == {"one-same", "two-same"}
    assert as_json(house, matches[0]["key"])["signal"]["id"] == matches[0]["id"]
    assert house.says("explain", "same", "--stream", "cspm").complaint.startswith(
        "same: is no file, and no signal in .state"
    )


def test_where_nothing_is_found_it_is_said_where_it_was_looked_for(routed: House) -> None:
    """Or that the message which says it was not understood."""
    assert routed.says("explain", os.fsdecode(b"nob\xffdy")).complaint.startswith(
        "nob\ufffddy: is no file, and no signal in"
    )
    assert routed.says("explain", "nobody").complaint == (
        "nobody: is no file, and no signal in .state: none has that key, or that id, given whole or by its end; no resource "
        "ends so, no ticket has that number, and no message in quarantine says it"
    )
    routed.writes("b.ndjson", b'{"SystemAlertId": "2517-lost", ')
    routed.says("run", "--now", NOW, "b.ndjson")
    complaint = routed.says("explain", "2517-LOST").complaint
    assert complaint.startswith(
        "2517-LOST: paged nobody: no signal is known by it, and it stands in what lies in quarantine (not_json"
    )
    id = complaint.partition("alert-router quarantine show ")[2].split()[0]
    assert routed.says("quarantine", "show", id).code == 0


def test_an_id_may_be_longer_than_any_name_of_a_file(house: House) -> None:
    """It is no file then; and the name of a state that is too long is one complaint."""
    ids = ("x" * 300, "a/" * 3_000 + "b")
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ids)))
    house.says("run", "--now", NOW, "a.ndjson")
    for id in ids:
        assert as_json(house, id)["signal"]["id"] == id
        assert house.says("explain", "x", "--state", id).complaint.endswith("cannot be read: File name too long")


def test_what_is_a_file_is_explained_as_one(routed: House) -> None:
    """A file wins, whether a state is named or not; without a file or a state both are said to be missing."""
    for state in ((), ("--state", ".state")):
        assert routed.says("explain", "a.ndjson", "--now", NOW, *state).out.startswith("a.ndjson:1: routed")
    assert routed.says("explain", "a.ndjson", "--state", "elsewhere").complaint.startswith("elsewhere: holds no state")
    assert routed.says("explain", ID, "--state", "elsewhere").complaint.startswith("elsewhere: holds no state")
    (routed.directory / ".state" / "router.db").rename(routed.directory / "db")
    (routed.directory / ".state" / "router.commit").unlink()
    assert routed.says("explain", ID).complaint == (
        f"{ID}: is no file, and no state is in .state to find a signal in; name a file, or a state with --state"
    )


@pytest.mark.parametrize("name", ["", " ", "\n\t", "\u2003"])
@pytest.mark.parametrize("state", [(), ("--state", ".state")])
def test_an_id_that_is_empty_is_refused_as_such(house: House, name: str, state: tuple[str, ...]) -> None:
    """Whether there is a state or not; a variable of a script may be empty."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    if state:
        house.says("run", "--now", NOW, "a.ndjson")
    assert house.says("explain", name, *state).complaint == "FILE|ID: is empty; name a file, or a signal by its id"


def test_nothing_of_an_alert_acts_on_a_terminal_and_no_credential_is_shown(house: House) -> None:
    """Neither in the life of a signal nor in a list of several, as text or as JSON."""
    title = "curl -H 'Authorization: Bearer abcdef0123456789abcdef'"
    bodies = [alert_of(EVIL, f"{number}{EVIL}") for number in (1, 2)]
    resource = f"/subscriptions/1/{title}"
    house.writes("a.ndjson", ndjson(*bodies, a_flat_alert(AlertDisplayName=title, AzureResourceId=resource)))
    house.says("run", "--now", NOW, "a.ndjson")
    for format in ("text", "json"):
        for text, code in ((f"1{EVIL}", 0), (EVIL, 2), (f"3{EVIL}", 2), (ID, 0)):
            said = house.says("explain", text, "--format", format)
            assert said.code == code, said
            assert [one for one in said.out + said.err if acts(one)] == []
        assert "abcdef0123456789" not in house.says("explain", ID, "--format", format).out


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE decisions SET body = x'00'",
        "UPDATE decisions SET body = CAST(replace(CAST(body AS TEXT), '2026-11-24T12:00:00Z', 'no time') AS BLOB)",
        "UPDATE signals SET open = '['",
        "UPDATE deliveries SET receipt = x'00' WHERE destination = 'people'",
        "UPDATE deliveries SET change = 'x' WHERE destination = 'people'",
        "DELETE FROM signals",
        "DELETE FROM deliveries",
        "DELETE FROM decisions",
    ],
)
def test_what_is_damaged_or_gone_costs_only_itself(routed: House, damage: str) -> None:
    """The rest of the life is told, and the answer says where nobody knows."""
    assert rows_in(routed.directory / ".state", f"{damage} RETURNING 1")
    for command in (("attack", "layer", "--now", LATER), ("explain", ID)):
        said = routed.says(*command)
        assert said.code == 0, said
    lines = lines_of(said.out)
    assert f"key {as_json(routed, ID)['signal']['key']}" in lines
    assert ("2026-11-24T12:00:00Z routed, routes: high (turn 1)" in lines) is ("decisions" not in damage)
