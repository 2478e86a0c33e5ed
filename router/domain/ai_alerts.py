"""Which alerts are about AI, so that prompts, answers and what end users are called may stand in their texts. Pure."""

from __future__ import annotations

import re

from router.domain.notices import Notice

_AI = "AI"  # the plan
_TYPE = re.compile(r"(?:simulated_|sample_)?(?:ai[._]|(?:[a-z0-9]+_)?agentic_)", re.IGNORECASE)
_NAMES_A_TYPE = re.compile(r"\bAI\.[A-Za-z]+_|\bAzure_Agentic_", re.IGNORECASE)
_OF_MANAGEMENT = re.compile(r"(?:simulated_|sample_)?arm_", re.IGNORECASE)
"""Types of Defender for Resource Manager, which sees who manages a resource and never what the resource is asked:
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-resource-manager-introduction"""

_PROVIDERS = ("microsoft.cognitiveservices/", "microsoft.machinelearningservices/", "microsoft.botservice/")
"""The providers of resources that end users' words go through: models and agents (`CognitiveServices/accounts` and
projects in it, also speech, vision and language), workspaces, hubs and endpoints of Machine Learning, and bots. All of their
types are meant, since which of them Defender will name, nobody knows before an alert has come."""


def is_about_ai(notice: Notice) -> bool:
    """Whether an alert or incident is about AI: by its type, by its plan, or by its resource, whatever its plan.

    Of an AI resource, alerts about its management are not: prompts never stand in them. Every other type is, also one that
    nobody knows yet: a plan that was guessed from a type's beginning says nothing of what stands in it. An incident is also one
    where it names an alert of such a type, or a resource of that kind.
    """
    if notice.plan == _AI or _TYPE.match(notice.type):
        return True
    if notice.stream != "cwpp":
        return False
    if (notice.resource_type or "").casefold().startswith(_PROVIDERS) and not _OF_MANAGEMENT.match(notice.type):
        return True
    return notice.kind == "incident" and _names_one(notice)


def _names_one(incident: Notice) -> bool:
    """Whether an incident names an alert about AI, or an AI resource among its evidence."""
    texts = (incident.title, incident.description, *incident.extended.values())
    if any(_NAMES_A_TYPE.search(text) for text in texts):
        return True
    return any(
        f"/providers/{provider}" in id.casefold() for id in incident.evidence.resources for provider in _PROVIDERS
    )
