"""How grave severities are, beside each other. Pure."""

from __future__ import annotations

from router.domain.severity import Severity

_GRAVITY = {severity.label: severity.value for severity in Severity}


def gravity_of(severity: str | None) -> int:
    """How grave a severity is. In doubt the router is loud: one that is not known is the gravest."""
    return _GRAVITY.get(severity or "", max(Severity) + 1)
