"""A delivery as one JSON object of our own, as `webhook` and `splunk_hec` send and `file` writes it."""

from __future__ import annotations

from typing import Any

from router.destinations.wording.evidence import EVIDENCE
from router.destinations.wording.languages import web_link
from router.destinations.wording.members import group_of
from router.destinations.wording.posture import posture_of
from router.domain.deliveries import Delivery
from router.domain.notices import DECISION_KEYS, Notice

_FIELDS = (
    "stream", "kind", "id", "type", "title", "description", "severity", "severity_written", "status", "plan", "sample",
    "resource", "resource_type", "resource_group", "subscription", "compromised_entity", "techniques",
    "attack_version", "routes", "reason", "rulebook", "link", "remediation", "product", "started", "ended", "changed",
    "categories", "measure", "cause", "cloud", "snapshot", "respond_by", "closing", "correlation", "alerts", "extended",
)  # fmt: skip

_ENTRY_KEYS = ("key", "at", *DECISION_KEYS)


def document_of(delivery: Delivery, notice: Notice) -> dict[str, Any]:
    """The object of one notice. Every key is always there; what is not known is null, [] or {}.

    `change` (opened, updated, resolved), `key` (of the signal, or of its group), `turn` and `destination` say which notice
    it is; `tactics` is a list of {id, name}; `evidence` holds lists of texts by name; `owner` is {group, service} or null;
    `package`, `image`, `rule` and `risk` are objects as in `router.domain.posture`, or null; `group` is null, or
    {by, total, standing, named, limited, groups} where several signals are told of as one; `closing` says how it
    ended, where that is not that it is over; the rest is as in `router.domain.notices.Notice`.
    """
    owner, evidence = notice.owner, notice.evidence
    return {
        "change": delivery.change,
        "key": notice.key,
        "turn": notice.turn,
        "destination": delivery.destination,
        **{name: getattr(notice, name) for name in _FIELDS},
        "link": web_link(notice.link),
        "tactics": [{"id": tactic.id, "name": tactic.name} for tactic in notice.tactics],
        "evidence": {name: getattr(evidence, name) for name in EVIDENCE},
        "group": group_of(notice),
        **posture_of(notice),
        "owner": {"group": owner.group, "service": owner.service} if owner else None,
    }


def object_of(delivery: Delivery) -> dict[str, Any]:
    """The object of what a delivery carries: of a notice, or of an entry of the record, with the keys that others read."""
    content = delivery.content
    if isinstance(content, Notice):
        return document_of(delivery, content)
    return {name: getattr(content, name) for name in _ENTRY_KEYS}
