"""The layer of `attack layer`: the Navigator takes it, and it says what was counted."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
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
from tests.decide.test_blind_spots import PAST_DECISIONS, a_held_decision, a_past_decision, a_silence, outcomes_of
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
    shuffled = random.sample(decisions, len(decisions))
    assert layer_for(shuffled, None, silences, attack_version=version) == layer


def test_the_version_is_the_major_one_of_the_rules() -> None:
    """As the Navigator knows it; the whole one stands in the metadata."""
    for version, told in (("19.0", "19"), ("19", "19"), ("20.1.2", "20"), ("", None), ("v19", None)):
        layer = layer_for([], attack_version=version)
        assert layer["versions"].get("attack") == told
        assert {"name": "ATT&CK version of the rules", "value": version or "not known"} in layer["metadata"]


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
