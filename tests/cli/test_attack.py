"""`attack layer`: what of ATT&CK nobody hears of, by a decisions file or by the state of either store."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from router.cli.attack_layer import COULD_BE_HIDDEN, UNHEARD
from tests.cli.house import House, a_suppression, ndjson
from tests.cli.navigator_spec import faults_of
from tests.parse.messages import a_flat_alert, an_assessment

AT = ("--now", "2026-11-24T12:00:00Z")
DAY = timedelta(days=1)
RULE = "rules/cwpp/suppressions/build-agents.json"


@pytest.fixture
def worked(house: House) -> House:
    """A house whose run routed one alert, held one, and left one below the floor; each names another technique."""
    house.writes(RULE, a_suppression("VM_Example", "2026-12-24T12:00:00Z", host="build-01"))
    alerts = [
        a_flat_alert(SystemAlertId="routed", Techniques=["T1110"]),
        a_flat_alert(
            SystemAlertId="held",
            Techniques=["T1562.001"],
            Entities=[{"$id": "4", "HostName": "build-01", "Type": "host"}],
        ),
        a_flat_alert(SystemAlertId="low", Severity="Low", AlertType="VM_Other", Techniques=["T1046"]),
        an_assessment(),
    ]
    house.writes("a.ndjson", ndjson(*alerts))
    assert house.says("run", *AT, "--decisions", "decisions.ndjson", "a.ndjson").code == 0
    return house


def layer_in(house: House, *arguments: str) -> Any:
    """The layer that the command prints."""
    said = house.says("attack", "layer", "--format", "json", *AT, *arguments)
    assert said.code == 0, said
    (layer,) = json.loads(said.out)
    assert faults_of(layer) == []
    return layer


def scores_in(layer: Any) -> dict[str, int]:
    """The score of each technique."""
    return {one["techniqueID"]: one["score"] for one in layer["techniques"]}


WORKED = {"T1046": 0, "T1110": 1, "T1685": 0}
"""How many signals of each technique were routed in that house."""


@pytest.mark.parametrize("source", [(), ("decisions.ndjson",)], ids=["state", "file"])
def test_a_state_and_the_file_of_the_same_run_say_the_same(worked: House, source: tuple[str, ...]) -> None:
    """What was routed, what was held under today's id, and what nobody heard of or could hear of."""
    layer = layer_in(worked, *source)
    assert scores_in(layer) == WORKED
    colours = {one["techniqueID"]: one.get("color") for one in layer["techniques"]}
    assert colours == {"T1046": UNHEARD, "T1110": COULD_BE_HIDDEN, "T1685": UNHEARD}


def test_one_command_answers_what_of_attack_the_rules_hide(worked: House) -> None:
    """As a table: the technique, whether anybody heard of it, by which rule, until when."""
    lines = [line.split() for line in worked.says("attack", "layer", *AT).out.splitlines()]
    assert ["T1046", "never", "0", "0", "0", "1", "-", "-", "-", "-"] in lines
    rule, until, now = "build-agents", "2026-12-24T12:00:00Z", "2026-11-24T12:00:00Z"
    assert ["T1110", "yes", "1", "0", "0", "0", rule, until, "0", "-"] in lines
    assert ["T1685", "never", "0", "0", "1", "0", rule, until, "1", now] in lines
    assert ["TA0006", "Credential", "Access", "yes", "1", "0", "1", "1", rule, until, "1", now] in lines


def test_the_layer_is_written_for_the_navigator(worked: House) -> None:
    """What is printed is for people all the same."""
    said = worked.says("attack", "layer", *AT, "--out", "layer.json")
    assert said.out.endswith("\nlayer  layer.json\n")
    assert json.loads((worked.directory / "layer.json").read_bytes()) == [layer_in(worked)]


def test_the_same_state_makes_the_same_layer(worked: House) -> None:
    """To the byte, as of the same instant."""
    once, again = (worked.says("attack", "layer", "--format", "json", *AT).out for _ in range(2))
    assert once == again


def test_the_other_stream_is_told_of_by_itself(worked: House) -> None:
    """Posture and attacks never mix; nobody's alerts count there."""
    layer = layer_in(worked, "decisions.ndjson", "--stream", "cspm")
    assert (layer["name"], scores_in(layer)) == ("cspm: blind spots", {})


def test_rules_say_what_they_could_hide_before_any_alert_came(house: House) -> None:
    """By the catalogue, of a state in which nothing happened."""
    house.writes(RULE, a_suppression("SQL.DB_BruteForce", "2026-12-24T12:00:00Z"))
    house.writes("none.ndjson", "")
    assert house.says("run", *AT, "none.ndjson").code == 0
    out = house.says("attack", "layer", *AT).out
    (line,) = [line.split() for line in out.splitlines() if "build-agents" in line]
    assert line[-10:] == ["no", "signal", "0", "0", "0", "0", "build-agents", "2026-12-24T12:00:00Z", "0", "-"]


def test_a_rule_of_which_nothing_is_known_is_named(house: House) -> None:
    """That it is in no table would else be read as that it hides nothing."""
    house.writes(RULE, a_suppression("VM_Example", "2026-12-24T12:00:00Z"))
    house.writes("none.ndjson", "")
    assert house.says("run", *AT, "none.ndjson").code == 0
    lines = house.says("attack", "layer", *AT).out.splitlines()
    assert lines[-1].split() == ["build-agents", "vm_example", "2026-12-24T12:00:00Z"]


@pytest.mark.parametrize(
    ("options", "routed"),
    [
        (("--since", "1d"), {"T1110": 1}),
        (("--now", "2026-11-25T12:00:00Z", "--since", "1d"), {"T1110": 1}),
        (("--now", "2026-11-25T12:00:01Z", "--since", "1d"), {}),
        (("--until", "2026-11-24T12:00:00Z"), {}),
        (("--until", "2026-11-24T12:00:01Z"), {"T1110": 1}),
        (("--now", "2026-12-24T12:00:00Z"), {"T1110": 1}),
        (("--now", "2026-12-24T12:00:01Z"), {}),
    ],
)
def test_the_span_takes_in_its_first_instant_and_not_the_one_after_it(
    worked: House, options: tuple[str, ...], routed: dict[str, int]
) -> None:
    """Of a state, 30 days back from now unless told otherwise."""
    assert {id: score for id, score in scores_in(layer_in(worked, *options)).items() if score} == routed


@pytest.mark.parametrize(
    ("options", "routed"),
    [
        (("--now", "2026-11-25T12:00:00Z", "--since", "1d"), {"T1110": 1}),
        (("--now", "2026-11-25T12:00:01Z", "--since", "1d"), {}),
        (("--until", "2026-11-24T12:00:00Z"), {}),
        (("--until", "2026-11-24T12:00:01Z"), {"T1110": 1}),
        (("--until", "2026-11-25T12:00:00Z", "--since", "24h"), {"T1110": 1}),
        (("--until", "2026-11-25T12:00:00Z", "--since", "23h59m"), {}),
        (("--now", "2027-12-24T12:00:00Z"), {"T1110": 1}),
    ],
)
def test_a_file_is_looked_at_whole_unless_a_span_is_given(
    worked: House, options: tuple[str, ...], routed: dict[str, int]
) -> None:
    """Then as a state is."""
    layer = layer_in(worked, "decisions.ndjson", *options)
    assert {id: score for id, score in scores_in(layer).items() if score} == routed
    told = {one["name"]: one["value"] for one in layer["metadata"]}
    assert told.get("left out: decisions of another time") == (None if routed else "3")


def test_a_decision_without_a_time_is_in_no_span(worked: House) -> None:
    """Older programs wrote none; without a span all of them count, and nothing says when a rule held them last."""
    lines = [{key: value for key, value in line.items() if key != "at"} for line in worked.lines("decisions.ndjson")]
    worked.writes("old.ndjson", ndjson(*lines))
    assert scores_in(layer_in(worked, "old.ndjson")) == WORKED
    layer = layer_in(worked, "old.ndjson", "--since", "1d")
    assert scores_in(layer) == {}
    told = {one["name"]: one["value"] for one in layer["metadata"]}
    assert told["left out: decisions that do not say when they were made"] == "3"


# What a file may hold.


def test_lines_that_are_no_decisions_are_left_out_and_counted(worked: House) -> None:
    """Of a file that was cut, or put together by hand."""
    path = worked.directory / "decisions.ndjson"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"outcome": "routed"}\n[]\n\xff\n\n' + whole.splitlines()[0][:-1])
    layer = layer_in(worked, "decisions.ndjson")
    assert scores_in(layer) == WORKED
    told = {one["name"]: one["value"] for one in layer["metadata"]}
    assert told["left out: lines that are no decisions"] == "4"
    assert told["left out: decisions of the other stream"] == "1"
    out = worked.says("attack", "layer", *AT, "decisions.ndjson").out
    assert "left out   4 lines that are no decisions" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("a.ndjson",), "a.ndjson: holds no decisions; alert-router run --decisions FILE writes them"),
        (("gone.ndjson",), "gone.ndjson: cannot be read: No such file or directory"),
        (("--state", "gone"), "gone: holds no state; name where it is with --state, or by ALERT_ROUTER_STATE"),
        (
            ("--out", "gone/layer.json"),
            "gone/layer.json: the layer cannot be written there: No such file or directory",
        ),
        (("--rules", "gone"), "gone: is no directory of rules; did you mean rules?"),
    ],
)
def test_what_cannot_be_done_is_named(worked: House, arguments: tuple[str, ...], complaint: str) -> None:
    """In one line, with exit code 2."""
    assert worked.says("attack", "layer", *AT, *arguments).complaint == complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ("decisions.ndjson", "--state", ".state"),
        ("-",),
        ("--since", "soon"),
        ("--out", "-"),
    ],
)
def test_what_the_command_does_not_know_is_refused(worked: House, arguments: tuple[str, ...]) -> None:
    """There is one source."""
    assert worked.says("attack", "layer", *arguments).complaint
