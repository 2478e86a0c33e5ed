"""The steps of a decision in words, as they were stored when it was made: nothing is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from router.domain.decisions import StepCode
from router.domain.holders import holder_words

_RULE = "{rule}"
"""Stands where the name of what answered goes."""

STEP_WORDS: Mapping[StepCode, str] = {
    StepCode.NOT_UNDERSTOOD: "the message was not understood",
    StepCode.ATTACK_KNOWN: "ATT&CK tactics or techniques are known for it",
    StepCode.ATTACK_UNKNOWN: "no ATT&CK tactic or technique is known for it",
    StepCode.RESOLVED_YES: "it is resolved",
    StepCode.SNAPSHOTS_UNSEEN: "whole snapshots came without it",
    StepCode.RESOLVED_NO: "it is not resolved",
    StepCode.NOTED_YES: "it is only noted, nobody answers a number",
    StepCode.NOTED_NO: "it asks somebody",
    StepCode.FLOOR_BELOW: "it is below the floor",
    StepCode.FLOOR_PASSED: "it is not below the floor",
    StepCode.SEVERITY_ASSUMED: "the message gives no severity that is known, so that of its gravest CVE counts, or else Medium",
    StepCode.FLOOR_UNKNOWN: "its severity is not known, which is above every floor",
    StepCode.FLOOR_COVERAGE: "it is about coverage, which is above every floor",
    StepCode.SUPPRESSION_HELD: f"{_RULE} holds it",
    StepCode.SUPPRESSION_NONE: "nothing holds it",
    StepCode.SILENCE_REFUSED: f"{_RULE} covers it, and may hold nothing that grave",
    StepCode.SILENCE_SPENT: f"{_RULE} covers it, and silences have held it for as long as they may",
    StepCode.ROUTE_MATCHED: f"route {_RULE} takes it",
    StepCode.ROUTE_OTHERWISE: "no route takes it, so it goes where the policy sends the rest",
    StepCode.LEDGER_OLDER: "it is older than what is known of the signal",
    StepCode.LEDGER_SAME: "it says nothing new of the signal",
    StepCode.LEDGER_NEVER_NOTIFIED: "nobody was ever told of the signal",
    StepCode.LEDGER_OPEN: "it goes on where the signal was routed before",
    StepCode.LEDGER_STATUS: "nothing is new but its status, which calls nobody anew",
    StepCode.LEDGER_AGAIN: "a message that was decided before is decided once more",
    StepCode.LEDGER_STILL_HELD: "what held it holds it still",
    StepCode.LEDGER_UNCHANGED: "that decides the same as before",
}
"""What each step says of a message."""

_OF_HOLDERS = frozenset({StepCode.SUPPRESSION_HELD, StepCode.SILENCE_REFUSED, StepCode.SILENCE_SPENT})
"""Those that a rule or a silence answers."""


class StoredStep(NamedTuple):
    """A step as it stands on record.

    Attributes:
        code: what was asked and answered.
        rule: the name of what answered; None where nothing that has a name did.
        words: the same in words.
    """

    code: str
    rule: str | None
    words: str


def stored_step(written: str) -> StoredStep:
    """A step of the record; one that only a later program knows stays as it is written."""
    code, _, rule = written.partition("=")
    try:
        words = STEP_WORDS[StepCode(code)]
    except ValueError:
        return StoredStep(code, rule or None, written)
    named = holder_words(rule) if code in _OF_HOLDERS else rule
    return StoredStep(code, rule or None, words.replace(_RULE, named))
