"""`attack layer`: what of ATT&CK nobody hears of, by a decisions file or a state; the Navigator takes the layer."""

import json
import os
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from router.cli.attack_layer import COULD_BE_HIDDEN, UNHEARD, AttackReport, layer_of
from router.cli.printing import json_of
from router.decide.blind_spots import PastDecision
from router.domain.decisions import Outcome
from router.domain.rulebook import Rulebook
from router.domain.silences import NO_SILENCES, Silences
from tests.builders import NOW, a_rule, a_rulebook, the_attack_table
from tests.cli.house import House, Transcript, a_suppression, ndjson
from tests.decide.test_blind_spots import PAST_DECISIONS, a_held_decision, a_past_decision, a_silence, outcomes_of
from tests.parse.messages import a_flat_alert, an_assessment
from tests.samples import SAMPLES

_SCHEMA = Path(__file__).parent / "golden" / "navigator_layer_4.5.schema.json"
_VALIDATOR = Draft202012Validator(json.loads(_SCHEMA.read_text()))
"""Of https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md, its tables one by one."""


def faults_of(layer: Any) -> list[str]:
    """What a layer has that the specification does not allow."""
    return [*(fault.message for fault in _VALIDATOR.iter_errors(layer)), *_between_values(layer)]


def _between_values(layer: Any) -> Iterator[str]:
    """What no schema says: one value against another."""
    gradient = layer.get("gradient")
    if gradient is not None and not gradient["maxValue"] > gradient["minValue"]:
        yield "maxValue must be > minValue"
    cells = [(one.get("techniqueID"), one.get("tactic")) for one in layer.get("techniques", ())]
    if len(cells) > len(set(cells)):
        yield "a technique is annotated twice"


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


DAY = timedelta(days=1)
GOLDEN = Path(__file__).parent / "golden" / "attack_layer.json"
ACTING = "a\x1b[31m\u202eb\x00"
"""Text that would paint a terminal and turn the direction of reading."""


def a_report(
    decisions: Sequence[PastDecision],
    book: Rulebook | None = None,
    silences: Silences | None = NO_SILENCES,
    **changes: Any,
) -> AttackReport:
    """A report on some decisions of a file."""
    book = a_rulebook(a_rule()) if book is None else book
    attack = replace(book.attack, version=changes.pop("attack_version", book.attack.version))
    given: dict[str, Any] = {
        "book": replace(book, attack=attack),
        "at": NOW,
        "source": "decisions.ndjson",
        "since": None,
        "until": None,
        "silences": silences,
        "left_out": {},
        "outcomes": outcomes_of(*decisions),
    }
    return AttackReport(**(given | changes))


def layer_for(decisions: Sequence[PastDecision], *given: Any, **changes: Any) -> Any:
    """The layer as a program that loads the file has it."""
    return json.loads(json_of(layer_of(a_report(decisions, *given, **changes))))


def scores(layer: Any) -> dict[str, int]:
    """The score of each technique that is annotated."""
    return {one["techniqueID"]: one["score"] for one in layer["techniques"]}


def test_the_file_is_what_a_person_read_before_it_was_committed() -> None:
    """Written by `GOLDENS=write pytest tests/cli/test_attack_layer.py`: a layer of everything, and some of little.

    Of signals without a technique tactics in the metadata are all that is known. A blind spot says by whom and until when;
    a file does not say whether a silence is in force, and a layer where it is from.
    """
    decisions = [
        a_past_decision("routed"),
        a_past_decision("routed", at=NOW + DAY),
        a_held_decision("held"),
        a_held_decision("alone", by="silence:ab12cd", techniques=("T1562.001",), tactics=("TA0112",), type="VM_Other"),
        a_past_decision("low", Outcome.BELOW_FLOOR, techniques=("T1059.001",), tactics=("TA0002",)),
        a_past_decision("quiet", is_quiet=True, techniques=("T1046",), tactics=("TA0007",), type="VM_Third"),
        a_past_decision("bare", techniques=()),
        a_past_decision("sample", is_sample=True),
    ]
    silences = Silences.from_list([a_silence(type=None), a_silence("cd34ef", "VM_Unseen")])
    held = [a_held_decision(by="scanner"), a_held_decision("two", by="gone", at=NOW - DAY)]
    book = a_rulebook(a_rule(expires=NOW + DAY), a_rule("another"))
    by_silence = [a_held_decision(by="silence:ab12cd"), a_held_decision("two", by="gone")]
    untold = [a_past_decision(techniques=()), a_held_decision("two", techniques=())]
    left_out = {"lines that are no decisions": 2}
    reports = [
        a_report(decisions, None, silences, since=NOW - 30 * DAY, until=NOW, left_out=left_out),
        a_report(held, book, until=NOW),
        a_report(by_silence, a_rulebook(), Silences()),
        a_report(by_silence, a_rulebook(), None),
        a_report(untold),
    ]
    written = json_of([layer_of(report) for report in reports])
    if os.environ.get("GOLDENS") == "write":
        GOLDEN.write_bytes(written)
    assert written == GOLDEN.read_bytes()
    assert [faults_of(layer) for layer in json.loads(written)] == [[]] * len(reports)


@given(PAST_DECISIONS, st.booleans(), st.sampled_from(["19.0", "19", "", "v19", "latest"]), st.randoms())
def test_the_navigator_takes_whatever_was_decided(
    decisions: list[PastDecision], is_silenced: bool, version: str, random: Any
) -> None:
    """A layer that the specification allows, of sound ids; each has its score, and is red if nobody heard of it.

    In whatever order the decisions are, the layer is the same.
    """
    silences = Silences.from_list([a_silence(type=None), a_silence("cd34ef")] if is_silenced else [])
    layer = layer_for(decisions, None, silences, attack_version=version)
    assert faults_of(layer) == []
    assert not scores(layer).keys() & the_attack_table().successors.keys()
    assert all(0 <= score <= layer["gradient"]["maxValue"] for score in scores(layer).values())
    assert all(one["value"] for annotated in (layer, *layer["techniques"]) for one in annotated.get("metadata", ()))
    outcomes = a_report(decisions).outcomes.techniques
    assert {id: score for id, score in scores(layer).items() if score} == {
        id: len(one.routed) for id, one in outcomes.items() if one.routed
    }
    red = {one["techniqueID"] for one in layer["techniques"] if one.get("color") == UNHEARD}
    assert red == {id for id, one in outcomes.items() if not one.routed}
    assert {one.get("color") for one in layer["techniques"]} <= {None, UNHEARD, COULD_BE_HIDDEN}
    major = version.partition(".")[0]
    assert layer["versions"].get("attack") == (major if major.isdigit() else None)
    assert {"name": "ATT&CK version of the rules", "value": version or "not known"} in layer["metadata"]
    shuffled = random.sample(decisions, len(decisions))
    assert layer_for(shuffled, None, silences, attack_version=version) == layer


def test_nothing_in_a_layer_acts_on_who_reads_it() -> None:
    """A decisions file may hold anybody's words."""
    decisions = [a_held_decision(by=ACTING, tactics=(ACTING,), techniques=("T1110", ACTING), type=ACTING)]
    layer = layer_for(decisions, source=ACTING)
    words = json.dumps(layer, ensure_ascii=False)
    assert not set(ACTING) & set("\x1b\u202e\x00") & set(words)
    assert faults_of(layer) == []


@pytest.mark.shared
def test_the_specification_takes_its_own_example() -> None:
    """Our table of it is no narrower than what MITRE published."""
    example = json.loads((SAMPLES / "rules" / "navigator_layer_v4.5_spec_example.json").read_bytes())
    assert faults_of(example) == []
