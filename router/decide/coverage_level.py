"""How grave a finding about coverage is: as the policy says, whatever the message wrote.

What Defender does not watch sends no alerts, and Defender itself has called that Low. So the policy's severity stands in place
of the message's from the moment a message is read: routes, silences, groups and destinations see no other.
"""

from __future__ import annotations

from dataclasses import replace

from router.domain.rulebook import Rulebook
from router.domain.signals import Finding, Signal


def with_coverage_level[S: Signal](signal: S, rulebook: Rulebook) -> S:
    """The same signal; a finding about coverage is as grave as the policy says, and `severity_written` is kept."""
    if not isinstance(signal, Finding) or not signal.is_about_coverage:
        return signal
    severity = rulebook.coverage_severity
    return signal if signal.severity is severity else replace(signal, severity=severity)
