"""A notice of what is no signal, or of a signal of which nothing is known."""

from __future__ import annotations

from router.domain.evidence import Evidence
from router.domain.notices import Notice


def bare_notice(stream: str, kind: str, reason: str) -> Notice:
    """A notice that says nothing but why it is there; its maker says the rest."""
    return Notice(
        key="",
        turn=0,
        stream=stream,
        kind=kind,
        id="",
        type="",
        title="",
        description="",
        severity=None,
        severity_written=None,
        status=None,
        plan=None,
        sample=False,
        resource=None,
        resource_type=None,
        resource_group=None,
        subscription=None,
        compromised_entity=None,
        tactics=(),
        techniques=(),
        attack_version="",
        routes=(),
        reason=reason,
        rulebook="",
        link=None,
        remediation=(),
        evidence=Evidence(),
        owner=None,
        product=None,
        started=None,
        ended=None,
        changed=None,
    )
