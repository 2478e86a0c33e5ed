"""`attack layer`: what of ATT&CK nobody hears of, by a decisions file or by the state of either store."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from router.cli.attack_layer import COULD_BE_HIDDEN, UNHEARD
from tests.cli.house import House, a_suppression, ndjson
from tests.cli.navigator_spec import faults_of
from tests.cli.transcripts import Transcript
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


FILE = ("decisions.ndjson",)
WORKED = {"T1046": 0, "T1110": 1, "T1685": 0}
"""How many signals of each technique were routed in that house."""


def test_a_state_and_the_file_of_the_same_run_say_the_same(worked: House) -> None:
    """What was routed, what was held under today's id, and what nobody heard of; the other stream is told of by itself."""
    layers = [layer_in(worked), layer_in(worked), layer_in(worked, "decisions.ndjson")]
    assert layers[0] == layers[1]
    for layer in layers:
        assert scores_in(layer) == WORKED
        colours = {one["techniqueID"]: one.get("color") for one in layer["techniques"]}
        assert colours == {"T1046": UNHEARD, "T1110": COULD_BE_HIDDEN, "T1685": UNHEARD}
    posture = layer_in(worked, "decisions.ndjson", "--stream", "cspm")
    assert (posture["name"], scores_in(posture)) == ("cspm: blind spots", {})


def test_one_command_answers_what_of_attack_the_rules_hide(worked: House, transcript: Transcript) -> None:
    """As a table: the technique, whether anybody heard of it, by which rule, until when; beside a layer that is written."""
    transcript(f"attack layer {' '.join(AT)} --out layer.json")
    assert json.loads((worked.directory / "layer.json").read_bytes()) == [layer_in(worked)]


def test_rules_say_what_they_could_hide_before_any_alert_came(house: House, transcript: Transcript) -> None:
    """By the catalogue, of a state in which nothing happened; a rule of which nothing is known is named, too."""
    house.writes("none.ndjson", "")
    assert house.says("run", *AT, "none.ndjson").code == 0
    for type in ("SQL.DB_BruteForce", "VM_Example"):
        house.writes(RULE, a_suppression(type, "2026-12-24T12:00:00Z"))
        transcript(f"attack layer {' '.join(AT)}")


@pytest.mark.usefixtures("worked")
def test_what_cannot_be_done_is_named(transcript: Transcript) -> None:
    """In one line, with exit code 2; there is one source."""
    for arguments in (
        *("a.ndjson", "gone.ndjson", "--state gone", "--out gone/layer.json", "--rules gone"),
        *("decisions.ndjson --state .state", "-", "--since soon", "--out -"),
    ):
        assert transcript(f"attack layer {arguments}").complaint


SPANS: list[tuple[str, str, bool]] = [
    ("--now 2026-11-25T12:00:00Z", "--since 1d", True),
    ("--now 2026-11-25T12:00:01Z", "--since 1d", False),
    ("--until 2026-11-24T12:00:00Z", "", False),
    ("--until 2026-11-24T12:00:01Z", "", True),
    ("--until 2026-11-25T12:00:00Z", "--since 24h", True),
    ("--until 2026-11-25T12:00:00Z", "--since 23h59m", False),
]


def test_a_span_takes_in_its_first_instant_and_not_the_one_after_it(worked: House, subtests: pytest.Subtests) -> None:
    """Of a state, 30 days back from now unless told otherwise; a file is looked at whole unless a span is given."""
    alone = [((), "2026-12-24T12:00:00Z", True), ((), "2026-12-24T12:00:01Z", False)]
    cases: list[tuple[tuple[str, ...], list[str], bool]] = [
        (source, f"{ends} {since}".split(), is_in) for ends, since, is_in in SPANS for source in ((), FILE)
    ]
    cases += [(source, ["--now", now], is_in) for source, now, is_in in (*alone, (FILE, "2027-12-24T12:00:00Z", True))]
    for source, options, is_in in cases:
        with subtests.test(source=source, options=options):
            layer = layer_in(worked, *source, *options)
            assert {id: score for id, score in scores_in(layer).items() if score} == ({"T1110": 1} if is_in else {})
            if source:
                assert metadata_in(layer).get("left out: decisions of another time") == (None if is_in else "3")


def metadata_in(layer: Any) -> dict[str, str]:
    """The metadata of a layer."""
    return {one["name"]: one["value"] for one in layer["metadata"]}


def test_what_a_file_holds_beside_decisions_with_times_is_counted(worked: House) -> None:
    """Lines that are cut or no decisions are left out; one without a time, as older programs wrote, is in no span."""
    path = worked.directory / "decisions.ndjson"
    whole = path.read_bytes()
    timeless = [{key: value for key, value in line.items() if key != "at"} for line in worked.lines("decisions.ndjson")]
    worked.writes("old.ndjson", ndjson(*timeless))
    assert scores_in(layer_in(worked, "old.ndjson")) == WORKED
    layer = layer_in(worked, "old.ndjson", "--since", "1d")
    assert scores_in(layer) == {}
    assert metadata_in(layer)["left out: decisions that do not say when they were made"] == "3"
    path.write_bytes(whole + b'{"outcome": "routed"}\n[]\n\xff\n\n' + whole.splitlines()[0][:-1])
    layer = layer_in(worked, *FILE)
    assert scores_in(layer) == WORKED
    assert metadata_in(layer)["left out: lines that are no decisions"] == "4"
    assert metadata_in(layer)["left out: decisions of the other stream"] == "1"
    assert "left out   4 lines that are no decisions" in worked.says("attack", "layer", *AT, *FILE).out
