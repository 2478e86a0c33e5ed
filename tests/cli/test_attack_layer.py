"""The layer of `attack layer`: the Navigator takes it, and it says what was counted."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.attack_layer import COULD_BE_HIDDEN, UNHEARD, AttackReport, layer_of
from router.cli.printing import json_of
from router.decide.blind_spots import PastDecision
from router.domain.decisions import Outcome
from router.domain.rulebook import Rulebook
from router.domain.silences import NO_SILENCES, Silences
from tests.builders import NOW, a_rule, a_rulebook, the_attack_table
from tests.cli.navigator_spec import faults_of
from tests.decide.past import PAST_DECISIONS, a_held_decision, a_past_decision, outcomes_of
from tests.decide.test_blind_spots import a_silence
from tests.samples import SAMPLES

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


def said_in(annotated: Any) -> dict[str, str]:
    """Metadata by name."""
    return {one["name"]: one["value"] for one in annotated["metadata"]}


def test_the_file_is_what_a_person_read_before_it_was_committed() -> None:
    """Written by `GOLDENS=write pytest tests/cli/test_attack_layer.py`."""
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
    report = a_report(
        decisions, None, silences, since=NOW - 30 * DAY, until=NOW, left_out={"lines that are no decisions": 2}
    )
    written = json_of([layer_of(report)])
    if os.environ.get("GOLDENS") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(written)
    assert written == GOLDEN.read_bytes()
    assert [faults_of(layer) for layer in json.loads(written)] == [[]]


@given(PAST_DECISIONS, st.booleans(), st.sampled_from(["19.0", "19", "", "v19", "latest"]))
def test_the_navigator_takes_whatever_was_decided(
    decisions: list[PastDecision],
    is_silenced: bool,
    version: str,
) -> None:
    """A layer that the specification allows; every technique is a sound id that is not revoked, and only once."""
    silences = Silences.from_list([a_silence(type=None), a_silence("cd34ef")] if is_silenced else [])
    layer = layer_for(decisions, None, silences, attack_version=version)
    assert faults_of(layer) == []
    assert not scores(layer).keys() & the_attack_table().successors.keys()
    assert all(0 <= score <= layer["gradient"]["maxValue"] for score in scores(layer).values())
    assert all(one["value"] for annotated in (layer, *layer["techniques"]) for one in annotated.get("metadata", ()))


@given(PAST_DECISIONS)
def test_the_layer_says_what_was_counted(decisions: list[PastDecision]) -> None:
    """Each technique has its score, and is red if nobody heard of it."""
    report, layer = a_report(decisions), layer_for(decisions)
    outcomes = report.outcomes.techniques
    assert {id: score for id, score in scores(layer).items() if score} == {
        id: len(one.routed) for id, one in outcomes.items() if one.routed
    }
    red = {one["techniqueID"] for one in layer["techniques"] if one.get("color") == UNHEARD}
    assert red == {id for id, one in outcomes.items() if not one.routed}
    assert {one.get("color") for one in layer["techniques"]} <= {None, UNHEARD, COULD_BE_HIDDEN}


@given(PAST_DECISIONS, st.randoms())
def test_the_same_decisions_make_the_same_file(decisions: list[PastDecision], random: Any) -> None:
    """To the byte, whatever their order."""
    shuffled = list(decisions)
    random.shuffle(shuffled)
    assert json.dumps(layer_for(shuffled)) == json.dumps(layer_for(decisions))


def test_no_tactic_is_pinned() -> None:
    """Its short name is another one in the next version, and would annotate nothing."""
    assert not any("tactic" in one for one in layer_for([a_past_decision(), a_held_decision()])["techniques"])


@pytest.mark.parametrize(
    ("version", "told"), [("19.0", "19"), ("19", "19"), ("20.1.2", "20"), ("", None), ("v19", None)]
)
def test_the_version_is_the_major_one_of_the_rules(version: str, told: str | None) -> None:
    """As the Navigator knows it; the whole one stands in the metadata."""
    layer = layer_for([], attack_version=version)
    assert layer["versions"].get("attack") == told
    assert said_in(layer)["ATT&CK version of the rules"] == (version or "not known")


def test_tactics_stand_in_the_metadata() -> None:
    """Of signals without a technique they are all that is known, and a layer annotates no tactic."""
    decisions = [a_past_decision(techniques=()), a_held_decision("two", techniques=())]
    layer = layer_for(decisions)
    assert layer["techniques"] == []
    assert "2 of 2 signals name no technique" in layer["description"]
    assert said_in(layer)["tactic TA0006 Credential Access"].startswith("1 signal routed, 1 held")


def test_a_blind_spot_says_by_whom_and_until_when() -> None:
    """What a rule held, when last, and when it ends; of one that held nothing yet, that it could."""
    decisions = [a_held_decision(by="scanner"), a_held_decision("two", by="gone", at=NOW - DAY)]
    book = a_rulebook(a_rule(expires=NOW + DAY), a_rule("another"))
    (spot,) = layer_for(decisions, book)["techniques"]
    assert spot["comment"] == "0 signals routed, 2 held, 0 below the floor: nobody heard of it"
    assert said_in(spot) == {
        "another": "could hold some, until 2026-12-24T12:00:00Z",
        "gone": "held 1 signal, last 2026-11-23T12:00:00Z, until 2026-12-24T12:00:00Z, not in force",
        "scanner": "held 1 signal, last 2026-11-24T12:00:00Z, until 2026-11-25T12:00:00Z",
    }


@pytest.mark.parametrize(("silences", "told"), [(Silences(), ", not in force"), (None, "")])
def test_a_file_does_not_say_whether_a_silence_is_in_force(silences: Silences | None, told: str) -> None:
    """Of a rule the rules do."""
    decisions = [a_held_decision(by="silence:ab12cd"), a_held_decision("two", by="gone")]
    (spot,) = layer_for(decisions, a_rulebook(), silences=silences)["techniques"]
    held = "held 1 signal, last 2026-11-24T12:00:00Z, until 2026-12-24T12:00:00Z"
    assert said_in(spot) == {"silence:ab12cd": f"{held}{told}", "gone": f"{held}, not in force"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "decisions.ndjson, all of it."),
        ({"until": NOW}, "decisions.ndjson, all of it to 2026-11-24T12:00:00Z."),
        ({"since": NOW - DAY, "until": NOW}, "decisions.ndjson, from 2026-11-23T12:00:00Z to 2026-11-24T12:00:00Z."),
    ],
)
def test_a_layer_says_where_it_is_from(changes: dict[str, Any], told: str) -> None:
    """And of which span."""
    assert f"Source: {told}" in layer_for([], **changes)["description"]


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


def _without_name(layer: Any) -> None:
    del layer["name"]


def _with_flat_gradient(layer: Any) -> None:
    layer["gradient"]["minValue"] = layer["gradient"]["maxValue"]


def _with_a_number_in_metadata(layer: Any) -> None:
    layer["metadata"][0]["value"] = 1


def _with_an_unsound_technique(layer: Any) -> None:
    layer["techniques"][0]["techniqueID"] = "T11"


def _with_a_colour_by_name(layer: Any) -> None:
    layer["techniques"][0]["color"] = "red"


def _with_a_technique_twice(layer: Any) -> None:
    layer["techniques"] *= 2


def _with_a_link_without_scheme(layer: Any) -> None:
    layer["links"] = [{"label": "here", "url": "attack.mitre.org"}]


def _with_an_old_navigator(layer: Any) -> None:
    layer["versions"]["navigator"] = "4.8.1"


@pytest.mark.parametrize(
    "break_it",
    [
        _without_name,
        _with_flat_gradient,
        _with_a_number_in_metadata,
        _with_an_unsound_technique,
        _with_a_colour_by_name,
        _with_a_technique_twice,
        _with_a_link_without_scheme,
        _with_an_old_navigator,
    ],
)
def test_the_table_of_the_specification_finds_what_is_wrong(break_it: Callable[[Any], None]) -> None:
    """One fault in a layer that has none."""
    layer = layer_for([a_held_decision()])
    assert faults_of(layer) == []
    broken = copy.deepcopy(layer)
    break_it(broken)
    assert faults_of(broken)
