"""Alerts about AI: prompts, answers and what end users are called may stand in any of their texts and properties.

Defender takes "suspicious segments of user prompts and model responses" into them, and does not say in which fields:
https://learn.microsoft.com/azure/defender-for-cloud/ai-onboarding#enable-user-prompt-evidence
So most kinds are told no more of them than an outline: what Defender calls it, how grave it is, where, whose, and our links.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, replace
from typing import Any

from router.domain.evidence import Evidence
from router.domain.notices import Group, Notice
from router.domain.rulebook import BY_TAG, By

OUTLINE = "What else this alert says may quote prompts, answers and end users. It stands in Defender, and is not repeated here."
"""What stands for the description of an alert about AI where it is told in outline."""

_ALIKE = frozenset(
    {
        By.ALERT_TYPE, By.RESOURCE, By.SUBSCRIPTION, By.TACTICS, By.OWNER, By.RESOURCE_GROUP, By.ACCOUNT, By.PROJECT,
        By.CONNECTOR, "limit",
    }
)  # fmt: skip


_TOLD = frozenset(
    {
        "key", "turn", "stream", "kind", "id", "type", "title", "severity", "severity_written", "status", "plan", "sample",
        "resource", "resource_type", "resource_group", "subscription", "subscription_name", "environment", "attack_version",
        "routes", "routes_to", "reason", "rulebook", "link", "owner", "product", "started", "ended", "changed", "snapshot",
        "respond_by", "status_only", "closing", "runbooks", "release", "is_whole",
    }
)  # fmt: skip
"""The fields that an outline has. What a notice gains is not told of AI by itself, nor are the links that a message names: both
their words and their addresses may quote."""

_REQUIRED: dict[str, Any] = {
    "description": OUTLINE,
    "compromised_entity": None,
    "tactics": (),
    "techniques": (),
    "remediation": (),
    "evidence": Evidence(),
}
"""What stands in those that have no default and are not told."""


def outline_of(notice: Notice) -> Notice:
    """A notice that says what an alert is, how grave, where, since when and whose, with our links, and no more."""
    left_out = {one.name: _nothing_for(one) for one in fields(Notice) if one.name not in _TOLD}
    return replace(notice, **left_out | {"group": _outline_of_group(notice.group)})


def _nothing_for(one: Field[Any]) -> Any:
    if one.name in _REQUIRED:
        return _REQUIRED[one.name]
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _outline_of_group(group: Group | None) -> Group | None:
    """A group without what its members have in common, where that may be an entity."""
    if group is None:
        return None
    return replace(
        group, by=tuple((name, value) for name, value in group.by if name in _ALIKE or name.startswith(BY_TAG))
    )
