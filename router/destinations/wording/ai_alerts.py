"""Alerts about AI: prompts, answers and what end users are called may stand in any of their texts and properties.

Defender takes "suspicious segments of user prompts and model responses" into them, and does not say in which fields:
https://learn.microsoft.com/azure/defender-for-cloud/ai-onboarding#enable-user-prompt-evidence
So most kinds are told no more of them than an outline: what Defender calls it, how grave it is, where, whose, and links.
"""

from __future__ import annotations

import re
from dataclasses import replace

from router.domain.evidence import Evidence
from router.domain.notices import Group, Notice
from router.domain.rulebook import By

OUTLINE = "What else this alert says may quote prompts, answers and end users. It stands in Defender, and is not repeated here."
"""What stands for the description of an alert about AI where it is told in outline."""

_AI = "AI"  # the plan
_TYPE = re.compile(r"(?:simulated_|sample_)?(?:ai[._]|(?:[a-z0-9]+_)?agentic_)", re.IGNORECASE)
_NAMES_A_TYPE = re.compile(r"\bAI\.[A-Za-z]+_|\bAzure_Agentic_", re.IGNORECASE)
_PROVIDERS = ("microsoft.cognitiveservices/", "microsoft.machinelearningservices/", "microsoft.botservice/")

_ALIKE = frozenset({By.ALERT_TYPE, By.RESOURCE, By.SUBSCRIPTION, By.TACTICS, By.OWNER, "limit"})


def is_about_ai(notice: Notice) -> bool:
    """Whether an alert or incident is about AI: by its type, by its plan, or, where it has no plan, by its resource.

    An incident is also one where it names an alert of such a type, whatever plan it is of.
    """
    if notice.plan == _AI or _TYPE.match(notice.type):
        return True
    if notice.stream != "cwpp":
        return False
    is_incident = notice.kind == "incident"
    if (notice.plan is None or is_incident) and (notice.resource_type or "").casefold().startswith(_PROVIDERS):
        return True
    if not is_incident:
        return False
    if any(_NAMES_A_TYPE.search(text) for text in (notice.title, notice.description, *notice.extended.values())):
        return True
    return any(provider in one.casefold() for one in notice.evidence.resources for provider in _PROVIDERS)


def outline_of(notice: Notice) -> Notice:
    """A notice that says what an alert is, how grave, where, since when and whose, with links, and no more."""
    return replace(
        notice,
        description=OUTLINE,
        compromised_entity=None,
        tactics=(),
        techniques=(),
        remediation=(),
        evidence=Evidence(),
        categories=(),
        measure=None,
        cause=None,
        cloud=None,
        correlation=None,
        alerts=(),
        group=_outline_of_group(notice.group),
        extended={},
        unlisted=(),
        category=None,
        package=None,
        cves=(),
        has_more_cves=False,
        image=None,
        rule=None,
        scanner=None,
        risk=None,
        account=None,
        project=None,
        cluster=None,
        status_description=None,
        impact=None,
        cvss=None,
        entry_points=(),
        targets=(),
    )


def _outline_of_group(group: Group | None) -> Group | None:
    """A group without what its members have in common, where that may be an entity."""
    if group is None:
        return None
    return replace(group, by=tuple((name, value) for name, value in group.by if name in _ALIKE))
