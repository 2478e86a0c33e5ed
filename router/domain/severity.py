"""How severe a signal is."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """Defender's severities, comparable; an alert's that is missing or unknown is None, which is above every floor."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        """The severity as Defender writes it."""
        return _LABELS[self]


_LABELS = {severity: severity.name.capitalize() for severity in Severity}


def find_severity(stored: object) -> Severity | None:
    """The severity that a stored number stands for; None where it stands for none."""
    return Severity(stored) if isinstance(stored, int) and stored in _LABELS else None


_NAMED = {severity.name.lower(): severity for severity in Severity}


def severity_named(written: str | None) -> Severity | None:
    """The severity that is written, whatever its case; None for a missing or unknown one."""
    return _NAMED.get(written.strip().lower()) if written else None


ASSUMED = Severity.MEDIUM
"""The severity of a finding that gives none, and names no CVE that has one."""


def assumed_words(severity: str, written: str | None) -> str:
    """What to add to a severity that the message does not give: what it gives, and what says the severity instead."""
    by = "" if severity == ASSUMED.label else ", by its CVEs"
    return f" ({' '.join(written.split()) if written else 'none'} given{by})"


_GRAVITY = {label: severity.value for severity, label in _LABELS.items()}
_GRAVEST = max(Severity) + 1
GRAVITIES = range(_GRAVEST, 0, -1)
"""All of them, the gravest first."""


def gravity_of(severity: str | None) -> int:
    """How grave a severity is. In doubt the router is loud: one that is not known is the gravest."""
    return _GRAVITY.get(severity or "", _GRAVEST)
