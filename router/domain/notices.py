"""Notices, deliveries and receipts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from router.domain.evidence import Evidence
from router.domain.owners import Owner
from router.domain.posture import PostureFacts
from router.domain.signals import Link as Link
from router.domain.values import Value


class Tactic(Value):
    """An ATT&CK tactic."""

    id: str
    name: str


class Release(Value, kw_only=True):
    """What had held a signal back that is notified now. Times are ISO 8601 in UTC.

    Attributes:
        ended: when it ended; None where it was taken away or changed before its end.
    """

    kind: str
    name: str
    author: str | None = None
    since: str | None = None
    ended: str | None = None
    messages: int | None = None


class NamedMember(Value, kw_only=True):
    """A member of a group as the group's notices name it."""

    key: str
    title: str
    severity: str | None
    place: str | None


class Group(Value, kw_only=True):
    """A group of signals as its notices have it.

    Attributes:
        named: the latest of those that are still open, the gravest first.
        groups: how many groups a summary counts, which names groups instead of signals; None for any other group.
    """

    by: tuple[tuple[str, str], ...]
    total: int
    standing: int
    named: tuple[NamedMember, ...]
    limited: bool = False
    groups: int | None = None


ANNOUNCEMENT = "announcement"
"""The kind of a notice that is about rules, silences and holds, and no signal."""


class Notice(PostureFacts, kw_only=True):
    """One signal or group at one turn, as destinations are notified of it. Times are ISO 8601 in UTC.

    Whether it opened, was updated or resolved stands in the delivery.

    Attributes:
        title, description: as in `Signal`, without markup and with what their placeholders stand for.
        unfilled_title: its title with the names of its placeholders, where it has any, as a group names its other members.
        started: as in `Alert`; of a finding, when Defender first came to this result.
        is_whole: whether it holds all that is told of a signal, and was not cut to wait in a group's state.
        routes_to: those of `routes` that lead to a destination, by its name.
        remediation: what to do, line by line, without markup.
        connector: the name of the security connector that brought its resource; where that is not known, its GUID.
        unlisted: the names in `extended` of what says something and stands in no list of the evidence, shortest values first.
        paged: whether the rules send it, or one of its group, to a pager as well; a sample counts for none.
        closing: how it ended, in words, where Defender does not say that it is over.
        recipient: the only mail address that it is for; None for those that the policy names.
    """

    key: str
    turn: int
    stream: str
    kind: str
    id: str
    type: str
    title: str
    description: str = ""
    severity: str | None = None
    severity_written: str | None = None
    status: str | None = None
    plan: str | None = None
    sample: bool = False
    resource: str | None = None
    resource_type: str | None = None
    resource_group: str | None = None
    subscription: str | None = None
    compromised_entity: str | None = None
    tactics: tuple[Tactic, ...] = ()
    techniques: tuple[str, ...] = ()
    attack_version: str = ""
    routes: tuple[str, ...] = ()
    reason: str
    rulebook: str
    link: str | None = None
    remediation: tuple[str, ...] = ()
    evidence: Evidence = Evidence()
    owner: Owner | None = None
    product: str | None = None
    started: str | None = None
    ended: str | None = None
    changed: str | None = None
    respond_by: str | None = None
    correlation: str | None = None
    alerts: tuple[str, ...] = ()
    group: Group | None = None
    extended: Mapping[str, str] = {}
    cves: tuple[str, ...] = ()
    has_more_cves: bool = False
    account: str | None = None
    project: str | None = None
    cluster: str | None = None
    status_only: bool = False
    paged: bool = False
    closing: str | None = None
    unlisted: tuple[str, ...] = ()
    subscription_name: str | None = None
    environment: str | None = None
    runbooks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    release: Release | None = None
    routes_to: Mapping[str, tuple[str, ...]] = {}
    is_whole: bool = False
    unfilled_title: str | None = None
    has_fix: bool | None = None
    namespaces: tuple[str, ...] = ()
    connector: str | None = None
    tags: Mapping[str, str] = {}
    recipient: str | None = None


class RecordEntry(Value, kw_only=True):
    """One decision as it is put on record. `DECISION_KEYS` names what other programs read of it.

    Attributes:
        key: the identity of the message, as `Arrival.key` has it.
        at: when it was decided, in ISO 8601.
        kind: `unknown` where the message was not understood, of which id, stream and the like are None.
        signal: the key of the signal; None where the message was not understood.
        turn: the turn of that signal that the decision made; None where it made none, as a repeat.
    """

    key: str
    at: str
    id: str | None
    stream: str | None
    kind: str
    type: str | None
    title: str | None
    severity: str | None
    status: str | None
    plan: str | None
    resource: str | None
    sample: bool
    outcome: str
    reason: str
    notice: str | None
    suppressed_by: str | None
    suppressed_until: str | None
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    routes: tuple[str, ...]
    destinations: tuple[str, ...]
    rulebook: str
    source: str
    signal: str | None = None
    turn: int | None = None
    steps: tuple[str, ...] = ()
    shadowed_by: tuple[str, ...] = ()


DECISION_KEYS = (
    "id", "stream", "kind", "type", "title", "severity", "status", "plan", "resource", "sample", "outcome", "reason", "notice",
    "suppressed_by", "suppressed_until", "shadowed_by", "tactics", "techniques", "routes", "destinations", "rulebook", "source",
)  # fmt: skip
"""What other programs read of an entry, in their order: a contract, so what an entry gains is not in it by itself."""


_AI = "AI"  # the plan
_TYPE = re.compile(r"(?:simulated_|sample_)?(?:ai[._]|(?:[a-z0-9]+_)?agentic_)", re.IGNORECASE)
_NAMES_A_TYPE = re.compile(r"\bAI\.[A-Za-z]+_|\bAzure_Agentic_", re.IGNORECASE)
_OF_MANAGEMENT = re.compile(r"(?:simulated_|sample_)?arm_", re.IGNORECASE)
"""Types of Defender for Resource Manager, which sees who manages a resource and never what the resource is asked:
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-resource-manager-introduction"""

_PROVIDERS = ("microsoft.cognitiveservices/", "microsoft.machinelearningservices/", "microsoft.botservice/")
"""The providers of resources that end users' words go through: models, agents, endpoints of Machine Learning, and bots."""


def is_about_ai(notice: Notice) -> bool:
    """Whether an alert or incident is about AI: by its type, by its plan, or by its resource, whatever its plan.

    Of an AI resource, alerts about its management are not: prompts never stand in them. An incident is also one where it
    names an alert of such a type, or a resource of that kind.
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
