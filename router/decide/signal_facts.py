"""What the rulebook says of a signal before it is decided: its place in MITRE ATT&CK; its severity, if about coverage."""

from __future__ import annotations

from copy import replace

from router.domain.catalogue import Attack
from router.domain.rulebook import Rulebook
from router.domain.signals import Alert, Finding, Signal

_NOTHING = Attack()


def attack_of(signal: Signal, rulebook: Rulebook) -> Attack:
    """The tactics and techniques of a signal.

    Tactics come from what the message says; where that says nothing usable, from the catalogue of alert types: a sample's from
    that of the alert that it stands for. Revoked
    techniques are replaced by their successors, and a technique that names its own tactics adds them.
    """
    table = rulebook.attack
    tactics = {id for word in signal.intents for id in table.tactics_for(word)}
    if not tactics:
        known = rulebook.catalogue.find_type(signal.type)
        if known is None and isinstance(signal, Alert) and signal.sample:
            known = rulebook.catalogue.find_simulated(signal.type, signal.title, signal.plan)
        tactics.update(id for word in (known.tactics if known is not None else ()) for id in table.tactics_for(word))
    if not signal.techniques:
        return Attack(tuple(sorted(tactics))) if tactics else _NOTHING
    techniques = {table.technique_for(id) for id in signal.techniques}
    for id in techniques:
        tactics.update(table.techniques.get(id) or table.techniques.get(id.partition(".")[0], ()))
    return Attack(tuple(sorted(tactics)), tuple(sorted(techniques)))


def with_coverage_level(signal: Signal, rulebook: Rulebook) -> Signal:
    """The same signal; a finding about coverage is as grave as the policy says, and `severity_written` is kept."""
    if not isinstance(signal, Finding) or not signal.is_about_coverage:
        return signal
    severity = rulebook.coverage_severity
    return signal if signal.severity is severity else replace(signal, severity=severity)
