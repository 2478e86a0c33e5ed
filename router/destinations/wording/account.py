"""A notice in words, for people who read tickets and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.destinations.wording.fitting import shorten
from router.destinations.wording.languages import sound_link
from router.destinations.wording.posture import words_of_posture
from router.domain.evidence import Evidence
from router.domain.notices import Group, NamedMember, Notice
from router.domain.resources import parse_resource_id
from router.domain.signals import AZURE_MONITOR, DEFENDER

EVIDENCE = tuple(Evidence.__dataclass_fields__)
"""The names of the lists of evidence, in the order in which a responder asks for them."""

FACT_LIMIT = 300
"""Characters of one fact."""

LINK_LIMIT = 2_000
"""Characters of a link; ours, so that a link and its words stay one text."""

_ITEMS = 20
_FACTS, _MEMBERS, _EVIDENCE, _REMEDIATION = 0.4, 0.2, 0.25, 0.15
"""The most that each part of an account may take of it."""


def severity_of(notice: Notice) -> str:
    """The severity in words; one that is not known says so."""
    if notice.severity is not None:
        return notice.severity
    return f"Unknown ({notice.severity_written})" if notice.severity_written else "Unknown"


def reporter_of(notice: Notice) -> str:
    """Who says it: Azure Monitor of its own alerts, and Defender for Cloud of all that it exports, whatever it calls itself."""
    return AZURE_MONITOR if notice.product == AZURE_MONITOR else DEFENDER


def _other_product(notice: Notice) -> str | None:
    """Who says it, where that is not Defender for Cloud, of whom people take it to be."""
    return reporter if (reporter := reporter_of(notice)) != DEFENDER else None


def ending_of(notice: Notice) -> str:
    """What people read where something is closed: that it is over, or how else it ended, and what it was."""
    if notice.group is not None and notice.group.groups is not None:
        return "All that waited for room has a ticket of its own by now, or is over."
    if notice.closing is None:
        return f"{reporter_of(notice)} reports that this is over."
    package = notice.package.name if notice.package is not None else None
    facts = {"Resource": notice.resource, "Package": package, "Id": notice.id}
    lines = [f"{name}: {shorten(value, FACT_LIMIT)}" for name, value in facts.items() if value]
    closing = f"{notice.closing[:1].upper()}{notice.closing[1:]}."
    return "\n".join([shorten(closing, FACT_LIMIT), headline(notice, FACT_LIMIT), *lines])


def location_of(notice: Notice) -> str:
    """Where it happens, as a person would say: a host, the resource's name, or what the alert calls it."""
    hosts = notice.evidence.hosts
    name = parse_resource_id(notice.resource).name
    return (hosts[0] if hosts else None) or name or notice.compromised_entity or notice.resource or "unknown resource"


def headline(notice: Notice, limit: int) -> str:
    """One line of at most `limit` characters: severity, how many signals it is about, title, location."""
    mark = "[Sample] " if notice.sample else ""
    line = f"{mark}{severity_of(notice)}: {_count(notice.group)}{notice.title or notice.type} - {location_of(notice)}"
    return shorten(" ".join(line.split()), limit)


def _count(group: Group | None) -> str:
    """How many signals a headline is about, before it names the latest."""
    if group is None:
        return ""
    count = f"{group.total}" if group.standing in (0, group.total) else f"{group.standing} of {group.total}"
    if group.groups is not None:
        beyond = f"for room under the limit of {dict(group.by)['limit']}"
        if not group.standing:
            return f"none of {group.total} waits any longer {beyond}, the last: "
        return f"{count} wait in {_groups(group.groups)} {beyond}, the gravest: "
    if group.limited:
        return f"{count} beyond the limit of {dict(group.by)['limit']}, the latest: "
    return f"{count} signals, the latest: "


def _groups(count: int) -> str:
    return "1 group" if count == 1 else f"{count} groups"


def evidence_of(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence that are not empty, by name."""
    evidence = notice.evidence
    return {name: values for name in EVIDENCE if (values := getattr(evidence, name))}


def tactics_of(notice: Notice) -> list[str]:
    """The tactics with their ids: `Credential Access (TA0006)`."""
    return [f"{tactic.name} ({tactic.id})" for tactic in notice.tactics]


def account_of(notice: Notice, limit: int) -> str:
    """The whole notice as plain text of at most `limit` characters: facts, what to do, evidence, description."""
    facts = "\n".join(f"{name}: {value}" for name, value in facts_of(notice).items())
    return _joined((shorten(facts, int(limit * _FACTS)), *_story_in(notice, limit)), limit)


def story_of(notice: Notice, limit: int) -> str:
    """What an account says beside the facts, in at most `limit` characters: what to do, evidence, description."""
    return _joined(_story_in(notice, limit), limit)


def link_of(notice: Notice) -> str | None:
    """The link to the portal, whole or not at all."""
    link = sound_link(notice.link)
    return link if link is not None and len(link) <= LINK_LIMIT else None


def _story_in(notice: Notice, limit: int) -> Iterator[str]:
    if notice.group is not None:
        yield shorten(_members_of(notice.group), int(limit * _MEMBERS))
    if notice.remediation:
        yield "What to do:\n" + shorten("\n".join(notice.remediation), int(limit * _REMEDIATION))
    evidence = "\n".join(f"{name}: {_listed(values)}" for name, values in evidence_of(notice).items())
    if evidence:
        yield "Evidence:\n" + shorten(evidence, int(limit * _EVIDENCE))
    # Last, because it takes what the others leave: it alone is prose, of which the beginning says most.
    yield notice.description


def _members_of(group: Group | None) -> str:
    """The signals of a group that are still open, the latest first."""
    if group is None:
        return ""
    if not group.standing:
        return "None stands any longer." if group.groups is None else "None waits any longer."
    if group.groups is not None:
        title, unnamed = "Waiting for their turn:", group.groups - len(group.named)
    else:
        title, unnamed = "Still standing:", group.standing - len(group.named)
    places = (f" - {one.place}" if one.place else "" for one in group.named)
    lines = [
        f"- {one.severity or 'Unknown'}: {one.title}{place}" for one, place in zip(group.named, places, strict=True)
    ]
    return "\n".join([title, *lines, *([f"- and {unnamed} more"] if unnamed > 0 else [])])


def _words_of(group: Group | None) -> str | None:
    if group is None:
        return None
    alike = ", ".join(f"{name} {value}" for name, value in group.by)
    if group.groups is not None:
        signals = "1 signal waits" if group.standing == 1 else f"{group.standing} signals wait"
        return f"{signals} for room in {_groups(group.groups)}; each group gets a ticket of its own"
    return f"{group.total} signals, {group.standing} still stand{f'; alike in {alike}' if alike else ''}"


def _joined(parts: Iterable[str], limit: int) -> str:
    return shorten("\n\n".join(parts).rstrip(), limit)


def group_of(notice: Notice) -> dict[str, Any] | None:
    """The signals that a notice is about, with the keys of `router.domain.notices.Group`; None where it is about one."""
    if (group := notice.group) is None:
        return None
    names = NamedMember.__dataclass_fields__
    return {
        "by": dict(group.by),
        "total": group.total,
        "standing": group.standing,
        "named": [{name: getattr(one, name) for name in names} for one in group.named],
        "limited": group.limited,
        "groups": group.groups,
    }


def details_of(notice: Notice) -> dict[str, Any]:
    """The whole notice by name, what a responder reads first, first; what is not known is left out."""
    owner, posture = notice.owner, words_of_posture(notice)
    details = {
        "severity": severity_of(notice),
        "risk": posture["Risk"],
        "group": [text for text in (_words_of(notice.group), _members_of(notice.group)) if text],
        "alerts": notice.alerts,
        "status": notice.status,
        "ended_as": notice.closing,
        "respond_by": notice.respond_by,
        "resource": notice.resource,
        "resource_type": notice.resource_type,
        "subscription": notice.subscription,
        "compromised_entity": notice.compromised_entity,
        "description": notice.description,
        **{name.lower(): words for name, words in posture.items()},
        **evidence_of(notice),
        "tactics": tactics_of(notice),
        "techniques": notice.techniques,
        "remediation": notice.remediation,
        "owner_group": owner.group if owner else None,
        "owner_service": owner.service if owner else None,
        "plan": notice.plan,
        "product": _other_product(notice),
        "kind": notice.kind,
        "id": notice.id,
        "started": notice.started,
        "cause": notice.cause,
        "measure": notice.measure,
        "sample": notice.sample,
        "routes": notice.routes,
        "reason": notice.reason,
        "rulebook": notice.rulebook,
        "extended": notice.extended,
    }
    return {name: value for name, value in details.items() if value}


def facts_of(notice: Notice) -> Mapping[str, str]:
    """What is known of a notice, by the name of each fact."""
    owner, posture = notice.owner, words_of_posture(notice)
    facts = {
        "Severity": severity_of(notice),
        "Risk": posture["Risk"],
        "Group": _words_of(notice.group),
        "Status": notice.status,
        "Ended as": notice.closing,
        "Resource": notice.resource or notice.compromised_entity,
        "Subscription": notice.subscription,
        "Plan": notice.plan,
        "Product": _other_product(notice),
        "Type": notice.type,
        **posture,
        "Id": notice.id,
        "Tactics": ", ".join(tactics_of(notice)),
        "Techniques": ", ".join(notice.techniques),
        "Cause": notice.cause,
        "Measure": notice.measure,
        "Alerts": ", ".join(notice.alerts),
        "Owner": " / ".join(filter(None, (owner.group, owner.service))) if owner else None,
        "Respond by": notice.respond_by,
        "Started": notice.started,
        "Portal": link_of(notice),
        "Sent because": notice.reason,
    }
    # Half a link leads nowhere.
    return {name: value if name == "Portal" else shorten(value, FACT_LIMIT) for name, value in facts.items() if value}


def _listed(values: tuple[str, ...]) -> str:
    shown = ", ".join(shorten(value, 200) for value in values[:_ITEMS])
    return shown if len(values) <= _ITEMS else f"{shown}, … [{len(values) - _ITEMS} more]"
