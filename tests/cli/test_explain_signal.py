"""`explain ID`: the life of a signal, from a state of either kind."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from router.cli.signal_paging import AwaitedCode, PagingCode
from tests.cli.house import House, a_suppression, ndjson
from tests.cli.test_words import EVIL, alert_of
from tests.cli.transcripts import Transcript
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


def test_the_life_of_a_signal_is_told_from_the_state(routed: House, transcript: Transcript) -> None:
    """The answer first, each message with its outcome and stored steps, each delivery; and the rules may have changed since.

    What a destination was last told is shown in its own words; where it took nothing, that.
    """
    document = json.loads(transcript(f"explain {ID} --now {LATER} --format json").out)
    assert document["paging"]["code"] == PagingCode.NO_PAGER
    notice = transcript(f"explain {ID} --notice people").out
    assert as_json(routed, ID, "--notice", "people")["notice"] + "\n" == notice
    routed.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="low", Severity="Low")))
    routed.says("run", "--now", NOW, "b.ndjson")
    transcript("explain low --notice people", f"explain {ID} --notice peple")
    routed.writes("rules/cwpp/policy.yaml", "stream: cwpp\nfloor: {default: Critical}\n")
    transcript(f"explain {ID.upper()} --state .state --now {LATER}")


def test_what_holds_a_signal_or_fails_is_told_and_what_it_waits_for(house: House, transcript: Transcript) -> None:
    """Until when, since when, how many messages; each attempt with its error; a setting that is missing."""
    policy = house.directory / "rules" / "cwpp" / "policy.yaml"
    record = "{kind: log_analytics, endpoint: {setting: LOGS_ENDPOINT}, rule: dcr-1, table: Test_CL}"
    policy.write_text(f"{policy.read_text()}record: {record}\n")
    (house.directory / "people.ndjson").mkdir()
    house.says("run", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    document = as_json(house, ID)
    (people,) = [one for one in document["destinations"] if one["name"] == "people"]
    (delivery,) = people["deliveries"]
    assert delivery["error"]
    assert [one["error"] for one in delivery["failed"]] == [delivery["error"]] * delivery["attempts"]
    waits = {one["destination"]: one for one in document["waits"]}
    assert waits["record"]["words"].endswith("waits until record can be asked: LOGS_ENDPOINT is missing")
    assert (waits["people"]["key"], waits["people"]["turn"]) == (document["signal"]["key"], 1)
    assert AwaitedCode(waits["people"]["code"]) in (AwaitedCode.TIME, AwaitedCode.WORKER)
    house.writes("rules/cwpp/suppressions/nightly.json", a_suppression("VM_Example", "2026-12-31T00:00:00Z"))
    house.says("run", "--now", NOW, house.writes("b.ndjson", ndjson(a_flat_alert(SystemAlertId="held"))))
    transcript(f"explain held --now {LATER}")


def test_the_end_of_a_silence_is_told_as_it_stands_now(house: House, transcript: Transcript) -> None:
    """One that was extended holds longer than it did when the signal came; one that was ended holds it no more."""
    house.says("run", "--now", NOW, house.writes("none.ndjson", b""))
    silence = f"silences add --host web-01 --for 2h --reason patching --author ana --yes --now {NOW} --format json"
    id = json.loads(house.says(*silence.split()).out)["id"]
    house.says("run", "--now", NOW, house.writes("a.ndjson", ndjson(a_flat_alert())))
    for change in (f"extend {id} --for 1h", f"end {id}"):
        assert house.says(*f"silences {change} --author ben --now {LATER}".split()).code == 0
        transcript(f"explain {ID} --now {LATER}")


def test_what_is_owed_is_not_open(house: House) -> None:
    """Open is where a destination took the signal and not its end, whatever was decided since."""
    people = house.directory / "people.ndjson"

    def comes_to(now: str, status: str = "New") -> tuple[str, set[str]]:
        house.writes("a.ndjson", ndjson(a_flat_alert(Status=status)))
        house.says("run", "--now", now, "a.ndjson")
        lines = lines_of(house.says("explain", ID, "--now", now).out)
        return next(line for line in lines if line.startswith("now ")), {*as_json(house, ID)["now"]["open"]}

    people.mkdir()
    assert comes_to(NOW) == ("now it stands, open at everything; owed to people", {"everything"})
    given_up = "now it stands, open at everything; given up on at people"
    assert comes_to("2026-11-28T12:00:00Z") == (given_up, {"everything"})
    people.rmdir()
    assert house.says("dead-letters", "redrive", "--all", "--now", "2026-11-28T12:01:00Z").code == 0
    assert comes_to("2026-11-28T12:02:00Z") == ("now it stands, open at everything, people", {"everything", "people"})
    people.unlink()
    people.mkdir()
    assert comes_to("2026-11-28T12:03:00Z", "Resolved") == ("now over, open at people", {"people"})
    people.rmdir()
    assert comes_to("2026-11-28T13:00:00Z", "Resolved") == ("now over, open nowhere", set())


def test_several_signals_that_may_be_meant_are_listed(house: House, transcript: Transcript) -> None:
    """With what tells them apart, and no one of them is chosen; a stream chooses. Of none it is said where it was sought."""
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=f"{id}-same") for id in ("one", "two"))))
    house.writes("b.ndjson", b'{"SystemAlertId": "2517-lost", ')
    house.says("run", "--now", NOW, "a.ndjson", "b.ndjson")
    transcript("explain same --state .state", "explain same --stream cspm", "explain nobody", "explain 2517-LOST")
    matches = json.loads(house.says("explain", "same", "--format", "json").out)["matches"]
    assert {one["id"] for one in matches} == {"one-same", "two-same"}
    assert as_json(house, matches[0]["key"])["signal"]["id"] == matches[0]["id"]
    assert house.says("explain", os.fsdecode(b"nob\xffdy")).complaint.startswith(
        "nob\ufffddy: is no file, and no signal in"
    )


def test_what_is_a_file_is_explained_as_one(routed: House, transcript: Transcript) -> None:
    """A file wins, whether a state is named or not; without a file or a state both are said to be missing."""
    for state in ((), ("--state", ".state")):
        assert routed.says("explain", "a.ndjson", "--now", NOW, *state).out.startswith("a.ndjson:1: routed")
    transcript("explain a.ndjson --state elsewhere", f"explain {ID} --state elsewhere")
    (routed.directory / ".state" / "router.db").rename(routed.directory / "db")
    (routed.directory / ".state" / "router.commit").unlink()
    transcript(f"explain {ID}")


def test_an_id_may_be_longer_than_any_name_of_a_file(house: House) -> None:
    """It is no file then; the name of a state that is too long is one complaint. An empty one is refused as such."""
    ids = ("x" * 300, "a/" * 3_000 + "b")
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ids)))
    empty = [("explain", name, *state) for name in ("", " ", "\n\t", "\u2003") for state in ((), ("--state", ".state"))]
    refused = "FILE|ID: is empty; name a file, or a signal by its id"
    assert {house.says(*one).complaint for one in empty} == {refused}
    house.says("run", "--now", NOW, "a.ndjson")
    assert {house.says(*one).complaint for one in empty} == {refused}
    for id in ids:
        assert as_json(house, id)["signal"]["id"] == id
        assert house.says("explain", "x", "--state", id).complaint.endswith("cannot be read: File name too long")


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


def test_what_is_damaged_or_gone_costs_only_itself(routed: House, subtests: pytest.Subtests) -> None:
    """The rest of the life is told, and the answer says where nobody knows."""
    state = routed.directory / ".state" / "router.db"
    whole = state.read_bytes()
    for damage in (
        "UPDATE decisions SET body = x'00'",
        "UPDATE decisions SET body = CAST(replace(CAST(body AS TEXT), '2026-11-24T12:00:00Z', 'no time') AS BLOB)",
        "UPDATE signals SET open = '['",
        "UPDATE deliveries SET receipt = x'00' WHERE destination = 'people'",
        "UPDATE deliveries SET change = 'x' WHERE destination = 'people'",
        "DELETE FROM signals",
        "DELETE FROM deliveries",
        "DELETE FROM decisions",
    ):
        with subtests.test(damage):
            state.write_bytes(whole)
            assert rows_in(state.parent, f"{damage} RETURNING 1")
            assert routed.says("attack", "layer", "--now", LATER).code == 0
            said = routed.says("explain", ID)
            assert said.code == 0, said
            lines = lines_of(said.out)
            assert f"key {as_json(routed, ID)['signal']['key']}" in lines
            assert ("2026-11-24T12:00:00Z routed, routes: high (turn 1)" in lines) is ("decisions" not in damage)
