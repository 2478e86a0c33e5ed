"""How severe a signal is."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """Defender's severities, comparable; a missing or unknown one is None, which is above every floor."""

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


_GRAVITY = {label: severity.value for severity, label in _LABELS.items()}


def gravity_of(severity: str | None) -> int:
    """How grave a severity is. In doubt the router is loud: one that is not known is the gravest."""
    return _GRAVITY.get(severity or "", max(Severity) + 1)
